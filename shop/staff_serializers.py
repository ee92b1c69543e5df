"""The catalog and its stock as staff see and write it in JSON."""

from pathlib import PurePath
from typing import Any

from rest_framework import serializers

from api.bodies import Body
from shop.models import Category, Product, ProductImage, StockMovement, Variant
from shop.serializers import ImageSerializer, MoneyField

_MOST_MINOR = 10**12
_MOST_UNITS = 100_000
_MOST_POSITION = 2**31 - 1


class StockSerializer(serializers.ModelSerializer[Variant]):
    """A variant with its counters; `free` are units on hand that no pending order holds."""

    price = MoneyField("price_minor")
    free = serializers.IntegerField(read_only=True)

    class Meta:
        model = Variant
        fields = (
            "sku",
            "title",
            "price",
            "position",
            "is_active",
            "on_hand",
            "reserved",
            "free",
            "low_stock_at",
        )
        read_only_fields = fields


class StaffImageSerializer(ImageSerializer):
    """A picture; `name` names it among those of its product."""

    name = serializers.SerializerMethodField()

    class Meta(ImageSerializer.Meta):
        fields = ("name", *ImageSerializer.Meta.fields, "position")  # type: ignore[assignment]

    def get_name(self, image: ProductImage) -> str:
        return PurePath(str(image.image)).name

    def to_representation(self, image: ProductImage) -> dict[str, Any]:
        own = {"name": self.get_name(image), "position": image.position}
        return super().to_representation(image) | own


class StaffProductSerializer(serializers.ModelSerializer[Product]):
    """A product, on sale or not."""

    category = serializers.SlugField(source="category.slug")
    attributes = serializers.DictField(child=serializers.CharField())
    variants = StockSerializer(many=True)
    images = StaffImageSerializer(many=True)

    class Meta:
        model = Product
        fields = (
            "slug",
            "title",
            "category",
            "is_published",
            "publish_at",
            "archived_at",
            "description",
            "attributes",
            "created_at",
            "variants",
            "images",
        )


class ProductInputSerializer(Body):
    """What of a product can be written."""

    title = serializers.CharField(max_length=200)
    slug = serializers.SlugField(
        max_length=200, required=False, help_text="Made of the title where it is left out."
    )
    category = serializers.SlugField(max_length=50)
    is_published = serializers.BooleanField(default=True)
    publish_at = serializers.DateTimeField(
        default=None, allow_null=True, help_text="When it is published by itself, if it is not yet."
    )
    description = serializers.CharField(default="", allow_blank=True, max_length=20_000)
    attributes = serializers.DictField(
        child=serializers.CharField(allow_blank=True, max_length=1000),
        default=dict,
        help_text='Facts such as {"Author": "Jane Austen"}.',
    )


class VariantInputSerializer(Body):
    """What of a variant can be written; units are moved by stock movements."""

    sku = serializers.CharField(max_length=64)
    title = serializers.CharField(max_length=100)
    price = serializers.IntegerField(
        min_value=0, max_value=_MOST_MINOR, help_text="In minor units of the shop's currency."
    )
    position = serializers.IntegerField(min_value=0, max_value=_MOST_POSITION, default=0)
    is_active = serializers.BooleanField(default=True)
    low_stock_at = serializers.IntegerField(
        min_value=0,
        max_value=_MOST_POSITION,
        default=None,
        allow_null=True,
        help_text="As few free units are low; null: as few as for all others, 0: never low.",
    )


class CategoryInputSerializer(Body):
    """What of a category can be written."""

    name = serializers.CharField(max_length=100)
    slug = serializers.SlugField(
        max_length=50, required=False, help_text="Made of the name where it is left out."
    )
    parent = serializers.SlugField(  # type: ignore[assignment]  # a field, no attribute
        max_length=50, default=None, allow_null=True, help_text="The one that it stands below."
    )
    position = serializers.IntegerField(min_value=0, max_value=_MOST_POSITION, default=0)


class StaffCategorySerializer(serializers.ModelSerializer[Category]):
    parent = serializers.SlugField(  # type: ignore[assignment]  # a field, no attribute
        source="parent.slug", allow_null=True, default=None
    )

    class Meta:
        model = Category
        fields = ("slug", "name", "parent", "position")


class ImageInputSerializer(Body):
    """A picture to show: JPEG, PNG, WebP or AVIF, up to 10 MB and 25 megapixels."""

    image = serializers.FileField()
    alt = serializers.CharField(default="", allow_blank=True, max_length=200)
    position = serializers.IntegerField(min_value=0, max_value=_MOST_POSITION, default=0)


class ImageChangeSerializer(Body):
    """What of a picture can be changed."""

    alt = serializers.CharField(required=False, allow_blank=True, max_length=200)
    position = serializers.IntegerField(required=False, min_value=0, max_value=_MOST_POSITION)


class MovementSerializer(serializers.ModelSerializer[StockMovement]):
    """What changed a variant's counters, and why."""

    sku = serializers.CharField(source="variant.sku")

    class Meta:
        model = StockMovement
        fields = ("sku", "kind", "on_hand_delta", "reserved_delta", "reference", "moved_at")


class MoveSerializer(Body):
    """Units that came in, or by which the count is corrected."""

    sku = serializers.CharField(max_length=64)
    kind = serializers.ChoiceField(
        choices=[
            (StockMovement.Kind.RECEIVED.value, "delivered"),
            (StockMovement.Kind.ADJUSTED.value, "counted, lost or damaged"),
        ]
    )
    units = serializers.IntegerField(
        min_value=-_MOST_UNITS,
        max_value=_MOST_UNITS,
        help_text="Above zero where they came in; a correction may be below.",
    )
    reference = serializers.CharField(max_length=200, help_text="The delivery, or the reason.")

    def validate(self, asked: dict[str, Any]) -> dict[str, Any]:
        is_delivery = asked["kind"] == StockMovement.Kind.RECEIVED
        if asked["units"] == 0 or (is_delivery and asked["units"] < 0):
            words = "Enter units above zero." if is_delivery else "Enter units other than 0."
            raise serializers.ValidationError({"units": words}, code="min_value")
        return asked


class MovementQuery(serializers.Serializer[Any]):
    sku = serializers.CharField(required=False, max_length=64)


class ProductSearch(serializers.Serializer[Any]):
    """Which products staff look for."""

    search = serializers.CharField(
        required=False, max_length=200, help_text="Part of the title, or of a SKU."
    )
    category = serializers.SlugField(required=False, max_length=50)
    is_published = serializers.BooleanField(required=False)
