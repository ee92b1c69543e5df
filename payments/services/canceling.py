"""Calling off an order that waits for its money, by its buyer or by staff."""

from datetime import datetime

from django.db import transaction
from structlog.contextvars import bind_contextvars

from orders import services as orders
from orders.models import Order, Reason
from payments.models import PaymentAttempt
from payments.services import attempts
from shop.faults import fault_point

# Another tab may start a payment while one is closed at Stripe.
_ROUNDS = 3


class CannotCancel(Exception):
    """The order stays as `order` has it; `str(error)` says why, to buyer and staff alike."""

    def __init__(self, order: Order, why: str) -> None:
        super().__init__(why)
        self.order = order


def cancel(
    *, order_id: int, reason: Reason, at: datetime, by: int | None = None, note: str = ""
) -> Order:
    """Cancel a pending order, once Stripe can take no money for it; return it as it is then.

    `reason` is BUYER or STAFF, `by` the id of the user who asks, `note` why, for the buyer to read.
    A payment that is faster wins. Raises CannotCancel, and the gateway's errors: the order stays
    then, and trying again is safe.
    """
    check(Order.objects.get(pk=order_id))
    for _ in range(_ROUNDS):
        attempts.close_all(order_id=order_id, closed_as=PaymentAttempt.ClosedAs.CANCELED, at=at)
        canceled = _cancel_unless_payable(order_id, reason, by, note, at)
        if canceled:
            return canceled
    raise CannotCancel(
        Order.objects.get(pk=order_id), "This order is being paid in another window."
    )


@transaction.atomic(durable=True)
def _cancel_unless_payable(
    order_id: int, reason: Reason, by: int | None, note: str, at: datetime
) -> Order | None:
    """Cancel under the order's lock, or return None when it can be paid again meanwhile."""
    order = orders.lock(order_id)
    bind_contextvars(order_number=order.number)
    check(order)
    if order.attempts.live().exists():
        return None
    cause = "" if by is None else str(by)
    orders.cancel(order=order, reason=reason, cause=cause, at=at, by=by, note=note)
    fault_point("canceling:before-commit")
    return order


def check(order: Order) -> None:
    """Raise CannotCancel where `cancel` would; exact only under the order's lock."""
    if order.is_paid:
        raise CannotCancel(order, "The payment has arrived, so the order is not canceled.")
    if not order.is_pending:
        raise CannotCancel(order, f"This order is {order.get_status_display()} already.")
    if order.attempts.filter(state=PaymentAttempt.State.PROCESSING).exists():
        raise CannotCancel(
            order,
            "The bank has been asked for the money, which cannot be called back. The order can be "
            "refunded once the money has arrived.",
        )
    if order.reviews.open().exists():
        raise CannotCancel(order, "A payment is being looked into, so the order is not canceled.")
