"""Pictures on the pages, before their job has run and after; files are never looked at for it."""

from pathlib import Path

import pytest
from django.conf import LazySettings
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from shop import renditions
from shop.models import ProductImage
from shop.tests.factories import ProductImageFactory, VariantFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def picture(settings: LazySettings, tmp_path: Path) -> ProductImage:
    """The only picture; its product is on sale."""
    settings.MEDIA_ROOT = tmp_path / "media"
    variant = VariantFactory(product__slug="emma")
    cover: ProductImage = ProductImageFactory(product=variant.product, alt="The cover of <Emma>")
    return cover


def ready(picture: ProductImage, settings: LazySettings) -> ProductImage:
    """Run the picture's job, then take all files away: a page that looked for one would fail."""
    renditions.settle(image_id=picture.pk)
    settings.MEDIA_ROOT = "/nowhere"
    return ProductImage.objects.get()


def srcset(picture: ProductImage, kind: str) -> str:
    return ", ".join(
        f"/media/{made['name']} {made['width']}w"
        for made in picture.renditions
        if made["type"] == kind
    )


def test_before_the_job_the_original_is_shown(picture: ProductImage) -> None:
    html = render_to_string(
        "components/picture.html",
        {"image": picture, "class": "cover", "sizes": "10rem", "alt": picture.alt},
    )

    assert html.splitlines()[-1] == (
        f'<picture><img class="cover" src="/media/{picture.image}" width="600" height="900" '
        'alt="The cover of &lt;Emma&gt;"></picture>'
    )


@pytest.mark.parametrize(
    ("place", "attributes"),
    [
        ({}, ""),
        ({"lazy": True}, ' loading="lazy" decoding="async"'),
        ({"priority": True}, ' fetchpriority="high"'),
    ],
)
def test_after_the_job_the_browser_chooses(
    picture: ProductImage, settings: LazySettings, place: dict[str, bool], attributes: str
) -> None:
    picture = ready(picture, settings)

    html = render_to_string(
        "components/picture.html", {"image": picture, "class": "cover", "sizes": "10rem"} | place
    )

    largest = picture.renditions[-1]
    assert (largest["type"], largest["width"]) == ("image/webp", 600)
    assert [made["width"] for made in picture.renditions[::2]] == [144, 216, 384, 600]
    assert html.splitlines()[-1] == (
        f'<picture><source type="image/avif" srcset="{srcset(picture, "image/avif")}" '
        f'sizes="10rem"><source type="image/webp" srcset="{srcset(picture, "image/webp")}" '
        f'sizes="10rem"><img class="cover" src="/media/{largest["name"]}" '
        f'width="600" height="900" alt=""{attributes}></picture>'
    )


def test_the_first_picture_of_a_product_comes_first_and_others_when_they_are_near(
    client: Client, picture: ProductImage
) -> None:
    ProductImageFactory(product=picture.product, alt="The back", position=1)

    page = client.get("/product/emma/").text

    assert page.count('alt="The cover of &lt;Emma&gt;" fetchpriority="high">') == 1
    assert page.count('alt="The back" loading="lazy" decoding="async">') == 1


def test_one_cover_of_a_shelf_is_urgent_and_those_below_the_fold_wait(
    client: Client, picture: ProductImage
) -> None:
    shelf = picture.product.category
    for _ in range(7):
        variant = VariantFactory(product__category=shelf)
        ProductImageFactory(product=variant.product)

    page = client.get(shelf.get_absolute_url()).text

    assert page.count("<picture>") == 8
    assert page.count('fetchpriority="high"') == 1
    assert page.index('fetchpriority="high"') < page.index("</picture>")
    assert page.count('loading="lazy"') == 2


@pytest.mark.parametrize(("page", "queries"), [("home", 4), ("product", 7), ("category", 6)])
def test_renditions_cost_no_query_and_no_look_at_the_files(
    client: Client,
    picture: ProductImage,
    settings: LazySettings,
    django_assert_max_num_queries: DjangoAssertNumQueries,
    page: str,
    queries: int,
) -> None:
    picture = ready(picture, settings)
    address = {
        "home": reverse("shop:home"),
        "product": picture.product.get_absolute_url(),
        "category": picture.product.category.get_absolute_url(),
    }[page]

    with django_assert_max_num_queries(queries):
        html = client.get(address).text

    assert srcset(picture, "image/avif") in html
    assert f'src="/media/{picture.image}"' not in html
