"""Jobs of the payment floor, each one service call."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from djstripe.models import Event
from procrastinate import JobContext
from procrastinate.contrib.django import app
from procrastinate.jobs import Status

from payments import gateway, stripe_check
from payments.models import InboxEvent, PaymentAttempt
from payments.queue import enqueue_once
from payments.retries import PASSING, Patiently, tries_before
from payments.services import attempts, holds, inbox, reconciliation, refunds, reminding, retention
from shop.clock import now

logger = logging.getLogger(__name__)

# What nobody waits for lets a buyer's payment go first.
IN_NO_HURRY = -1


@app.task(queue="webhooks", retry=Patiently(), pass_context=True)
def process_event(context: JobContext, inbox_id: int) -> None:
    """Process one of Stripe's events."""
    try:
        inbox.process(inbox_id=inbox_id, at=now())
    except Exception as error:
        earlier = tries_before(error, context.job)
        inbox.record_failure(inbox_id=inbox_id, error=error, earlier_tries=earlier)
        raise


@app.task(queue="mirror", retry=Patiently())
def mirror_event(inbox_id: int) -> None:
    """Let dj-stripe copy an event and its objects; nothing in the shop decides by these copies.

    It calls Stripe inside a transaction, hence the queue of its own.
    """
    payload = InboxEvent.objects.get(pk=inbox_id).payload
    if payload is None:
        logger.warning("event %s was pruned before it could be copied", inbox_id)
        return
    with gateway.failures():
        Event.process(payload)


@app.task(queue="default", retry=Patiently())
def close_attempts(order_id: int) -> None:
    """Close at Stripe what is open of an order that has its money, or waits for a person."""
    attempts.close_all(order_id=order_id, closed_as=PaymentAttempt.ClosedAs.SUPERSEDED, at=now())


@app.task(queue="default", retry=Patiently())
def end_attempt(attempt_id: int) -> None:
    """End at Stripe what was closed here and could still be paid."""
    attempts.end(attempt=PaymentAttempt.objects.get(pk=attempt_id), at=now())


# Of version 0.2.0, which queued it by this name: it goes with 0.4.0.
@app.task(queue="default", retry=Patiently())
def end_session(session_id: str) -> None:
    """End the attempt of this session, as `end_attempt` does."""
    attempts.end(attempt=PaymentAttempt.objects.get(session_id=session_id), at=now())


@app.task(queue="default", retry=Patiently())
def send_refund(refund_id: int) -> None:
    """Have Stripe give money back."""
    refunds.send(refund_id=refund_id, at=now())


@app.task(queue="default", retry=Patiently())
def reconcile_attempt(attempt_id: int) -> None:
    """Ask Stripe what became of one attempt."""
    attempts.reconcile(attempt=PaymentAttempt.objects.get(pk=attempt_id), at=now())


@app.periodic(cron="* * * * *")
@app.task(queue="default", queueing_lock="end_overdue_holds")
def end_overdue_holds(timestamp: int) -> None:
    """Queue the end of every order that was not paid in time."""
    for order_id in holds.overdue(now()).values_list("pk", flat=True).iterator():
        enqueue_once("expire_order", f"expire_order:{order_id}", order_id=order_id)


@app.task(queue="default")
def expire_order(order_id: int) -> None:
    """End one order that was not paid in time; the next round comes by itself, hence no retry."""
    with _or_next_round(f"order {order_id}"):
        holds.expire(order_id=order_id, at=now())


@contextmanager
def _or_next_round(what: str) -> Iterator[None]:
    """Let a passing failure pass: whatever is left undone is found again by the clock."""
    try:
        yield
    except PASSING as error:
        logger.warning("%s stays as it is until the next round: %r", what, error)


@app.periodic(cron="* * * * *")
@app.task(queue="default", queueing_lock="ask_after_attempts")
def ask_after_attempts(timestamp: int) -> None:
    """Queue a question for every attempt by which money may have come unnoticed."""
    for attempt_id in reconciliation.attempts_due(now()).values_list("pk", flat=True).iterator():
        enqueue_once("ask_after_attempt", f"attempt:{attempt_id}", attempt_id=attempt_id)


@app.task(queue="default", priority=IN_NO_HURRY)
def ask_after_attempt(attempt_id: int) -> None:
    """Ask Stripe what became of one attempt that nobody told us of."""
    with _or_next_round(f"attempt {attempt_id}"):
        reconciliation.ask_after_attempt(attempt_id=attempt_id, at=now())


@app.periodic(cron="*/10 * * * *")
@app.task(queue="default", queueing_lock="ask_after_refunds")
def ask_after_refunds(timestamp: int) -> None:
    """Queue a question for every refund whose end is not known."""
    for refund_id in reconciliation.refunds_due(now()).values_list("pk", flat=True).iterator():
        enqueue_once("ask_after_refund", f"refund:{refund_id}", refund_id=refund_id)


@app.task(queue="default", priority=IN_NO_HURRY)
def ask_after_refund(refund_id: int) -> None:
    """Ask Stripe what became of one refund, or to make it after all."""
    with _or_next_round(f"refund {refund_id}"):
        reconciliation.ask_after_refund(refund_id=refund_id, at=now())


@app.periodic(cron="17 4 * * *")
@app.task(queue="default", queueing_lock="ask_after_disputes")
def ask_after_disputes(timestamp: int) -> None:
    """Queue a question for every open dispute."""
    for dispute_id in reconciliation.disputes_due().values_list("pk", flat=True).iterator():
        enqueue_once("ask_after_dispute", f"dispute:{dispute_id}", dispute_id=dispute_id)


@app.task(queue="default", priority=IN_NO_HURRY)
def ask_after_dispute(dispute_id: int) -> None:
    """Ask Stripe how one dispute stands."""
    with _or_next_round(f"dispute {dispute_id}"):
        reconciliation.ask_after_dispute(dispute_id=dispute_id, at=now())


@app.periodic(cron="*/10 * * * *")
@app.task(queue="default", queueing_lock="read_events", priority=IN_NO_HURRY)
def read_events(timestamp: int) -> None:
    """Read Stripe's list of events for those that no webhook brought."""
    with _or_next_round("the list of events"):
        reconciliation.read_events(at=now())


@app.periodic(cron="*/5 * * * *")
@app.task(queue="default", queueing_lock="requeue_stranded_events")
def requeue_stranded_events(timestamp: int) -> None:
    """Give events that lost their job another."""
    inbox.requeue_stranded(at=now())


@app.periodic(cron="42 * * * *")
@app.task(queue="default", queueing_lock="prune_inbox", priority=IN_NO_HURRY)
def prune_inbox(timestamp: int) -> None:
    """Empty the payloads of events that were finished long ago."""
    retention.prune(at=now())


@app.periodic(cron="* * * * *")
@app.task(queue="default", queueing_lock="remind_of_declined_cards")
def remind_of_declined_cards(timestamp: int) -> None:
    """Write to the buyers whose cards were declined, while their orders can still be paid."""
    reminding.remind_all(now())


@app.periodic(cron="* * * * *")
@app.task(queue="default", queueing_lock="check_stripe")
def check_stripe(timestamp: int) -> None:
    """Ask whether Stripe answers, for `/health/deep`."""
    stripe_check.ask(at=now())


@app.periodic(cron="* * * * * */15")
@app.task(queue="default", queueing_lock="rescue_stalled_jobs", pass_context=True)
async def rescue_stalled_jobs(context: JobContext, timestamp: int) -> None:
    """Run again the jobs of workers that were killed."""
    manager = context.app.job_manager
    for job in await manager.get_stalled_jobs(
        seconds_since_heartbeat=settings.WORKER_STALLED_SECONDS
    ):
        logger.warning("job %s (%s) stalled", job.id, job.task_name)
        if job.queueing_lock:
            # Its next round may wait already, and two with one lock cannot.
            await manager.finish_job(job, status=Status.FAILED, delete_job=False)
        else:
            await manager.retry_job(job)
