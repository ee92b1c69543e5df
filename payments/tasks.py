"""Jobs of the payment floor, each one service call."""

import logging

from django.conf import settings
from djstripe.models import Event
from procrastinate import JobContext
from procrastinate.contrib.django import app
from procrastinate.jobs import Status

from payments import gateway, stripe_check
from payments.models import InboxEvent, PaymentAttempt
from payments.queue import enqueue_once
from payments.retries import PASSING, Patiently
from payments.services import attempts, holds, inbox, refunds
from shop.clock import now

logger = logging.getLogger(__name__)


@app.task(queue="webhooks", retry=Patiently(), pass_context=True)
def process_event(context: JobContext, inbox_id: int) -> None:
    """Process one of Stripe's events."""
    try:
        inbox.process(inbox_id=inbox_id, at=now())
    except Exception as error:
        inbox.record_failure(inbox_id=inbox_id, error=error, earlier_tries=context.job.attempts)
        raise


@app.task(queue="mirror", retry=Patiently())
def mirror_event(inbox_id: int) -> None:
    """Let dj-stripe copy an event and its objects; nothing in the shop decides by these copies.

    It calls Stripe inside a transaction, hence the queue of its own.
    """
    with gateway.failures():
        Event.process(InboxEvent.objects.get(pk=inbox_id).payload)


@app.task(queue="default", retry=Patiently())
def close_attempts(order_id: int) -> None:
    """Close at Stripe what is open of an order that has its money, or waits for a person."""
    attempts.close_all(order_id=order_id, closed_as=PaymentAttempt.ClosedAs.SUPERSEDED, at=now())


@app.task(queue="default", retry=Patiently())
def end_attempt(attempt_id: int) -> None:
    """End at Stripe what was closed here and could still be paid."""
    attempts.end(attempt=PaymentAttempt.objects.get(pk=attempt_id), at=now())


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
    try:
        holds.expire(order_id=order_id, at=now())
    except PASSING as error:
        logger.warning("order %s keeps its units until Stripe answers: %r", order_id, error)


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
