"""Tell of rows from before these columns what they would have said."""

from django.db import migrations

# The trigger that keeps the books append-only stands aside for this one statement: it adds what
# was known, and changes no amount.
FILL_LEDGER = """
    ALTER TABLE payments_ledgerentry DISABLE TRIGGER append_only;
    UPDATE payments_ledgerentry AS entry
       SET occurred_at = entry.booked_at,
           charge_id = CASE WHEN entry.kind = 'capture' THEN entry.stripe_id
                            ELSE coalesce(capture.stripe_id, '') END
      FROM payments_ledgerentry AS itself
      LEFT JOIN payments_ledgerentry AS capture
        ON capture.attempt_id = itself.attempt_id AND capture.kind = 'capture'
     WHERE itself.id = entry.id AND entry.kind IN ('capture', 'fee') AND entry.charge_id = '';
    ALTER TABLE payments_ledgerentry ENABLE TRIGGER append_only;
"""
FILL_INBOX = """
    UPDATE payments_inboxevent SET made_at = to_timestamp((payload->>'created')::bigint)
     WHERE made_at IS NULL AND payload->>'created' IS NOT NULL;
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0002_payment_life")]
    operations = [
        # Going back, the columns themselves are dropped.
        migrations.RunSQL(FILL_LEDGER, migrations.RunSQL.noop),
        migrations.RunSQL(FILL_INBOX, migrations.RunSQL.noop),
    ]
