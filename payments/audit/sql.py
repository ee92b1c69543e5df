"""A check as SQL that finds what breaks it, and its offenders, streamed."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold; `sql` returns a row (what, why) for each that breaks it."""

    name: str
    invariant: int
    title: str
    sql: str


@dataclass(frozen=True, slots=True)
class Offender:
    """A row that breaks an invariant: `what` names it, like `order 7KX3M9QW2P`."""

    what: str
    why: str


def streamed(sql: str, values: Mapping[str, Any]) -> Iterator[Offender]:
    """Run a query of (what, why) and hand its rows out as they come."""
    # A cursor on the server needs a transaction.
    with transaction.atomic(), closing(connection.chunked_cursor()) as cursor:
        cursor.execute(sql, values)
        for what, why in cursor:
            yield Offender(what, why)
