"""Waiting for another process or thread: until it has done something, or hardly at all."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connection


def wait_until(is_so: Callable[[], bool], *, seconds: float = 60) -> None:
    """Ask again until it is so."""
    give_up_at = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < give_up_at, "waited in vain"
        time.sleep(0.05)


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
