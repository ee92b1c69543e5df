"""The catalog as JSON: what is listed and how, what caches may keep."""

import gzip
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from api.tests.calls import Caller, assert_problem, fields_of
from shop.models import Product, ProductImage, Variant
from shop.tests.factories import (
    CategoryFactory,
    ProductFactory,
    ProductImageFactory,
    VariantFactory,
)

pytestmark = pytest.mark.django_db


def titles(query: str = "") -> list[str]:
    """Return the titles of the first page, in their order."""
    answer = Caller().get(f"products/{query}")
    assert answer.status_code == 200, answer.content
    return [product["title"] for product in answer.json()["results"]]


def book(title: str, price_minor: int = 1_000, on_hand: int = 1, **fields: Any) -> Product:
    product: Product = ProductFactory(title=title, slug=title.lower(), **fields)
    VariantFactory(product=product, price_minor=price_minor, on_hand=on_hand)
    return product


def test_a_list_shows_what_a_card_does() -> None:
    product = book("Emma", 1_000, on_hand=2)
    VariantFactory(product=product, price_minor=2_500, on_hand=3)
    VariantFactory(product=product, price_minor=1, is_active=False)
    image: ProductImage = ProductImageFactory(product=product, alt="Cover of Emma")

    answer = Caller().get("products/").json()

    assert answer == {
        "count": 1,
        "next": None,
        "previous": None,
        "results": [
            {
                "slug": "emma",
                "title": "Emma",
                "url": "http://testserver/product/emma/",
                "price_from": {"amount": 1_000, "currency": "EUR", "formatted": "€10.00"},
                "price_to": {"amount": 2_500, "currency": "EUR", "formatted": "€25.00"},
                "free": 5,
                "image": {
                    "url": f"http://testserver{image.image.url}",
                    "width": 600,
                    "height": 900,
                    "alt": "Cover of Emma",
                    "sources": [],
                },
            }
        ],
    }


def test_a_product_shows_what_its_page_does() -> None:
    fiction = CategoryFactory(name="Fiction", slug="fiction")
    classics = CategoryFactory(name="Classics", slug="classics", parent=fiction)
    product = book("Emma", category=classics, attributes={"Author": "Jane Austen"})
    sold_out = VariantFactory(product=product, sku="EMMA-H", title="Hardcover", on_hand=0)
    VariantFactory(product=product, is_active=False)

    shown = Caller().get("products/emma/").json()

    assert shown["attributes"] == {"Author": "Jane Austen"}
    assert [shelf["slug"] for shelf in shown["categories"]] == ["fiction", "classics"]
    assert shown["categories"][1]["parent"] == "fiction"
    assert shown["variants"][1] == {
        "sku": sold_out.sku,
        "title": "Hardcover",
        "price": {"amount": 1_200, "currency": "EUR", "formatted": "€12.00"},
        "free": 0,
    }
    assert len(shown["variants"]) == 2
    assert (shown["line_limit"], shown["images"]) == (20, [])
    assert shown["created_at"].endswith("Z")


def test_what_is_not_published_is_not_there() -> None:
    book("Emma", is_published=False)

    assert titles() == []
    assert_problem(Caller().get("products/emma/"), 404, "not_found")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["Emma", "Persuasion", "Sanditon"]),
        ("?sort=-price", ["Sanditon", "Persuasion", "Emma"]),
        ("?sort=price", ["Emma", "Persuasion", "Sanditon"]),
        ("?sort=newest", ["Sanditon", "Persuasion", "Emma"]),
        ("?q=persua", ["Persuasion"]),
        ("?q=nothing", []),
        ("?category=fiction", ["Emma", "Persuasion"]),
        ("?category=classics", ["Emma"]),
        ("?min_price=1500", ["Persuasion", "Sanditon"]),
        ("?min_price=1500&max_price=2500", ["Persuasion"]),
        ("?in_stock=true", ["Emma", "Sanditon"]),
        ("?in_stock=false", ["Emma", "Persuasion", "Sanditon"]),
        ("?page=2&page_size=2", ["Sanditon"]),
    ],
)
def test_a_list_is_narrowed_down_and_sorted(query: str, found: list[str]) -> None:
    fiction = CategoryFactory(slug="fiction")
    book("Emma", 1_000, category=CategoryFactory(slug="classics", parent=fiction))
    book("Persuasion", 2_000, on_hand=0, category=fiction)
    book("Sanditon", 3_000, category=CategoryFactory(slug="poetry"))

    assert titles(query) == found


def test_the_price_and_the_stock_asked_for_are_one_variants() -> None:
    product = book("Emma", 1_000, on_hand=0)
    VariantFactory(product=product, price_minor=3_000)

    assert titles("?max_price=2000&in_stock=true") == []
    assert titles("?max_price=3000&in_stock=true") == ["Emma"]


def test_pages_have_links_to_each_other_and_a_largest_size() -> None:
    for number in range(101):
        book(f"Volume-{number:03}")

    first = Caller().get("products/?page_size=1000&sort=title").json()

    assert (first["count"], len(first["results"]), first["previous"]) == (101, 100, None)
    assert first["next"] == "http://testserver/api/products/?page=2&page_size=1000&sort=title"
    last = Client().get(first["next"]).json()
    assert ([each["title"] for each in last["results"]], last["next"]) == (["Volume-100"], None)
    assert_problem(Caller().get("products/?page=9"), 404, "not_found")


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("min_price=-1", {"min_price": "min_value"}),
        ("max_price=abc", {"max_price": "invalid"}),
        ("max_price=99999999999999999999", {"max_price": "max_value"}),
        ("category=nowhere", {"category": "does_not_exist"}),
        ("in_stock=perhaps", {"in_stock": "invalid"}),
        ("sort=color", {"sort": "invalid_choice"}),
        ("sort=relevance", {"sort": "invalid"}),
        ("page=0", {"page": "invalid"}),
        ("page=last", {"page": "invalid"}),
        ("page_size=", {"page_size": "invalid"}),
        ("page_size=-1", {"page_size": "invalid"}),
        ("q=%00", {"q": "null_characters_not_allowed"}),
        ("q=" + "a" * 201, {"q": "max_length"}),
    ],
)
def test_a_question_that_makes_no_sense_is_told_what_is_wrong(
    query: str, wrong: dict[str, str]
) -> None:
    problem = assert_problem(Caller().get(f"products/?{query}"), 422, "invalid")

    assert fields_of(problem) == wrong


def test_lists_cost_the_same_however_many_products(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(6):
        ProductImageFactory(product=book(f"Volume-{number}"))

    for query in ("", "?page_size=3", "?page_size=3&page=2"):
        with django_assert_num_queries(3):
            assert Caller().get(f"products/{query}").status_code == 200


def test_categories_are_listed_whole() -> None:
    fiction = CategoryFactory(name="Fiction", slug="fiction", position=1)
    CategoryFactory(name="Classics", slug="classics", parent=fiction, position=0)

    assert Caller().get("categories/").json() == {
        "results": [
            {"slug": "classics", "name": "Classics", "parent": "fiction"},
            {"slug": "fiction", "name": "Fiction", "parent": None},
        ]
    }


@pytest.mark.parametrize("path", ["products/", "products/emma/", "categories/"])
def test_caches_may_keep_the_catalog_and_ask_whether_it_is_fresh(path: str) -> None:
    book("Emma")

    first = Caller().get(path)
    same = Caller().get(path, If_None_Match=first["ETag"])
    Product.objects.update(title="Emma, again")
    CategoryFactory(slug="another")
    Variant.objects.update(price_minor=1)
    other = Caller().get(path, If_None_Match=first["ETag"])

    assert first["Cache-Control"] == "public, no-cache"
    assert set(first["Vary"].split(", ")) <= {"Accept-Encoding", "origin"}
    assert (same.status_code, same.content) == (304, b"")
    assert other.status_code == 200
    assert not first.cookies


def test_the_catalog_is_compressed() -> None:
    for number in range(5):
        book(f"Volume-{number}")

    plain = Caller().get("products/")
    small = Caller().get("products/", Accept_Encoding="gzip")

    assert small["Content-Encoding"] == "gzip"
    assert gzip.decompress(small.content) == plain.content
    assert len(small.content) < len(plain.content) / 2
    again = Caller().get("products/", Accept_Encoding="gzip", If_None_Match=small["ETag"])
    assert again.status_code == 304


def test_the_catalog_does_not_look_at_who_asks(client: Client) -> None:
    book("Emma")

    answer = client.get("/api/products/", headers={"Authorization": "Bearer nonsense"})

    assert answer.status_code == 200
    assert "Cookie" not in answer["Vary"]
