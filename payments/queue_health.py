"""Whether workers are alive, and whether any job has waited too long."""

from django.conf import settings
from django.db import connection

from payments.services import counters

# How long a job that is due may wait, in seconds. A buyer waits for the first; nobody does for the
# last two.
_LONGEST_WAITS = {"webhooks": 120.0, "mirror": 3600.0, "images": 3600.0}
_LONGEST_WAIT = 300.0
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
    waits = {name: found.oldest.total_seconds() for name, found in counters.queues().items()}
    return {
        name: seconds
        for name, seconds in waits.items()
        if seconds > _LONGEST_WAITS.get(name, _LONGEST_WAIT)
    }
