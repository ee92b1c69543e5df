"""How much of a variant a cart may have: what is free, and what its own pending orders hold.

Orders stand above carts and hold units for them. They hand their knowledge in at start-up; this is
the one hook that looks upward.
"""

from collections.abc import Callable

from cart.models import Cart

HeldQuantities = Callable[[Cart], dict[int, int]]

_provider: list[HeldQuantities] = []


def register_held_quantities(provider: HeldQuantities) -> None:
    """Hand in who knows the units, by variant id, that a cart's own pending orders hold."""
    _provider[:] = [provider]


def held_quantities(cart: Cart) -> dict[int, int]:
    """Return units by variant id that the cart's own pending orders hold."""
    return {variant: units for held in _provider for variant, units in held(cart).items()}
