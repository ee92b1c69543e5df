"""Stripe's events: stored once, processed by the worker, retried when that fails.

An event is a hint. Its type and the id of its object are taken from it; what happened is read again
at Stripe, with no transaction open, and settled in one short transaction.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from structlog.contextvars import bind_contextvars

from orders import services as orders
from orders.models import Order, Reason
from payments import gateway
from payments.gateway import Intent
from payments.models import InboxEvent, PaymentAttempt
from payments.queue import enqueue
from payments.retries import seconds_until_retry
from payments.services import disputes, refunds, settling
from payments.services.settling import Payment, StaleRead
from shop.faults import fault_point

State = InboxEvent.State


@dataclass(frozen=True, slots=True)
class _News:
    """What was read again at Stripe because of an event."""

    payment: Payment
    refunds: Sequence[gateway.Refund] = ()
    disputes: Sequence[gateway.Dispute] = ()


@transaction.atomic
def store(*, payload: dict[str, Any], source: InboxEvent.Source, at: datetime) -> bool:
    """Store a verified event with the job that processes it; return False if it is known."""
    row, is_new = InboxEvent.objects.get_or_create(
        event_id=payload["id"],
        defaults={
            "type": payload["type"],
            "payload": payload,
            "api_version": payload.get("api_version") or "",
            "livemode": payload["livemode"],
            "source": source,
            "made_at": datetime.fromtimestamp(payload["created"], UTC),
            "received_at": at,
        },
    )
    if is_new:
        enqueue("process_event", inbox_id=row.pk)
    return is_new


def process(*, inbox_id: int, at: datetime) -> None:
    """Do what an event asks for, once; a finished one is left alone.

    Raises what reading and settling raise; `record_failure` keeps it.
    """
    row = InboxEvent.objects.get(pk=inbox_id)
    bind_contextvars(stripe_event_id=row.event_id)
    if row.is_finished:
        return
    read = _READERS.get(row.type)
    try:
        news = read(row) if read else None
        if news:
            settling.require_ours(news.payment.metadata)
    except settling.Foreign:
        news = None
    _finish(inbox_id, news, at)


def record_failure(*, inbox_id: int, error: BaseException, earlier_tries: int) -> None:
    """Keep why a try failed, and whether another follows."""
    is_final = seconds_until_retry(error, earlier_tries) is None
    InboxEvent.objects.filter(pk=inbox_id, state__in=[State.RECEIVED, State.RETRYING]).update(
        state=State.FAILED if is_final else State.RETRYING,
        attempts=earlier_tries + 1,
        last_error=f"{type(error).__name__}: {error}"[:2000],
    )


@transaction.atomic
def retry(*, inbox_ids: Iterable[int]) -> int:
    """Queue failed events once more and return how many; the others are left alone."""
    rows = InboxEvent.objects.select_for_update(no_key=True, skip_locked=True).filter(
        pk__in=inbox_ids, state=State.FAILED
    )
    failed = [row.pk for row in rows.order_by("pk")]
    InboxEvent.objects.filter(pk__in=failed).update(state=State.RECEIVED)
    for pk in failed:
        enqueue("process_event", inbox_id=pk)
    return len(failed)


@transaction.atomic(durable=True)
def _finish(inbox_id: int, news: _News | None, at: datetime) -> None:
    """Apply what was read, and note that the event is done, in one transaction."""
    row = InboxEvent.objects.select_for_update(no_key=True).get(pk=inbox_id)
    if row.is_finished:
        return
    if news is None:
        row.state = State.IGNORED
    else:
        row.state, row.order = State.DONE, _apply(row, news, at)
        enqueue("mirror_event", inbox_id=inbox_id)
    row.attempts += 1
    row.last_error = ""
    row.finished_at = at
    row.save(update_fields=["state", "order", "attempts", "last_error", "finished_at"])
    fault_point("inbox:before-commit")


def _apply(row: InboxEvent, news: _News, at: datetime) -> Order:
    """Settle the payment first, then what was given or taken back of it."""
    settled = settling.settle(payment=news.payment, cause=row.event_id, at=at)
    order = settled.order
    if _is_failed_card(row):
        orders.note(order=order, reason=Reason.FAILED_CARD, cause=row.event_id, at=at)
    if news.refunds:
        refunds.follow(order_id=order.pk, made=news.refunds, cause=row.event_id, at=at)
    if news.disputes:
        disputes.follow(order_id=order.pk, made=news.disputes, cause=row.event_id, at=at)
    return order


def _is_failed_card(row: InboxEvent) -> bool:
    """Tell whether the event is about a declined card, which its object forgets by the next try.

    A bank debit that fails ends its attempt, and is told by settling.
    """
    if row.type != "payment_intent.payment_failed":
        return False
    method = (_object(row).get("last_payment_error") or {}).get("payment_method") or {}
    return method.get("type", "card") == "card"


def _of_session(row: InboxEvent) -> _News:
    """Read the session that an event is about; raises StaleRead when it is older than the event."""
    session = gateway.retrieve_session(_object(row)["id"])
    intent_status = session.intent.status if session.intent else ""
    is_stale = {
        "checkout.session.completed": session.status == "open",
        "checkout.session.async_payment_succeeded": session.payment_status == "unpaid",
        "checkout.session.async_payment_failed": intent_status == "processing",
        "checkout.session.expired": session.status == "open",
    }[row.type]
    if is_stale:
        raise StaleRead(f"{session.id} is still {session.status}, {session.payment_status}")
    return _News(session)


def _of_intent(row: InboxEvent) -> _News | None:
    """Read the payment behind an event about its intent or charge, or None for none of ours."""
    found = _object(row)
    intent_id = found["id"] if found["object"] == "payment_intent" else found["payment_intent"]
    payment = _payment(intent_id)
    if payment is None:
        return None
    # An intent of our own page is judged by its session, whose own event tells more.
    has_succeeded = isinstance(payment, Intent) and row.type == "payment_intent.succeeded"
    if has_succeeded and settling.is_payable(payment):
        raise StaleRead(f"{payment.id} is still payable")
    return _News(payment)


def _of_refund(row: InboxEvent) -> _News | None:
    """Read the payment behind an event about its refunds, and all of these."""
    intent_id = _object(row)["payment_intent"]
    payment = _payment(intent_id)
    if payment is None:
        return None
    return _News(payment, refunds=gateway.refunds_of_intent(intent_id))


def _of_dispute(row: InboxEvent) -> _News | None:
    """Read the payment behind an event about its disputes, and all of these."""
    intent_id = _object(row)["payment_intent"]
    payment = _payment(intent_id)
    if payment is None:
        return None
    return _News(payment, disputes=gateway.disputes_of_intent(intent_id))


def _object(row: InboxEvent) -> dict[str, Any]:
    # A payload is pruned only once its event is finished.
    payload: dict[str, Any] = row.payload or {}
    found: dict[str, Any] = payload["data"]["object"]
    return found


def _payment(intent_id: str | None) -> Payment | None:
    """Read what an intent belongs to: its session, or itself; None for a charge without one.

    Raises settling.Foreign, settling.UnknownAttempt.
    """
    if not intent_id:
        return None
    intent = gateway.retrieve_intent(intent_id)
    if settling.attempt_of(intent).kind == PaymentAttempt.Kind.INTENT:
        return intent
    session = gateway.session_of_intent(intent_id)
    if session is None:
        raise settling.UnknownAttempt(f"{intent_id} carries our tag, yet it has no session")
    return session


# What is handled; every other type is stored and ignored.
_READERS: dict[str, Callable[[InboxEvent], _News | None]] = {
    "checkout.session.completed": _of_session,
    "checkout.session.async_payment_succeeded": _of_session,
    "checkout.session.async_payment_failed": _of_session,
    "checkout.session.expired": _of_session,
    "payment_intent.succeeded": _of_intent,
    "payment_intent.payment_failed": _of_intent,
    "payment_intent.canceled": _of_intent,
    "payment_intent.processing": _of_intent,
    "payment_intent.requires_action": _of_intent,
    "charge.updated": _of_intent,
    "charge.refunded": _of_refund,
    "refund.created": _of_refund,
    "refund.updated": _of_refund,
    "refund.failed": _of_refund,
    "charge.dispute.created": _of_dispute,
    "charge.dispute.updated": _of_dispute,
    "charge.dispute.funds_withdrawn": _of_dispute,
    "charge.dispute.funds_reinstated": _of_dispute,
    "charge.dispute.closed": _of_dispute,
}
# What the endpoint at Stripe is asked to send; the one place that says so. Stripe's list of events
# takes twenty types at most.
HANDLED = tuple(_READERS)
