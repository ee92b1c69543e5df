"""Emptying what orders know of a person; what was bought, when and for how much stays."""

from collections.abc import Collection

from orders.models import Order, OrderNote


def erase(*, order_ids: Collection[int], email: str) -> int:
    """Empty the personal columns of these orders, locked by the caller; return how many.

    `email` takes the place of the address: one of `accounts.erased`. Of where they went the country
    stays, as taxes go by it. Safe to repeat.
    """
    orders = list(Order.objects.filter(pk__in=order_ids))
    for order in orders:
        order.email = email
        order.shipping_address = _country_of(order.shipping_address)
        if order.billing_address is not None:
            order.billing_address = _country_of(order.billing_address)
        order.client_ip = None
        order.cancel_note = ""
    columns = ["email", "shipping_address", "billing_address", "client_ip", "cancel_note"]
    Order.objects.bulk_update(orders, columns, batch_size=500)
    OrderNote.objects.filter(order__in=order_ids).update(text="")
    return len(orders)


def _country_of(address: dict[str, str]) -> dict[str, str]:
    return {"country": address.get("country", "")}
