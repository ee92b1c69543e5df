"""Many at once: tabs that add, and sign-ins that merge."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from threading import Barrier
from typing import TypeVar

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from accounts.tests.factories import UserFactory
from cart import services
from cart.models import Cart
from cart.services import Change
from cart.tests.factories import CartFactory, CartLineFactory
from shop.models import Variant
from shop.tests.factories import VariantFactory

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIMIT = settings.CART_LINE_LIMIT

T = TypeVar("T")

pytestmark = pytest.mark.django_db(transaction=True)


def all_at_once(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Run the calls in a thread each, started together; return what they returned, in order."""
    gate = Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        try:
            gate.wait()
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def quantities(cart: Cart) -> dict[int, int]:
    return {line.variant_id: line.quantity for line in cart.lines.all()}


def test_tabs_that_add_a_users_first_books_at_once_make_one_cart() -> None:
    user = UserFactory()
    first, second = VariantFactory.create_batch(2)
    tabs = [Client(), Client(), Client(), Client()]
    for tab in tabs:
        tab.force_login(user)

    def put(tab: Client, variant: Variant) -> int:
        return tab.post("/cart/add/", {"variant": variant.pk, "quantity": 2}).status_code

    answers = all_at_once(
        [partial(put, tab, variant) for tab, variant in zip(tabs, [first, second] * 2, strict=True)]
    )

    assert answers == [302] * 4
    assert quantities(Cart.objects.get()) == {first.pk: 4, second.pk: 4}


def test_units_added_to_one_line_at_once_all_count() -> None:
    line = CartLineFactory(quantity=1)

    changes = all_at_once(
        [partial(services.add, cart=line.cart, variant=line.variant, quantity=2, at=NOON)] * 6
    )

    assert changes == [Change(units=2)] * 6
    assert quantities(line.cart) == {line.variant_id: 13}


def test_the_limit_holds_against_tabs_that_add_at_once() -> None:
    line = CartLineFactory(quantity=LIMIT - 1)

    changes = all_at_once(
        [partial(services.add, cart=line.cart, variant=line.variant, quantity=1, at=NOON)] * 6
    )

    assert sorted(change.units for change in changes) == [0, 0, 0, 0, 0, 1]
    assert quantities(line.cart) == {line.variant_id: LIMIT}


def test_sign_ins_at_once_merge_a_guests_cart_once() -> None:
    line = CartLineFactory(quantity=3)
    users = CartFactory(user=UserFactory())

    changes = all_at_once([partial(services.merge, guest=line.cart, user_cart=users, at=NOON)] * 4)

    assert sorted(change.units for change in changes) == [0, 0, 0, 3]
    assert quantities(users) == {line.variant_id: 3}
    assert quantities(line.cart) == {}


def test_sign_ins_of_two_users_at_once_give_a_guests_cart_to_one_of_them() -> None:
    line = CartLineFactory(quantity=3)
    carts = [CartFactory(user=UserFactory()) for _ in range(2)]

    all_at_once(
        [partial(services.merge, guest=line.cart, user_cart=cart, at=NOON) for cart in carts]
    )

    line.cart.refresh_from_db()
    assert quantities(line.cart.merged_into) == {line.variant_id: 3}
    assert sorted(cart.lines.count() for cart in carts) == [0, 1]


@pytest.mark.parametrize("guest_is_older", [True, False])
def test_nothing_is_lost_when_a_guest_adds_while_signing_in(guest_is_older: bool) -> None:
    user, variant = UserFactory(), VariantFactory()
    first, second = CartFactory(), CartFactory()
    guest, users = (first, second) if guest_is_older else (second, first)
    users.user = user
    users.save()
    CartLineFactory(cart=guest, variant=variant, quantity=1)

    add = partial(services.add, cart=guest, variant=variant, quantity=2, at=NOON)
    merge = partial(services.merge, guest=guest, user_cart=users, at=NOON)
    all_at_once([add, merge, add, merge, add])

    assert quantities(users) == {variant.pk: 7}
    assert quantities(guest) == {}
