"""What migrations do to the tables of a shop that is at work."""

from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.db import connection

from orders.tests.factories import PLACED_AT, PendingOrderFactory
from payments.models import InboxEvent, LedgerEntry, PaymentAttempt

pytestmark = pytest.mark.django_db

older_rows = import_module("payments.migrations.0003_what_older_rows_lack")


def rows(sql: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def test_every_index_is_built_and_every_rule_looked_over() -> None:
    assert rows("SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid") == []
    assert rows("SELECT conname FROM pg_constraint WHERE NOT convalidated") == []


def test_the_limits_that_a_migration_lifts_are_back_after_it() -> None:
    assert (rows("SHOW lock_timeout"), rows("SHOW statement_timeout")) == ([("5s",)], [("0",)])


def test_rows_of_0_2_0_learn_batch_by_batch_what_they_lack(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(older_rows, "BATCH", 2)
    order = PendingOrderFactory()
    for number in (1, 2, 3):
        attempt = PaymentAttempt.objects.create(
            order=order,
            kind="checkout",
            state="succeeded",
            params={},
            amount_minor=100,
            currency="EUR",
            created_at=PLACED_AT,
            deadline_at=PLACED_AT,
        )
        for kind, stripe_id, amount in (("capture", "ch", 100), ("fee", "txn", -3)):
            LedgerEntry.objects.create(
                order=order,
                attempt=attempt,
                kind=kind,
                amount_minor=amount,
                currency="EUR",
                stripe_id=f"{stripe_id}_{number}",
                booked_at=PLACED_AT + timedelta(days=number),
            )
        InboxEvent.objects.create(
            event_id=f"evt_{number}",
            type="charge.updated",
            payload={"created": 1_700_000_000 + number},
            livemode=False,
            source="webhook",
            received_at=PLACED_AT,
        )
    with connection.cursor() as cursor:
        # What was written here is judged now, or its table could not be altered.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    with connection.schema_editor() as editor:
        for _ in range(2):
            older_rows.fill(None, editor)

    assert list(LedgerEntry.objects.values_list("charge_id", "occurred_at")) == [
        (f"ch_{number}", PLACED_AT + timedelta(days=number))
        for number in (1, 2, 3)
        for _kind in ("capture", "fee")
    ]
    made = InboxEvent.objects.order_by("pk").values_list("made_at", flat=True)
    assert [int(at.timestamp()) - 1_700_000_000 for at in made if at] == [1, 2, 3]
    (enabled,) = rows(
        "SELECT tgenabled FROM pg_trigger WHERE tgname = 'append_only'"
        " AND tgrelid = 'payments_ledgerentry'::regclass"
    )
    assert enabled == ("O",)
