"""The cart becomes an order, and the buyer gets a way to pay for it.

One cart has one pending order at most. Placing again returns it when nothing has changed; otherwise
the old one's payment is closed at Stripe first, and one transaction then trades old for new.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q

from cart.models import Cart
from cart.quotes import Quote, quote
from cart.services import acknowledge_prices
from orders import carts
from orders import services as orders
from orders.models import Order, OrderLine, Reason
from orders.services import Buyer
from payments.models import PaymentAttempt
from payments.services import attempts
from shop import money
from shop import services as stock
from shop.faults import fault_point

# An old order's payment is closed once; a second and third round are for a race with another tab.
_ROUNDS = 3
# Source: https://docs.stripe.com/api/checkout/sessions/create, line_items.
_MOST_LINES = 100


class CannotPlace(Exception):
    """Nothing was placed; `str(error)` says why in the shopper's words."""


class CartChanged(CannotPlace):
    """The cart, or a price in it, is not what the buyer was shown; `quote` is what it is now."""

    def __init__(self, current: Quote) -> None:
        super().__init__(
            "Your cart or its prices have changed. Please look at the new figures and try again."
        )
        self.quote = current


class AlreadyPaid(Exception):
    """What the buyer asks for is ordered, and paid or its payment on its way; `order` is it."""

    def __init__(self, order: Order) -> None:
        super().__init__(order.number)
        self.order = order


@dataclass(frozen=True, slots=True)
class Started:
    """An order, and the attempt that is open for it; None where there is nothing to pay."""

    order: Order
    attempt: PaymentAttempt | None


def start_checkout(*, cart: Cart, buyer: Buyer, fingerprint: str, at: datetime) -> Started:
    """Place the cart as an order and open a payment for it, or return those that stand.

    An order that costs nothing is paid as soon as it is placed. `fingerprint` is the one of the
    quote that the buyer was shown. Safe to repeat.
    Raises CannotPlace, InsufficientStock, AlreadyPaid, attempts.NotPayable, and the gateway's
    errors; after gateway.Unreachable the order stands and trying again is safe.
    """
    order = place(cart=cart, buyer=buyer, fingerprint=fingerprint, at=at)
    if order.is_paid:
        return Started(order, None)
    fault_point("placing:before-attempt")
    return Started(order, attempts.open_attempt(order_id=order.pk, at=at))


def place(*, cart: Cart, buyer: Buyer, fingerprint: str, at: datetime) -> Order:
    """Place the cart as an order, or return the one that stands; no payment is opened yet.

    Raises as `start_checkout` does: an old order's payment may have to be closed at Stripe.
    """
    for _ in range(_ROUNDS):
        try:
            result = _place_or_name_obstacles(cart, buyer, fingerprint, at)
        except carts.MergedMeanwhile:
            cart.refresh_from_db()
            continue
        if isinstance(result, Order):
            return result
        for attempt in result:
            attempts.close_at_stripe(
                attempt=attempt, closed_as=PaymentAttempt.ClosedAs.SUPERSEDED, at=at
            )
            attempt.order.refresh_from_db()
            if attempt.order.cart_due_at is not None:
                raise AlreadyPaid(attempt.order)
    raise CannotPlace("This cart is being ordered in another window. Please try again.")


@transaction.atomic(durable=True)
def _place_or_name_obstacles(
    cart: Cart, buyer: Buyer, fingerprint: str, at: datetime
) -> Order | list[PaymentAttempt]:
    """Place the order, or return the attempts that must be closed at Stripe before.

    Everything is read under the locks, in the order that the whole shop keeps: the buyer's keys,
    carts, orders, and variants when units are reserved.
    """
    lock_keys(buyer)
    root = carts.lock_family(cart)
    pending = [order for order in carts.empty_due(cart=root, at=at) if _waits(order)]
    current = quote(root)
    if not current.lines:
        raise _nothing_left(root, fingerprint)
    _check(current, fingerprint)
    if len(pending) == 1 and _is_same(pending[0], buyer, current, at):
        return pending[0]
    obstacles = list(
        PaymentAttempt.objects.live().filter(order__in=pending).select_related("order")
    )
    if obstacles:
        return obstacles
    _check_caps(buyer, replaced=pending)
    acknowledge_prices(cart=root)
    # All at once: giving back and taking one after the other would lock them in no certain order.
    given_back = OrderLine.objects.filter(order__in=pending).values_list("variant", flat=True)
    stock.lock({*given_back, *current.quantities})
    for order in pending:
        orders.cancel(order=order, reason=Reason.REPLACEMENT, cause="", at=at)
    order = orders.place(cart=root, buyer=buyer, quote=current, at=at)
    if order.total_minor == 0:
        orders.mark_paid(order=order, reason=Reason.ZERO, cause="", at=at)
    fault_point("placing:before-commit")
    return order


def _nothing_left(cart: Cart, fingerprint: str) -> CannotPlace | AlreadyPaid:
    """Return what to say of an empty cart: sent twice, the form asks for what was ordered."""
    settled = carts.emptied_orders(cart).filter(fingerprint=fingerprint)
    order = settled.exclude(status=Order.Status.CANCELED).first()
    return AlreadyPaid(order) if order else CannotPlace("Your cart is empty.")


def _waits(order: Order) -> bool:
    return order.is_pending and order.cart_emptied_at is None


def _check(current: Quote, fingerprint: str) -> None:
    if current.problems or current.fingerprint != fingerprint:
        raise CartChanged(current)
    check_figures(current)


def check_figures(current: Quote) -> None:
    """Raise CannotPlace for a quote that no payment can be made of, whoever orders."""
    if len(current.lines) > _MOST_LINES:
        raise CannotPlace(
            f"An order holds at most {_MOST_LINES} different editions. Please order in two parts."
        )
    currency = money.currency(current.currency)
    if 0 < current.total_minor < currency.minimum_minor:
        least = money.format_minor(currency.minimum_minor, currency.code)
        raise CannotPlace(f"The least that can be paid by card is {least}.")
    if current.total_minor > currency.maximum_minor:
        most = money.format_minor(currency.maximum_minor, currency.code)
        raise CannotPlace(f"The most that can be paid at once is {most}.")


def _is_same(order: Order, buyer: Buyer, current: Quote, at: datetime) -> bool:
    """Tell whether placing again would make this order again, and it may still be paid."""
    has_same_terms = (
        order.fingerprint == current.fingerprint
        and order.email == buyer.email
        and order.user_id == (buyer.user and buyer.user.pk)
        and order.shipping_address == buyer.address
    )
    may_be_paid = not order.reviews.open().exists() and (
        order.attempts.live().filter(deadline_at__gt=at).exists() or attempts.may_start(order, at)
    )
    return has_same_terms and may_be_paid


def _keys(buyer: Buyer) -> list[str]:
    """Return what this buyer's open orders are counted by."""
    keys = [f"email:{buyer.email.lower()}"]
    if buyer.user:
        keys.append(f"user:{buyer.user.pk}")
    if buyer.client_ip:
        keys.append(f"address:{buyer.client_ip}")
    return keys


def lock_keys(buyer: Buyer) -> None:
    """Let placings of one buyer take turns, so that two at once cannot both pass the caps."""
    with connection.cursor() as cursor:
        for number in sorted(_lock_number(key) for key in _keys(buyer)):
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])


def _lock_number(key: str) -> int:
    digest = hashlib.blake2b(f"placing {key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


def _check_caps(buyer: Buyer, replaced: Iterable[Order]) -> None:
    """Refuse a buyer who holds too many unpaid orders; those being replaced do not count."""
    open_orders = Order.objects.pending().exclude(pk__in=[order.pk for order in replaced])
    of_buyer = Q(email__iexact=buyer.email)
    if buyer.user:
        of_buyer |= Q(user=buyer.user)
    is_over = open_orders.filter(of_buyer).count() >= settings.PENDING_LIMIT_PER_BUYER or (
        buyer.client_ip is not None
        and open_orders.filter(client_ip=buyer.client_ip).count()
        >= settings.PENDING_LIMIT_PER_ADDRESS
    )
    if is_over:
        raise CannotPlace(
            "You have too many unpaid orders. Please pay one of them, or wait until they expire."
        )
