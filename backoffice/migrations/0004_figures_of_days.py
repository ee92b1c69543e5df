"""Keep what days came to, and what sold best, for the front page of the admin."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("backoffice", "0003_customer_notes_and_erasures"),
        ("shop", "0008_unhurried"),
    ]

    operations = [
        migrations.CreateModel(
            name="DayFigures",
            fields=[
                ("day", models.DateField(primary_key=True, serialize=False)),
                ("currency", models.CharField(max_length=3)),
                ("carts", models.PositiveIntegerField()),
                (
                    "cart_orders",
                    models.PositiveIntegerField(help_text="Orders that came of a cart."),
                ),
                (
                    "cart_paid",
                    models.PositiveIntegerField(help_text="Carts that were ordered and paid."),
                ),
                ("orders", models.PositiveIntegerField()),
                ("paid", models.PositiveIntegerField()),
                (
                    "paid_minor",
                    models.BigIntegerField(help_text="The totals of the orders that were paid."),
                ),
                ("captured_minor", models.BigIntegerField()),
                ("refunded_minor", models.BigIntegerField()),
                ("counted_at", models.DateTimeField()),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="TopProduct",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("days", models.PositiveSmallIntegerField()),
                ("rank", models.PositiveSmallIntegerField()),
                ("units", models.PositiveIntegerField()),
                ("amount_minor", models.BigIntegerField(help_text="Before shipping and refunds.")),
                ("currency", models.CharField(max_length=3)),
                (
                    "product",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="shop.product",
                    ),
                ),
            ],
            options={
                "ordering": ["days", "rank"],
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=("days", "rank"), name="top_product_per_rank")
                ],
            },
        ),
    ]
