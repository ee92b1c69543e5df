from urllib.parse import urlencode

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from pytest_django import DjangoAssertNumQueries

from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db


def search(client: Client, text: str) -> list[str]:
    page = client.get("/search/", {"q": text})
    assert page.status_code == 200
    return [product.title for product in page.context["listing"].page]


def test_finds_words_of_title_attributes_and_description(client: Client) -> None:
    VariantFactory(
        product__title="Middlemarch",
        product__attributes={"Author": "George Eliot"},
        product__description="Two unwise marriages.",
    )
    VariantFactory(product__title="Emma")

    assert search(client, "middlemarch") == ["Middlemarch"]
    assert search(client, "eliot") == ["Middlemarch"]
    assert search(client, "marriage") == ["Middlemarch"]


def test_title_weighs_more_than_author_and_author_more_than_description(client: Client) -> None:
    VariantFactory(product__title="Third", product__description="Shelley read this.")
    VariantFactory(product__title="Second", product__attributes={"Author": "Mary Shelley"})
    VariantFactory(product__title="Shelley first")

    assert search(client, "shelley") == ["Shelley first", "Second", "Third"]


def test_beginning_of_a_word_is_enough(client: Client) -> None:
    VariantFactory(product__title="Frankenstein", product__attributes={"Author": "Mary Shelley"})

    assert search(client, "frank") == ["Frankenstein"]
    assert search(client, "mary fra") == ["Frankenstein"]
    assert search(client, "frank nobody") == []


def test_minus_excludes_and_quotes_hold_together(client: Client) -> None:
    VariantFactory(product__title="The Time Machine")
    VariantFactory(product__title="Machine Time")

    assert search(client, '"time machine"') == ["The Time Machine"]
    assert search(client, "emma or machine -the") == ["Machine Time", "The Time Machine"]
    assert search(client, "machine -time") == []


def test_what_is_not_on_sale_is_not_found(client: Client) -> None:
    VariantFactory(product__title="Emma", product__is_published=False)

    assert search(client, "emma") == []


def test_nothing_found_is_said_kindly_with_a_way_on(client: Client) -> None:
    page = client.get("/search/", {"q": "<b>zzz"})

    assert "Nothing found for “&lt;b&gt;zzz”" in page.text
    assert "Browse the shop" in page.text


@pytest.mark.parametrize("text", ["", "   ", "\0"])
def test_empty_search_asks_what_for(client: Client, text: str) -> None:
    page = client.get("/search/", {"q": text})

    assert page.status_code == 200
    assert "What are you looking for?" in page.text


def test_pages_keep_the_text(client: Client) -> None:
    for _ in range(25):
        VariantFactory(product__title="Tales & more")

    page = client.get("/search/", {"q": "tales & more", "page": "2"})

    assert len(page.context["listing"].page) == 1
    assert 'href="?q=tales+%26+more&amp;page=1" rel="prev"' in page.text


@pytest.mark.parametrize("products", [1, 24])
def test_search_takes_four_queries(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries, products: int
) -> None:
    for _ in range(products):
        VariantFactory(product__title="Tales")

    # The count, products, images, categories for the head.
    with django_assert_num_queries(4):
        client.get("/search/?q=tales")


class AnyText(TestCase):
    @given(text=st.text(max_size=300))
    def test_any_text_is_answered(self, text: str) -> None:
        query = urlencode({"q": text}, errors="replace")

        page = self.client.get(f"/search/?{query}")

        assert page.status_code == 200
