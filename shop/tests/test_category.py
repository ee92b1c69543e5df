import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from shop.models import Category
from shop.tests.factories import CategoryFactory, ProductFactory, VariantFactory

pytestmark = pytest.mark.django_db


def test_shows_its_own_products_and_its_descendants(client: Client) -> None:
    fiction = CategoryFactory(slug="fiction")
    novels = CategoryFactory(parent=fiction)
    gothic = CategoryFactory(parent=novels)
    for title, category in (("A", fiction), ("B", novels), ("C", gothic), ("X", CategoryFactory())):
        VariantFactory(product__title=title, product__category=category)

    page = client.get("/category/fiction/")

    assert [product.title for product in page.context["listing"].page] == ["A", "B", "C"]


def test_breadcrumbs_lead_from_the_root_down(client: Client) -> None:
    fiction = CategoryFactory()
    novels = CategoryFactory(parent=fiction)
    CategoryFactory(slug="gothic", parent=novels)

    page = client.get("/category/gothic/")

    assert page.context["trail"] == [fiction, novels]


def test_categories_hung_under_each_other_still_have_a_page(client: Client) -> None:
    first = CategoryFactory(slug="first")
    second = CategoryFactory(parent=first)
    Category.objects.filter(pk=first.pk).update(parent=second)
    VariantFactory(product__category=second)

    page = client.get("/category/first/")

    assert len(page.context["listing"].page) == 1


def test_pages_hold_24_products(client: Client) -> None:
    category = CategoryFactory(slug="novels")
    for _ in range(25):
        VariantFactory(product__category=category)

    first = client.get("/category/novels/")
    second = client.get("/category/novels/?page=2")

    assert (len(first.context["listing"].page), len(second.context["listing"].page)) == (24, 1)
    assert 'href="?page=2" rel="next"' in first.text
    assert '<link rel="canonical" href="http://testserver/category/novels/?page=2">' in second.text


@pytest.mark.parametrize(
    ("asked", "given"),
    [("0", 2), ("-1", 2), ("3", 2), ("9" * 40, 2), ("x", 1), ("1.5", 1), ("", 1), ("%00", 1)],
)
def test_page_that_is_not_there_gives_the_nearest(client: Client, asked: str, given: int) -> None:
    category = CategoryFactory(slug="novels")
    for _ in range(25):
        VariantFactory(product__category=category)

    page = client.get(f"/category/novels/?page={asked}")

    assert (page.status_code, page.context["listing"].page.number) == (200, given)


def test_unknown_category_is_not_found(client: Client) -> None:
    page = client.get("/category/nowhere/")

    assert page.status_code == 404
    assert "We could not find that page" in page.text


def test_empty_category_says_so(client: Client) -> None:
    CategoryFactory(slug="novels")

    page = client.get("/category/novels/")

    assert "This shelf is empty just now" in page.text


@pytest.mark.parametrize("products", [1, 24])
def test_category_takes_five_queries(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries, products: int
) -> None:
    category = CategoryFactory(slug="novels")
    for _ in range(products):
        VariantFactory(product=ProductFactory(category=category))

    # The category, the tree, the count, products, images.
    with django_assert_num_queries(5):
        client.get("/category/novels/")


def test_a_category_has_a_preview_for_messengers(client: Client) -> None:
    CategoryFactory(slug="novels", name="Novels")

    text = client.get("/category/novels/").text

    assert '<meta property="og:title" content="Novels">' in text
    assert '<meta property="og:type" content="website">' in text
