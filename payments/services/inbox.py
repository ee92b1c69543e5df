"""Stripe's events: stored once, processed by the worker, retried when that fails.

An event is a hint. Its type and the id of its object are taken from it; what happened is read again
at Stripe, with no transaction open, and settled in one short transaction.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from django.db import transaction
from structlog.contextvars import bind_contextvars

from orders import services as orders
from orders.models import Reason
from payments import gateway
from payments.gateway import Session
from payments.models import InboxEvent
from payments.queue import enqueue
from payments.retries import seconds_until_retry
from payments.services import settling
from payments.services.settling import StaleRead
from shop.faults import fault_point

State = InboxEvent.State


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
        session = read(row) if read else None
        if session:
            settling.require_ours(session.metadata)
    except settling.Foreign:
        session = None
    _finish(inbox_id, session, at)


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
def _finish(inbox_id: int, session: Session | None, at: datetime) -> None:
    """Apply what was read, and note that the event is done, in one transaction."""
    row = InboxEvent.objects.select_for_update(no_key=True).get(pk=inbox_id)
    if row.is_finished:
        return
    if session is None:
        row.state = State.IGNORED
    else:
        settled = settling.settle(session=session, cause=row.event_id, at=at)
        row.state, row.order = State.DONE, settled.order
        is_bank = (session.status, session.payment_status) == ("complete", "unpaid")
        if row.type == "payment_intent.payment_failed" and not is_bank:
            orders.note(order=settled.order, reason=Reason.FAILED_CARD, cause=row.event_id, at=at)
        enqueue("mirror_event", inbox_id=inbox_id)
    row.attempts += 1
    row.last_error = ""
    row.finished_at = at
    row.save(update_fields=["state", "order", "attempts", "last_error", "finished_at"])
    fault_point("inbox:before-commit")


def _read_session(row: InboxEvent) -> Session:
    """Read the session that an event is about; raises StaleRead when it is older than the event."""
    session = gateway.retrieve_session(row.payload["data"]["object"]["id"])
    intent_status = session.intent.status if session.intent else ""
    is_stale = {
        "checkout.session.completed": session.status == "open",
        "checkout.session.async_payment_succeeded": session.payment_status == "unpaid",
        "checkout.session.async_payment_failed": intent_status == "processing",
        "checkout.session.expired": session.status == "open",
    }[row.type]
    if is_stale:
        raise StaleRead(f"{session.id} is still {session.status}, {session.payment_status}")
    return session


def _read_session_of_intent(row: InboxEvent) -> Session | None:
    """Read the session behind an event about its intent or charge, or None for none of ours."""
    found = row.payload["data"]["object"]
    intent_id = found["id"] if found["object"] == "payment_intent" else found["payment_intent"]
    if not intent_id:
        return None
    settling.require_ours(gateway.retrieve_intent(intent_id).metadata)
    session = gateway.session_of_intent(intent_id)
    if session is None:
        raise settling.UnknownAttempt(f"{intent_id} carries our tag, yet it has no session")
    return session


# What is handled; every other type is stored and ignored.
_READERS: dict[str, Callable[[InboxEvent], Session | None]] = {
    "checkout.session.completed": _read_session,
    "checkout.session.async_payment_succeeded": _read_session,
    "checkout.session.async_payment_failed": _read_session,
    "checkout.session.expired": _read_session,
    "payment_intent.payment_failed": _read_session_of_intent,
    "charge.updated": _read_session_of_intent,
}
# What the endpoint at Stripe is asked to send; the one place that says so.
HANDLED = tuple(_READERS)
