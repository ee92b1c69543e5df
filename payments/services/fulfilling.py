"""Handing goods over, never what is refunded, or back to the shelf where a bank kept the money.

Neither happens while a question or a dispute is open.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.db import transaction

from orders import services as orders
from orders.models import Fulfillment, Order, Status
from orders.parcels import Parcel
from payments.services import sums


class CannotHandOver(Exception):
    """Nothing was handed over; `str(error)` says why in staff's words."""


class CannotPutBack(Exception):
    """Nothing was put back; `str(error)` says why in staff's words."""


@transaction.atomic
def hand_over(
    *,
    order_id: int,
    quantities: Mapping[int, int],
    by: int,
    at: datetime,
    key: UUID | None = None,
    parcel: Parcel | None = None,
    is_told: bool = False,
) -> Fulfillment:
    """Note that units, by order line id, left the house; the last of them fulfills the order.

    `by` is the id of the user who says so; with `is_told` a mail tells the buyer. Under a `key`
    that handed over before, nothing is done again. Raises CannotHandOver, and then nothing was
    written.
    """
    order = orders.lock(order_id)
    if key and (before := order.fulfillments.filter(key=key).first()):
        return before
    check_hand_over(order=order, quantities=quantities)
    fulfillment = orders.hand_over(
        order=order, quantities=quantities, by=by, at=at, key=key, parcel=parcel, is_told=is_told
    )
    finish(order=order, cause=str(fulfillment.pk), at=at, by=by)
    return fulfillment


def check_hand_over(*, order: Order, quantities: Mapping[int, int]) -> None:
    """Raise CannotHandOver where `hand_over` would; exact only under the order's lock."""
    # A refund that failed after it had fulfilled the order left units that are owed again.
    if why := _why_held(order, Status.PAID, Status.FULFILLED):
        raise CannotHandOver(why)
    if orders.was_put_back(order):
        raise CannotHandOver("The goods of this order are back on the shelf.")
    if sums.kept(order) != sums.undisputed(order):
        raise CannotHandOver(
            "A bank took back money of this order, so nothing more of it is sent: put the goods "
            "back."
        )
    left = left_to_hand_over(order)
    if not quantities or any(not 0 < n <= left.get(pk, 0) for pk, n in quantities.items()):
        raise CannotHandOver("So many units are not left to be handed over.")


@transaction.atomic
def put_back(*, order_id: int, by: int, at: datetime) -> None:
    """Put what stayed in the house of an order back on the shelf, as a bank kept its money.

    Nothing is left to be handed over then, which fulfills the order. What no bank took of the money
    stays, to be refunded or not. Raises CannotPutBack, and then nothing was written.
    """
    order = orders.lock(order_id)
    left = check_put_back(order)
    orders.put_back(order=order, quantities=left, cause=str(by), by=by, at=at)


def check_put_back(order: Order) -> dict[int, int]:
    """Return the units by line id that `put_back` would put back; raises CannotPutBack.

    Exact only under the order's lock.
    """
    if why := _why_held(order, Status.PAID):
        raise CannotPutBack(why)
    if sums.kept(order) == sums.undisputed(order):
        raise CannotPutBack("No bank took back money of this order.")
    if order.refunds.unfinished().filter(lines__isnull=False).exists():
        # Should it fail, its units would be neither for sale nor to be sent.
        raise CannotPutBack("Units are in a refund that is on its way. Its outcome decides first.")
    left = {pk: units for pk, units in left_to_hand_over(order).items() if units}
    if not left:
        raise CannotPutBack("All of its units are handed over or refunded.")
    return left


def _why_held(order: Order, *allowed: Status) -> str:
    """Return in staff's words why units of the order have to stay where they are, if they have."""
    if order.status not in allowed:
        return f"This order is {order.get_status_display()}."
    if order.reviews.open().exists():
        return "A review of this order is open."
    if order.disputes.open().exists():
        return "The payment of this order is disputed."
    return ""


def left_to_hand_over(order: Order) -> dict[int, int]:
    """Return the units by line id that are neither handed over nor refunded."""
    return _less(order, sums.unsent_quantities(order))


def _less(order: Order, unsent: Mapping[int, int]) -> dict[int, int]:
    """Return the units by line id that are neither handed over nor refunded instead."""
    out = orders.handed_over(order)
    return {
        line.pk: max(line.quantity - out.get(line.pk, 0) - unsent.get(line.pk, 0), 0)
        for line in order.lines.all()
    }


def finish(*, order: Order, cause: str, at: datetime, by: int | None = None) -> None:
    """Fulfill a paid order of which nothing is left to hand over, unless something is open.

    Any other is left alone. Units of a refund that may still fail are left to be handed over.
    """
    if _why_held(order, Status.PAID):
        return
    if not any(_less(order, sums.unsent_quantities(order, are_done=True)).values()):
        orders.fulfill(order=order, cause=cause, at=at, by=by)
