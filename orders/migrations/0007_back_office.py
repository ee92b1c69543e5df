"""Parcels, notes, and what of a staff's day an order's story tells."""

import django.db.models.deletion
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0006_handed_over_once")]
    operations = [
        migrations.CreateModel(
            name="OrderNote",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("text", models.TextField(max_length=2000)),
                (
                    "by_user_id",
                    models.BigIntegerField(help_text="The user's id; a plain number.", null=True),
                ),
                (
                    "form_key",
                    models.UUIDField(
                        help_text="Of the form that staff sent: sent twice, it is one note.",
                        null=True,
                        unique=True,
                    ),
                ),
                ("written_at", models.DateTimeField()),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.AlterModelOptions(
            name="order",
            options={
                "ordering": ["-placed_at", "-pk"],
                "permissions": [("fulfill_order", "Can hand over the goods of orders")],
            },
        ),
        migrations.RemoveConstraint(
            model_name="orderevent",
            name="order_event_reason_is_known",
        ),
        migrations.AddField(
            model_name="fulfillment",
            name="carrier",
            field=models.CharField(blank=True, db_default="", max_length=40),
        ),
        migrations.AddField(
            model_name="fulfillment",
            name="delivered_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="fulfillment",
            name="tracking_number",
            field=models.CharField(blank=True, db_default="", max_length=64),
        ),
        migrations.AddField(
            model_name="fulfillment",
            name="tracking_url",
            field=models.URLField(
                blank=True,
                db_default="",
                help_text="The carrier's page for it, as it was known then.",
                max_length=500,
            ),
        ),
        migrations.AlterField(
            model_name="orderevent",
            name="reason",
            field=models.CharField(
                choices=[
                    ("placed", "placed"),
                    ("capture", "payment received"),
                    ("late_capture", "payment received late"),
                    ("manual", "payment entered by staff"),
                    ("zero", "nothing to pay"),
                    ("accepted", "accepted by staff"),
                    ("buyer", "canceled by the buyer"),
                    ("staff", "canceled by staff"),
                    ("replacement", "replaced by a newer order"),
                    ("expiry", "not paid in time"),
                    ("handed_over", "units handed over"),
                    ("fulfilled", "handed over"),
                    ("delivered", "delivered"),
                    ("put_back", "goods put back"),
                    ("address_changed", "address changed"),
                    ("mail_repeated", "mail sent again"),
                    ("refund_waits", "refund waits for a second person"),
                    ("refund_declined", "refund not approved"),
                    ("refund_asked", "refund asked for"),
                    ("partly_refunded", "partly refunded"),
                    ("refunded", "refunded"),
                    ("refund_failed", "refund failed"),
                    ("disputed", "payment disputed"),
                    ("dispute_moved", "dispute news"),
                    ("dispute_closed", "dispute closed"),
                    ("failed_card", "card declined"),
                    ("processing", "payment on its way"),
                    ("payment_failed", "payment failed"),
                    ("money_booked", "money booked"),
                    ("review_opened", "put to review"),
                    ("review_resolved", "review resolved"),
                ],
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="ordermail",
            name="kind",
            field=models.CharField(
                choices=[
                    ("confirmation", "Confirmation"),
                    ("payment_link", "Payment Link"),
                    ("processing", "Processing"),
                    ("payment_failed", "Payment Failed"),
                    ("reminder", "Reminder"),
                    ("in_review", "In Review"),
                    ("canceled", "Canceled"),
                    ("sent", "on its way"),
                    ("refund", "Refund"),
                    ("refund_failed", "Refund Failed"),
                    ("dispute", "Dispute"),
                ],
                max_length=32,
            ),
        ),
        # Looked over row by row in 0008: here that would keep buyers out.
        AddConstraintNotValid(
            model_name="orderevent",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "reason__in",
                        [
                            "placed",
                            "capture",
                            "late_capture",
                            "manual",
                            "zero",
                            "accepted",
                            "buyer",
                            "staff",
                            "replacement",
                            "expiry",
                            "handed_over",
                            "fulfilled",
                            "delivered",
                            "put_back",
                            "address_changed",
                            "mail_repeated",
                            "refund_waits",
                            "refund_declined",
                            "refund_asked",
                            "partly_refunded",
                            "refunded",
                            "refund_failed",
                            "disputed",
                            "dispute_moved",
                            "dispute_closed",
                            "failed_card",
                            "processing",
                            "payment_failed",
                            "money_booked",
                            "review_opened",
                            "review_resolved",
                        ],
                    )
                ),
                name="order_event_reason_is_known",
            ),
        ),
        migrations.AddField(
            model_name="ordernote",
            name="order",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="notes", to="orders.order"
            ),
        ),
    ]
