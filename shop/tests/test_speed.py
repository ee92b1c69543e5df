"""What a list of products must not do over and over."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.files.storage import FileSystemStorage
from django.db.models import QuerySet
from django.test import RequestFactory

from shop.listing import Sort, listing
from shop.models import Product, ProductImage
from shop.tests.factories import VariantFactory

WIDTHS = (144, 216, 384)


class CountingStorage(FileSystemStorage):
    asked: list[str | None] = []

    def url(self, name: str | None) -> str:
        self.asked.append(name)
        return super().url(name)


class SigningStorage(FileSystemStorage):
    def url(self, name: str | None) -> str:
        return f"https://bucket.example/{name}?signature={len(name or '')}"


def use_storage(settings: LazySettings, storage: type[FileSystemStorage]) -> None:
    backend = {"BACKEND": f"{storage.__module__}.{storage.__qualname__}"}
    settings.STORAGES = settings.STORAGES | {"default": backend}


def picture() -> ProductImage:
    renditions = [
        {"name": f"products/7/{width}-0.avif", "type": "image/avif", "width": width}
        for width in WIDTHS
    ]
    return ProductImage(image="products/7.webp", width=600, height=900, renditions=renditions)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


@pytest.mark.django_db
def test_no_prices_are_looked_up_for_what_a_later_page_skips() -> None:
    for number in range(53):
        VariantFactory(product__title=f"{number:02}")
    request = RequestFactory().get("/", {"page": "3"})

    shown = listing(request, Product.objects.on_sale().for_cards(), [Sort.TITLE])

    products = shown.page.object_list
    assert isinstance(products, QuerySet)
    assert [product.title for product in products] == ["48", "49", "50", "51", "52"]
    (explained,) = json.loads(products.explain(format="json", analyze=True))
    summed = [node for node in nodes(explained["Plan"]) if node["Node Type"] == "Aggregate"]
    assert max(node["Actual Loops"] for node in summed) == 5


@pytest.mark.django_db
def test_a_list_reads_each_product_once() -> None:
    statement = str(Product.objects.on_sale().for_cards().query)

    assert statement.count('FROM "shop_product"') == 1
    assert 'JOIN "shop_product"' not in statement


def test_a_storage_is_asked_once_for_all_renditions_of_a_picture(settings: LazySettings) -> None:
    use_storage(settings, CountingStorage)
    CountingStorage.asked.clear()
    image = picture()

    source = image.sources[0]

    assert source.srcset == ", ".join(
        f"/media/products/7/{width}-0.avif {width}w" for width in WIDTHS
    )
    assert image.url == "/media/products/7/384-0.avif"
    assert CountingStorage.asked == ["products/7/144-0.avif"]


def test_a_storage_that_signs_is_asked_for_each(settings: LazySettings) -> None:
    use_storage(settings, SigningStorage)
    image = picture()

    source = image.sources[0]

    assert source.srcset == ", ".join(
        f"https://bucket.example/products/7/{width}-0.avif?signature=21 {width}w"
        for width in WIDTHS
    )
    assert image.url == "https://bucket.example/products/7/384-0.avif?signature=21"
