from collections.abc import Iterator

import pytest
from django.conf import LazySettings
from pytest_django import DjangoAssertNumQueries

from cart import stock
from cart.models import Cart
from cart.quotes import quote
from cart.tests.factories import CartFactory, CartLineFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def held() -> Iterator[dict[int, int]]:
    """Units that the cart's own pending orders hold, by variant id; filled by the test."""
    before = list(stock._provider)
    units: dict[int, int] = {}
    stock.register_held_quantities(lambda cart: units)
    yield units
    stock._provider[:] = before


def test_a_quote_adds_lines_and_flat_shipping_up(settings: LazySettings) -> None:
    settings.SHIPPING_FLAT_MINOR, settings.SHIPPING_FREE_FROM_MINOR = 4_90, 50_00
    line = CartLineFactory(quantity=2, variant__price_minor=12_00)
    CartLineFactory(cart=line.cart, quantity=1, variant__price_minor=5_01)

    current = quote(line.cart)

    assert [x.subtotal_minor for x in current.lines] == [24_00, 5_01]
    assert (current.subtotal_minor, current.shipping_minor, current.total_minor) == (
        29_01,
        4_90,
        33_91,
    )
    assert current.currency == settings.SHOP_CURRENCY


@pytest.mark.parametrize(("price_minor", "shipping_minor"), [(49_99, 4_90), (50_00, 0), (50_01, 0)])
def test_shipping_is_free_from_the_threshold_on(
    settings: LazySettings, price_minor: int, shipping_minor: int
) -> None:
    settings.SHIPPING_FLAT_MINOR, settings.SHIPPING_FREE_FROM_MINOR = 4_90, 50_00
    line = CartLineFactory(variant__price_minor=price_minor)

    assert quote(line.cart).shipping_minor == shipping_minor


def test_an_empty_cart_costs_nothing() -> None:
    current = quote(CartFactory())

    assert (current.lines, current.total_minor, current.quantities) == ((), 0, {})


def test_a_line_is_short_when_it_wants_more_than_is_free() -> None:
    short = CartLineFactory(quantity=3, variant__on_hand=2)
    enough = CartLineFactory(cart=short.cart, quantity=2, variant__on_hand=2)

    current = quote(short.cart)

    assert [(x.variant.pk, x.free_for_cart, x.is_short) for x in current.lines] == [
        (short.variant_id, 2, True),
        (enough.variant_id, 2, False),
    ]
    assert current.quantities == {short.variant_id: 3, enough.variant_id: 2}


def test_what_the_carts_own_orders_hold_is_free_for_it(held: dict[int, int]) -> None:
    line = CartLineFactory(quantity=3, variant__on_hand=2)
    held[line.variant_id] = 1

    (only,) = quote(line.cart).lines

    assert (only.free_for_cart, only.is_short) == (3, False)


def test_a_price_that_changed_since_it_was_seen_is_told() -> None:
    line = CartLineFactory(variant__price_minor=12_00, seen_price_minor=10_00)

    (only,) = quote(line.cart).lines

    assert (only.unit_price_minor, only.seen_price_minor, only.price_changed) == (
        12_00,
        10_00,
        True,
    )


@pytest.mark.parametrize(
    "off_sale",
    [
        {"variant__is_active": False},
        {"variant__product__is_published": False},
        {"variant__currency": "JPY"},
    ],
)
def test_what_is_no_longer_on_sale_costs_nothing_and_stands_in_the_way(
    off_sale: dict[str, object],
) -> None:
    gone = CartLineFactory(variant__product__title="Emma", **off_sale)
    line = CartLineFactory(cart=gone.cart, variant__price_minor=12_00)

    current = quote(gone.cart)

    assert [x.variant.pk for x in current.lines] == [line.variant_id]
    assert [x.variant.pk for x in current.unavailable] == [gone.variant_id]
    assert current.subtotal_minor == 12_00
    assert current.problems == ("“Emma, Paperback” is no longer on sale.",)


def test_the_fingerprint_is_the_same_whatever_the_order_of_the_lines() -> None:
    line = CartLineFactory(quantity=2)
    other = CartLineFactory(cart=line.cart)
    mirrored = CartLineFactory(variant=other.variant).cart
    CartLineFactory(cart=mirrored, variant=line.variant, quantity=2)

    assert quote(line.cart).fingerprint == quote(mirrored).fingerprint
    assert len(quote(line.cart).fingerprint) == 64


@pytest.mark.parametrize("what", ["quantity", "price", "shipping", "line"])
def test_the_fingerprint_changes_with_all_that_the_buyer_agrees_to(
    settings: LazySettings, what: str
) -> None:
    line = CartLineFactory(quantity=2, variant__price_minor=10_00)
    before = quote(line.cart).fingerprint

    if what == "quantity":
        line.quantity = 3
        line.save()
    elif what == "price":
        line.variant.price_minor = 10_01
        line.variant.save()
    elif what == "shipping":
        settings.SHIPPING_FLAT_MINOR += 1
    else:
        CartLineFactory(cart=line.cart, variant__price_minor=0)

    assert quote(line.cart).fingerprint != before


@pytest.mark.parametrize("lines", [1, 6])
def test_a_quote_takes_two_queries_whatever_the_number_of_lines(
    django_assert_num_queries: DjangoAssertNumQueries, lines: int
) -> None:
    cart: Cart = CartFactory()
    CartLineFactory.create_batch(lines, cart=cart)

    with django_assert_num_queries(2):
        assert len(quote(cart).lines) == lines
