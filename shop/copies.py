"""A product as the beginning of another."""

from datetime import datetime
from itertools import chain, count

from django.db import transaction
from django.db.models import Model

from shop.models import Product, ProductImage, Variant


@transaction.atomic
def duplicate(*, product_id: int, at: datetime) -> Product:
    """Make a draft like the product, with its variants and pictures, and without any stock.

    Both name the same files of pictures: a file goes when no row names it any more. Raises
    Product.DoesNotExist.
    """
    # Two copies of one product take turns, or they would choose the same names.
    locked = Product.objects.select_for_update(no_key=True).defer("search")
    original = locked.get(pk=product_id)
    copy = Product.objects.create(
        title=f"Copy of {original.title}"[:200],
        slug=_free_name(Product, "slug", original.slug, "copy"),
        description=original.description,
        attributes=original.attributes,
        category_id=original.category_id,
        is_published=False,
        created_at=at,
    )
    for variant in original.variants.all():
        Variant.objects.create(
            product=copy,
            sku=_free_name(Variant, "sku", variant.sku, "COPY"),
            title=variant.title,
            price_minor=variant.price_minor,
            currency=variant.currency,
            position=variant.position,
            is_active=variant.is_active,
            low_stock_at=variant.low_stock_at,
        )
    # Locked, so that none is deleted, and its file with it, before its copy can be seen.
    for image in original.images.select_for_update(no_key=True).order_by("pk"):
        ProductImage.objects.create(
            product=copy,
            image=image.image.name,
            width=image.width,
            height=image.height,
            alt=image.alt,
            position=image.position,
        )
    return copy


def _free_name(model: type[Model], field: str, name: str, suffix: str) -> str:
    """Return `name` with the suffix, and a number if needed, such as no row of `model` has."""
    most: int = getattr(model._meta.get_field(field), "max_length")  # noqa: B009 - not of each field
    ends = chain([f"-{suffix}"], (f"-{suffix}-{number}" for number in count(2)))
    names = (name[: most - len(end)] + end for end in ends)
    rows = model._default_manager.all()
    return next(free for free in names if not rows.filter(**{field: free}).exists())
