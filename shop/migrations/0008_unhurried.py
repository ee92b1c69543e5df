"""Look over the products and index them while they are written to."""

from django.contrib.postgres.operations import AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models

from shop.migration_limits import LIMITS_OFF, LIMITS_ON


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("shop", "0007_scheduled_and_archived")]
    operations = [
        LIMITS_OFF,
        ValidateConstraint("product", "product_scheduled_is_not_published"),
        ValidateConstraint("product", "product_archived_is_off_sale"),
        AddIndexConcurrently(
            "product",
            models.Index(
                condition=models.Q(("publish_at__isnull", False)),
                fields=["publish_at"],
                name="product_scheduled",
            ),
        ),
        LIMITS_ON,
    ]
