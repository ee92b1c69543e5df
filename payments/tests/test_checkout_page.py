"""The checkout page: what it says, what it asks for, and how it says what is wrong."""

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client

from accounts.tests.factories import UserFactory
from payments.tests import support
from payments.tests.browsing import cookie_of
from shop.tests.factories import CategoryFactory, VariantFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def visitor(client: Client) -> Client:
    """A guest with a cart of two books."""
    cart = support.cart_with(VariantFactory(price_minor=8_90), quantity=2)
    client.cookies.load(cookie_of(cart))
    return client


def shown(response: Any) -> str:
    return unescape(response.content.decode())


def test_each_field_tells_the_browser_what_it_is_for(visitor: Client) -> None:
    page = shown(visitor.get("/checkout/"))

    tags = re.findall(r"<(?:input|select)[^>]*autocomplete[^>]*>", page)
    assert {
        re.findall(r'name="(\w+)"', tag)[0]: re.findall(r'autocomplete="([\w-]+)"', tag)[0]
        for tag in tags
    } == {
        "email": "email",
        "name": "name",
        "line1": "address-line1",
        "line2": "address-line2",
        "postal_code": "postal-code",
        "city": "address-level2",
        "region": "address-level1",
        "country": "country",
    }


def test_no_country_is_chosen_for_the_buyer(visitor: Client) -> None:
    page = shown(visitor.get("/checkout/"))

    assert '<option value="" selected>Choose a country</option>' in page
    assert page.count("<option") == 12


def test_what_is_wrong_is_listed_on_top_with_links_to_the_fields(visitor: Client) -> None:
    response = visitor.post("/checkout/", {"email": "nonsense", "country": "XX", "city": "Berlin"})

    assert response.status_code == 422
    page = shown(response)
    summary = page[page.index('<div class="error-summary"') : page.index("</ul>\n</div>")]
    assert 'role="alert" tabindex="-1" autofocus' in summary
    assert re.findall(r'<a href="#id_(\w+)">(.+?)</a>', summary) == [
        ("email", "E-mail address: Enter an e-mail address like reader@example.com."),
        ("name", "Full name: Enter the recipient's full name."),
        ("line1", "Street and number: Enter a street and a number."),
        ("postal_code", "Postal code: Enter the postal code."),
        ("country", "Country: We do not ship there: choose one of the countries in the list."),
    ]
    for field in ("email", "name", "line1", "postal_code", "country"):
        tag = re.findall(rf'<(?:input|select)[^>]*name="{field}"[^>]*>', page)[0]
        assert 'aria-invalid="true"' in tag
        assert f"id_{field}_error" in tag
    assert page.count("<title>Please check: Checkout") == 1


def test_the_page_leads_nowhere_but_on(visitor: Client) -> None:
    CategoryFactory(name="Fiction")

    page = shown(visitor.get("/checkout/"))

    assert "Fiction" not in page
    assert "Pay €22.70</button>" in page
    assert "<span>2 items</span> <strong>€22.70</strong></summary>" in page


def test_only_a_guest_is_offered_to_sign_in(visitor: Client, client: Client) -> None:
    hint = 'href="/accounts/login/?next=/checkout/">sign in</a>'
    user = UserFactory()
    support.cart_with(VariantFactory(), user=user)
    member = Client()
    member.force_login(user)

    assert hint in shown(visitor.get("/checkout/"))
    assert hint not in shown(member.get("/checkout/"))


@pytest.mark.parametrize(("on_hand", "words"), [(1, "only 1 left"), (0, "sold out at the moment")])
def test_a_short_line_is_marked_before_anybody_tries(
    client: Client, on_hand: int, words: str
) -> None:
    cart = support.cart_with(VariantFactory(on_hand=on_hand), quantity=2)
    client.cookies.load(cookie_of(cart))

    page = shown(client.get("/checkout/"))

    assert f'<strong class="lines__short">{words}</strong>' in page
