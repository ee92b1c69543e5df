"""What has not come to its end, counted: for alarms, for metrics, for staff.

Each figure is read from an index of the unfinished alone, so it costs the same however much is
done. Every state is named, also when nothing is in it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, Min, QuerySet

from orders.models import Review
from payments.models import LIVE_STATES, Dispute, InboxEvent, PaymentAttempt, Refund

_QUEUES = """
    SELECT job.queue_name, count(*),
           now() - min(COALESCE(job.scheduled_at, queued.at))
    FROM procrastinate_jobs job
    JOIN procrastinate_events queued ON queued.job_id = job.id AND queued.type = 'deferred'
    WHERE job.status = 'todo' AND COALESCE(job.scheduled_at, '-infinity') <= now()
    GROUP BY job.queue_name
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many wait, and how long the oldest of them has."""

    count: int = 0
    oldest: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Counters:
    """What is unfinished: events, refunds and attempts by state, jobs that are due by queue."""

    inbox: dict[str, Waiting]
    queues: dict[str, Waiting]
    reviews: Waiting
    disputes: Waiting
    lost_with_goods: Waiting
    refunds: dict[str, Waiting]
    attempts: dict[str, Waiting]


def count(*, at: datetime) -> Counters:
    """Count what is unfinished; seven quick queries."""
    return Counters(
        inbox=inbox(at=at),
        queues=queues(),
        reviews=_waiting(Review.objects.open(), "opened_at", at),
        disputes=_waiting(Dispute.objects.open(), "opened_at", at),
        lost_with_goods=_waiting(Dispute.objects.lost_with_goods(), "closed_at", at),
        refunds=_by_state(Refund.objects.unfinished(), "created_at", Refund.UNFINISHED, at),
        attempts=_by_state(PaymentAttempt.objects.live(), "created_at", LIVE_STATES, at),
    )


def inbox(*, at: datetime) -> dict[str, Waiting]:
    """Count the events that are not finished, by state."""
    return _by_state(InboxEvent.objects.unfinished(), "received_at", InboxEvent.UNFINISHED, at)


def queues() -> dict[str, Waiting]:
    """Count the jobs that are due, by queue, in the queue's own time: the database's."""
    with connection.cursor() as cursor:
        cursor.execute(_QUEUES)
        return {name: Waiting(jobs, oldest) for name, jobs, oldest in cursor.fetchall()}


def _by_state(
    rows: QuerySet[Any], since: str, states: Iterable[str], at: datetime
) -> dict[str, Waiting]:
    found = rows.order_by().values_list("state").annotate(Count("pk"), Min(since))
    waiting = {state: Waiting(number, at - oldest) for state, number, oldest in found}
    return {str(state): waiting.get(state, Waiting()) for state in states}


def _waiting(rows: QuerySet[Any], since: str, at: datetime) -> Waiting:
    found = rows.aggregate(number=Count("pk"), oldest=Min(since))
    return Waiting(found["number"], at - found["oldest"]) if found["number"] else Waiting()
