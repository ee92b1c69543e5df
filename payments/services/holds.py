"""Ending orders that were not paid in time."""

from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef

from orders import services as orders
from orders.models import Order, OrderQuerySet, Reason, Review
from payments.models import PaymentAttempt
from payments.services import attempts
from shop.faults import fault_point


def overdue(at: datetime) -> OrderQuerySet:
    """Return the orders whose hold is over: no money on its way, no question open."""
    on_its_way = PaymentAttempt.objects.filter(
        order=OuterRef("pk"), state=PaymentAttempt.State.PROCESSING
    )
    question = Review.objects.open().filter(order=OuterRef("pk"))
    return (
        Order.objects.pending()
        .filter(~Exists(on_its_way), ~Exists(question), hold_until__lt=at)
        .order_by("hold_until")
    )


def expire(*, order_id: int, at: datetime) -> bool:
    """Cancel an order that was not paid in time, once Stripe can take no money for it.

    Returns whether it was canceled: a payment that was faster wins. Safe to repeat. Raises the
    gateway's errors and StaleRead, and then the order stays.
    """
    if not overdue(at).filter(pk=order_id).exists():
        # Since this was queued the buyer has come back, and is about to pay.
        return False
    attempts.close_all(order_id=order_id, closed_as=PaymentAttempt.ClosedAs.EXPIRED, at=at)
    return _cancel_if_overdue(order_id, at)


@transaction.atomic(durable=True)
def _cancel_if_overdue(order_id: int, at: datetime) -> bool:
    order = orders.lock(order_id)
    # Under the lock all is asked again: while Stripe was called, the buyer may have come back.
    is_still_overdue = overdue(at).filter(pk=order_id).exists()
    if not is_still_overdue or order.attempts.live().exists():
        return False
    orders.cancel(order=order, reason=Reason.EXPIRY, cause="", at=at)
    fault_point("holds:before-commit")
    return True
