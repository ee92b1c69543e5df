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


def not_guarded(*tables: str, trigger: str, refused: int) -> str:
    """Return the query of those tables whose guard, of `shop.append_only`, does not stand.

    `refused` is the sum of what it refuses, by PostgreSQL's own numbers: 8 DELETE, 16 UPDATE.
    """
    return rf"""
        SELECT 'table ' || name, 'its trigger is missing, disabled, or lets something pass'
          FROM unnest('{{{",".join(tables)}}}'::text[]) AS name
         WHERE NOT EXISTS (
               SELECT 1 FROM pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid
                WHERE t.tgrelid = name::regclass AND t.tgname = '{trigger}'
                  AND t.tgenabled IN ('O', 'A')
                  -- Before these, of every column, without a WHEN.
                  AND t.tgtype & 26 = 2 + {refused} AND cardinality(t.tgattr::int2[]) = 0
                  AND t.tgqual IS NULL
                  -- All that its function does is to refuse.
                  AND f.prosrc ~ '^\s*BEGIN\s+RAISE EXCEPTION [^;]*;\s*END;?\s*$')
        """  # noqa: S608 - names of ours
