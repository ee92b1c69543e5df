"""What about an order waits for a person."""

from typing import Self

from django.db import models
from django.db.models import Q

from orders.models.orders import Order


class ReviewQuerySet(models.QuerySet["Review"]):
    def open(self) -> Self:
        return self.filter(resolved_at__isnull=True)


class Review(models.Model):
    """A question about an order that only a person can answer."""

    class Reason(models.TextChoices):
        MISMATCH = "mismatch", "payment differs from what was asked"
        LATE = "late", "payment arrived after the order was canceled"
        SECOND = "second", "a second payment arrived"
        UNPAID = "unpaid", "a closed payment was completed, its money is on its way"
        REFUND = "refund", "money could not be given back"
        STOCK = "stock", "a refund failed, and the units it had put back are gone"

    class Resolution(models.TextChoices):
        ACCEPTED = "accepted", "accepted"
        REFUNDED = "refunded", "refunded"
        MANUAL = "manual", "settled by a manual entry"
        ANSWERED = "answered", "answered by the payment's own outcome"

    order = models.ForeignKey(Order, models.PROTECT, related_name="reviews")
    reason = models.CharField(max_length=16, choices=Reason)
    cause = models.CharField(max_length=255)
    detail = models.TextField(blank=True)
    opened_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)
    resolution = models.CharField(max_length=16, choices=Resolution, blank=True)
    resolved_by_id = models.BigIntegerField(null=True, help_text="The user's id; a plain number.")

    objects = ReviewQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["order", "reason", "cause"], name="review_once_per_cause"
            ),
            models.CheckConstraint(
                condition=Q(resolved_at__isnull=True, resolution="")
                | Q(
                    resolved_at__isnull=False,
                    resolution__in=["accepted", "refunded", "manual", "answered"],
                ),
                name="review_resolved_with_a_resolution",
            ),
        ]
        indexes = [
            models.Index(
                fields=["order"], condition=Q(resolved_at__isnull=True), name="review_open"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_reason_display()}: {self.cause}"
