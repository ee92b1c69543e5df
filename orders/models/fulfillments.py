"""Goods that left the house."""

from django.db import models
from django.db.models import Q

from orders.models.orders import Order, OrderLine


class Fulfillment(models.Model):
    """Units of an order handed over at one time; an order may have several."""

    order = models.ForeignKey(Order, models.PROTECT, related_name="fulfillments")
    by_user_id = models.BigIntegerField(null=True, help_text="The user's id; a plain number.")
    handed_over_at = models.DateTimeField()
    carrier = models.CharField(max_length=40, blank=True, db_default="")
    tracking_number = models.CharField(max_length=64, blank=True, db_default="")
    tracking_url = models.URLField(
        max_length=500,
        blank=True,
        db_default="",
        help_text="The carrier's page for it, as it was known then.",
    )
    delivered_at = models.DateTimeField(null=True)
    key = models.UUIDField(
        null=True, unique=True, help_text="Of the request: sent twice, it hands over once."
    )

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"fulfillment {self.pk} of order {self.order_id}"


class FulfillmentLine(models.Model):
    """Units of one line that were handed over."""

    fulfillment = models.ForeignKey(Fulfillment, models.CASCADE, related_name="lines")
    line = models.ForeignKey(OrderLine, models.PROTECT, related_name="fulfillment_lines")
    quantity = models.PositiveIntegerField()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["fulfillment", "line"], name="fulfillment_line_once"),
            models.CheckConstraint(
                condition=Q(quantity__gte=1), name="fulfillment_line_has_quantity"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} of line {self.line_id}"
