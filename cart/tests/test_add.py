"""The answer to "Add to cart" for htmx: a piece of a page, for where the button is."""

from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from cart.models import Cart, CartLine
from shop.models import Variant
from shop.tests.factories import VariantFactory

LIMIT = settings.CART_LINE_LIMIT

pytestmark = pytest.mark.django_db


def add(client: Client, variant: Variant, quantity: object = 1) -> Any:
    form = {"variant": variant.pk, "quantity": quantity}
    return client.post("/cart/add/", form, headers={"HX-Request": "true"})


def test_it_says_what_came_in_leads_on_and_refreshes_the_count(client: Client) -> None:
    response = add(client, VariantFactory(product__title="Emma"), 2)

    text = response.content.decode()
    assert response.status_code == 200
    assert "Added 2 of “Emma” (Paperback) to your cart." in text
    assert 'href="/cart/">View cart</a>' in text
    assert 'href="/checkout/">Checkout</a>' in text
    assert 'id="cart-link" href="/cart/" data-hx-swap-oob="true">' in text
    assert '<span class="site-header__count">2<' in text
    assert "<html" not in text


def test_it_is_not_said_again_on_the_next_page(client: Client) -> None:
    add(client, VariantFactory())

    assert "Added" not in client.get("/cart/").content.decode()


def test_a_full_line_is_told_with_what_still_came_in(client: Client) -> None:
    variant = VariantFactory(product__title="Emma")

    first, second, third = (
        add(client, variant, LIMIT - 1),
        add(client, variant, 4),
        add(client, variant),
    )

    capped = f"A cart holds at most {LIMIT} of “Emma” (Paperback)."
    assert capped not in first.content.decode()
    assert "Added “Emma”" in second.content.decode()
    assert capped in second.content.decode()
    assert "Added" not in third.content.decode()
    assert capped in third.content.decode()
    assert CartLine.objects.get().quantity == LIMIT


@pytest.mark.parametrize(
    ("quantity", "words"),
    [
        ("", "Enter how many you want."),
        ("0", "Enter a whole number, 1 or more."),
        (LIMIT + 1, f"Enter {LIMIT} or fewer: a cart holds no more of one edition."),
    ],
)
def test_a_quantity_that_is_none_is_refused_in_the_same_place(
    client: Client, quantity: object, words: str
) -> None:
    response = add(client, VariantFactory(), quantity)

    assert response.status_code == 422
    assert words in response.content.decode()
    assert "<html" not in response.content.decode()
    assert not Cart.objects.exists()


def test_what_is_no_longer_on_sale_is_refused_in_the_same_place(client: Client) -> None:
    response = add(client, VariantFactory(is_active=False))

    assert response.status_code == 409
    assert "This edition is no longer on sale." in response.content.decode()
    assert not Cart.objects.exists()


def test_an_unknown_variant_is_not_found(client: Client) -> None:
    response = client.post(
        "/cart/add/", {"variant": 0, "quantity": 1}, headers={"HX-Request": "true"}
    )

    assert response.status_code == 404
