"""Answering what waits for a person."""

from datetime import datetime

from django.db import transaction

from orders import services as orders
from orders.models import Order, Review, Status
from payments.models import PaymentAttempt, Refund, RefundLine, RefundRequest
from payments.services import (
    attempts,
    refund_amounts,
    refund_news,
    refund_requests,
    resolving,
    sums,
)
from payments.services.refunds import CannotRefund
from shop.faults import fault_point

# Accepting moves an order from these; any other keeps its status.
_WAITING = {Status.PENDING, Status.CANCELED}


class CannotAccept(Exception):
    """The review stays open; `str(error)` says why in staff's words."""


@transaction.atomic
def accept(*, review_id: int, by: int, at: datetime) -> Review:
    """Let stand what a review asks about; `by` is the id of the user who says so.

    When the order's last review is accepted, a pending or canceled order becomes paid if any money
    is kept that no bank took; else a pending one is canceled, and any other keeps its status.
    Units that were gone when a refund failed are taken off the shelf now. Raises CannotAccept when
    a pending order has no money or some is still on its way, unless the review is about money that
    could not be booked, and InsufficientStock when the units are gone, of a canceled order too;
    then nothing was written.
    """
    order = orders.lock(Review.objects.values_list("order_id", flat=True).get(pk=review_id))
    review = order.reviews.get(pk=review_id)
    if review.resolved_at is not None:
        raise CannotAccept("This review is resolved already.")
    if order.status in _WAITING and (_is_unpaid(order) or _may_be_paid_anew(order)):
        # Its answer comes from the bank, not from a person: were it the last one to be resolved,
        # nobody would move the order.
        raise CannotAccept("Money is still on its way. Its outcome decides first.")
    is_uncounted = sums.is_uncounted(order=order, charge_id=review.cause)
    if order.is_pending and not (is_uncounted or sums.is_any(sums.kept(order))):
        raise CannotAccept("No money was received for this order, or it is on its way back.")
    if review.reason == Review.Reason.STOCK and order.is_paid:
        failed = order.refunds.get(key=review.cause)
        orders.take_again(order=order, quantities=refund_news.units(failed), at=at)
    resolving.resolve(
        order=order, review=review, resolution=Review.Resolution.ACCEPTED, at=at, by=by
    )
    return review


def refund(*, review_id: int, by: int, at: datetime) -> Refund | RefundRequest:
    """Ask for the money that a review names back, as the user with id `by`; a job tells Stripe.

    Above the limit a second person's word is asked for instead. What can still be paid for the
    order is closed at Stripe first. The review is resolved, and a pending order canceled, once the
    money went back. Raises CannotRefund, and then nothing was asked for; and the gateway's errors,
    after which trying again is safe.
    """
    review = Review.objects.select_related("order").get(pk=review_id)
    _what_it_names(review.order, review)
    attempts.close_all(
        order_id=review.order_id, closed_as=PaymentAttempt.ClosedAs.SUPERSEDED, at=at
    )
    fault_point("reviews:attempts-closed")
    return _ask(review_id, by, at)


@transaction.atomic(durable=True)
def _ask(review_id: int, by: int, at: datetime) -> Refund | RefundRequest:
    order = orders.lock(Review.objects.values_list("order_id", flat=True).get(pk=review_id))
    review = order.reviews.get(pk=review_id)
    charge_id, earlier = _what_it_names(order, review)
    if review.refunds.unfinished().exists():
        raise CannotRefund("What this review names is on its way back already.")
    if review.refund_requests.filter(decision="").exists():
        raise CannotRefund("A refund of what this review names waits for a second person already.")
    if order.is_pending and (_is_unpaid(order) or order.attempts.live().exists()):
        raise CannotRefund("Other money for this order is on its way. Its outcome decides first.")
    amount_minor = refund_amounts.refundable_minor(order=order, charge_id=charge_id)
    lines: list[RefundLine] = []
    if earlier and order.is_paid:
        amount_minor = min(amount_minor, earlier.amount_minor)
        lines = list(earlier.lines.all())
    asked = refund_requests.ask(
        order_id=order.pk,
        charge_id=charge_id,
        amount_minor=amount_minor,
        why=Refund.Why(earlier.why) if earlier else Refund.Why.REVIEW,
        quantities={line.line_id: line.quantity for line in lines},
        handed_over={line.line_id: line.handed_over for line in lines},
        restock=earlier is not None and earlier.is_restocked and _is_off_the_shelf(order, earlier),
        review=review,
        by=by,
        at=at,
    )
    fault_point("reviews:before-commit")
    return asked


def _is_unpaid(order: Order) -> bool:
    """Tell whether money of a payment that was given up is on its way."""
    return order.reviews.open().filter(reason=Review.Reason.UNPAID).exists()


def _may_be_paid_anew(order: Order) -> bool:
    """Tell whether a pending order has no money, or a bank took it, and other may still come."""
    is_gone = order.is_pending and not sums.is_any(sums.undisputed(order))
    return is_gone and order.attempts.live().exists()


def _what_it_names(order: Order, review: Review) -> tuple[str, Refund | None]:
    """Return the charge of an open review, and the refund of it that came to nothing, if any."""
    if review.resolved_at is not None:
        raise CannotRefund("This review is resolved already.")
    if order.ledger.capture_of(review.cause).exists():
        return review.cause, None
    for earlier in order.refunds.all():
        if str(earlier.key) == review.cause:
            return earlier.charge_id, earlier
    raise CannotRefund("This review names no money that we have.")


def _is_off_the_shelf(order: Order, earlier: Refund) -> bool:
    """Tell whether the units of a refund that came to nothing are not for sale."""
    gone = order.reviews.filter(reason=Review.Reason.STOCK, cause=str(earlier.key))
    is_missing = gone.exclude(resolution=Review.Resolution.ACCEPTED).exists()
    return not is_missing and not orders.was_put_back(order)
