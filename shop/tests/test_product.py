import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from shop import services
from shop.clock import now
from shop.covers import draw_cover
from shop.models import ProductImage
from shop.tests.factories import CategoryFactory, ProductFactory, VariantFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("on_hand", "words"),
    [(4, "In stock"), (3, "3 left"), (1, "1 left"), (0, "Out of stock")],
)
def test_stock_is_told_in_words(client: Client, on_hand: int, words: str) -> None:
    VariantFactory(product__slug="emma", on_hand=on_hand)

    page = client.get("/product/emma/")

    assert words in page.text


def test_units_held_by_orders_are_not_offered(client: Client) -> None:
    variant = VariantFactory(product__slug="emma", on_hand=5)
    services.reserve(quantities={variant.pk: 4}, reference="R1", at=now())

    page = client.get("/product/emma/")

    assert "1 left" in page.text


def test_first_variant_in_stock_is_chosen_and_others_can_be(client: Client) -> None:
    product = ProductFactory(slug="emma")
    VariantFactory(product=product, title="Hardcover", position=0, on_hand=0)
    paperback = VariantFactory(product=product, title="Paperback", position=1)
    VariantFactory(product=product, title="Leather", position=2)

    page = client.get("/product/emma/")

    assert page.context["chosen"] == paperback
    assert page.text.count('type="radio"') == 3
    assert page.text.count(" disabled>") == 1


def test_form_adds_to_the_cart_without_a_token(client: Client) -> None:
    variant = VariantFactory(product__slug="emma")

    page = client.get("/product/emma/")

    assert f'method="post" action="{reverse("cart:add")}"' in page.text
    assert f'name="variant" value="{variant.pk}"' in page.text
    assert f'name="quantity" value="1" min="1" max="{settings.CART_LINE_LIMIT}"' in page.text
    assert "csrfmiddlewaretoken" not in page.text


def test_sold_out_product_has_no_button(client: Client) -> None:
    VariantFactory(product__slug="emma", on_hand=0)

    page = client.get("/product/emma/")

    assert "Add to cart" not in page.text
    assert "Sold out" in page.text


def test_product_without_variants_on_sale_says_so(client: Client) -> None:
    ProductFactory(slug="emma")

    page = client.get("/product/emma/")

    assert page.status_code == 200
    assert "Not for sale at the moment" in page.text


def test_image_carries_its_size_and_words(client: Client) -> None:
    product = ProductFactory(slug="emma")
    cover = ContentFile(draw_cover("Emma", "Jane Austen"), name="emma.webp")
    image = ProductImage.objects.create(product=product, image=cover, alt="Cover of Emma")

    page = client.get("/product/emma/")

    assert f'src="{image.image.url}" width="600" height="900" alt="Cover of Emma"' in page.text


@pytest.mark.parametrize("attributes", [{}, [], ["a"], "text", 5, {"Author": ["a", {"b": 1}]}])
def test_any_attributes_can_be_shown(client: Client, attributes: object) -> None:
    VariantFactory(product__slug="emma", product__attributes=attributes)

    page = client.get("/product/emma/")

    assert page.status_code == 200


@pytest.mark.parametrize("slug", ["nowhere", "draft"])
def test_unknown_and_unpublished_products_are_not_found(client: Client, slug: str) -> None:
    VariantFactory(product__slug="draft", product__is_published=False)

    page = client.get(f"/product/{slug}/")

    assert page.status_code == 404


def test_canonical_address_ignores_host_and_query(client: Client) -> None:
    VariantFactory(product__slug="emma")

    page = client.get("/product/emma/?utm_source=mail")

    assert '<link rel="canonical" href="http://testserver/product/emma/">' in page.text


def test_catalog_sets_no_cookie(client: Client) -> None:
    VariantFactory(product__slug="emma", product__category=CategoryFactory(slug="novels"))

    for address in ("/", "/category/novels/", "/product/emma/", "/search/?q=emma", "/nowhere/"):
        page = client.get(address)

        assert not page.cookies, address


@pytest.mark.parametrize("others", [1, 6])
def test_product_takes_six_queries(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries, others: int
) -> None:
    product = ProductFactory(slug="emma")
    for _ in range(others):
        VariantFactory(product=product)
        VariantFactory(product__category=product.category)

    # The product, its images, its variants, the tree, related products, their images.
    with django_assert_num_queries(6):
        client.get("/product/emma/")
