from html import unescape

import pytest
from django.conf import settings
from django.test import Client

from accounts.models import User
from accounts.tests.factories import PASSWORD, UserFactory
from cart.models import Cart
from cart.tests.factories import CartFactory, CartLineFactory
from shop.models import Variant
from shop.tests.factories import VariantFactory

LIMIT = settings.CART_LINE_LIMIT

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    return UserFactory(password=PASSWORD)


def put(client: Client, variant: Variant, quantity: int) -> None:
    client.post("/cart/add/", {"variant": variant.pk, "quantity": quantity})


def sign_in(client: Client, user: User) -> None:
    response = client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert response.status_code == 302


def page(client: Client) -> str:
    return unescape(client.get("/cart/").content.decode())


def test_signing_in_brings_the_guests_items_and_says_so(client: Client, user: User) -> None:
    variant = VariantFactory()
    users = CartFactory(user=user)
    CartLineFactory(cart=users, variant=variant, quantity=1)
    put(client, variant, 2)
    put(client, VariantFactory(), 1)

    sign_in(client, user)

    assert sorted(line.quantity for line in users.lines.all()) == [1, 3]
    assert "We put the 3 items of your visit into your cart." in page(client)


def test_one_item_is_called_an_item(client: Client, user: User) -> None:
    put(client, VariantFactory(), 1)

    sign_in(client, user)

    assert "We put the item of your visit into your cart." in page(client)


def test_the_limit_is_mentioned_when_it_kept_books_out(client: Client, user: User) -> None:
    line = CartLineFactory(cart=CartFactory(user=user), quantity=LIMIT)
    put(client, line.variant, 2)

    sign_in(client, user)

    text = page(client)
    assert f"A cart holds at most {LIMIT} of one edition." in text
    assert "of your visit" not in text
    line.refresh_from_db()
    assert line.quantity == LIMIT


def test_signing_in_without_a_visit_before_makes_no_cart(client: Client, user: User) -> None:
    sign_in(client, user)

    assert not Cart.objects.exists()


def test_signing_up_keeps_the_guests_books(client: Client) -> None:
    variant = VariantFactory()
    put(client, variant, 2)

    client.post("/accounts/signup/", {"email": "new@example.com", "password1": PASSWORD})

    cart = Cart.objects.get(user__email="new@example.com")
    assert [(line.variant, line.quantity) for line in cart.lines.all()] == [(variant, 2)]


def test_the_guests_cookie_goes_at_sign_in(client: Client, user: User) -> None:
    put(client, VariantFactory(), 1)

    sign_in(client, user)

    assert client.cookies["cart"].value == ""


def test_signing_out_leaves_the_cart_behind_and_the_guest_starts_afresh(
    client: Client, user: User
) -> None:
    put(client, VariantFactory(), 2)
    sign_in(client, user)

    client.post("/accounts/logout/")

    assert "Your cart is empty" in page(client)
    assert Cart.objects.get(user=user).lines.get().quantity == 2


def test_a_cookie_kept_from_before_the_sign_in_opens_nobodys_cart(
    client: Client, user: User
) -> None:
    put(client, VariantFactory(), 2)
    old = client.cookies["cart"].value
    sign_in(client, user)
    stranger = Client()
    stranger.cookies["cart"] = old

    before = page(stranger)
    put(stranger, VariantFactory(), 1)

    assert "Your cart is empty" in before
    assert stranger.cookies["cart"].value != old
    assert Cart.objects.get(user=user).lines.get().quantity == 2


def test_a_second_sign_in_with_the_same_cookie_changes_nothing(client: Client, user: User) -> None:
    put(client, VariantFactory(), 2)
    other_browser = Client()
    other_browser.cookies["cart"] = client.cookies["cart"].value
    sign_in(client, user)

    sign_in(other_browser, user)

    assert Cart.objects.get(user=user).lines.get().quantity == 2
