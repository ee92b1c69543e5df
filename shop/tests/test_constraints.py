"""What the database itself refuses, however it is written to."""

from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import F

from shop.clock import now
from shop.models import Category, StockMovement, Variant
from shop.tests.factories import CategoryFactory, ProductFactory, VariantFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "change",
    [
        {"reserved": 6},
        {"on_hand": -1},
        {"reserved": -1},
        {"price_minor": -1},
        {"currency": "eur"},
        {"currency": "EU"},
    ],
)
def test_variant_refuses(change: dict[str, Any]) -> None:
    variant = VariantFactory(on_hand=5)
    before = Variant.objects.values().get()

    with pytest.raises(IntegrityError), transaction.atomic():
        Variant.objects.filter(pk=variant.pk).update(**change)

    assert Variant.objects.values().get() == before


@pytest.mark.parametrize(
    ("kind", "on_hand_delta", "reserved_delta"),
    [
        ("received", 0, 0),
        ("received", 1, 1),
        ("received", -1, 0),
        ("reserved", 0, 0),
        ("reserved", 0, -1),
        ("reserved", 1, 1),
        ("released", 0, 1),
        ("sold", -1, 0),
        ("sold", -1, -2),
        ("sold", 1, 1),
        ("returned", -1, 0),
        ("adjusted", 0, 0),
        ("adjusted", 1, 1),
        ("borrowed", 1, 0),
    ],
)
def test_movement_must_fit_its_kind(kind: str, on_hand_delta: int, reserved_delta: int) -> None:
    variant = VariantFactory(on_hand=0)

    with pytest.raises(IntegrityError), transaction.atomic():
        StockMovement.objects.create(
            variant=variant,
            kind=kind,
            on_hand_delta=on_hand_delta,
            reserved_delta=reserved_delta,
            reference="x",
            moved_at=now(),
        )

    assert not StockMovement.objects.exists()


def test_movement_is_never_edited_or_deleted() -> None:
    VariantFactory(on_hand=5)
    before = list(StockMovement.objects.values())

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        StockMovement.objects.update(on_hand_delta=50)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        StockMovement.objects.all().delete()

    assert list(StockMovement.objects.values()) == before


def test_category_is_not_its_own_parent() -> None:
    category = CategoryFactory()

    with pytest.raises(IntegrityError), transaction.atomic():
        Category.objects.filter(pk=category.pk).update(parent=F("id"))


def test_slugs_and_skus_are_unique() -> None:
    variant = VariantFactory()

    for make, field in (
        (VariantFactory, {"sku": variant.sku}),
        (ProductFactory, {"slug": variant.product.slug}),
        (CategoryFactory, {"slug": variant.product.category.slug}),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            make(**field)
