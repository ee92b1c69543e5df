"""Index carts by their day while they are written to."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

from shop.migration_limits import LIMITS_OFF, LIMITS_ON


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("cart", "0001_initial"), ("shop", "0001_initial")]
    operations = [
        LIMITS_OFF,
        AddIndexConcurrently("cart", models.Index(fields=["created_at"], name="cart_by_day")),
        LIMITS_ON,
    ]
