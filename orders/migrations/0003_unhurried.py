"""Index and look over large tables while they are written to."""

from django.contrib.postgres.operations import AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models

from shop.migration_limits import LIMITS_OFF, LIMITS_ON


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("orders", "0002_payment_life")]
    operations = [
        LIMITS_OFF,
        ValidateConstraint("orderevent", "order_event_reason_is_known"),
        AddIndexConcurrently(
            "ordermail",
            models.Index(
                condition=models.Q(("sent_at__isnull", True)),
                fields=["due_at"],
                name="order_mail_unsent",
            ),
        ),
        LIMITS_ON,
    ]
