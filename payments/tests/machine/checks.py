"""What must hold: the audit's own checks, and the same said again in Python, which shares no code.

Of the invariants of the design the seventh is judged by the pages, as no row tells of it.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from django.db import connection
from django.db.models import Sum
from django.test import Client
from django.urls import reverse

from orders import links
from orders.models import Order, OrderLine, Status
from payments.audit import checks, stripe_side
from payments.models import InboxEvent, LedgerEntry, PaymentAttempt, Refund
from shop.clock import now
from shop.models import StockMovement, Variant

# A shop that sleeps a while is late with these: they are asked for once it is awake.
AT_REST_ONLY = {"overdue", "payable", "fees", "mails"}
GONE = {"refund", "refund_reversal", "manual"}
GOING = {"created", "pending", "requires_action"}
DISPUTED = {"needs_response", "under_review", "lost"}
NAMES_IN_BOOKS = {
    "capture": "captured",
    "refund": "refunded",
    "refund_reversal": "refunds_failed",
    "dispute": "disputed",
    "dispute_reversal": "won_back",
    "fee": "fees",
}
SOLD = [Status.PAID, Status.FULFILLED, Status.REFUNDED]


def check_audit(*, but: Collection[str] = ()) -> None:
    """No check of the audit but these finds anything; asked all at once, for speed."""
    asked = [check for check in checks.CHECKS if check.name not in but]
    sql = " UNION ALL ".join(
        f"SELECT '{check.name}', * FROM ({check.sql}) AS found (what, why)" for check in asked
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, {"at": now()})
        assert cursor.fetchall() == []


def check_stock() -> None:
    """Invariant 1: the counters are what pending orders hold, and the sums of their movements."""
    pending = OrderLine.objects.filter(order__status=Status.PENDING)
    held = dict(pending.values_list("variant").annotate(units=Sum("quantity")).order_by())
    moved = StockMovement.objects.values("variant").annotate(
        on_hand=Sum("on_hand_delta"), reserved=Sum("reserved_delta")
    )
    sums = {row["variant"]: (row["on_hand"], row["reserved"]) for row in moved.order_by()}
    for variant in Variant.objects.all():
        assert 0 <= variant.reserved <= variant.on_hand
        assert variant.reserved == held.get(variant.pk, 0)
        assert (variant.on_hand, variant.reserved) == sums[variant.pk]


def check_orders() -> None:
    """Invariants 2 (the story), 3 and 4, of every order."""
    related = ("lines", "attempts", "events", "ledger", "refunds", "disputes", "reviews")
    for order in Order.objects.prefetch_related(*related):
        events = list(order.events.all())
        assert [e.from_status for e in events] == ["", *(e.to_status for e in events[:-1])]
        assert events[-1].to_status == order.status
        _check_money(order)
        lines = sum(line.subtotal_minor - line.discount_minor for line in order.lines.all())
        assert lines + order.shipping_minor + order.tax_minor == order.total_minor
        for attempt in order.attempts.all():
            assert attempt.currency == order.currency
            assert attempt.kind == "manual" or attempt.amount_minor == order.total_minor


def _check_money(order: Order) -> None:
    """An order's status agrees with what came in and went back, in every currency."""
    entries = order.ledger.all()
    received = _sums(e for e in entries if e.kind in {"capture", "manual"} and e.amount_minor > 0)
    gone = _sums(
        e for e in entries if e.kind in GONE and (e.kind != "manual" or e.amount_minor < 0)
    )
    going = _sums(r for r in order.refunds.all() if r.state in GOING)
    disputed = _sums(d for d in order.disputes.all() if d.status in DISPUTED)
    is_in_review = any(review.resolved_at is None for review in order.reviews.all())
    left = {currency: received[currency] + gone[currency] for currency in received | gone}
    unasked = {currency: left[currency] - going[currency] for currency in left}
    # Staff may enter by hand what went back through Stripe too; Stripe itself gives back no more.
    at_stripe = _sums(e for e in entries if e.kind in {"capture", "refund", "refund_reversal"})
    assert min(at_stripe.values(), default=0) >= 0, "more went back than came in"
    if order.status == Status.PENDING:
        assert is_in_review or not any(left.values())
    elif order.status == Status.CANCELED:
        assert is_in_review or all(unasked[c] <= disputed[c] for c in left)
    elif order.total_minor and order.status == Status.REFUNDED:
        assert received
        assert is_in_review or max(unasked.values()) <= 0
    elif order.total_minor:
        assert max(left.values(), default=0) > 0


def _sums(amounts: Iterable[Any]) -> Counter[str]:
    """Return the sums of these rows by currency."""
    sums: Counter[str] = Counter()
    for row in amounts:
        sums[row.currency] += row.amount_minor
    return sums


def check_owners(stranger: Client, numbers: Iterable[str]) -> None:
    """Invariant 7: who signs in finds nobody else's order, nor does a link open another order."""
    wrong = links.sign("ABCDEFGHJK")
    for number in numbers:
        by_number = reverse("payments:order", args=[number])
        by_link = reverse("payments:order_by_link", args=[number, wrong])
        assert stranger.get(by_number).status_code == 404
        assert stranger.get(by_link).status_code == 404


def check_surplus() -> None:
    """More than an order costs is kept only where a person said so, or was asked."""
    asked = Order.objects.filter(reviews__isnull=False)
    for order in Order.objects.exclude(pk__in=asked).prefetch_related("ledger"):
        moved = [e for e in order.ledger.all() if e.kind == "capture" or e.kind in GONE]
        for currency, kept in _sums(moved).items():
            assert (currency, kept <= order.total_minor) == (order.currency, True)


def check_sales() -> None:
    """What left the shelf is what paid orders bought, less what their refunds put back."""
    received = StockMovement.objects.filter(kind="received").values_list("variant", "on_hand_delta")
    expected = Counter(dict(received))
    for order in Order.objects.filter(status__in=SOLD).prefetch_related("lines", "refunds__lines"):
        is_called_off = order.status == Status.REFUNDED and order.total_minor == 0
        for line in order.lines.all():
            expected[line.variant_id] -= 0 if is_called_off else line.quantity
        for refund in order.refunds.all():
            # One that failed after its units were sold again left them on the shelf's side, until
            # somebody found others.
            short = order.reviews.filter(reason="stock", cause=str(refund.key))
            is_short = short.exclude(resolution="accepted").exists()
            if refund.is_restocked and (refund.state == "succeeded" or is_short):
                for row in refund.lines.select_related("line"):
                    expected[row.line.variant_id] += row.quantity
        for event in order.events.filter(reason="put_back"):
            # Units of a refund that failed only later were not among them.
            for moved in StockMovement.objects.filter(
                kind="returned", reference=order.number, moved_at=event.happened_at
            ):
                expected[moved.variant_id] += moved.on_hand_delta
    assert {v.pk: v.on_hand for v in Variant.objects.all()} == dict(expected.items())


def check_against_stripe(books: dict[str, Any]) -> None:
    """Per order and currency the ledger is what Stripe's books say, to the cent."""
    theirs: defaultdict[Any, int] = defaultdict(int)
    for payment in books["payments"]:
        for currency, sums in payment["sums"].items():
            assert sums["unsettled"] == 0
            for kind, name in NAMES_IN_BOOKS.items():
                theirs[payment["metadata"]["order"], currency.upper(), kind] += sums[name]
    ours: defaultdict[Any, int] = defaultdict(int)
    for entry in LedgerEntry.objects.exclude(kind="manual").select_related("order"):
        ours[entry.order.number, entry.currency, entry.kind] += abs(entry.amount_minor)
    assert {key: sum_ for key, sum_ in ours.items() if sum_} == {
        key: sum_ for key, sum_ in theirs.items() if sum_
    }
    drift = stripe_side.drift(at=now(), progress=lambda _: None)
    assert [(found.what, found.why) for found in drift] == []


def check_rest() -> None:
    """Nothing is left that can still be paid, that waits, or that failed."""
    left = Order.objects.pending().exclude(reviews__resolved_at=None, reviews__isnull=False)
    assert list(left) == []
    assert list(PaymentAttempt.objects.live()) == []
    assert list(Refund.objects.unfinished()) == []
    assert set(InboxEvent.objects.values_list("state", flat=True)) <= {"done", "ignored"}
