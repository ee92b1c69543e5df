"""Locks of the database: who waits for them, and how long."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


def is_somebody_waiting() -> bool:
    """Tell whether another connection waits for a lock of this one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks"
            " WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))"
        )
        (is_waiting,) = cursor.fetchone()
    return bool(is_waiting)


@contextmanager
def impatient() -> Iterator[None]:
    """Have this thread's connection wait for a lock 50 ms at most."""
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '50ms'")
    try:
        yield
    finally:
        # Closing it would not do: from the pool the next test takes it as it is.
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")
