"""Drop an index that no query needs: the books are read by the day on which money moved."""

from django.contrib.postgres.operations import RemoveIndexConcurrently
from django.db import migrations

LIMITS_OFF = "SET statement_timeout = 0; SET lock_timeout = 0"
LIMITS_ON = "RESET statement_timeout; RESET lock_timeout"


class Migration(migrations.Migration):
    # The books may be large, and are written to meanwhile.
    atomic = False

    dependencies = [("payments", "0003_what_older_rows_lack")]
    operations = [
        # It waits for transactions that began before it, a backup say, and nobody waits for it.
        migrations.RunSQL(LIMITS_OFF, LIMITS_ON),
        RemoveIndexConcurrently("ledgerentry", "ledger_by_day"),
        migrations.RunSQL(LIMITS_ON, LIMITS_OFF),
    ]
