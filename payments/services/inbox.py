"""Stripe's events: stored once, processed by the worker, retried when that fails.

What an event is about is read again at Stripe, with no transaction open, and settled in one short
transaction.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import BigIntegerField, F, QuerySet
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from procrastinate.contrib.django.models import ProcrastinateJob
from structlog.contextvars import bind_contextvars

from orders import services as orders
from orders.models import Order, Reason
from payments.models import InboxEvent
from payments.queue import enqueue
from payments.retries import seconds_until_retry
from payments.services import disputes, news, refund_news, settling
from payments.services.news import News
from shop.faults import fault_point

State = InboxEvent.State

# An event and its job are committed together; this is for looking rarely at those that just came.
_JOB_WITHIN = timedelta(minutes=5)


@transaction.atomic
def store(*, payload: dict[str, Any], source: InboxEvent.Source, at: datetime) -> bool:
    """Store a verified event with the job that processes it; return False if it is known.

    Raises the database's DataError for what it cannot hold.
    """
    payload = _storable(payload)
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
    if not row.is_finished:
        _finish(inbox_id, news.read(row), at)


def record_failure(*, inbox_id: int, error: BaseException, earlier_tries: int) -> None:
    """Keep why a try failed, and whether another follows."""
    is_final = seconds_until_retry(error, earlier_tries) is None
    InboxEvent.objects.filter(pk=inbox_id, state__in=[State.RECEIVED, State.RETRYING]).update(
        state=State.FAILED if is_final else State.RETRYING,
        attempts=F("attempts") + 1,
        last_error=f"{type(error).__name__}: {error}"[:2000],
    )


def retry(*, inbox_ids: Iterable[int]) -> int:
    """Queue once more events that failed, set aside or not, and return how many.

    The others are left alone, and so is what was set aside so long ago that its payload is gone.
    """
    return _requeue(InboxEvent.objects.retryable().filter(pk__in=inbox_ids))


@transaction.atomic
def set_aside(*, inbox_ids: Iterable[int], why: str, at: datetime) -> QuerySet[InboxEvent]:
    """Have failed events ignored that no retry will mend, and return them.

    The others are left alone. What they tell of is not booked by it: the audit goes on naming it.
    """
    failed = InboxEvent.objects.filter(pk__in=inbox_ids, state=State.FAILED)
    found = list(failed.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))
    rows = InboxEvent.objects.defer("payload").filter(pk__in=found)
    rows.update(state=State.IGNORED, set_aside_why=why, finished_at=at)
    return rows


def requeue_stranded(*, at: datetime) -> int:
    """Queue again the events that wait for a job that is not there any more; return how many.

    Somebody canceled it, say, or a backup brought back the event without its job.
    """
    jobs = ProcrastinateJob.objects.filter(
        task_name="payments.tasks.process_event", status__in=["todo", "doing"]
    ).annotate(inbox_id=Cast(KT("args__inbox_id"), BigIntegerField()))
    waiting = InboxEvent.objects.filter(
        state__in=[State.RECEIVED, State.RETRYING], received_at__lt=at - _JOB_WITHIN
    )
    return _requeue(waiting.exclude(pk__in=jobs.values("inbox_id")))


@transaction.atomic
def _requeue(found: QuerySet[InboxEvent]) -> int:
    """Queue events as if they had just come. They are locked: who comes second finds none."""
    rows = found.select_for_update(no_key=True, skip_locked=True).order_by("pk")
    inbox_ids = list(rows.values_list("pk", flat=True))
    InboxEvent.objects.filter(pk__in=inbox_ids).update(
        state=State.RECEIVED, finished_at=None, set_aside_why=""
    )
    for inbox_id in inbox_ids:
        enqueue("process_event", inbox_id=inbox_id)
    return len(inbox_ids)


@transaction.atomic(durable=True)
def _finish(inbox_id: int, read: News | None, at: datetime) -> None:
    """Apply what was read, and note that the event is done, in one transaction."""
    row = InboxEvent.objects.select_for_update(no_key=True).get(pk=inbox_id)
    if row.is_finished:
        return
    if read is None:
        row.state = State.IGNORED
    else:
        row.state, row.order = State.DONE, _apply(row, read, at)
        if row.order.is_erased:
            # It has served, and would bring back what was erased.
            InboxEvent.objects.filter(pk=inbox_id).update(payload=None)
        else:
            enqueue("mirror_event", inbox_id=inbox_id)
    row.attempts += 1
    row.last_error = ""
    row.finished_at = at
    row.save(update_fields=["state", "order", "attempts", "last_error", "finished_at"])
    fault_point("inbox:before-commit")


def _apply(row: InboxEvent, read: News, at: datetime) -> Order:
    """Settle the payment first, then what was given or taken back of it."""
    settled = settling.settle(payment=read.payment, cause=row.event_id, at=at)
    order = settled.order
    if news.tells_of_declined_card(row):
        orders.note(order=order, reason=Reason.FAILED_CARD, cause=row.event_id, at=at)
    if read.refunds:
        refund_news.follow(order_id=order.pk, made=read.refunds, cause=row.event_id, at=at)
    if read.disputes:
        disputes.follow(order_id=order.pk, made=read.disputes, cause=row.event_id, at=at)
    return order


def _storable(value: Any) -> Any:
    """Return parsed JSON without what PostgreSQL's cannot hold, and a buyer may put in a name.

    That is NUL, and half of a surrogate pair. The body itself is no place to look for them: there
    an escaped backslash before `u0000` is a buyer's harmless text.
    """
    match value:
        case str():
            return value.replace("\0", "").encode(errors="replace").decode()
        case list():
            return [_storable(item) for item in value]
        case dict():
            return {_storable(key): _storable(item) for key, item in value.items()}
        case _:
            return value
