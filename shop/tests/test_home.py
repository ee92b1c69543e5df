from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from shop.clock import now
from shop.tests.factories import CategoryFactory, ProductFactory, VariantFactory

pytestmark = pytest.mark.django_db


def test_newest_products_come_first(client: Client) -> None:
    at = now()
    for days in (3, 1, 2):
        product = ProductFactory(title=f"Day {days}", created_at=at - timedelta(days=days))
        VariantFactory(product=product)

    page = client.get(reverse("shop:home"))

    assert [product.title for product in page.context["newest"]] == ["Day 1", "Day 2", "Day 3"]


def test_products_nobody_can_buy_are_not_shown(client: Client) -> None:
    ProductFactory(title="Without variants")
    VariantFactory(product__title="Unpublished", product__is_published=False)
    VariantFactory(product__title="Withdrawn", is_active=False)
    VariantFactory(product__title="In another currency", currency="USD")
    VariantFactory(product__title="Sold out", on_hand=0)

    page = client.get(reverse("shop:home"))

    assert [product.title for product in page.context["newest"]] == ["Sold out"]


def test_card_names_the_lowest_price_and_what_is_left(client: Client) -> None:
    product = ProductFactory()
    VariantFactory(product=product, price_minor=9_90, on_hand=2)
    VariantFactory(product=product, price_minor=24_90, on_hand=1)
    VariantFactory(product=product, price_minor=1_00, is_active=False, on_hand=5)

    page = client.get(reverse("shop:home"))

    (card,) = page.context["newest"]
    assert (card.lowest_price_minor, card.highest_price_minor, card.free_stock) == (9_90, 24_90, 3)
    assert "€9.90" in page.text
    assert "3 left" in page.text


def test_categories_are_listed_with_those_below(client: Client) -> None:
    fiction = CategoryFactory(name="Fiction")
    novels = CategoryFactory(name="Novels", parent=fiction)

    page = client.get(reverse("shop:home"))

    assert page.context["shelves_with_children"] == [(fiction, [novels])]


def test_a_shelf_shows_what_is_not_among_the_newest(client: Client) -> None:
    shelf = CategoryFactory(name="Fiction")
    at = now()
    for days in range(14):
        book = ProductFactory(
            title=f"Day {days}",
            category=CategoryFactory(parent=shelf),
            created_at=at - timedelta(days=days),
        )
        VariantFactory(product=book)

    page = client.get(reverse("shop:home"))

    assert [book.title for book in page.context["of_the_day"]] == ["Day 12", "Day 13"]
    assert "Today from Fiction" in page.text


def test_terms_are_those_of_the_settings(client: Client, settings: LazySettings) -> None:
    settings.SHIPPING_FLAT_MINOR, settings.SHIPPING_FREE_FROM_MINOR = 3_90, 40_00
    settings.RETURN_DAYS = 30

    text = client.get(reverse("shop:home")).text

    assert "Shipping €3.90, free from €40.00" in text
    assert "30 days to return" in text


@pytest.mark.parametrize(("flat", "free_from"), [(0, 50_00), (4_90, 0)])
def test_shipping_that_never_costs_is_called_free(
    client: Client, settings: LazySettings, flat: int, free_from: int
) -> None:
    settings.SHIPPING_FLAT_MINOR, settings.SHIPPING_FREE_FROM_MINOR = flat, free_from
    settings.RETURN_DAYS = 0

    text = client.get(reverse("shop:home")).text

    assert "Free shipping" in text
    assert "days to return" not in text


def test_empty_shop_says_so(client: Client) -> None:
    page = client.get(reverse("shop:home"))

    assert page.status_code == 200
    assert "There is nothing to buy yet" in page.text


@pytest.mark.parametrize("products", [1, 12])
def test_home_takes_four_queries(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries, products: int
) -> None:
    for _ in range(products):
        VariantFactory()

    # The tree, the newest, the shelf of the day, the images of both.
    with django_assert_num_queries(4):
        client.get(reverse("shop:home"))


def test_pages_are_compressed_for_who_can_read_that(client: Client) -> None:
    page = client.get(reverse("shop:home"), headers={"Accept-Encoding": "gzip"})

    assert page["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in page["Vary"]
