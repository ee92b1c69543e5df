"""What guests say of themselves: headers with tokens that the shop signed."""

from typing import Any

CART_TOKEN = "Cart-Token"  # noqa: S105 - the name of a header
ORDER_TOKEN = "Order-Token"  # noqa: S105


def is_api(request: Any) -> bool:
    """Tell whether a client of the API asks, whose cookies say nothing of guests."""
    return bool(request.path.startswith("/api/"))


def guest_of(request: Any) -> str:
    """Return the tokens that a request bears as one text; empty where it bears none."""
    tokens = (request.headers.get(name, "") for name in (CART_TOKEN, ORDER_TOKEN))
    return " ".join(tokens).strip()
