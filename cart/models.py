"""What a visitor means to buy, at the shop's live prices."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from shop.models import Variant


class Cart(models.Model):
    """A visitor's cart; a guest's cookie names it by its public id, signed.

    A guest's cart that was merged into a user's at sign-in stays, empty, and points there.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="carts"
    )
    merged_into = models.ForeignKey("self", models.PROTECT, null=True, related_name="merged")
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["created_at"], name="cart_by_day")]
        constraints = [
            models.UniqueConstraint(
                fields=["user"], condition=Q(merged_into__isnull=True), name="cart_one_per_user"
            ),
            models.CheckConstraint(
                condition=Q(merged_into__isnull=True) | ~Q(merged_into=F("id")),
                name="cart_is_not_merged_into_itself",
            ),
        ]

    def __str__(self) -> str:
        return str(self.public_id)


class CartLine(models.Model):
    """Some units of a variant; `seen_price_minor` is the price the visitor last agreed to see."""

    cart = models.ForeignKey(Cart, models.CASCADE, related_name="lines")
    variant = models.ForeignKey(Variant, models.CASCADE, related_name="+")
    quantity = models.PositiveIntegerField()
    seen_price_minor = models.PositiveBigIntegerField()
    added_at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["cart", "variant"], name="cart_line_per_variant"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="cart_line_has_quantity"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} of {self.variant_id} in cart {self.cart_id}"
