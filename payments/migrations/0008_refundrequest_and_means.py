"""By which means money came by hand, and refunds that wait for a second person."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0007_back_office"),
        ("payments", "0007_refund_review_and_handed_over"),
    ]

    operations = [
        migrations.AddField(
            model_name="ledgerentry",
            name="means",
            field=models.CharField(
                blank=True,
                choices=[("cash", "cash"), ("transfer", "bank transfer"), ("other", "otherwise")],
                db_default="",
                help_text="Of a manual entry; those of version 0.2.0 have none.",
                max_length=8,
            ),
        ),
        migrations.CreateModel(
            name="RefundRequest",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.UUIDField(editable=False, unique=True)),
                ("charge_id", models.CharField(max_length=255)),
                ("amount_minor", models.PositiveBigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                (
                    "why",
                    models.CharField(
                        choices=[
                            ("requested_by_customer", "the buyer asked for it"),
                            ("duplicate", "paid twice"),
                            ("fraudulent", "fraud"),
                            ("unavailable", "we cannot deliver"),
                            ("late", "paid after the order was closed"),
                            ("review", "the payment was not as asked"),
                            ("other", "another reason"),
                        ],
                        max_length=24,
                    ),
                ),
                (
                    "note",
                    models.CharField(blank=True, help_text="In staff's words.", max_length=200),
                ),
                ("is_restocked", models.BooleanField(default=False, verbose_name="restock")),
                (
                    "units",
                    models.JSONField(
                        default=dict,
                        help_text="By order line id: how many, and how many of them were handed over.",
                    ),
                ),
                ("asked_by_id", models.BigIntegerField(help_text="The user's id; a plain number.")),
                ("asked_at", models.DateTimeField()),
                (
                    "decision",
                    models.CharField(
                        blank=True,
                        choices=[("approved", "approved"), ("declined", "declined")],
                        max_length=8,
                    ),
                ),
                (
                    "decided_by_id",
                    models.BigIntegerField(help_text="The user's id; a plain number.", null=True),
                ),
                ("decided_at", models.DateTimeField(null=True)),
                (
                    "order",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refund_requests",
                        to="orders.order",
                    ),
                ),
                (
                    "review",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refund_requests",
                        to="orders.review",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
                "permissions": [
                    ("approve_refundrequest", "Can approve refunds that others asked for")
                ],
                "indexes": [
                    models.Index(
                        condition=models.Q(("decision", "")),
                        fields=["asked_at"],
                        name="refund_request_waiting",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("decided_at__isnull", True),
                                ("decided_by_id__isnull", True),
                                ("decision", ""),
                            ),
                            models.Q(
                                ("decided_at__isnull", False),
                                ("decided_by_id__isnull", False),
                                ("decision__in", ["approved", "declined"]),
                            ),
                            _connector="OR",
                        ),
                        name="refund_request_decided_by_somebody",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("decision", "approved"), _negated=True),
                            models.Q(("decided_by_id", models.F("asked_by_id")), _negated=True),
                            _connector="OR",
                        ),
                        name="refund_request_approved_by_another",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("amount_minor__gt", 0)),
                        name="refund_request_gives_something",
                    ),
                ],
            },
        ),
    ]
