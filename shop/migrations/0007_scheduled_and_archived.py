"""Let products be published by the clock, and be archived."""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0006_price_history")]
    operations = [
        migrations.AddField(
            model_name="product",
            name="publish_at",
            field=models.DateTimeField(
                blank=True,
                help_text="In UTC. It is published by itself then; leave it empty to do that by hand.",
                null=True,
                verbose_name="publish on",
            ),
        ),
        migrations.AddField(
            model_name="product",
            name="archived_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        AddConstraintNotValid(
            model_name="product",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("publish_at__isnull", True), ("is_published", False), _connector="OR"
                ),
                name="product_scheduled_is_not_published",
            ),
        ),
        AddConstraintNotValid(
            model_name="product",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("archived_at__isnull", True),
                    models.Q(("is_published", False), ("publish_at__isnull", True)),
                    _connector="OR",
                ),
                name="product_archived_is_off_sale",
            ),
        ),
    ]
