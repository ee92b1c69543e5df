"""Money that a buyer's bank takes back."""

from typing import Self

from django.db import models
from django.db.models import Q

from orders.models import Order
from orders.models import Status as OrderStatus


class DisputeQuerySet(models.QuerySet["Dispute"]):
    def open(self) -> Self:
        """Keep disputes and inquiries that nobody has decided yet."""
        return self.filter(status__in=Dispute.OPEN)

    def lost_with_goods(self) -> Self:
        """Keep those whose money the bank kept, and whose order still has goods to put back."""
        return self.filter(status=Dispute.Status.LOST, order__status=OrderStatus.PAID)

    def withholding(self) -> Self:
        """Keep disputes whose amount is the bank's, for now or for good: no refund may spend it."""
        return self.filter(status__in=Dispute.WITHHOLDING)


class Dispute(models.Model):
    """A charge that the buyer's bank questions (an inquiry) or takes back (a dispute).

    `amount_minor` is in minor units of `currency`, the charge's. The money itself is in the ledger,
    by the dispute's balance transactions; an inquiry moves none.
    """

    class Status(models.TextChoices):
        # By Stripe's names, in the order in which they may follow each other.
        WARNING_NEEDS_RESPONSE = "warning_needs_response", "inquiry: answer needed"
        WARNING_UNDER_REVIEW = "warning_under_review", "inquiry: under review"
        WARNING_CLOSED = "warning_closed", "inquiry: closed"
        NEEDS_RESPONSE = "needs_response", "answer needed"
        UNDER_REVIEW = "under_review", "under review"
        PREVENTED = "prevented", "prevented"
        WON = "won", "won"
        LOST = "lost", "lost"

    OPEN = (
        Status.WARNING_NEEDS_RESPONSE,
        Status.WARNING_UNDER_REVIEW,
        Status.NEEDS_RESPONSE,
        Status.UNDER_REVIEW,
    )
    WITHHOLDING = (Status.NEEDS_RESPONSE, Status.UNDER_REVIEW, Status.LOST)

    stripe_id = models.CharField(max_length=255, unique=True)
    order = models.ForeignKey(Order, models.PROTECT, related_name="disputes")
    charge_id = models.CharField(max_length=255)
    amount_minor = models.PositiveBigIntegerField()
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=64, help_text="In Stripe's words.")
    status = models.CharField(max_length=24, choices=Status)
    due_at = models.DateTimeField(null=True, help_text="Until when an answer counts.")
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    objects = DisputeQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(currency__regex=r"^[A-Z]{3}$"), name="dispute_currency_is_iso"
            )
        ]
        indexes = [
            models.Index(
                fields=["due_at"],
                condition=Q(
                    status__in=[
                        "warning_needs_response",
                        "warning_under_review",
                        "needs_response",
                        "under_review",
                    ]
                ),
                name="dispute_open_by_deadline",
            ),
            models.Index(fields=["charge_id"], name="dispute_by_charge"),
        ]

    def __str__(self) -> str:
        return f"{self.stripe_id} ({self.status})"

    @property
    def is_open(self) -> bool:
        return self.status in self.OPEN

    @property
    def is_inquiry(self) -> bool:
        return self.status.startswith("warning_")
