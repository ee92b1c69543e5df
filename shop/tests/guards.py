"""Putting an app's database guards to the test: each is violated past the ORM's own checks."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction
from django.db.models import Model

from shop.append_only import TRIGGER


@dataclass(frozen=True)
class Violation:
    """A copy of a valid row that the guard named `by` must refuse.

    `changes` are what is wrong with it; the columns in `same` are as the row's own, where a valid
    copy needs values of its own.
    """

    model: type[Model]
    by: str
    changes: dict[str, Any] = field(default_factory=dict)
    same: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.by}-{'-'.join([*map(str, self.changes.values()), *self.same])}"


def assert_refused(violation: Violation, row: Model, own: dict[str, Any]) -> None:
    """Insert the copy and expect its refusal; with `own` values alone a copy is accepted.

    So it is the violation that is refused, and nothing else about the copy.
    """
    table = violation.model._base_manager
    with transaction.atomic():
        _insert_copy(row, own)
        transaction.set_rollback(True)
    before = list(table.order_by("pk").values())
    kept = {name: value for name, value in own.items() if name not in violation.same}

    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        _insert_copy(row, kept | violation.changes)

    cause = refusal.value.__cause__
    assert isinstance(cause, psycopg.errors.IntegrityError)
    assert cause.diag.constraint_name == violation.by
    assert list(table.order_by("pk").values()) == before


def assert_append_only(row: Model, **change: Any) -> None:
    """Try to edit and to delete the row past the ORM's own checks; expect both to be refused."""
    rows = type(row)._base_manager.filter(pk=row.pk)
    table = row._meta.db_table
    before = rows.values().get()

    with _refused_by_trigger(f"{table} is append-only: UPDATE refused"):
        rows.update(**change)
    with _refused_by_trigger(f"{table} is append-only: DELETE refused"):
        rows.delete()

    assert rows.values().get() == before


@contextmanager
def _refused_by_trigger(words: str) -> Iterator[None]:
    with pytest.raises(IntegrityError, match=words) as refusal, transaction.atomic():
        yield
    assert isinstance(refusal.value.__cause__, psycopg.errors.RestrictViolation)


def guards(app_label: str) -> set[str]:
    """Return the names of the checks and unique constraints that stand on the app's tables."""
    with connection.cursor() as cursor:
        return {
            name
            for table in _tables(app_label)
            for name, found in connection.introspection.get_constraints(cursor, table).items()
            if found["check"] or (found["unique"] and not found["primary_key"])
        }


def append_only_tables(app_label: str) -> set[str]:
    """Return the app's tables whose trigger stands and is enabled."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = %s AND tgenabled = 'O'",
            [TRIGGER],
        )
        return {table for (table,) in cursor.fetchall()} & set(_tables(app_label))


def _tables(app_label: str) -> list[str]:
    return [model._meta.db_table for model in apps.get_app_config(app_label).get_models()]


def _insert_copy(row: Model, changes: dict[str, Any]) -> None:
    model = type(row)
    values = {
        column.attname: getattr(row, column.attname)
        for column in model._meta.concrete_fields
        if not column.primary_key
    }
    model._base_manager.bulk_create([model(**values | changes)])
