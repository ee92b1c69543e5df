"""Every change of a cart, under the lock of the cart that the lines are in.

A line holds between one unit and `CART_LINE_LIMIT`; lack of stock never cuts it, placing decides.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import OuterRef, Subquery

from cart.models import Cart, CartLine
from shop.models import Variant


@dataclass(frozen=True, slots=True)
class Change:
    """What a change came to: `units` that came in; `is_capped` when the limit let in fewer."""

    units: int
    is_capped: bool = False


def add(*, cart: Cart, variant: Variant, quantity: int, at: datetime) -> Change:
    """Add `quantity` units (above zero) to what the cart holds of the variant, up to the limit."""
    with _locked(cart) as held:
        return _add(held, variant.pk, quantity, variant.price_minor, at)


def set_quantity(*, cart: Cart, variant: Variant, quantity: int) -> bool:
    """Make a line hold `quantity` units, from one to the limit; today's price counts as seen.

    Returns whether the cart still has the line; it is not made anew.
    """
    with _locked(cart) as held:
        changed = held.lines.filter(variant=variant).update(
            quantity=min(quantity, settings.CART_LINE_LIMIT), seen_price_minor=variant.price_minor
        )
    return bool(changed)


def remove(*, cart: Cart, variant: Variant) -> None:
    """Take a line out; safe to repeat."""
    with _locked(cart) as held:
        held.lines.filter(variant=variant).delete()


def clear(*, cart: Cart) -> None:
    """Take every line out; safe to repeat."""
    with _locked(cart) as held:
        held.lines.all().delete()


def acknowledge_prices(*, cart: Cart) -> None:
    """Take today's prices for seen, as when the buyer goes to the checkout; safe to repeat."""
    today = Variant.objects.filter(pk=OuterRef("variant")).values("price_minor")
    with _locked(cart) as held:
        held.lines.update(seen_price_minor=Subquery(today))


@transaction.atomic
def merge(*, guest: Cart, user_cart: Cart, at: datetime) -> Change:
    """Move a guest's lines into a user's cart, where they add up to the limit at most.

    The guest's row stays, empty, and points to the user's. Merging it again changes nothing.
    """
    carts = Cart.objects.select_for_update(no_key=True).filter(pk__in=[guest.pk, user_cart.pk])
    locked = {cart.pk: cart for cart in carts.order_by("pk")}
    source = locked[guest.pk]
    if source.merged_into_id is not None:
        return Change(units=0)
    changes = [
        _add(locked[user_cart.pk], line.variant_id, line.quantity, line.seen_price_minor, at)
        for line in source.lines.all()
    ]
    source.lines.all().delete()
    source.merged_into = locked[user_cart.pk]
    source.save(update_fields=["merged_into"])
    return Change(
        units=sum(change.units for change in changes),
        is_capped=any(change.is_capped for change in changes),
    )


@contextmanager
def _locked(cart: Cart) -> Iterator[Cart]:
    """Run the block in a transaction that holds the lock of the cart where the lines are now.

    A guest's cart may have been merged into a user's since it was read. Its lock is given back
    before the other is asked for: carts are locked in the order of their keys.
    """
    cart_id = cart.pk
    while True:
        with transaction.atomic():
            held = Cart.objects.select_for_update(no_key=True).get(pk=cart_id)
            if held.merged_into_id is None:
                yield held
                return
        cart_id = held.merged_into_id


def _add(cart: Cart, variant_id: int, quantity: int, seen_price_minor: int, at: datetime) -> Change:
    """Add units to a line of a locked cart, making it if need be."""
    line = cart.lines.filter(variant=variant_id).first() or CartLine(
        cart=cart, variant_id=variant_id, quantity=0, added_at=at
    )
    before = line.quantity
    # A limit that was lowered since does not cut what is there.
    line.quantity = max(before, min(before + quantity, settings.CART_LINE_LIMIT))
    line.seen_price_minor = seen_price_minor
    line.save()
    units = line.quantity - before
    return Change(units=units, is_capped=units < quantity)
