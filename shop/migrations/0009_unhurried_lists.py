"""Index what staff list and search by, while it is written to."""

from django.contrib.postgres.indexes import OpClass
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models.functions import Upper

from shop.migration_limits import LIMITS_OFF, LIMITS_ON


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("shop", "0008_unhurried")]
    operations = [
        LIMITS_OFF,
        AddIndexConcurrently(
            "variant",
            models.Index(OpClass(Upper("sku"), name="text_pattern_ops"), name="variant_by_sku"),
        ),
        AddIndexConcurrently(
            "product",
            models.Index(
                condition=models.Q(("archived_at__isnull", True)),
                fields=["-created_at", "-id"],
                name="product_not_archived",
            ),
        ),
        LIMITS_ON,
    ]
