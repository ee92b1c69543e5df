"""What orders mean to their cart: what they hold of it, and taking out what was bought.

A guest's cart that was merged into a user's at sign-in belongs to the same family: its orders count
as the user's cart's own, and what they bought is taken from there.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import Q, Sum

from cart.models import Cart, CartLine
from orders.models import Order, OrderLine, OrderQuerySet, Status


def held_quantities(cart: Cart) -> dict[int, int]:
    """Return the units, by variant id, that the cart's own pending orders hold."""
    own = Order.objects.pending().in_cart().filter(_of_family(cart, "cart"))
    held = (
        OrderLine.objects.filter(order__in=own).values("variant_id").annotate(units=Sum("quantity"))
    )
    return {row["variant_id"]: row["units"] for row in held}


class MergedMeanwhile(Exception):
    """The cart was merged into a user's since it was read: read it again and repeat."""


def lock_family(cart: Cart) -> Cart:
    """Lock the carts of this family, in the order of their keys; return the one with the lines.

    Raises MergedMeanwhile.
    """
    carts = list(
        Cart.objects.select_for_update(no_key=True)
        .filter(Q(pk=_root_id(cart)) | Q(merged_into=_root_id(cart)))
        .order_by("pk")
    )
    root = next(member for member in carts if member.pk == _root_id(cart))
    if root.merged_into_id is not None:
        raise MergedMeanwhile(root.pk)
    return root


def lock_orders(cart: Cart) -> list[Order]:
    """Lock the family's orders whose goods may still have to leave the cart, whatever their status.

    So a payment that arrives late for one of them takes its turn. The carts are locked already.
    """
    return list(
        Order.objects.in_cart()
        .select_for_update(no_key=True)
        .filter(_of_family(cart, "cart"))
        .order_by("pk")
    )


@transaction.atomic
def empty_due(*, cart: Cart, at: datetime) -> list[Order]:
    """Take out of the cart what paid orders bought, once each; return the orders locked for it.

    From then on an order that still waits for its money is no longer the cart's own, so that the
    buyer can shop on. Safe to repeat. Raises MergedMeanwhile.
    """
    root = lock_family(cart)
    orders = lock_orders(root)
    for order in orders:
        if order.cart_due_at is None:
            continue
        bought = {line.variant_id: line.quantity for line in order.lines.all()}
        for line in CartLine.objects.filter(cart=root, variant__in=bought):
            line.quantity -= bought[line.variant_id]
            if line.quantity > 0:
                line.save(update_fields=["quantity"])
            else:
                line.delete()
        order.cart_emptied_at = at
        order.save(update_fields=["cart_emptied_at"])
    return orders


def emptied_orders(cart: Cart) -> OrderQuerySet:
    """Return the orders of the family whose goods have left the cart, newest first."""
    emptied = Order.objects.filter(cart_emptied_at__isnull=False)
    return emptied.filter(_of_family(cart, "cart")).order_by("-pk")


def is_followed(order: Order) -> bool:
    """Tell whether a later order, not canceled, was placed from the same cart."""
    return (
        order.cart is not None
        and Order.objects.filter(_of_family(order.cart, "cart"), pk__gt=order.pk)
        .exclude(status=Status.CANCELED)
        .exists()
    )


def _root_id(cart: Cart) -> int:
    return cart.merged_into_id or cart.pk


def _of_family(cart: Cart, field: str) -> Q:
    root_id = _root_id(cart)
    return Q(**{field: root_id}) | Q(**{f"{field}__merged_into": root_id})
