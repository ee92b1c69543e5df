"""What follows once the last question about an order is answered."""

from datetime import datetime

from orders import services as orders
from orders.models import Order, Reason, Review, Status
from payments.queue import enqueue
from payments.services import fulfilling, sums


def resolve(
    *,
    order: Order,
    review: Review,
    resolution: Review.Resolution,
    at: datetime,
    by: int | None = None,
) -> None:
    """Close a review of a locked order; the last one moves the order as its money says.

    Money that is kept, and that no bank took, makes a pending or canceled order paid; without any
    a pending one is canceled.
    Raises InsufficientStock when a canceled order's units are gone.
    """
    orders.resolve_review(order=order, review=review, resolution=resolution, at=at, by=by)
    if order.reviews.open().exists():
        return
    is_waiting = order.status in {Status.PENDING, Status.CANCELED}
    if is_waiting and sums.is_any(sums.undisputed(order)):
        orders.mark_paid(order=order, reason=Reason.ACCEPTED, cause=review.cause, by=by, at=at)
        enqueue("close_attempts", order_id=order.pk)
    elif order.is_pending and not order.attempts.live().exists():
        # One by which money may still come is left to its own end: paid, or the hold runs out.
        orders.cancel(order=order, reason=Reason.STAFF, cause=review.cause, by=by, at=at)
    else:
        fulfilling.finish(order=order, cause=review.cause, at=at, by=by)
