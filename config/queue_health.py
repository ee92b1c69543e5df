"""Whether workers are alive, and whether any job has waited too long."""

from django.conf import settings
from django.db import connection

# How long a job that is due may wait, in seconds. A buyer waits for the first; nobody does for the
# last two.
_LONGEST_WAITS = {"webhooks": 120.0, "mirror": 3600.0, "images": 3600.0}
_LONGEST_WAIT = 300.0
_WAITS = """
    SELECT job.queue_name,
           EXTRACT(EPOCH FROM now() - min(COALESCE(job.scheduled_at, queued.at)))::float
    FROM procrastinate_jobs job
    JOIN procrastinate_events queued ON queued.job_id = job.id AND queued.type = 'deferred'
    WHERE job.status = 'todo' AND COALESCE(job.scheduled_at, '-infinity') <= now()
    GROUP BY job.queue_name
"""
_HAS_WORKER = """
    SELECT EXISTS (
        SELECT FROM procrastinate_workers WHERE last_heartbeat > now() - make_interval(secs => %s)
    )
"""


def has_worker() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_HAS_WORKER, [settings.WORKER_STALLED_SECONDS])
        return bool(cursor.fetchone() == (True,))


def behind() -> dict[str, float]:
    """Return the queues whose oldest job that is due waits too long, with its wait in seconds."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITS)
        return {
            name: seconds
            for name, seconds in cursor.fetchall()
            if seconds > _LONGEST_WAITS.get(name, _LONGEST_WAIT)
        }
