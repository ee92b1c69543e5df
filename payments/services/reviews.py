"""Answering what waits for a person."""

from datetime import datetime

from django.db import transaction

from orders import services as orders
from orders.models import Order, Reason, Review, Status

# Accepting moves an order from these; any other keeps its status.
_WAITING = {Status.PENDING, Status.CANCELED}


class CannotAccept(Exception):
    """The review stays open; `str(error)` says why in staff's words."""


@transaction.atomic
def accept(*, review_id: int, by: int, at: datetime) -> Review:
    """Let stand what a review asks about; `by` is the id of the user who says so.

    When the order's last review is accepted, a pending or canceled order becomes paid; any other
    keeps its status. Raises CannotAccept when no money was received or some is still on its way,
    and InsufficientStock when a canceled order's units are gone; then nothing was written.
    """
    order = orders.lock(Review.objects.values_list("order_id", flat=True).get(pk=review_id))
    review = order.reviews.get(pk=review_id)
    if review.resolved_at is not None:
        raise CannotAccept("This review is resolved already.")
    on_its_way = order.reviews.open().filter(reason=Review.Reason.UNPAID)
    if order.status in _WAITING and on_its_way.exists():
        # Its answer comes from the bank, not from a person: were it the last one to be resolved,
        # nobody would move the order.
        raise CannotAccept("Money is still on its way. Its outcome decides first.")
    orders.resolve_review(
        order=order, review=review, resolution=Review.Resolution.ACCEPTED, at=at, by=by
    )
    if not order.reviews.open().exists() and order.status in _WAITING:
        _pay(order, by, at)
    return review


def _pay(order: Order, by: int, at: datetime) -> None:
    received = order.ledger.received().total_minor(order.currency)
    given_back = order.ledger.given_back().total_minor(order.currency)
    if received + given_back <= 0:
        raise CannotAccept("No money was received for this order.")
    orders.mark_paid(order=order, reason=Reason.ACCEPTED, cause=str(by), by=by, at=at)
