"""Index large tables for staff's lists and searches while they are written to."""

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.operations import AddIndexConcurrently, ValidateConstraint
from django.contrib.postgres.search import SearchVector
from django.db import migrations, models
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Upper

from shop.migration_limits import LIMITS_OFF, LIMITS_ON


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("orders", "0007_back_office")]
    operations = [
        LIMITS_OFF,
        ValidateConstraint("orderevent", "order_event_reason_is_known"),
        AddIndexConcurrently(
            "order",
            models.Index(fields=["status", "-placed_at", "-id"], name="order_by_status"),
        ),
        AddIndexConcurrently(
            "order",
            models.Index(OpClass(Upper("email"), name="text_pattern_ops"), name="order_by_email"),
        ),
        AddIndexConcurrently(
            "order",
            GinIndex(
                SearchVector(KeyTextTransform("name", "shipping_address"), config="simple"),
                name="order_by_name",
            ),
        ),
        AddIndexConcurrently(
            "orderline",
            models.Index(fields=["variant", "-order"], name="order_line_by_variant"),
        ),
        LIMITS_ON,
    ]
