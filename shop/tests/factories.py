"""Valid rows of the catalog, one call each."""

from typing import Any

from django.conf import settings
from factory.declarations import LazyFunction, Sequence, SubFactory
from factory.django import DjangoModelFactory, ImageField

from shop import services
from shop.clock import now
from shop.models import Category, Product, ProductImage, Variant


class CategoryFactory(DjangoModelFactory[Category]):
    class Meta:
        model = Category

    name = Sequence(lambda n: f"Category {n}")
    slug = Sequence(lambda n: f"category-{n}")


class ProductFactory(DjangoModelFactory[Product]):
    """A published product without variants, so not yet on sale."""

    class Meta:
        model = Product

    title = Sequence(lambda n: f"Product {n}")
    slug = Sequence(lambda n: f"product-{n}")
    category = SubFactory(CategoryFactory)
    created_at = LazyFunction(now)


class VariantFactory(DjangoModelFactory[Variant]):
    """A variant on sale with `on_hand` units (10 unless told), received by a movement."""

    class Meta:
        model = Variant

    product = SubFactory(ProductFactory)
    sku = Sequence(lambda n: f"SKU-{n}")
    title = "Paperback"
    price_minor = 12_00
    currency = LazyFunction(lambda: settings.SHOP_CURRENCY)

    @classmethod
    def _create(cls, model_class: type[Variant], *args: Any, **kwargs: Any) -> Variant:
        on_hand = kwargs.pop("on_hand", 10)
        variant: Variant = super()._create(model_class, *args, **kwargs)
        if on_hand:
            services.receive(variant_id=variant.pk, quantity=on_hand, reference="factory", at=now())
            variant.refresh_from_db()
        return variant


class ProductImageFactory(DjangoModelFactory[ProductImage]):
    """A cover without renditions; their job is queued."""

    class Meta:
        model = ProductImage

    product = SubFactory(ProductFactory)
    image = ImageField(width=600, height=900, color="teal", format="WEBP", filename="cover.webp")
