"""What every page shows of the cart."""

from collections.abc import Callable
from functools import partial

from django.db.models import Sum
from django.http import HttpRequest

from cart.access import current_cart
from cart.models import Cart


def cart(request: HttpRequest) -> dict[str, Callable[[], int]]:
    """Return `cart_count`, which a page calls when it shows it.

    That takes no query for a visitor without the cart's or a session's cookie.
    """
    return {"cart_count": partial(_count, request)}


def units_in(held: Cart) -> int:
    """Return how many things a cart holds, over all its lines."""
    units: int = held.lines.aggregate(units=Sum("quantity", default=0))["units"]
    return units


def _count(request: HttpRequest) -> int:
    visitors = current_cart(request)
    return units_in(visitors) if visitors else 0
