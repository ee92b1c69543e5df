"""Handing goods over: not while a question or a dispute is open, never what is refunded."""

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from orders import services as orders
from orders.models import Fulfillment, Order, Status
from payments.services import sums


class CannotHandOver(Exception):
    """Nothing was handed over; `str(error)` says why in staff's words."""


@transaction.atomic
def hand_over(
    *, order_id: int, quantities: Mapping[int, int], by: int, at: datetime
) -> Fulfillment:
    """Note that units, by order line id, left the house; the last of them fulfills the order.

    `by` is the id of the user who says so. Raises CannotHandOver, and then nothing was written.
    """
    order = orders.lock(order_id)
    if order.status != Status.PAID:
        raise CannotHandOver(f"This order is {order.get_status_display()}.")
    if order.reviews.open().exists():
        raise CannotHandOver("A review of this order is open.")
    if order.disputes.open().exists():
        raise CannotHandOver("The payment of this order is disputed.")
    if sums.kept(order) != sums.undisputed(order):
        raise CannotHandOver(
            "A bank took back money of this order, so nothing more of it is sent. Units that stay "
            "in the house are put back on the shelf at their variant."
        )
    left = left_to_hand_over(order)
    if not quantities or any(not 0 < n <= left.get(pk, 0) for pk, n in quantities.items()):
        raise CannotHandOver("So many units are not left to be handed over.")
    fulfillment = orders.hand_over(order=order, quantities=quantities, by=by, at=at)
    finish(order=order, cause=str(fulfillment.pk), at=at, by=by)
    return fulfillment


def left_to_hand_over(order: Order) -> dict[int, int]:
    """Return the units by line id that are neither handed over nor refunded."""
    out, refunded = orders.handed_over(order), sums.refunded_quantities(order)
    # Of what was handed over some may have come back, and is refunded: it counts once.
    return {
        line.pk: max(line.quantity - out.get(line.pk, 0) - refunded[line.pk], 0)
        for line in order.lines.all()
    }


def finish(*, order: Order, cause: str, at: datetime, by: int | None = None) -> None:
    """Fulfill a paid order of which nothing is left to hand over, unless something is open.

    Any other is left alone.
    """
    is_held = order.reviews.open().exists() or order.disputes.open().exists()
    if order.status == Status.PAID and not is_held and not any(left_to_hand_over(order).values()):
        orders.fulfill(order=order, cause=cause, at=at, by=by)
