"""The id of a request goes with the jobs that it queues, and with those that they queue in turn.

It travels among a job's arguments, committed with the job, and is taken out before the task is
called: no service and no task knows of it.
"""

import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from procrastinate import App, JobContext
from procrastinate.jobs import Job
from procrastinate.manager import JobManager
from procrastinate.middleware import AsyncCallNext
from procrastinate.worker import Worker
from structlog.contextvars import bind_contextvars, get_contextvars

_ARGUMENT = "request_id"
# What a periodic job is told. One every few seconds is not worth a line, unless it fails.
_OF_THE_CLOCK = {"timestamp"}

logger = structlog.get_logger(__name__)


class _Manager(JobManager):
    """Queues a job together with the id of what asked for it."""

    def batch_defer_jobs(self, jobs: list[Job], connection: Any | None = None) -> list[Job]:
        return super().batch_defer_jobs([_with_id(job) for job in jobs], connection)

    async def batch_defer_jobs_async(
        self, jobs: list[Job], connection: Any | None = None
    ) -> list[Job]:
        return await super().batch_defer_jobs_async([_with_id(job) for job in jobs], connection)


def _with_id(job: Job) -> Job:
    request_id = get_contextvars().get(_ARGUMENT)
    if request_id is None:
        return job
    return job.evolve(task_kwargs=job.task_kwargs | {_ARGUMENT: request_id})


def carry_request_id(app: App) -> None:
    """Let every job queued through `app` carry the id (PROCRASTINATE_ON_APP_READY)."""
    app.job_manager = _Manager(app.connector)


@contextmanager
def traced(job: Job) -> Iterator[None]:
    """Name the job in every line that it logs, and log one about it; its arguments lose the id.

    A job that nobody's request asked for gets an id of its own, for those that it queues. What is
    bound stays: run a job in a context of its own.
    """
    bind_contextvars(
        request_id=job.task_kwargs.pop(_ARGUMENT, None) or uuid.uuid4().hex,
        job_id=job.id,
        task=job.task_name,
        attempt=job.attempts + 1,
    )
    started = time.perf_counter()
    level, outcome = logging.WARNING, {"outcome": "failed"}
    try:
        yield
        level = logging.DEBUG if job.task_kwargs.keys() == _OF_THE_CLOCK else logging.INFO
        outcome = {"outcome": "done"}
    except Exception as error:
        outcome["error"] = f"{type(error).__name__}: {error}"
        raise
    finally:
        duration_ms = round((time.perf_counter() - started) * 1000, 1)
        logger.log(level, "job", duration_ms=duration_ms, args=job.task_kwargs, **outcome)


async def trace_job(call_next: AsyncCallNext, context: JobContext, worker: Worker) -> Any:
    """Worker middleware around every job, each of which is an asyncio task of its own."""
    with traced(context.job):
        return await call_next()
