"""Look over a large table while it is written to."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations

from shop.migration_limits import LIMITS_OFF, LIMITS_ON


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("orders", "0004_put_back")]
    operations = [
        LIMITS_OFF,
        ValidateConstraint("orderevent", "order_event_reason_is_known"),
        LIMITS_ON,
    ]
