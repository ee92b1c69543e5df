"""Queueing our jobs by name, so that a service can ask for a job that calls services."""

from typing import Any

from django.db import transaction
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued


def enqueue(job: str, **arguments: Any) -> None:
    """Queue a job of `payments.tasks`; it commits with the transaction it belongs to."""
    app.configure_task(f"payments.tasks.{job}").defer(**arguments)


def enqueue_once(job: str, lock: str, **arguments: Any) -> None:
    """Queue a job unless one with this lock already waits."""
    try:
        # The unique index that refuses the second would abort the caller's transaction too.
        with transaction.atomic():
            app.configure_task(f"payments.tasks.{job}", queueing_lock=lock).defer(**arguments)
    except AlreadyEnqueued:
        return
