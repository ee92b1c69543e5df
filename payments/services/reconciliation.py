"""What webhooks missed: Stripe is asked after all that is not at its end, and for its events.

What Stripe says goes the way that an event would have brought it, so a round heals what is safe,
opens a review for the rest, and a second one changes nothing. Each thing is asked after by itself:
where Stripe does not answer, the next round asks again.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.db.models import F, Q
from structlog.contextvars import bind_contextvars

from payments import gateway
from payments.models import Checkpoint, Dispute, InboxEvent, PaymentAttempt, Refund
from payments.models.attempts import AttemptQuerySet
from payments.models.disputes import DisputeQuerySet
from payments.models.refunds import RefundQuerySet
from payments.services import attempts, disputes, inbox, refunds
from payments.services.news import HANDLED
from shop.faults import fault_point

logger = logging.getLogger(__name__)

# A buyer, a webhook and a first try need no help so long.
_SETTLES_BY_ITSELF = timedelta(minutes=10)
ATTEMPTS_EVERY = timedelta(minutes=10)
# Money on its way takes days.
SLOW_EVERY = timedelta(hours=1)

_EVENTS = "events"
# An event may be listed late, and two clocks are never the same.
_OVERLAP = timedelta(hours=1)
_FIRST_TIME = timedelta(days=3)
# Stripe lists no older ones.
_FURTHEST = timedelta(days=30)
_PAGE = 100


@dataclass(frozen=True, slots=True)
class Listed:
    """What a reading of Stripe's list of events came to."""

    since: datetime
    events: int
    new: int


def attempts_due(at: datetime, *, unless_asked_since: datetime | None = None) -> AttemptQuerySet:
    """Return the attempts by which money may have come unnoticed, the longest not asked first.

    Each comes every 10 minutes, with money on its way every hour; or, with `unless_asked_since`,
    unless it was asked after since then.
    """
    quick, slow = (unless_asked_since or at - every for every in (ATTEMPTS_EVERY, SLOW_EVERY))
    is_slow = Q(state=PaymentAttempt.State.PROCESSING)
    return (
        PaymentAttempt.objects.live()
        .filter(created_at__lte=at - _SETTLES_BY_ITSELF)
        .filter(
            Q(reconciled_at=None)
            | (~is_slow & Q(reconciled_at__lte=quick))
            | (is_slow & Q(reconciled_at__lte=slow))
        )
        .order_by(F("reconciled_at").asc(nulls_first=True), "created_at")
    )


def refunds_due(at: datetime, *, unless_asked_since: datetime | None = None) -> RefundQuerySet:
    """Return the refunds whose end is not known, each every hour, as with attempts."""
    asked_by = unless_asked_since or at - SLOW_EVERY
    return (
        Refund.objects.unfinished()
        .filter(created_at__lte=at - _SETTLES_BY_ITSELF)
        .filter(Q(asked_at=None) | Q(asked_at__lte=asked_by))
        .order_by(F("asked_at").asc(nulls_first=True), "created_at")
    )


def disputes_due() -> DisputeQuerySet:
    """Return the disputes that nobody has decided yet."""
    return Dispute.objects.open()


def ask_after_attempt(*, attempt_id: int, at: datetime) -> None:
    """Settle what Stripe says of an attempt; raises as attempts.reconcile."""
    found = PaymentAttempt.objects.filter(pk=attempt_id)
    # Noted before Stripe is asked: one that fails each time must not crowd out the others.
    found.update(reconciled_at=at)
    attempts.reconcile(attempt=found.get(), at=at)


def ask_after_refund(*, refund_id: int, at: datetime) -> None:
    """Send a refund that was not made yet, follow one that was; raises as refunds.send."""
    found = Refund.objects.filter(pk=refund_id)
    found.update(asked_at=at)
    refund = found.select_related("order").get()
    bind_contextvars(order_number=refund.order.number, refund_id=refund_id)
    if refund.state == Refund.State.CREATED:
        refunds.send(refund_id=refund_id, at=at)
    else:
        refunds.sync(order=refund.order, charge_id=refund.charge_id, at=at)


def ask_after_dispute(*, dispute_id: int, at: datetime) -> None:
    """Follow what Stripe says of the disputes of one payment; raises the gateway's errors."""
    dispute = Dispute.objects.select_related("order").get(pk=dispute_id)
    bind_contextvars(order_number=dispute.order.number)
    disputes.follow(
        order_id=dispute.order_id,
        made=gateway.disputes_of_charge(dispute.charge_id),
        cause=dispute.stripe_id,
        at=at,
    )


def read_events(*, at: datetime, tell: Callable[[int], None] = lambda _: None) -> Listed:
    """Put into the inbox what Stripe lists since the last checkpoint; the worker processes it.

    The checkpoint moves once all pages were stored. `tell` is called with the number of events
    after each. Raises the gateway's errors.
    """
    since = _since(at)
    found = new = 0
    for page in _pages(gateway.events_since(since, types=HANDLED)):
        new += sum(_store(page, at))
        found += len(page)
        tell(found)
    fault_point("reconciliation:before-checkpoint")
    Checkpoint.objects.get_or_create(name=_EVENTS, defaults={"reached_at": at})
    Checkpoint.objects.filter(name=_EVENTS, reached_at__lt=at).update(reached_at=at)
    return Listed(since, found, new)


def _since(at: datetime) -> datetime:
    checkpoint = Checkpoint.objects.filter(name=_EVENTS).first()
    wanted = checkpoint.reached_at - _OVERLAP if checkpoint else at - _FIRST_TIME
    furthest = at - _FURTHEST
    if wanted < furthest:
        logger.error("Stripe no longer lists its events between %s and %s", wanted, furthest)
    return max(wanted, furthest)


def _pages(events: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while page := list(islice(events, _PAGE)):
        yield page


def _store(page: list[dict[str, Any]], at: datetime) -> Iterator[bool]:
    """Store the events that are not known; tells of each whether it is new."""
    ids = [event["id"] for event in page]
    known = set(InboxEvent.objects.filter(event_id__in=ids).values_list("event_id", flat=True))
    for event in page:
        if event["id"] not in known:
            yield inbox.store(payload=event, source=InboxEvent.Source.RECONCILE, at=at)
