"""Many at once: tabs that add, and sign-ins that merge."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from threading import Barrier
from typing import TypeVar

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test import Client

from accounts.tests.factories import UserFactory
from cart import services
from cart.models import Cart
from cart.services import Change
from cart.tests.factories import CartFactory, CartLineFactory
from shop.models import Variant
from shop.tests.factories import VariantFactory
from shop.tests.locks import is_somebody_waiting

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIMIT = settings.CART_LINE_LIMIT

T = TypeVar("T")

pytestmark = pytest.mark.django_db(transaction=True)


def all_at_once(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Run the calls in a thread each, started together; return what they returned, in order."""
    gate = Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        with closing(connection):
            connection.ensure_connection()
            gate.wait()
            return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def overlapping(first: Callable[[], object], second: Callable[[], T]) -> T:
    """Run `second` in a thread, and commit `first` only when it waits for that, or is done."""

    def run() -> T:
        with closing(connection):
            return second()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            first()
            outcome = pool.submit(run)
            while not (outcome.done() or is_somebody_waiting()):
                pass
        return outcome.result()


def quantities(cart: Cart) -> dict[int, int]:
    return {line.variant_id: line.quantity for line in cart.lines.all()}


def test_tabs_that_add_a_users_first_books_at_once_make_one_cart() -> None:
    user = UserFactory()
    first, second = VariantFactory.create_batch(2)
    one_tab, other_tab = Client(), Client()
    one_tab.force_login(user)
    other_tab.force_login(user)

    def put(tab: Client, variant: Variant) -> int:
        return tab.post("/cart/add/", {"variant": variant.pk, "quantity": 2}).status_code

    answer = overlapping(partial(put, one_tab, first), partial(put, other_tab, second))

    assert answer == 302
    assert quantities(Cart.objects.get()) == {first.pk: 2, second.pk: 2}


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


def test_what_a_guest_adds_while_signing_in_reaches_the_users_cart() -> None:
    line = CartLineFactory(quantity=1)
    users = CartFactory(user=UserFactory())

    change = overlapping(
        partial(services.merge, guest=line.cart, user_cart=users, at=NOON),
        partial(services.add, cart=line.cart, variant=line.variant, quantity=2, at=NOON),
    )

    assert change == Change(units=2)
    assert quantities(users) == {line.variant_id: 3}
    assert quantities(line.cart) == {}


def test_a_sign_in_takes_along_what_the_guest_is_still_adding() -> None:
    line = CartLineFactory(quantity=1)
    users = CartFactory(user=UserFactory())

    change = overlapping(
        partial(services.add, cart=line.cart, variant=line.variant, quantity=2, at=NOON),
        partial(services.merge, guest=line.cart, user_cart=users, at=NOON),
    )

    assert change == Change(units=3)
    assert quantities(users) == {line.variant_id: 3}
    assert quantities(line.cart) == {}


@pytest.mark.parametrize("guest_is_older", [True, False])
def test_adding_and_signing_in_at_once_neither_lose_nor_deadlock(guest_is_older: bool) -> None:
    variant = VariantFactory()
    carts = CartFactory.create_batch(2)
    guest, users = carts if guest_is_older else reversed(carts)
    users.user = UserFactory()
    users.save()
    CartLineFactory(cart=guest, variant=variant, quantity=1)

    add = partial(services.add, cart=guest, variant=variant, quantity=2, at=NOON)
    merge = partial(services.merge, guest=guest, user_cart=users, at=NOON)
    all_at_once([add, merge, add, merge, add])

    assert quantities(users) == {variant.pk: 7}
    assert quantities(guest) == {}
