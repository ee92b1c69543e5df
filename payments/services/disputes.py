"""What a buyer's bank questions or takes back: flagged on the order, booked by its movements."""

from collections.abc import Iterable
from datetime import datetime

from django.conf import settings
from django.db import transaction

from orders import services as orders
from orders.models import Order, OrderMail, Reason, Review
from payments import gateway
from payments.models import Dispute, LedgerEntry
from payments.services import fulfilling, ledger, refund_news, sums
from shop.faults import fault_point

Kind = LedgerEntry.Kind
Status = Dispute.Status

# The order in which one may follow another: an earlier one is an older reading. Of the last three
# none follows another by itself: a bank that changes its mind moves money.
_RANK = {
    Status.WARNING_NEEDS_RESPONSE: 0,
    Status.WARNING_UNDER_REVIEW: 1,
    Status.WARNING_CLOSED: 2,
    Status.NEEDS_RESPONSE: 3,
    Status.UNDER_REVIEW: 4,
    Status.PREVENTED: 5,
    Status.WON: 5,
    Status.LOST: 5,
}


@transaction.atomic
def follow(*, order_id: int, made: Iterable[gateway.Dispute], cause: str, at: datetime) -> None:
    """Bring our rows and the ledger to what these readings of disputes say.

    The payments they belong to are booked. Safe to repeat, and in any order: a reading that is
    older than what is known changes nothing.
    """
    order = orders.lock(order_id)
    for reading in made:
        _follow_one(order, reading, cause, at)
    fault_point("disputes:before-commit")


def _follow_one(order: Order, reading: gateway.Dispute, cause: str, at: datetime) -> None:
    dispute = Dispute.objects.filter(stripe_id=reading.id).first()
    was = dispute.status if dispute else ""
    has_moved = _book(order, reading, at)
    # Stripe sends all movements of a dispute, so a reading with a new one is the newest.
    if dispute and not has_moved and not _may_follow(was, reading.status):
        return
    dispute = dispute or Dispute(
        stripe_id=reading.id,
        order=order,
        charge_id=reading.charge_id,
        currency=reading.currency,
        opened_at=reading.made_at,
    )
    dispute.amount_minor = reading.amount_minor
    dispute.reason = reading.reason
    dispute.status = Status(reading.status)
    dispute.due_at = reading.due_at
    dispute.closed_at = None if dispute.is_open else dispute.closed_at or at
    dispute.save()
    if not was:
        orders.note(order=order, reason=Reason.DISPUTED, cause=cause, at=at)
    elif has_moved or dispute.status != was:
        reason = Reason.DISPUTE_MOVED if dispute.is_open else Reason.DISPUTE_CLOSED
        orders.note(order=order, reason=reason, cause=cause, at=at)
    _tell_staff(order, dispute, at)
    _ask_what_to_do(order, reading.charge_id, at)
    # What it held up may be done.
    fulfilling.finish(order=order, cause=cause, at=at)


def _may_follow(was: str, status: str) -> bool:
    return status == was or _RANK[Status(status)] > _RANK[Status(was)]


def _book(order: Order, reading: gateway.Dispute, at: datetime) -> bool:
    """Book what the bank took and gave back; tell whether any of it was new."""
    has_moved = False
    for moved in reading.movements:
        # One of nothing is there for its fee alone.
        if moved.amount:
            has_moved |= _book_movement(order, reading, moved, at)
        ledger.book_fee(order=order, moved=moved, charge_id=reading.charge_id, at=at)
    return has_moved


def _book_movement(
    order: Order, reading: gateway.Dispute, moved: gateway.BalanceTransaction, at: datetime
) -> bool:
    is_taken = moved.amount < 0
    if moved.currency == reading.currency:
        amount_minor = moved.amount_minor
    else:
        # Told in the account's currency; the books have it in the charge's, as its capture.
        amount_minor = -reading.amount_minor if is_taken else reading.amount_minor
    return ledger.book(
        order=order,
        kind=Kind.DISPUTE if is_taken else Kind.DISPUTE_REVERSAL,
        stripe_id=moved.id,
        charge_id=reading.charge_id,
        amount_minor=amount_minor,
        currency=reading.currency,
        occurred_at=moved.moved_at,
        at=at,
    )


def _ask_what_to_do(order: Order, charge_id: str, at: datetime) -> None:
    """Ask a person about money that the bank gave back, or never took, of an order that is over."""
    is_over = order.is_canceled or orders.was_put_back(order)
    is_ours = is_over and sums.is_any(sums.undisputed(order))
    if is_ours and not refund_news.reviews_about(order, charge_id):
        orders.open_review(
            order=order,
            reason=Review.Reason.REFUND,
            cause=charge_id,
            detail="A dispute left money of this order with us, of which nothing more is sent.",
            at=at,
        )


def _tell_staff(order: Order, dispute: Dispute, at: datetime) -> None:
    """Owe staff a mail, one for a dispute, and one for the inquiry that it may have been before."""
    if not settings.STAFF_EMAIL:
        return
    orders.owe_mail(
        order=order,
        kind=OrderMail.Kind.DISPUTE,
        cause=f"inquiry {dispute.stripe_id}" if dispute.is_inquiry else dispute.stripe_id,
        at=at,
        facts={
            "dispute": dispute.pk,
            "is_inquiry": dispute.is_inquiry,
            "is_open": dispute.is_open,
            "state": dispute.get_status_display(),
            "amount_minor": dispute.amount_minor,
            "currency": dispute.currency,
            "reason": dispute.reason,
            "due": f"{dispute.due_at:%-d %B %Y, %H:%M} UTC" if dispute.due_at else "",
        },
    )
