"""What was bought leaves the cart once, wherever its lines are by then."""

from datetime import UTC, datetime
from typing import Any

import pytest

from accounts.tests.factories import UserFactory
from cart import services as cart_services
from cart.models import Cart, CartLine
from orders import carts, services
from orders.models import Order, Status
from orders.tests.factories import PendingOrderFactory
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def line(cart: Cart, variant: Any, quantity: int) -> CartLine:
    return CartLine.objects.create(
        cart=cart, variant=variant, quantity=quantity, seen_price_minor=1, added_at=NOON
    )


def quantities(cart: Cart) -> dict[int, int]:
    return dict(CartLine.objects.filter(cart=cart).values_list("variant", "quantity"))


def test_what_was_bought_leaves_the_cart_once_and_the_rest_stays() -> None:
    bought, other = VariantFactory(), VariantFactory()
    order = PendingOrderFactory(quantities={bought: 2})
    assert order.cart is not None
    line(order.cart, bought, 3)
    line(order.cart, other, 1)
    services.let_cart_go(order=order, at=NOON)

    for _ in range(2):
        carts.empty_due(cart=order.cart, at=NOON)

    assert quantities(order.cart) == {bought.pk: 1, other.pk: 1}
    assert Order.objects.get().cart_emptied_at == NOON


def test_an_order_that_is_not_due_takes_nothing_out() -> None:
    variant = VariantFactory()
    order = PendingOrderFactory(quantities={variant: 1})
    assert order.cart is not None
    line(order.cart, variant, 1)

    carts.empty_due(cart=order.cart, at=NOON)

    assert quantities(order.cart) == {variant.pk: 1}
    assert Order.objects.get().cart_emptied_at is None


def test_a_pending_order_whose_money_is_on_its_way_leaves_the_cart_to_another() -> None:
    variant = VariantFactory()
    order = PendingOrderFactory(quantities={variant: 1})
    services.let_cart_go(order=order, at=NOON)
    assert order.cart is not None

    carts.empty_due(cart=order.cart, at=NOON)

    assert carts.held_quantities(order.cart) == {}
    another = PendingOrderFactory(quantities={variant: 2}, cart=order.cart)
    assert carts.held_quantities(order.cart) == {variant.pk: 2}
    assert carts.is_followed(order)
    assert not carts.is_followed(another)


def test_what_a_guest_bought_leaves_the_cart_that_his_was_merged_into() -> None:
    variant = VariantFactory()
    order = PendingOrderFactory(quantities={variant: 2})
    guest = order.cart
    assert guest is not None
    users = Cart.objects.create(user=UserFactory(), created_at=NOON)
    line(guest, variant, 2)
    line(users, variant, 1)
    stale = Cart.objects.get(pk=guest.pk)
    cart_services.merge(guest=guest, user_cart=users, at=NOON)
    services.let_cart_go(order=order, at=NOON)

    with pytest.raises(carts.MergedMeanwhile):
        carts.empty_due(cart=stale, at=NOON)
    stale.refresh_from_db()
    carts.empty_due(cart=stale, at=NOON)

    assert quantities(users) == {variant.pk: 1}


def test_units_held_by_the_carts_own_orders_are_counted_as_its_own() -> None:
    variant = VariantFactory()
    order = PendingOrderFactory(quantities={variant: 2})
    guest = order.cart
    assert guest is not None
    users = Cart.objects.create(user=UserFactory(), created_at=NOON)
    cart_services.merge(guest=guest, user_cart=users, at=NOON)
    PendingOrderFactory(quantities={variant: 1}, cart=users)
    PendingOrderFactory(quantities={variant: 4})

    assert carts.held_quantities(users) == {variant.pk: 3}


@pytest.mark.parametrize(("status", "follows"), [(Status.PENDING, True), (Status.CANCELED, False)])
def test_a_later_order_from_the_same_cart_counts_unless_it_is_canceled(
    status: Status, follows: bool
) -> None:
    first = PendingOrderFactory()
    Order.objects.update(status=Status.CANCELED)
    later = PendingOrderFactory(cart=first.cart)
    Order.objects.filter(pk=later.pk).update(status=status)

    assert carts.is_followed(first) is follows
    assert carts.is_followed(later) is False
