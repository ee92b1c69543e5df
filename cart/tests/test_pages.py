import re
from collections.abc import Callable
from html import unescape

import pytest
from django.conf import LazySettings, settings
from django.core import signing
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from accounts.tests.factories import UserFactory
from cart.models import Cart, CartLine
from cart.tests.factories import CartFactory, CartLineFactory
from shop.models import Variant
from shop.tests.factories import ProductFactory, VariantFactory

LIMIT = settings.CART_LINE_LIMIT
NOT_QUANTITIES = ["", "two", "1.5", "-1", "1e3", "9" * 30, "9" * 6000, "\0", "٣x", str(LIMIT + 1)]

pytestmark = pytest.mark.django_db


def put(client: Client, variant: Variant, quantity: object = 1) -> None:
    response = client.post("/cart/add/", {"variant": variant.pk, "quantity": quantity})
    assert (response.status_code, response["Location"]) == (302, "/cart/")


def page(client: Client) -> str:
    response = client.get("/cart/")
    assert response.status_code == 200
    return unescape(response.content.decode())


def quantities() -> list[int]:
    return [line.quantity for line in CartLine.objects.all()]


def test_a_visitor_who_only_looks_gets_neither_row_nor_cookie(client: Client) -> None:
    text = page(client)

    assert "Your cart is empty" in text
    assert "cart" not in client.cookies
    assert not Cart.objects.exists()


def test_what_was_added_stands_in_the_cart_with_its_figures(client: Client) -> None:
    variant = VariantFactory(product__title="Emma", title="Hardcover", price_minor=12_50)

    put(client, variant, 3)

    text = page(client)
    assert "Added 3 of “Emma” (Hardcover) to your cart." in text
    assert "Hardcover, €12.50 each" in text
    assert "<dt>Subtotal</dt><dd>€37.50</dd>" in text
    assert "<dt>Shipping</dt><dd>€4.90</dd>" in text
    assert "<dt>Total</dt><dd>€42.40</dd>" in text
    assert 'href="/checkout/"' in text


def test_the_cookie_names_the_cart_and_nothing_else(client: Client) -> None:
    put(client, VariantFactory())

    cookie = client.cookies["cart"]
    public_id = signing.Signer(salt="cart.cookie").unsign(cookie.value)
    assert public_id == str(Cart.objects.get().public_id)
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
    assert cookie["max-age"] == 90 * 24 * 60 * 60


@pytest.mark.parametrize("is_https", [True, False])
def test_the_cookie_is_as_secure_as_the_sessions(
    client: Client, settings: LazySettings, is_https: bool
) -> None:
    settings.SESSION_COOKIE_SECURE = is_https

    put(client, VariantFactory())

    assert bool(client.cookies["cart"]["secure"]) is is_https


def test_a_guest_adds_to_the_same_cart_again(client: Client) -> None:
    variant = VariantFactory()

    put(client, variant, 2)
    put(client, variant, 3)

    assert Cart.objects.count() == 1
    assert quantities() == [5]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: "",
        lambda token: token[:-1],
        lambda token: "00000000-0000-4000-8000-000000000000:" + token.split(":")[1],
        lambda token: signing.Signer(salt="another").sign(token.split(":")[0]),
        lambda token: "\u00e4\0:;",
    ],
)
def test_a_tampered_cookie_is_no_cart(client: Client, spoil: Callable[[str], str]) -> None:
    put(client, VariantFactory())
    client.cookies["cart"] = spoil(client.cookies["cart"].value)

    assert "Your cart is empty" in page(client)


def test_a_cookie_of_a_cart_that_is_gone_is_no_cart(client: Client) -> None:
    put(client, VariantFactory())
    Cart.objects.all().delete()

    assert "Your cart is empty" in page(client)


def test_a_signed_in_user_has_one_cart_and_no_cookie(client: Client) -> None:
    user: User = UserFactory()
    client.force_login(user)

    put(client, VariantFactory())
    put(client, VariantFactory())

    assert Cart.objects.get().user == user
    assert "cart" not in client.cookies


def test_a_line_that_reaches_the_limit_is_capped_with_a_word(client: Client) -> None:
    variant = VariantFactory(product__title="Emma")
    put(client, variant, LIMIT - 1)

    put(client, variant, 4)

    text = page(client)
    assert quantities() == [LIMIT]
    assert "Added “Emma” (Paperback) to your cart." in text
    assert f"A cart holds at most {LIMIT} of “Emma” (Paperback)." in text


@pytest.mark.parametrize("quantity", [*NOT_QUANTITIES, "0"])
def test_a_quantity_that_is_none_is_refused_beside_the_field(client: Client, quantity: str) -> None:
    response = client.post("/cart/add/", {"variant": VariantFactory().pk, "quantity": quantity})

    assert response.status_code == 422
    assert 'class="field__error" id="id_quantity_error"' in response.content.decode()
    assert not Cart.objects.exists()


@pytest.mark.parametrize("variant", ["", "0", "-1", "none", "9" * 30, "\0"])
def test_an_unknown_variant_cannot_be_added(client: Client, variant: str) -> None:
    response = client.post("/cart/add/", {"variant": variant, "quantity": 1})

    assert response.status_code == 404
    assert not Cart.objects.exists()


def test_a_variant_that_is_not_on_sale_cannot_be_added(client: Client) -> None:
    variant = VariantFactory(is_active=False)

    response = client.post("/cart/add/", {"variant": variant.pk, "quantity": 1})

    assert response.status_code == 404
    assert not Cart.objects.exists()


def test_a_quantity_can_be_changed(client: Client) -> None:
    variant = VariantFactory()
    put(client, variant, 2)

    response = client.post(f"/cart/lines/{variant.pk}/", {"quantity": 7})

    assert response.status_code == 302
    assert quantities() == [7]


@pytest.mark.parametrize("quantity", NOT_QUANTITIES)
def test_a_change_to_no_quantity_is_refused_beside_its_field(client: Client, quantity: str) -> None:
    variant = VariantFactory()
    put(client, variant, 2)

    response = client.post(f"/cart/lines/{variant.pk}/", {"quantity": quantity})

    assert response.status_code == 422
    assert f'id="quantity-{variant.pk}_error"' in response.content.decode()
    assert quantities() == [2]


def test_a_quantity_of_none_takes_the_line_out(client: Client) -> None:
    variant = VariantFactory()
    put(client, variant, 2)

    client.post(f"/cart/lines/{variant.pk}/", {"quantity": 0})

    assert quantities() == []


def test_a_line_that_another_tab_removed_is_not_brought_back(client: Client) -> None:
    variant = VariantFactory()
    put(client, variant)
    client.post(f"/cart/lines/{variant.pk}/remove/")

    response = client.post(f"/cart/lines/{variant.pk}/", {"quantity": 2})

    assert response.status_code == 302
    assert "That book is no longer in your cart." in page(client)
    assert quantities() == []


@pytest.mark.parametrize("path", ["/cart/lines/0/", "/cart/lines/0/remove/"])
def test_a_line_of_an_unknown_variant_is_not_found(client: Client, path: str) -> None:
    assert client.post(path, {"quantity": 1}).status_code == 404


def test_lines_can_be_removed_and_the_cart_cleared(client: Client) -> None:
    first, second, third = VariantFactory.create_batch(3)
    for variant in (first, second, third):
        put(client, variant)

    client.post(f"/cart/lines/{second.pk}/remove/")
    left = set(CartLine.objects.values_list("variant_id", flat=True))
    client.post("/cart/clear/")

    assert left == {first.pk, third.pk}
    assert "Your cart is empty" in page(client)


def test_nobody_changes_a_line_of_somebody_elses_cart(client: Client) -> None:
    line = CartLineFactory(cart=CartFactory(user=UserFactory()), quantity=2)
    put(client, VariantFactory())

    client.post(f"/cart/lines/{line.variant_id}/", {"quantity": 9})
    client.post(f"/cart/lines/{line.variant_id}/remove/")

    line.refresh_from_db()
    assert line.quantity == 2


@pytest.mark.parametrize(
    "path", ["/cart/add/", "/cart/clear/", "/cart/lines/1/", "/cart/lines/1/remove/"]
)
def test_looking_at_a_form_changes_nothing(client: Client, path: str) -> None:
    assert client.get(path).status_code == 405


def test_the_page_tells_a_changed_price_until_the_line_is_touched(client: Client) -> None:
    variant = VariantFactory(price_minor=10_00)
    put(client, variant)
    Variant.objects.update(price_minor=12_00)

    before = page(client)
    client.post(f"/cart/lines/{variant.pk}/", {"quantity": 1})
    after = page(client)

    assert "was €10.00, now €12.00." in before
    assert "The price has changed" not in after


@pytest.mark.parametrize(
    ("quantity", "words"),
    [(1, "<strong>€37.50 more</strong> for free shipping"), (5, "<dt>Shipping</dt><dd>Free</dd>")],
)
def test_the_page_tells_how_far_it_is_to_free_shipping(
    client: Client, quantity: int, words: str
) -> None:
    put(client, VariantFactory(price_minor=12_50), quantity)

    text = page(client)

    assert words in text
    assert ("<progress" in text) is ("more" in words)


def test_the_page_says_for_screen_readers_what_a_change_has_come_to(client: Client) -> None:
    variant = VariantFactory(price_minor=12_50)
    put(client, variant)

    client.post(f"/cart/lines/{variant.pk}/", {"quantity": 3})

    assert 'data-news="Your cart has 3 items, €42.40 with shipping."' in page(client)


@pytest.mark.parametrize(("quantity", "ended"), [(1, {"less"}), (2, set()), (LIMIT, {"more"})])
def test_steps_end_at_one_and_at_the_limit(client: Client, quantity: int, ended: set[str]) -> None:
    put(client, VariantFactory(), quantity)

    steps = re.findall(r'<button class="stepper__step"[^>]*id="(\w+)-\d+"([^>]*)>', page(client))

    assert [name for name, _ in steps] == ["less", "more"]
    assert {name for name, rest in steps if "aria-disabled" in rest} == ended


@pytest.mark.parametrize(
    ("on_hand", "words"), [(2, "only 2 left."), (0, "sold out at the moment.")]
)
def test_the_page_warns_of_short_stock_and_leaves_the_line(
    client: Client, on_hand: int, words: str
) -> None:
    put(client, VariantFactory(on_hand=on_hand), 3)

    assert words in page(client)
    assert quantities() == [3]


def test_what_is_no_longer_on_sale_is_shown_and_blocks_the_checkout(client: Client) -> None:
    variant = VariantFactory(product__title="Emma")
    put(client, variant)
    put(client, VariantFactory())
    Variant.objects.filter(pk=variant.pk).update(is_active=False)

    text = page(client)

    assert "no longer on sale" in text
    assert f'action="/cart/lines/{variant.pk}/remove/"' in text
    assert 'href="/checkout/"' not in text


def test_every_page_counts_the_units_in_the_cart(client: Client) -> None:
    put(client, VariantFactory(), 2)
    put(client, VariantFactory(), 1)

    assert '<span class="site-header__count">3<' in client.get("/").content.decode()


@pytest.mark.parametrize("lines", [1, 5])
def test_the_cart_page_takes_as_many_queries_whatever_the_number_of_lines(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries, lines: int
) -> None:
    client.force_login(user := UserFactory())
    CartLineFactory.create_batch(lines, cart=CartFactory(user=user))

    # Session, user, cart, held units, lines, images; the header's count (2) and shelves.
    with django_assert_num_queries(9):
        page(client)


def test_the_count_of_a_visitor_without_cookies_takes_no_query(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    ProductFactory()

    # The header's shelves.
    with django_assert_num_queries(1):
        page(client)
