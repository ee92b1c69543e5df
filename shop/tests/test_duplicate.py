"""A product as the beginning of another: a draft with new names, no stock, and shared pictures."""

from pathlib import Path

import pytest
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse

from shop import copies, renditions
from shop.clock import now
from shop.models import Product, ProductImage, StockMovement, Variant
from shop.tests.factories import ProductFactory, ProductImageFactory, VariantFactory

pytestmark = pytest.mark.django_db


def test_a_copy_has_all_but_names_stock_and_publication() -> None:
    original = ProductFactory(
        title="Emma", slug="emma", description="A book.", attributes={"Author": "Jane Austen"}
    )
    VariantFactory(
        product=original, sku="EMMA-H", price_minor=12_34, position=2, low_stock_at=3, on_hand=5
    )
    VariantFactory(product=original, sku="EMMA-P", is_active=False, on_hand=0)
    image = ProductImageFactory(product=original, alt="The sea", position=4)
    at = now()

    copy = copies.duplicate(product_id=original.pk, at=at)

    copy = Product.objects.get(pk=copy.pk)
    assert (copy.title, copy.slug) == ("Copy of Emma", "emma-copy")
    assert (copy.description, copy.attributes) == ("A book.", {"Author": "Jane Austen"})
    assert (copy.category_id, copy.created_at) == (original.category_id, at)
    assert (copy.is_published, copy.publish_at, copy.archived_at) == (False, None, None)
    rows = copy.variants.order_by("sku")
    kept = rows.values_list("sku", "price_minor", "currency", "position", "low_stock_at")
    assert list(kept) == [
        ("EMMA-H-COPY", 12_34, "EUR", 2, 3),
        ("EMMA-P-COPY", 12_00, "EUR", 0, None),
    ]
    assert list(rows.values_list("on_hand", "reserved", "is_active")) == [
        (0, 0, True),
        (0, 0, False),
    ]
    picture = copy.images.get()
    assert (picture.image.name, picture.alt, picture.position) == (image.image.name, "The sea", 4)
    assert (picture.width, picture.height) == (600, 900)
    assert StockMovement.objects.count() == 1


def test_each_copy_has_names_of_its_own_that_fit() -> None:
    original = ProductFactory(title="T" * 200, slug="s" * 200)
    VariantFactory(product=original, sku="K" * 64, on_hand=0)

    for _ in range(3):
        copies.duplicate(product_id=original.pk, at=now())

    slugs = Product.objects.exclude(pk=original.pk).order_by("pk").values_list("slug", flat=True)
    assert [slug[-7:] for slug in slugs] == ["ss-copy", "-copy-2", "-copy-3"]
    assert {len(slug) for slug in slugs} == {200}
    skus = Variant.objects.order_by("pk").values_list("sku", flat=True)
    assert [sku[-7:] for sku in skus] == ["K" * 7, "KK-COPY", "-COPY-2", "-COPY-3"]


def test_a_picture_stays_as_long_as_one_of_the_two_has_it(
    settings: LazySettings, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path
    image = ProductImageFactory()
    file = tmp_path / image.image.name
    copy = copies.duplicate(product_id=image.product_id, at=now())
    other = copy.images.get()

    def deleted(picture: ProductImage) -> None:
        name, image_id = str(picture.image), picture.pk
        picture.delete()
        renditions.settle(image_id=image_id, original=name)

    deleted(image)
    assert renditions.settle(image_id=other.pk) > 0
    assert file.is_file()
    deleted(other)
    assert not file.exists()


def test_the_button_leads_to_the_copy(staff: Client) -> None:
    product = VariantFactory(product__title="Emma").product
    address = reverse("admin:shop_product_duplicate", args=[product.pk])

    answer = staff.post(address, {"_form_submitted": "True"})

    copy = Product.objects.exclude(pk=product.pk).get()
    page = reverse("admin:shop_product_change", args=[copy.pk])
    assert answer.headers["HX-Redirect"] == page
    assert "This is the copy." in staff.get(page).content.decode()
