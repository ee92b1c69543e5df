"""What staff write to each other about an order."""

from django.db import models

from orders.models.orders import Order


class OrderNote(models.Model):
    """A note on an order, for staff alone; it may hold personal data, and is emptied with them."""

    order = models.ForeignKey(Order, models.PROTECT, related_name="notes")
    text = models.TextField(max_length=2000)
    by_user_id = models.BigIntegerField(null=True, help_text="The user's id; a plain number.")
    form_key = models.UUIDField(
        null=True, unique=True, help_text="Of the form that staff sent: sent twice, it is one note."
    )
    written_at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"note {self.pk} on order {self.order_id}"
