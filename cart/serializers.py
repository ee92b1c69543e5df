"""The cart as JSON."""

from typing import Any

from django.conf import settings
from rest_framework import serializers

from api.bodies import Body
from shop.serializers import ImageSerializer, MoneyField


class CartProductSerializer(serializers.Serializer[Any]):
    slug = serializers.CharField()
    title = serializers.CharField()


class CartLineSerializer(serializers.Serializer[Any]):
    """A line at today's price; lack of stock is said here and never cuts it."""

    sku = serializers.CharField(source="variant.sku")
    title = serializers.CharField(source="variant.title", help_text="Of the variant.")
    product = CartProductSerializer(source="variant.product")
    image = ImageSerializer(source="variant.product.cover", allow_null=True)
    quantity = serializers.IntegerField()
    unit_price = MoneyField("unit_price_minor", currency="variant.currency")
    subtotal = MoneyField("subtotal_minor", currency="variant.currency")
    free = serializers.IntegerField(
        source="free_for_cart", help_text="Units that this cart can order now."
    )
    is_short = serializers.BooleanField(help_text="Whether more is asked for than is free.")
    price_changed = serializers.BooleanField(
        help_text="Whether the price is another than when it was added or last agreed to."
    )


class CartSerializer(serializers.Serializer[Any]):
    """A cart at today's prices. Ordering it takes the `fingerprint`, which stands for them."""

    token = serializers.SerializerMethodField(
        help_text="Send it as Cart-Token. Null for a signed-in user, and while there is no cart."
    )
    lines = CartLineSerializer(many=True)
    unavailable = CartLineSerializer(many=True, help_text="No longer sold: take these out.")
    units = serializers.IntegerField()
    subtotal = MoneyField("subtotal_minor")
    shipping = MoneyField("shipping_minor")
    total = MoneyField("total_minor")
    missing_for_free_shipping = MoneyField("missing_for_free_shipping_minor")
    fingerprint = serializers.CharField(source="signed_fingerprint")
    line_limit = serializers.SerializerMethodField(help_text="Units of one SKU at most.")

    def get_token(self, quote: object) -> str | None:
        token: str | None = self.context["token"]
        return token

    def get_line_limit(self, quote: object) -> int:
        return settings.CART_LINE_LIMIT


class AddedSerializer(CartSerializer):
    """The cart after something was added."""

    added = serializers.SerializerMethodField(
        help_text="Units that came in; fewer than were asked for where the limit was reached."
    )

    def get_added(self, quote: object) -> int:
        added: int = self.context["added"]
        return added


class AddSerializer(Body):
    """Units of a variant to put into the cart."""

    sku = serializers.CharField(max_length=64)
    quantity = serializers.IntegerField(min_value=1, max_value=settings.CART_LINE_LIMIT, default=1)


class QuantitySerializer(Body):
    """The units that a line shall hold; none takes it out."""

    quantity = serializers.IntegerField(min_value=0, max_value=settings.CART_LINE_LIMIT)
