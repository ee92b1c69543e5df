"""The catalog as JSON."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import get_attribute

from shop import money
from shop.categories import CategoryTree
from shop.listing import Sort
from shop.models import Category, Product, ProductImage, Variant

_MOST_MINOR = 10**12


class MoneySerializer(serializers.Serializer[Any]):
    """An amount in minor units (1999 is 19.99 EUR, or 1999 JPY), and as people write it."""

    amount = serializers.IntegerField(help_text="In minor units of the currency.")
    currency = serializers.CharField(help_text="ISO 4217 code.")
    formatted = serializers.CharField(help_text="As people write it.")


@extend_schema_field(MoneySerializer)
class MoneyField(serializers.Field[Any, Any, Any, Any]):
    """Minor units with the currency that stands at the path `currency` beside them.

    None as `currency` is the shop's own.
    """

    def __init__(self, source: str, currency: str | None = "currency") -> None:
        super().__init__(source=source, read_only=True)
        self.currency_path = currency

    def get_attribute(self, instance: Any) -> Any:
        amount_minor = super().get_attribute(instance)
        if self.currency_path is None:
            return amount_minor, settings.SHOP_CURRENCY
        return amount_minor, get_attribute(instance, self.currency_path.split("."))

    def to_representation(self, value: tuple[int, str]) -> dict[str, object]:
        return money_json(*value)


def money_json(amount_minor: int, currency: str) -> dict[str, object]:
    """Return an amount as the API gives it."""
    return {
        "amount": amount_minor,
        "currency": currency,
        "formatted": money.format_minor(amount_minor, currency),
    }


def absolute(address: str) -> str:
    """Return an address of ours in full; one of a storage elsewhere is whole already."""
    return settings.SITE_URL + address if address.startswith("/") else address


class SourceSerializer(serializers.Serializer[Any]):
    """The smaller copies of one file type."""

    type = serializers.CharField(help_text="A media type, such as image/avif.")
    srcset = serializers.CharField(help_text="Addresses with widths, as in HTML.")


class ImageSerializer(serializers.ModelSerializer[ProductImage]):
    """A picture; `sources` are smaller copies, the best type first, none until they are made."""

    url = serializers.SerializerMethodField()
    sources = SourceSerializer(many=True, read_only=True)

    class Meta:
        model = ProductImage
        fields = ("url", "width", "height", "alt", "sources")

    @extend_schema_field({"type": "string", "format": "uri"})
    def get_url(self, image: ProductImage) -> str:
        return absolute(image.url)

    def to_representation(self, image: ProductImage) -> dict[str, Any]:
        # By hand: a list shows dozens of pictures, and DRF asks each field of each anew.
        return {
            "url": self.get_url(image),
            "width": image.width,
            "height": image.height,
            "alt": image.alt,
            "sources": [
                {"type": kind, "srcset": absolute(srcset).replace(", /", f", {settings.SITE_URL}/")}
                for kind, srcset in image.sources
            ],
        }


class CategorySerializer(serializers.ModelSerializer[Category]):
    """A shelf; `parent` is the slug of the one that it stands below, null at the top."""

    parent = serializers.SerializerMethodField()  # type: ignore[assignment]  # no attribute

    class Meta:
        model = Category
        fields = ("slug", "name", "parent")

    @extend_schema_field({"type": ["string", "null"]})
    def get_parent(self, category: Category) -> str | None:
        tree: CategoryTree = self.context["tree"]
        return tree.by_id[category.parent_id].slug if category.parent_id else None


class VariantSerializer(serializers.ModelSerializer[Variant]):
    """What is put into a cart, by its SKU."""

    price = MoneyField("price_minor")
    free = serializers.IntegerField(read_only=True, help_text="Units that can be bought now.")

    class Meta:
        model = Variant
        fields = ("sku", "title", "price", "free")


class ProductSerializer(serializers.ModelSerializer[Product]):
    """A product in a list; prices and stock are over all that is offered of it."""

    url = serializers.SerializerMethodField(help_text="Of its page.")
    price_from = MoneyField("lowest_price_minor", currency=None)
    price_to = MoneyField("highest_price_minor", currency=None)
    free = serializers.IntegerField(
        source="free_stock", read_only=True, help_text="Units that can be bought now."
    )
    image = ImageSerializer(source="cover", read_only=True, allow_null=True)

    class Meta:
        model = Product
        fields = ("slug", "title", "url", "price_from", "price_to", "free", "image")

    @extend_schema_field({"type": "string", "format": "uri"})
    def get_url(self, product: Product) -> str:
        return absolute(product.get_absolute_url())

    def to_representation(self, product: Any) -> dict[str, Any]:
        # By hand, as with pictures.
        return {
            "slug": product.slug,
            "title": product.title,
            "url": self.get_url(product),
            "price_from": money_json(product.lowest_price_minor, settings.SHOP_CURRENCY),
            "price_to": money_json(product.highest_price_minor, settings.SHOP_CURRENCY),
            "free": product.free_stock,
            "image": ImageSerializer().to_representation(product.cover) if product.cover else None,
        }


class ProductDetailSerializer(serializers.ModelSerializer[Product]):
    """A product with all that is offered of it; `categories` lead from the top down to its own."""

    url = serializers.SerializerMethodField(help_text="Of its page.")
    attributes = serializers.DictField(child=serializers.CharField())
    categories = serializers.SerializerMethodField()
    variants = serializers.SerializerMethodField()
    images = ImageSerializer(many=True, read_only=True)
    line_limit = serializers.SerializerMethodField(help_text="Units of one SKU in a cart at most.")

    class Meta:
        model = Product
        fields = (
            "slug",
            "title",
            "url",
            "description",
            "attributes",
            "categories",
            "variants",
            "images",
            "line_limit",
            "created_at",
        )

    @extend_schema_field({"type": "string", "format": "uri"})
    def get_url(self, product: Product) -> str:
        return absolute(product.get_absolute_url())

    @extend_schema_field(CategorySerializer(many=True))
    def get_categories(self, product: Product) -> Any:
        path = self.context["tree"].path(product.category)
        return CategorySerializer(path, many=True, context=self.context).data

    @extend_schema_field(VariantSerializer(many=True))
    def get_variants(self, product: Product) -> Any:
        return VariantSerializer(product.variants.on_sale(), many=True).data

    def get_line_limit(self, product: Product) -> int:
        return settings.CART_LINE_LIMIT


class ProductQuery(serializers.Serializer[Any]):
    """What a list of products is narrowed down to, and its order."""

    q = serializers.CharField(
        required=False, allow_blank=True, max_length=200, help_text="Words, as in a search box."
    )
    category = serializers.SlugField(required=False, help_text="A slug; what is below counts too.")
    min_price = serializers.IntegerField(
        required=False, min_value=0, max_value=_MOST_MINOR, help_text="In minor units."
    )
    max_price = serializers.IntegerField(
        required=False, min_value=0, max_value=_MOST_MINOR, help_text="In minor units."
    )
    in_stock = serializers.BooleanField(
        required=False, help_text="Whether some of it can be bought now."
    )
    sort = serializers.ChoiceField(
        choices=Sort.choices,
        required=False,
        help_text="With `q` the best match comes first, otherwise the title decides.",
    )

    def validate_category(self, slug: str) -> Category:
        shelf = Category.objects.filter(slug=slug).first()
        if shelf is None:
            raise serializers.ValidationError("There is no such category.", code="does_not_exist")
        return shelf

    def validate(self, asked: dict[str, Any]) -> dict[str, Any]:
        if asked.get("sort") == Sort.RELEVANCE and not asked.get("q"):
            raise serializers.ValidationError({"sort": "The best match is for a search."})
        return asked
