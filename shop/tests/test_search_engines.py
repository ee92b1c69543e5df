"""What search engines are told: structured data, sitemap, robots.txt, previews."""

import json
import re
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.files.base import ContentFile
from django.test import Client

from shop.covers import draw_cover
from shop.models import ProductImage
from shop.tests.factories import CategoryFactory, ProductFactory, VariantFactory

pytestmark = pytest.mark.django_db


def structured_data(text: str) -> dict[str, dict[str, Any]]:
    """Return what the page's data says, by type."""
    found = re.findall(r'<script type="application/ld\+json">(.*?)</script>', text, re.DOTALL)
    return {data["@type"]: data for data in map(json.loads, found)}


def test_a_product_tells_its_offers(client: Client) -> None:
    product = ProductFactory(slug="emma", title="Emma", description="A comedy.")
    VariantFactory(product=product, sku="E-1", title="Hardcover", price_minor=22_90)
    VariantFactory(product=product, sku="E-2", price_minor=8_00, on_hand=0)
    VariantFactory(product=product, is_active=False)
    cover = ContentFile(draw_cover("Emma", "Jane Austen"), name="emma.webp")
    image = ProductImage.objects.create(product=product, image=cover)

    page = client.get("/product/emma/")

    assert structured_data(page.text)["Product"] == {
        "@context": "https://schema.org",
        "@type": "Product",
        "name": "Emma",
        "description": "A comedy.",
        "url": "http://testserver/product/emma/",
        "image": [f"http://testserver{image.image.url}"],
        "offers": [
            {
                "@type": "Offer",
                "name": "Hardcover",
                "sku": "E-1",
                "url": "http://testserver/product/emma/",
                "price": "22.90",
                "priceCurrency": "EUR",
                "availability": "https://schema.org/InStock",
            },
            {
                "@type": "Offer",
                "name": "Paperback",
                "sku": "E-2",
                "url": "http://testserver/product/emma/",
                "price": "8.00",
                "priceCurrency": "EUR",
                "availability": "https://schema.org/OutOfStock",
            },
        ],
    }


def test_breadcrumbs_are_told_from_the_home_page_down(
    client: Client, settings: LazySettings
) -> None:
    fiction = CategoryFactory(name="Fiction", slug="fiction")
    novels = CategoryFactory(name="Novels", slug="novels", parent=fiction)
    VariantFactory(product__slug="emma", product__title="Emma", product__category=novels)

    product, category = client.get("/product/emma/"), client.get("/category/novels/")

    home = {"@type": "ListItem", "position": 1, "name": settings.SHOP_NAME}
    above = [
        home | {"item": "http://testserver/"},
        {
            "@type": "ListItem",
            "position": 2,
            "name": "Fiction",
            "item": "http://testserver/category/fiction/",
        },
        {
            "@type": "ListItem",
            "position": 3,
            "name": "Novels",
            "item": "http://testserver/category/novels/",
        },
    ]
    here = {"@type": "ListItem", "position": 4, "name": "Emma"}
    steps = [structured_data(page.text)["BreadcrumbList"] for page in (product, category)]
    assert [each["itemListElement"] for each in steps] == [[*above, here], above]


def test_no_title_ends_the_element_that_it_stands_in(client: Client) -> None:
    title = "</script><script>alert(1)</script> & “more”"
    VariantFactory(product__slug="emma", product__title=title)

    page = client.get("/product/emma/")

    assert structured_data(page.text)["Product"]["name"] == title
    assert "<script>alert" not in page.text


def test_a_product_has_a_preview_for_messengers(client: Client) -> None:
    VariantFactory(product__slug="emma", product__title="Emma", product__description="A comedy.")

    text = client.get("/product/emma/").text

    assert '<meta property="og:title" content="Emma">' in text
    assert '<meta property="og:type" content="product">' in text
    assert '<meta property="og:url" content="http://testserver/product/emma/">' in text
    assert '<meta property="og:description" content="A comedy.">' in text
    assert "og:image" not in text


def test_the_sitemap_names_what_can_be_bought_and_its_shelves(
    client: Client, settings: LazySettings
) -> None:
    settings.ALLOWED_HOSTS = ["elsewhere.example"]
    category = CategoryFactory(slug="novels")
    VariantFactory(product__slug="emma", product__category=category)
    VariantFactory(product__slug="draft", product__category=category, product__is_published=False)
    ProductFactory(slug="nothing-to-buy", category=category)

    page = client.get("/sitemap.xml", headers={"Host": "elsewhere.example"})

    assert page["Content-Type"] == "application/xml"
    assert re.findall(r"<loc>(.*?)</loc>", page.text) == [
        "http://testserver/",
        "http://testserver/category/novels/",
        "http://testserver/product/emma/",
    ]


def test_an_empty_shop_has_a_sitemap(client: Client) -> None:
    page = client.get("/sitemap.xml")

    assert re.findall(r"<loc>(.*?)</loc>", page.text) == ["http://testserver/"]


def test_robots_are_kept_out_of_what_is_one_persons(client: Client) -> None:
    page = client.get("/robots.txt")

    assert page["Content-Type"] == "text/plain"
    assert page.text == (
        "User-agent: *\n"
        "Disallow: /cart/\n"
        "Disallow: /checkout/\n"
        "Disallow: /orders/\n"
        "Disallow: /accounts/\n"
        "Disallow: /admin/\n"
        "\n"
        "Sitemap: http://testserver/sitemap.xml\n"
    )
