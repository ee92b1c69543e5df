"""The API's own housekeeping."""

from django.utils import timezone
from procrastinate.contrib.django import app

from api import idempotency


@app.periodic(cron="23 * * * *")
@app.task(queue="default", queueing_lock="forget_idempotency_keys")
def forget_idempotency_keys(timestamp: int) -> None:
    """Delete the answers that were kept for a day."""
    idempotency.forget_old(at=timezone.now())
