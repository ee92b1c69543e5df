"""Staff's deeds in the admin, as a browser without JavaScript does them."""

import re
from html import unescape
from typing import Any

from django.test import Client
from django.urls import reverse

from orders.models import Order


def page_of(order: Order, deed: str) -> str:
    return reverse(f"admin:orders_order_{deed}", args=[order.pk])


def order_page(order: Order) -> str:
    return reverse("admin:orders_order_change", args=[order.pk])


def filled_in(staff: Client, address: str, **fields: Any) -> dict[str, Any]:
    """Return what the form at the address sends when these fields are filled in."""
    form = staff.get(address).context["form"]
    return {"key": form["key"].value()} | fields


def confirmed(staff: Client, address: str, form: dict[str, Any]) -> dict[str, Any]:
    """Return what the page that says what the form will do sends once that is confirmed."""
    page = staff.post(address, form).content.decode()
    sent: dict[str, Any] = {"confirmed": "1"}
    for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page):
        sent.setdefault(name, []).append(unescape(value))
    return sent


def do(staff: Client, address: str, **fields: Any) -> Any:
    """Fill in the form at the address, confirm what it will do; return the answer."""
    return staff.post(address, confirmed(staff, address, filled_in(staff, address, **fields)))
