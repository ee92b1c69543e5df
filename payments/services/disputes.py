"""What a buyer's bank questions or takes back: flagged on the order, booked by its movements."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from orders import services as orders
from orders.models import Order, OrderMail, Reason
from payments import gateway
from payments.models import Dispute, LedgerEntry
from payments.services import ledger
from shop.faults import fault_point

Kind = LedgerEntry.Kind
# The order in which one may follow another; an earlier one is an older reading.
_RANK = {status: rank for rank, status in enumerate(Dispute.Status.values)}


@transaction.atomic
def follow(*, order_id: int, made: Iterable[gateway.Dispute], cause: str, at: datetime) -> None:
    """Bring our rows and the ledger to what these readings of disputes say.

    The payments they belong to are booked. Safe to repeat, and in any order.
    """
    order = orders.lock(order_id)
    for reading in made:
        _follow_one(order, reading, cause, at)
    fault_point("disputes:before-commit")


def _follow_one(order: Order, reading: gateway.Dispute, cause: str, at: datetime) -> None:
    dispute, is_new = Dispute.objects.get_or_create(
        stripe_id=reading.id,
        defaults={
            "order": order,
            "charge_id": reading.charge_id,
            "amount_minor": reading.amount_minor,
            "currency": reading.currency,
            "reason": reading.reason,
            "status": reading.status,
            "due_at": reading.due_at,
            "opened_at": reading.made_at,
        },
    )
    has_moved = _book(order, dispute, reading, at)
    if is_new:
        orders.note(order=order, reason=Reason.DISPUTED, cause=cause, at=at)
        orders.owe_mail(
            order=order,
            kind=OrderMail.Kind.DISPUTE,
            cause=reading.id,
            at=at,
            facts={
                "amount_minor": reading.amount_minor,
                "currency": reading.currency,
                "reason": reading.reason,
                "due_at": reading.due_at.isoformat() if reading.due_at else "",
            },
        )
    elif _RANK[reading.status] > _RANK[dispute.status]:
        dispute.status, dispute.due_at = reading.status, reading.due_at
        dispute.amount_minor = reading.amount_minor
        reason = Reason.DISPUTE_MOVED if dispute.is_open else Reason.DISPUTE_CLOSED
        orders.note(order=order, reason=reason, cause=cause, at=at)
    elif has_moved:
        orders.note(order=order, reason=Reason.DISPUTE_MOVED, cause=cause, at=at)
    if not dispute.is_open and dispute.closed_at is None:
        dispute.closed_at = at
    dispute.save()


def _book(order: Order, dispute: Dispute, reading: gateway.Dispute, at: datetime) -> bool:
    """Book what the bank took and gave back; tell whether any of it was new."""
    has_moved = False
    for moved in reading.movements:
        is_taken = moved.amount < 0
        # Stripe tells it in the account's currency; ours is the charge's.
        amount_minor = (
            moved.amount_minor
            if moved.currency == dispute.currency
            else (-dispute.amount_minor if is_taken else dispute.amount_minor)
        )
        has_moved |= ledger.book(
            order=order,
            kind=Kind.DISPUTE if is_taken else Kind.DISPUTE_REVERSAL,
            stripe_id=moved.id,
            charge_id=dispute.charge_id,
            amount_minor=amount_minor,
            currency=dispute.currency,
            occurred_at=moved.moved_at,
            at=at,
        )
        ledger.book_fee(order=order, moved=moved, charge_id=dispute.charge_id, at=at)
    return has_moved
