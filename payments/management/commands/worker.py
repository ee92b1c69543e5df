"""`manage.py worker`: run the shop's jobs until told to stop."""

import asyncio
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from procrastinate import App
from procrastinate.contrib.django import DjangoApp, app

from payments.startup import require_migrations, wait_for_database
from payments.tracing import trace_job

# dj-stripe's mirror holds a transaction open while it calls Stripe, and a picture takes a second
# and much memory: neither must crowd out the rest.
_QUEUES = {("webhooks", "mail", "default"): 4, ("mirror",): 1, ("images",): 1}


class Command(BaseCommand):
    help = "Run the shop's jobs: Stripe's events, mail, deadlines. Ctrl-C or SIGTERM ends it."

    def execute(self, *args: Any, **options: Any) -> str | None:
        # Before `handle`, because the checks that come first ask the database.
        wait_for_database()
        require_migrations()
        return super().execute(*args, **options)

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write("worker: ready")
        asyncio.run(_run(_worker_app()))
        self.stdout.write("worker: stopped")


def _worker_app() -> App:
    """Return the app that fetches and ends jobs, on connections of its own.

    procrastinate's own command replaces the connector of the one app there is. Then a job queued by
    a running job is committed by itself, also when the change it belongs to is rolled back. So the
    tasks keep the Django app, whose connection is the one of the change.
    """
    # A DjangoApp, which lets no job run on a connection that has broken since the last one.
    worker_app = DjangoApp(connector=app.connector.get_worker_connector())  # type: ignore[attr-defined]
    worker_app.tasks = app.tasks
    worker_app.periodic_registry = app.periodic_registry
    return worker_app


async def _run(worker_app: App) -> None:
    """Run every queue; at SIGTERM or SIGINT the jobs that run are finished, no new one starts."""
    async with worker_app.open_async():
        workers = [
            asyncio.create_task(
                worker_app.run_worker_async(
                    queues=list(queues),
                    name="+".join(queues),
                    concurrency=concurrency,
                    delete_jobs="successful",
                    fetch_job_polling_interval=settings.WORKER_POLL_SECONDS,
                    update_heartbeat_interval=settings.WORKER_HEARTBEAT_SECONDS,
                    stalled_worker_timeout=settings.WORKER_STALLED_SECONDS,
                    install_signal_handlers=False,
                    worker_middleware=[trace_job],
                )
            )
            for queues, concurrency in _QUEUES.items()
        ]
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, _stop_aloud, workers)
        # A worker that dies takes the process with it, so that whoever watches it starts it anew.
        done, running = await asyncio.wait(workers, return_when=asyncio.FIRST_COMPLETED)
        _stop(list(running))
        await asyncio.gather(*running, return_exceptions=True)
        for worker in done:
            if not worker.cancelled():
                worker.result()


def _stop_aloud(workers: list[asyncio.Task[None]]) -> None:
    print("worker: stopping", flush=True)
    _stop(workers)


def _stop(workers: list[asyncio.Task[None]]) -> None:
    """Ask each to stop, once: one that is asked again no longer waits for the jobs it runs."""
    for worker in workers:
        if not worker.cancelling():
            worker.cancel()
