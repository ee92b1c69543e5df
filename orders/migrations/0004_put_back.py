"""Let an order's story say that its goods were put back, as a bank kept the money."""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0003_unhurried")]
    operations = [
        migrations.RemoveConstraint(
            model_name="orderevent",
            name="order_event_reason_is_known",
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
                    ("handed_over", "partly handed over"),
                    ("fulfilled", "handed over"),
                    ("put_back", "goods put back"),
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
        # Looked over row by row in 0005: here that would keep buyers out.
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
                            "put_back",
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
    ]
