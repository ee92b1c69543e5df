"""Races of real threads, each with its own connection to the database."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from django.db import connection


def all_at_once(
    calls: Sequence[Callable[[], Any]], *, may_raise: tuple[type[Exception], ...] = ()
) -> list[Any]:
    """Run the calls in a thread each, started together; return what they returned or raised.

    An exception that is none of `may_raise` is raised here: whoever loses a race loses it in the
    way that was meant for him.
    """
    gate = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        try:
            gate.wait()
            return call()
        except may_raise as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))
