"""Products on their way to the shelf, and off it for good."""

from datetime import datetime

from django.db import transaction

from shop import services
from shop.models import Product, StockMovement, Variant


class InUse(Exception):
    """It was in stock once and may stand on orders: it is archived instead of deleted."""


def publish_due(*, at: datetime) -> int:
    """Publish what is scheduled for now or earlier; return how many."""
    due = Product.objects.filter(publish_at__lte=at, is_published=False)
    return due.update(is_published=True, publish_at=None)


def archive(*, product_id: int, at: datetime) -> bool:
    """Take a product off sale for good, out of staff's lists; return False if it was before.

    Carts tell their owners, orders that are placed stay as they are.
    """
    kept = Product.objects.filter(pk=product_id, archived_at__isnull=True)
    return bool(kept.update(archived_at=at, is_published=False, publish_at=None))


def restore(*, product_id: int) -> bool:
    """Take a product out of the archive, as a draft; return False if it was in none."""
    archived = Product.objects.filter(pk=product_id, archived_at__isnull=False)
    return bool(archived.update(archived_at=None))


def was_in_stock(**variants: object) -> bool:
    """Tell whether any of the variants that these conditions name was ever in stock."""
    found = Variant.objects.filter(**variants)
    return StockMovement.objects.filter(variant__in=found).exists()


@transaction.atomic
def delete_product(*, product_id: int) -> None:
    """Delete a product that was never in stock, with its variants and pictures. Raises InUse."""
    # Whoever moves stock has to lock the variant first.
    services.lock(Variant.objects.filter(product=product_id).values_list("pk", flat=True))
    if was_in_stock(product=product_id):
        raise InUse
    Product.objects.get(pk=product_id).delete()


@transaction.atomic
def delete_variant(*, variant_id: int) -> None:
    """Delete a variant that was never in stock. Raises InUse."""
    services.lock([variant_id])
    if was_in_stock(pk=variant_id):
        raise InUse
    Variant.objects.get(pk=variant_id).delete()
