"""Guests of the API, with a cart or with an order."""

from typing import Any

from api.tests.calls import Caller
from cart.access import token_of
from cart.models import Cart
from cart.quotes import quote
from orders import links
from orders.models import Order
from orders.tests.factories import ADDRESS


def guest_of(cart: Cart) -> Caller:
    """Return who has the token of a cart."""
    return Caller(Cart_Token=token_of(cart))


def holder_of(order: Order) -> Caller:
    """Return who has the token of an order."""
    return Caller(Order_Token=links.sign(order.number))


def placing(cart: Cart, **changes: Any) -> dict[str, Any]:
    """Return the body that orders a cart at its figures of now."""
    body = {
        "email": "reader@example.com",
        "shipping_address": ADDRESS,
        "fingerprint": quote(cart).signed_fingerprint,
    }
    return body | changes
