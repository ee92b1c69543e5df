"""Let a refund name the review that it answers, and tell units that had left the house apart.

Refunds are new in this version, so their tables are small yet.
"""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0005_look_over_reasons"),
        ("payments", "0006_inboxevent_set_aside_why"),
    ]
    operations = [
        migrations.AddField(
            model_name="refund",
            name="review",
            field=models.ForeignKey(
                help_text="The question that it answers once it succeeds.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="refunds",
                to="orders.review",
            ),
        ),
        migrations.AddField(
            model_name="refundline",
            name="handed_over",
            field=models.PositiveIntegerField(
                db_default=0,
                help_text="So many of them had left the house; the others stay in it.",
            ),
        ),
        migrations.AddConstraint(
            model_name="refundline",
            constraint=models.CheckConstraint(
                condition=models.Q(("handed_over__lte", models.F("quantity"))),
                name="refund_line_handed_over_fits",
            ),
        ),
    ]
