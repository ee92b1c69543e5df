from datetime import UTC, datetime

import pytest
from django.conf import settings

from cart import services
from cart.models import CartLine
from cart.services import Change
from cart.tests.factories import CartFactory, CartLineFactory
from shop.tests.factories import VariantFactory

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIMIT = settings.CART_LINE_LIMIT

pytestmark = pytest.mark.django_db


def test_adding_makes_a_line_at_the_price_of_today() -> None:
    cart, variant = CartFactory(), VariantFactory(price_minor=9_90)

    change = services.add(cart=cart, variant=variant, quantity=2, at=NOON)

    line = cart.lines.get()
    assert change == Change(units=2)
    assert (line.variant, line.quantity, line.seen_price_minor) == (variant, 2, 9_90)
    assert line.added_at == NOON


def test_adding_again_adds_up_and_takes_the_new_price_for_seen() -> None:
    line = CartLineFactory(quantity=2, variant__price_minor=12_00, seen_price_minor=10_00)

    change = services.add(cart=line.cart, variant=line.variant, quantity=3, at=NOON)

    line.refresh_from_db()
    assert change == Change(units=3)
    assert (line.quantity, line.seen_price_minor) == (5, 12_00)


def test_adding_stops_at_the_limit_and_says_so() -> None:
    line = CartLineFactory(quantity=LIMIT - 1)

    change = services.add(cart=line.cart, variant=line.variant, quantity=5, at=NOON)

    line.refresh_from_db()
    assert change == Change(units=1, is_capped=True)
    assert line.quantity == LIMIT


def test_adding_to_a_line_above_a_limit_lowered_since_leaves_it() -> None:
    line = CartLineFactory(quantity=LIMIT + 5)

    change = services.add(cart=line.cart, variant=line.variant, quantity=1, at=NOON)

    line.refresh_from_db()
    assert change == Change(units=0, is_capped=True)
    assert line.quantity == LIMIT + 5


def test_lack_of_stock_does_not_cut_a_line() -> None:
    cart, variant = CartFactory(), VariantFactory(on_hand=1)

    services.add(cart=cart, variant=variant, quantity=4, at=NOON)

    assert cart.lines.get().quantity == 4


def test_a_quantity_can_be_changed_and_the_price_counts_as_seen() -> None:
    line = CartLineFactory(quantity=2, variant__price_minor=12_00, seen_price_minor=10_00)

    is_there = services.set_quantity(cart=line.cart, variant=line.variant, quantity=7)

    line.refresh_from_db()
    assert is_there
    assert (line.quantity, line.seen_price_minor) == (7, 12_00)


def test_a_changed_quantity_stops_at_the_limit() -> None:
    line = CartLineFactory()

    services.set_quantity(cart=line.cart, variant=line.variant, quantity=LIMIT + 1)

    line.refresh_from_db()
    assert line.quantity == LIMIT


def test_changing_a_line_that_is_gone_does_not_bring_it_back() -> None:
    cart, variant = CartFactory(), VariantFactory()

    is_there = services.set_quantity(cart=cart, variant=variant, quantity=2)

    assert not is_there
    assert not CartLine.objects.exists()


def test_removing_takes_out_that_line_alone_and_may_be_repeated() -> None:
    kept = CartLineFactory()
    removed = CartLineFactory(cart=kept.cart)

    services.remove(cart=kept.cart, variant=removed.variant)
    services.remove(cart=kept.cart, variant=removed.variant)

    assert list(kept.cart.lines.all()) == [kept]


def test_clearing_empties_this_cart_alone() -> None:
    line, of_another = CartLineFactory(), CartLineFactory()

    services.clear(cart=line.cart)

    assert list(CartLine.objects.all()) == [of_another]


def test_acknowledging_takes_the_prices_of_today_for_seen_in_this_cart_alone() -> None:
    line = CartLineFactory(variant__price_minor=12_00, seen_price_minor=10_00)
    of_another = CartLineFactory(variant__price_minor=12_00, seen_price_minor=10_00)

    services.acknowledge_prices(cart=line.cart)

    line.refresh_from_db()
    of_another.refresh_from_db()
    assert (line.seen_price_minor, of_another.seen_price_minor) == (12_00, 10_00)


def test_a_change_meant_for_a_merged_cart_reaches_the_cart_where_its_lines_are() -> None:
    guest, users, variant = CartFactory(), CartFactory(), VariantFactory()
    services.merge(guest=guest, user_cart=users, at=NOON)

    services.add(cart=guest, variant=variant, quantity=1, at=NOON)

    assert users.lines.get().variant == variant
    assert not guest.lines.exists()
