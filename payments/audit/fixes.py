"""Mending what is provably safe to mend: what two sources agree on, or what is only asked again."""

from collections.abc import Callable, Iterator
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from orders import services as orders
from orders.models import Order, OrderMail, Status
from payments.models import LedgerEntry, PaymentAttempt
from payments.queue import enqueue, enqueue_once
from payments.services import holds


def fix(check: str, *, at: datetime) -> Iterator[str]:
    """Mend what this check found, as far as that is safe; says in words what was done."""
    mend = _MENDERS.get(check)
    if mend:
        yield from mend(at)


# A counter of reserved units is wrong where its movements and the pending orders agree with each
# other and not with it.
_RECOUNT = """
    UPDATE shop_variant v SET reserved = counted.reserved
      FROM (SELECT v.id, coalesce(moved.reserved, 0) AS reserved
              FROM shop_variant v
              LEFT JOIN (SELECT variant_id, sum(reserved_delta) AS reserved
                           FROM shop_stockmovement GROUP BY variant_id) moved
                     ON moved.variant_id = v.id
              LEFT JOIN (SELECT l.variant_id, sum(l.quantity) AS units FROM orders_orderline l
                           JOIN orders_order o ON o.id = l.order_id AND o.status = 'pending'
                          GROUP BY l.variant_id) held ON held.variant_id = v.id
             WHERE v.reserved <> coalesce(moved.reserved, 0)
               AND coalesce(moved.reserved, 0) = coalesce(held.units, 0)
               AND coalesce(moved.reserved, 0) BETWEEN 0 AND v.on_hand) counted
     WHERE counted.id = v.id
    RETURNING v.sku, v.reserved
"""


def _recount(at: datetime) -> Iterator[str]:
    with transaction.atomic(), connection.cursor() as cursor:
        # Nobody moves stock meanwhile, so that both sums are of one moment.
        cursor.execute("LOCK TABLE shop_variant IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute(_RECOUNT)
        mended = cursor.fetchall()
    for sku, reserved in mended:
        yield f"variant {sku}: reserved is {reserved}, as its movements and pending orders say"


def _ask_for_fees(at: datetime) -> Iterator[str]:
    captures = LedgerEntry.objects.filter(kind=LedgerEntry.Kind.CAPTURE, attempt__isnull=False)
    # As the check does: a dispute has a fee of its own, and version 0.2.0 tells no charge of one.
    of_dispute = LedgerEntry.objects.disputed().filter(stripe_id=OuterRef("stripe_id"))
    fees = LedgerEntry.objects.filter(~Exists(of_dispute), kind=LedgerEntry.Kind.FEE)
    known = fees.filter(charge_id=OuterRef("stripe_id"))
    known_by_attempt = fees.filter(charge_id="", attempt=OuterRef("attempt"))
    unknown = captures.filter(~Exists(known), ~Exists(known_by_attempt))
    for attempt_id, charge_id in unknown.values_list("attempt_id", "stripe_id").iterator():
        enqueue("reconcile_attempt", attempt_id=attempt_id)
        yield f"charge {charge_id}: Stripe will be asked for its fee"


def _end_holds(at: datetime) -> Iterator[str]:
    for order in holds.overdue(at).iterator():
        enqueue_once("expire_order", f"expire_order:{order.pk}", order_id=order.pk)
        yield f"order {order.number}: its end is queued"


def _close_attempts(at: datetime) -> Iterator[str]:
    to_pay = PaymentAttempt.objects.live().exclude(state=PaymentAttempt.State.PROCESSING)
    for attempt in to_pay.exclude(order__status=Status.PENDING).select_related("order").iterator():
        enqueue("close_attempts", order_id=attempt.order_id)
        yield f"order {attempt.order.number}: what can still be paid will be closed at Stripe"


def _owe_confirmations(at: datetime) -> Iterator[str]:
    paid = Order.objects.filter(status__in=[Status.PAID, Status.FULFILLED])
    for order in paid.exclude(mails__kind=OrderMail.Kind.CONFIRMATION).iterator():
        with transaction.atomic():
            orders.owe_mail(
                order=orders.lock(order.pk),
                kind=OrderMail.Kind.CONFIRMATION,
                cause="paid",
                at=at,
            )
        yield f"order {order.number}: its confirmation is queued"


_MENDERS: dict[str, Callable[[datetime], Iterator[str]]] = {
    "stock_held": _recount,
    "fees": _ask_for_fees,
    "overdue": _end_holds,
    "payable": _close_attempts,
    "mails": _owe_confirmations,
}
