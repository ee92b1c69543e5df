"""Orders in states that take days, a bank or staff to reach, made by the shop's own services.

`manage.py shell -c "from e2e import order_states; order_states.make()"` on the demo's database
prints the name of each state, a tab, and the address of an order in it.
"""

from collections.abc import Callable
from datetime import timedelta
from itertools import count

from django.db import transaction
from django.test import override_settings

from cart.models import Cart
from cart.quotes import quote
from cart.services import add
from e2e.awkward import ADDRESS, LONG_AGO
from orders import links
from orders import services as orders
from orders.models import Order, Reason, Review
from payments.models import LedgerEntry, Refund
from shop.clock import now
from shop.models import Variant

# Each order takes others of them, so that none runs short.
_remainders = count(100)


def _place(*slugs: str, quantity: int = 1, days_ago: int = 0) -> Order:
    cart = Cart.objects.create(created_at=LONG_AGO)
    for slug in slugs or (f"remainder-{next(_remainders)}", f"remainder-{next(_remainders)}"):
        variant = Variant.objects.filter(product__slug=slug)[0]
        add(cart=cart, variant=variant, quantity=quantity, at=LONG_AGO)
    buyer = orders.Buyer(
        user=None, email="reader@example.com", address=ADDRESS, locale="en", client_ip=None
    )
    placed_at = now() - timedelta(days=days_ago)
    return orders.place(cart=cart, buyer=buyer, quote=quote(cart), at=placed_at)


def _pay(order: Order) -> None:
    paid_at = order.placed_at
    orders.mark_paid(order=order, reason=Reason.CAPTURE, cause="evt_made_up", at=paid_at)
    _book(order, order.total_minor)


def _book(order: Order, amount_minor: int) -> None:
    charge = f"ch_made_up_{order.pk}_{order.ledger.count()}"
    LedgerEntry.objects.create(
        order=order,
        kind=LedgerEntry.Kind.CAPTURE,
        stripe_id=charge,
        charge_id=charge,
        amount_minor=amount_minor,
        currency=order.currency,
        booked_at=now(),
    )


def _give_back(order: Order, amount_minor: int, state: str, why: str, days_ago: int = 0) -> None:
    refund = Refund.objects.create(
        order=order,
        charge_id=order.ledger.order_by("-pk")[0].charge_id,
        intent_id="pi_made_up",
        amount_minor=amount_minor,
        currency=order.currency,
        source=Refund.Source.STAFF,
        why=why,
        state=state,
        stripe_id=f"re_made_up_{order.pk}_{order.refunds.count()}",
        created_at=now() - timedelta(days=days_ago),
    )
    orders.note(order=order, reason=Reason.REFUND_ASKED, cause=str(refund.key), at=now())


def _fail_debit(order: Order) -> None:
    orders.note(order=order, reason=Reason.PROCESSING, cause="evt_made_up", at=now())
    orders.note(order=order, reason=Reason.PAYMENT_FAILED, cause="evt_made_up", at=now())
    later = now() + timedelta(hours=24)
    orders.extend(order=order, hold_until=later, pay_until=later)


def paid(*slugs: str) -> Order:
    order = _place(*slugs)
    _pay(order)
    return order


def declined() -> Order:
    order = _place()
    orders.note(order=order, reason=Reason.FAILED_CARD, cause="evt_made_up", at=now())
    return order


def debit_failed() -> Order:
    order = _place()
    _fail_debit(order)
    return order


def too_late() -> Order:
    order = _place()
    # So late that no round of the clock has come by yet.
    order.pay_until = now()
    order.save(update_fields=["pay_until"])
    return order


def in_review() -> Order:
    order = _place()
    _book(order, order.total_minor + 1)
    orders.note(order=order, reason=Reason.MONEY_BOOKED, cause="evt_made_up", at=now())
    orders.open_review(
        order=order, reason=Review.Reason.MISMATCH, cause="ch_made_up", detail="", at=now()
    )
    return order


def canceled_by_buyer() -> Order:
    order = _place()
    orders.cancel(order=order, reason=Reason.BUYER, cause="", at=now())
    return order


def canceled_by_staff() -> Order:
    order = _place("long-title")
    note = "The printer let us down, and there will be no second printing. We are truly sorry."
    orders.cancel(order=order, reason=Reason.STAFF, cause="1", at=now(), note=note)
    return order


def paid_too_late() -> Order:
    order = canceled_by_buyer()
    _book(order, order.total_minor)
    orders.note(order=order, reason=Reason.MONEY_BOOKED, cause="evt_made_up", at=now())
    _give_back(order, order.total_minor, Refund.State.PENDING, Refund.Why.LATE)
    return order


def partly_refunded() -> Order:
    order = _place(quantity=3, days_ago=31)
    _pay(order)
    _give_back(order, 1_00, Refund.State.SUCCEEDED, Refund.Why.UNAVAILABLE, days_ago=30)
    orders.note(order=order, reason=Reason.PARTLY_REFUNDED, cause="evt_made_up", at=now())
    _give_back(order, 2_00, Refund.State.SUCCEEDED, Refund.Why.REQUESTED)
    orders.note(order=order, reason=Reason.PARTLY_REFUNDED, cause="evt_made_up", at=now())
    _give_back(order, 3_00, Refund.State.REQUIRES_ACTION, Refund.Why.OTHER)
    orders.note(order=order, reason=Reason.REFUND_FAILED, cause="evt_made_up", at=now())
    return order


def refunded() -> Order:
    order = paid()
    _give_back(order, order.total_minor, Refund.State.SUCCEEDED, Refund.Why.REQUESTED)
    orders.money_went_back(order=order, is_all=True, cause="evt_made_up", at=now())
    return order


def free() -> Order:
    Variant.objects.filter(product__slug="remainder-99").update(price_minor=0)
    with override_settings(SHIPPING_FLAT_MINOR=0):
        order = _place("remainder-99")
    orders.mark_paid(order=order, reason=Reason.ZERO, cause="", at=now())
    return order


def fulfilled() -> Order:
    order = paid()
    units = {line.pk: line.quantity for line in order.lines.all()[:1]}
    orders.hand_over(order=order, quantities=units, by=1, at=now())
    orders.fulfill(order=order, cause="1", at=now())
    return order


STATES: dict[str, Callable[[], Order]] = {
    "declined": declined,
    "debit failed": debit_failed,
    "too late": too_late,
    "in review": in_review,
    "canceled by its buyer": canceled_by_buyer,
    "canceled by staff": canceled_by_staff,
    "paid too late": paid_too_late,
    "partly refunded": partly_refunded,
    "refunded": refunded,
    "free of charge": free,
    "fulfilled": fulfilled,
}


@transaction.atomic
def make() -> None:
    """Make an order in each state, and print where it is."""
    for name, state in STATES.items():
        print(name, links.path(state()), sep="\t")
