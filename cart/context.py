"""What every page shows of the cart."""

from collections.abc import Callable
from functools import partial

from django.db.models import Sum
from django.http import HttpRequest

from cart.access import current_cart


def cart(request: HttpRequest) -> dict[str, Callable[[], int]]:
    """Return `cart_count`, which a page calls when it shows it.

    That takes no query for a visitor without the cart's or a session's cookie.
    """
    return {"cart_count": partial(_count, request)}


def _count(request: HttpRequest) -> int:
    """Return the units in the visitor's cart."""
    visitors = current_cart(request)
    if visitors is None:
        return 0
    units: int = visitors.lines.aggregate(units=Sum("quantity", default=0))["units"]
    return units
