"""Index and look over large tables while they are written to."""

from django.contrib.postgres.operations import AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models

from shop.migration_limits import LIMITS_OFF, LIMITS_ON


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("payments", "0004_drop_ledger_by_day")]
    operations = [
        LIMITS_OFF,
        ValidateConstraint("paymentattempt", "attempt_open_intent_has_secret"),
        AddIndexConcurrently(
            "inboxevent",
            models.Index(
                condition=models.Q(("payload__isnull", False)),
                fields=["finished_at"],
                name="inbox_payloads_by_age",
            ),
        ),
        AddIndexConcurrently(
            "ledgerentry",
            models.Index(fields=["occurred_at", "id"], name="ledger_by_day_of_money"),
        ),
        AddIndexConcurrently(
            "ledgerentry", models.Index(fields=["charge_id"], name="ledger_by_charge")
        ),
        LIMITS_ON,
    ]
