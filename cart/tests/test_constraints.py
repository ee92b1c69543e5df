"""What the database itself refuses of carts, however it is written to."""

from typing import Any
from uuid import uuid4

import pytest
from django.db.models import Model

from accounts.tests.factories import UserFactory
from cart.models import Cart, CartLine
from cart.tests.factories import CartFactory, CartLineFactory
from shop.tests.factories import VariantFactory
from shop.tests.guards import Violation, assert_refused, guards

pytestmark = pytest.mark.django_db

_UNUSED_ID = 10**9

VIOLATIONS = [
    Violation(Cart, "cart_cart_public_id_key", same=("public_id",)),
    Violation(Cart, "cart_one_per_user", same=("user_id",)),
    Violation(
        Cart, "cart_is_not_merged_into_itself", {"id": _UNUSED_ID, "merged_into_id": _UNUSED_ID}
    ),
    Violation(CartLine, "cart_line_per_variant", same=("variant_id",)),
    Violation(CartLine, "cart_line_has_quantity", {"quantity": 0}),
    Violation(CartLine, "cart_cartline_quantity_check", {"quantity": -1}),
    Violation(CartLine, "cart_cartline_seen_price_minor_check", {"seen_price_minor": -1}),
]


@pytest.mark.parametrize("violation", VIOLATIONS, ids=str)
def test_the_database_refuses(violation: Violation) -> None:
    cart = CartFactory(user=UserFactory())
    rows: dict[type[Model], tuple[Model, dict[str, Any]]] = {
        Cart: (cart, {"public_id": uuid4(), "user_id": None}),
        CartLine: (CartLineFactory(cart=cart), {"variant_id": VariantFactory().pk}),
    }

    assert_refused(violation, *rows[violation.model])


def test_every_guard_is_put_to_the_test() -> None:
    assert guards("cart") == {violation.by for violation in VIOLATIONS}
