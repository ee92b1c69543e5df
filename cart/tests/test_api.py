"""The cart as JSON: a guest's by its token, a user's own, merged at sign-in."""

from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.tests.factories import PASSWORD, UserFactory
from accounts.tests.tokens import caller_as
from api.tests.calls import Caller, assert_problem, fields_of
from cart.access import COOKIE, token_of
from cart.models import Cart, CartLine
from cart.tests.factories import CartFactory, CartLineFactory
from shop.models import Variant
from shop.tests.factories import ProductImageFactory, VariantFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def variant() -> Variant:
    variant: Variant = VariantFactory(sku="EMMA-H", title="Hardcover", price_minor=2_000)
    return variant


def guest_with(cart: Cart) -> Caller:
    return Caller(Cart_Token=token_of(cart))


def quantities(cart: dict[str, Any]) -> dict[str, int]:
    return {line["sku"]: line["quantity"] for line in cart["lines"]}


def test_reading_makes_no_cart() -> None:
    empty = Caller().get("cart/").json()

    assert (empty["token"], empty["lines"], empty["units"]) == (None, [], 0)
    assert empty["total"] == {"amount": 0, "currency": "EUR", "formatted": "€0.00"}
    assert Cart.objects.count() == 0


def test_a_guest_gets_a_token_with_the_first_thing_that_he_adds(variant: Variant) -> None:
    first = Caller().post("cart/lines/", {"sku": "EMMA-H", "quantity": 2})

    assert first.status_code == 200
    cart = first.json()
    assert cart["added"] == 2
    guest = Caller(Cart_Token=cart["token"])
    assert guest.post("cart/lines/", {"sku": "EMMA-H"}).json()["token"] == cart["token"]
    shown = guest.get("cart/").json()
    assert shown["lines"] == [
        {
            "sku": "EMMA-H",
            "title": "Hardcover",
            "product": {"slug": variant.product.slug, "title": variant.product.title},
            "image": None,
            "quantity": 3,
            "unit_price": {"amount": 2_000, "currency": "EUR", "formatted": "€20.00"},
            "subtotal": {"amount": 6_000, "currency": "EUR", "formatted": "€60.00"},
            "free": 10,
            "is_short": False,
            "price_changed": False,
        }
    ]
    figures = ("subtotal", "shipping", "total", "missing_for_free_shipping")
    assert [shown[name]["amount"] for name in figures] == [6_000, 0, 6_000, 0]
    assert (shown["units"], shown["line_limit"], shown["unavailable"]) == (3, 20, [])
    assert not first.cookies
    assert Cart.objects.count() == 1


def test_quantities_are_set_and_lines_taken_out(variant: Variant) -> None:
    other = VariantFactory(sku="A/B 7", price_minor=1_000)
    cart = CartFactory()
    CartLineFactory(cart=cart, variant=variant)
    CartLineFactory(cart=cart, variant=other)
    guest = guest_with(cart)

    assert quantities(guest.put("cart/lines/EMMA-H/", {"quantity": 4}).json()) == {
        "EMMA-H": 4,
        "A/B 7": 1,
    }
    assert quantities(guest.put("cart/lines/EMMA-H/", {"quantity": 0}).json()) == {"A/B 7": 1}
    assert quantities(guest.delete("cart/lines/A/B 7/").json()) == {}
    assert guest.delete("cart/lines/A/B 7/").status_code == 200
    assert_problem(guest.put("cart/lines/EMMA-H/", {"quantity": 1}), 404, "not_found")
    guest.post("cart/lines/", {"sku": "EMMA-H"})
    assert guest.delete("cart/").json()["lines"] == []
    assert CartLine.objects.count() == 0


def test_a_shortage_and_a_change_of_price_are_told_and_cut_nothing(variant: Variant) -> None:
    line = CartLineFactory(variant=variant, quantity=11)
    Variant.objects.update(price_minor=2_100)

    (shown,) = guest_with(line.cart).get("cart/").json()["lines"]

    assert (shown["free"], shown["is_short"], shown["price_changed"]) == (10, True, True)
    assert (shown["quantity"], shown["subtotal"]["amount"]) == (11, 23_100)


def test_what_is_no_longer_sold_stands_apart(variant: Variant) -> None:
    line = CartLineFactory(variant=variant)
    Variant.objects.update(is_active=False)
    guest = guest_with(line.cart)

    cart = guest.get("cart/").json()

    assert ([each["sku"] for each in cart["unavailable"]], cart["lines"]) == (["EMMA-H"], [])
    assert cart["total"]["amount"] == 0
    assert_problem(guest.post("cart/lines/", {"sku": "EMMA-H"}), 409, "not_on_sale")


def test_a_line_holds_no_more_than_the_limit(variant: Variant, settings: Settings) -> None:
    line = CartLineFactory(variant=variant, quantity=15)
    guest = guest_with(line.cart)

    answer = guest.post("cart/lines/", {"sku": "EMMA-H", "quantity": 20}).json()

    assert (answer["added"], quantities(answer)) == (5, {"EMMA-H": 20})
    too_many = {"quantity": settings.CART_LINE_LIMIT + 1}
    problem = assert_problem(guest.put("cart/lines/EMMA-H/", too_many), 422, "invalid")
    assert fields_of(problem) == {"quantity": "max_value"}


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, {"sku": "required"}),
        ({"sku": ""}, {"sku": "blank"}),
        ({"sku": "EMMA-H", "quantity": 0}, {"quantity": "min_value"}),
        ({"sku": "EMMA-H", "quantity": "many"}, {"quantity": "invalid"}),
        ({"sku": "EMMA-H", "quantity": None}, {"quantity": "null"}),
        ({"sku": "EMMA-H", "quantity": "2"}, {"quantity": "invalid"}),
        ({"sku": "EMMA-H", "quantity": True}, {"quantity": "invalid"}),
        ({"sku": "EMMA-H", "quantity": 1.5}, {"quantity": "invalid"}),
        ({"sku": 7}, {"sku": "invalid"}),
    ],
)
def test_what_makes_no_sense_is_told_beside_its_field(
    variant: Variant, body: object, wrong: dict[str, str]
) -> None:
    problem = assert_problem(Caller().post("cart/lines/", body), 422, "invalid")

    assert fields_of(problem) == wrong
    assert Cart.objects.count() == 0


@pytest.mark.parametrize("sku", ["EMMA-\x00", "\ud800", {"\x00": 1}, [{"a": ["\udfff"]}]])
def test_text_that_cannot_be_kept_is_malformed(sku: object) -> None:
    assert_problem(Caller().post("cart/lines/", {"sku": sku}), 400, "malformed")
    assert_problem(Caller().delete("cart/lines/a%00b/"), 404, "not_found")


def test_a_price_that_a_client_sends_is_not_looked_at(variant: Variant) -> None:
    body = {"sku": "EMMA-H", "price": 1, "unit_price": {"amount": 1}}

    assert Caller().post("cart/lines/", body).json()["subtotal"]["amount"] == 2_000


def test_a_sku_that_is_none_is_404(variant: Variant) -> None:
    assert_problem(Caller().post("cart/lines/", {"sku": "nothing"}), 404, "not_found")
    assert Cart.objects.count() == 0


@pytest.mark.parametrize("token", ["", "nonsense", "00000000-0000-0000-0000-000000000000:forged"])
def test_a_token_that_is_not_ours_opens_no_cart(variant: Variant, token: str) -> None:
    CartLineFactory(variant=variant)

    assert Caller(Cart_Token=token).get("cart/").json()["lines"] == []


def test_the_cookie_of_the_pages_says_nothing_here_and_stays(variant: Variant) -> None:
    line = CartLineFactory(variant=variant)
    browser = Client()
    browser.cookies.load({COOKIE: token_of(line.cart)})

    answer = browser.get("/api/cart/")

    assert answer.json()["lines"] == []
    assert not answer.cookies
    # And the header nothing there.
    page = Client().get("/cart/", headers={"Cart-Token": token_of(line.cart)})
    assert "EMMA" not in page.content.decode()


def test_signing_in_merges_the_guests_cart_whose_token_is_sent(variant: Variant) -> None:
    user = UserFactory(password=PASSWORD)
    CartLineFactory(cart=CartFactory(user=user), variant=variant, quantity=19)
    guest_line = CartLineFactory(variant=variant, quantity=2)
    guest = guest_with(guest_line.cart)

    answer = guest.post("auth/login/", {"email": user.email, "password": PASSWORD})

    assert answer.status_code == 200
    assert not answer.cookies
    merged = caller_as(user).get("cart/").json()
    assert (quantities(merged), merged["token"]) == ({"EMMA-H": 20}, None)
    # The token is good for nothing any more.
    assert guest.get("cart/").json()["lines"] == []
    guest_line.cart.refresh_from_db()
    assert guest_line.cart.merged_into.user == user


def test_registering_takes_the_guests_cart_along(variant: Variant) -> None:
    guest = guest_with(CartLineFactory(variant=variant).cart)
    body = {"email": "ada@example.com", "password": PASSWORD}

    token = guest.post("auth/register/", body).json()["access_token"]

    signed_in = Caller(Authorization=f"Bearer {token}")
    assert quantities(signed_in.get("cart/").json()) == {"EMMA-H": 1}


def test_a_user_has_the_cart_of_the_pages(variant: Variant) -> None:
    user = UserFactory()
    caller_as(user).post("cart/lines/", {"sku": "EMMA-H"})
    browser = Client()
    browser.force_login(user)

    assert variant.product.title in browser.get("/cart/").content.decode()


def test_a_cart_costs_the_same_however_many_lines(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    cart = CartFactory()
    for _ in range(5):
        variant = VariantFactory()
        ProductImageFactory(product=variant.product)
        CartLineFactory(cart=cart, variant=variant)

    with django_assert_num_queries(4):
        assert guest_with(cart).get("cart/").json()["units"] == 5
