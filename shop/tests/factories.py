"""Valid rows of the catalog, one call each."""

from typing import Any

import factory
from django.conf import settings
from factory.django import DjangoModelFactory

from shop import services
from shop.clock import now
from shop.models import Category, Product, Variant


class CategoryFactory(DjangoModelFactory[Category]):
    class Meta:
        model = Category

    name = factory.Sequence(lambda n: f"Category {n}")
    slug = factory.Sequence(lambda n: f"category-{n}")


class ProductFactory(DjangoModelFactory[Product]):
    """A published product without variants, so not yet on sale."""

    class Meta:
        model = Product

    title = factory.Sequence(lambda n: f"Product {n}")
    slug = factory.Sequence(lambda n: f"product-{n}")
    category = factory.SubFactory(CategoryFactory)
    created_at = factory.LazyFunction(now)


class VariantFactory(DjangoModelFactory[Variant]):
    """A variant on sale with `on_hand` units, 10 unless told, and the movement that brought them."""

    class Meta:
        model = Variant

    product = factory.SubFactory(ProductFactory)
    sku = factory.Sequence(lambda n: f"SKU-{n}")
    title = "Paperback"
    price_minor = 12_00
    currency = factory.LazyFunction(lambda: settings.SHOP_CURRENCY)

    @classmethod
    def _create(cls, model_class: type[Variant], *args: Any, **kwargs: Any) -> Variant:
        on_hand = kwargs.pop("on_hand", 10)
        variant = super()._create(model_class, *args, **kwargs)
        if on_hand:
            services.receive(variant_id=variant.pk, quantity=on_hand, reference="factory", at=now())
            variant.refresh_from_db()
        return variant
