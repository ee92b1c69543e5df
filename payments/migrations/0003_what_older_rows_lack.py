"""Tell of rows from before these columns what they would have said."""

from collections.abc import Iterator
from typing import Any

from django.db import migrations, transaction

BATCH = 5_000

# The trigger that keeps the books append-only stands aside for one batch: this adds what was
# known, and changes no amount. Nobody else writes to the table meanwhile.
FILL_LEDGER = """
    ALTER TABLE payments_ledgerentry DISABLE TRIGGER append_only;
    UPDATE payments_ledgerentry AS entry
       SET occurred_at = booked_at,
           charge_id = CASE WHEN kind = 'capture' THEN stripe_id
                            ELSE coalesce((SELECT capture.stripe_id
                                             FROM payments_ledgerentry AS capture
                                            WHERE capture.attempt_id = entry.attempt_id
                                              AND capture.kind = 'capture'
                                            ORDER BY capture.id LIMIT 1), '') END
     WHERE id >= {start} AND id < {end} AND kind IN ('capture', 'fee') AND charge_id = '';
    ALTER TABLE payments_ledgerentry ENABLE TRIGGER append_only;
"""
FILL_INBOX = """
    UPDATE payments_inboxevent SET made_at = to_timestamp((payload->>'created')::bigint)
     WHERE id >= {start} AND id < {end}
       AND made_at IS NULL AND payload->>'created' IS NOT NULL;
"""


def fill(apps: Any, schema_editor: Any) -> None:
    """Fill both tables batch by batch, so that writers wait for none of them for long."""
    with schema_editor.connection.cursor() as cursor:
        for table, sql in (
            ("payments_ledgerentry", FILL_LEDGER),
            ("payments_inboxevent", FILL_INBOX),
        ):
            for start in _starts(cursor, table):
                with transaction.atomic(schema_editor.connection.alias):
                    cursor.execute(sql.format(start=start, end=start + BATCH))


def _starts(cursor: Any, table: str) -> Iterator[int]:
    cursor.execute(f"SELECT coalesce(max(id), 0) FROM {table}")  # noqa: S608 - our own words
    yield from range(1, cursor.fetchone()[0] + 1, BATCH)


class Migration(migrations.Migration):
    # Each batch is a transaction of its own; begun again, it goes on where it ended.
    atomic = False

    dependencies = [("payments", "0002_payment_life")]
    # Going back, the columns themselves are dropped.
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
