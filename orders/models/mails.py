"""Mails that an order owes."""

from django.db import models
from django.db.models import Q, Value

from orders.models.orders import Order


class OrderMail(models.Model):
    """A mail that a committed fact owes buyer or staff; sent after the commit, at least once."""

    class Kind(models.TextChoices):
        CONFIRMATION = "confirmation"
        PAYMENT_LINK = "payment_link"
        PROCESSING = "processing"
        PAYMENT_FAILED = "payment_failed"
        REMINDER = "reminder"
        IN_REVIEW = "in_review"
        CANCELED = "canceled"
        SENT = "sent", "on its way"
        REFUND = "refund"
        REFUND_FAILED = "refund_failed"
        # To staff
        DISPUTE = "dispute"

    # Those that go to the shop's own address instead of the buyer's.
    TO_STAFF = (Kind.DISPUTE,)

    order = models.ForeignKey(Order, models.PROTECT, related_name="mails")
    kind = models.CharField(max_length=32, choices=Kind)
    cause = models.CharField(max_length=255)
    facts = models.JSONField(
        default=dict,
        db_default=Value({}, models.JSONField()),
        help_text="What it tells beside the order, such as an amount; nothing personal.",
    )
    due_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["order", "kind", "cause"], name="order_mail_once")
        ]
        indexes = [
            models.Index(
                fields=["due_at"], condition=Q(sent_at__isnull=True), name="order_mail_unsent"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} for order {self.order_id}"
