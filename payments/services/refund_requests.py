"""Refunds above the limit: one person asks, another approves or declines.

While a request waits nothing is held back for it: approving checks all of it anew.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction

from orders import services as orders
from orders.models import Order, Reason, Review
from payments.models import LedgerEntry, Refund, RefundRequest
from payments.services import refund_amounts, refunds

Decision = RefundRequest.Decision


class CannotDecide(Exception):
    """The request waits on, or was decided; `str(error)` says why in staff's words."""


@transaction.atomic
def ask(
    *,
    order_id: int,
    charge_id: str,
    by: int,
    at: datetime,
    key: UUID | None = None,
    **asked: Any,
) -> Refund | RefundRequest:
    """Ask for a refund as `refunds.ask` does, or, above the limit, for a second person's word.

    Safe to repeat under the same `key`. Raises CannotRefund, and then nothing was written.
    """
    order = orders.lock(order_id)
    key = key or uuid4()
    if before := RefundRequest.objects.filter(key=key).first():
        if (before.order_id, before.amount_minor) != (order_id, asked["amount_minor"]):
            raise refunds.CannotRefund("This form was sent before. Please open it again.")
        return before
    try:
        return refunds.ask(order_id=order_id, charge_id=charge_id, by=by, at=at, key=key, **asked)
    except refunds.NeedsSecondPerson:
        return _wait(order, charge_id, key, by, at, **asked)


def _wait(
    order: Order,
    charge_id: str,
    key: UUID,
    by: int,
    at: datetime,
    *,
    amount_minor: int,
    why: Refund.Why,
    quantities: Mapping[int, int] | None = None,
    handed_over: Mapping[int, int] | None = None,
    restock: bool = False,
    note: str = "",
    review: Review | None = None,
) -> RefundRequest:
    quantities = quantities or {}
    out = refund_amounts.unsent_first(order=order, quantities=quantities) | dict(handed_over or {})
    capture = LedgerEntry.objects.capture_of(charge_id).get(order=order)
    request = RefundRequest.objects.create(
        key=key,
        order=order,
        review=review,
        charge_id=charge_id,
        amount_minor=amount_minor,
        currency=capture.currency,
        why=why,
        note=note,
        is_restocked=restock,
        units={str(pk): [units, out[pk]] for pk, units in quantities.items()},
        asked_by_id=by,
        asked_at=at,
    )
    orders.note(order=order, reason=Reason.REFUND_WAITS, cause=str(key), at=at, by=by)
    return request


@transaction.atomic
def approve(*, request_id: int, by: int, at: datetime) -> Refund:
    """Ask for the refund after all, as the user with id `by`, who did not ask for it himself.

    Raises CannotDecide, and CannotRefund when it is not possible any more: it waits on then.
    """
    request = _lock(request_id)
    if request.asked_by_id == by:
        raise CannotDecide("Whoever asked for a refund does not approve it: somebody else has to.")
    if request.review and request.review.resolved_at is not None:
        raise CannotDecide("Its review was answered otherwise meanwhile: decline this.")
    refund = refunds.ask(
        order_id=request.order_id,
        charge_id=request.charge_id,
        amount_minor=request.amount_minor,
        why=Refund.Why(request.why),
        quantities={int(pk): units for pk, (units, _out) in request.units.items()},
        handed_over={int(pk): out for pk, (_units, out) in request.units.items()},
        restock=request.is_restocked,
        note=request.note,
        key=request.key,
        review=request.review,
        is_approved=True,
        by=by,
        at=at,
    )
    _decide(request, Decision.APPROVED, by, at)
    return refund


@transaction.atomic
def decline(*, request_id: int, by: int, at: datetime) -> RefundRequest:
    """Let a request come to nothing; who asked may take it back so. Raises CannotDecide."""
    request = _lock(request_id)
    _decide(request, Decision.DECLINED, by, at)
    cause = str(request.key)
    orders.note(order=request.order, reason=Reason.REFUND_DECLINED, cause=cause, at=at, by=by)
    return request


def _lock(request_id: int) -> RefundRequest:
    """Return a waiting request, its order locked; raises CannotDecide."""
    order = orders.lock(RefundRequest.objects.values_list("order_id", flat=True).get(pk=request_id))
    request = order.refund_requests.select_related("order", "review").get(pk=request_id)
    if not request.is_waiting:
        raise CannotDecide(f"This refund was {request.get_decision_display()} already.")
    return request


def _decide(request: RefundRequest, decision: Decision, by: int, at: datetime) -> None:
    request.decision, request.decided_by_id, request.decided_at = decision, by, at
    request.save(update_fields=["decision", "decided_by_id", "decided_at"])
