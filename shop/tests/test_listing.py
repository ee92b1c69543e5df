"""Lists of products: the order asked for and the page are kept in the address."""

from datetime import timedelta

import pytest
from django.test import Client

from shop.clock import now
from shop.tests.factories import CategoryFactory, ProductFactory, VariantFactory

pytestmark = pytest.mark.django_db

NOINDEX = '<meta name="robots" content="noindex">'


@pytest.fixture
def books() -> None:
    """Three novels about whales: dear and new, cheap and old, in between."""
    category, at = CategoryFactory(slug="novels"), now()
    for title, prices, days in (("B", (30_00, 9_00), 1), ("A", (5_00,), 3), ("C", (9_50,), 2)):
        product = ProductFactory(
            title=title,
            category=category,
            description="A whale.",
            created_at=at - timedelta(days=days),
        )
        for price in prices:
            VariantFactory(product=product, price_minor=price)
        VariantFactory(product=product, price_minor=1_00, is_active=False)


@pytest.mark.parametrize("address", ["/category/novels/?", "/search/?q=whale&"])
@pytest.mark.parametrize(
    ("sort", "titles"), [("title", "ABC"), ("newest", "BCA"), ("price", "ABC"), ("-price", "CBA")]
)
def test_books_come_in_the_order_asked_for(
    client: Client, books: None, address: str, sort: str, titles: str
) -> None:
    page = client.get(f"{address}sort={sort}")

    assert "".join(book.title for book in page.context["listing"].page) == titles


@pytest.mark.parametrize("sort", ["", "relevance", "nonsense", "-title", "%00"])
def test_an_unknown_order_is_the_usual_one(client: Client, books: None, sort: str) -> None:
    page = client.get(f"/category/novels/?sort={sort}")

    assert "".join(book.title for book in page.context["listing"].page) == "ABC"
    assert NOINDEX not in page.text


def test_the_order_on_show_is_marked_and_the_others_are_offered(
    client: Client, books: None
) -> None:
    page = client.get("/category/novels/?sort=price")

    assert [(c.label, c.address, c.is_chosen) for c in page.context["listing"].sorts] == [
        ("Title", "/category/novels/", False),
        ("Newest", "/category/novels/?sort=newest", False),
        ("Lowest price", "/category/novels/?sort=price", True),
        ("Highest price", "/category/novels/?sort=-price", False),
    ]
    assert 'href="/category/novels/?sort=price" aria-current="true">Lowest price' in page.text


def test_a_search_is_kept_by_the_orders_that_it_offers(client: Client, books: None) -> None:
    page = client.get("/search/", {"q": "a & whale"})

    assert [choice.address for choice in page.context["listing"].sorts] == [
        "/search/?q=a+%26+whale",
        "/search/?q=a+%26+whale&sort=title",
        "/search/?q=a+%26+whale&sort=newest",
        "/search/?q=a+%26+whale&sort=price",
        "/search/?q=a+%26+whale&sort=-price",
    ]


def test_pages_keep_the_order(client: Client) -> None:
    category = CategoryFactory(slug="novels")
    for price in range(25):
        VariantFactory(product__category=category, price_minor=price + 1)

    first = client.get("/category/novels/?sort=-price")
    second = client.get("/category/novels/?sort=-price&page=2")

    assert [book.lowest_price_minor for book in second.context["listing"].page] == [1]
    assert 'href="?sort=-price&amp;page=2" rel="next"' in first.text


def test_another_order_is_nothing_to_list_again(client: Client, books: None) -> None:
    usual, sorted_ = client.get("/category/novels/"), client.get("/category/novels/?sort=price")

    assert ('rel="canonical"' in usual.text, NOINDEX in usual.text) == (True, False)
    assert ('rel="canonical"' in sorted_.text, NOINDEX in sorted_.text) == (False, True)
