"""A right of its own to export orders, as the files have the data of their buyers."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("orders", "0009_lines_by_variant")]
    operations = [
        migrations.AlterModelOptions(
            name="order",
            options={
                "ordering": ["-placed_at", "-pk"],
                "permissions": [
                    ("fulfill_order", "Can hand over the goods of orders"),
                    ("export_order", "Can export orders with their buyers and money"),
                ],
            },
        ),
    ]
