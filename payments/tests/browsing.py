"""What tests of the buyer's pages share: a browser with a cart, the form, signed links."""

import re
from html import unescape
from typing import Any

from django.test import Client
from django.urls import reverse

from cart.access import COOKIE, _signer
from cart.models import Cart
from orders import links
from orders.models import Order
from orders.tests.factories import ADDRESS


def cookie_of(cart: Cart) -> dict[str, str]:
    """Return the cookie by which a guest's browser has the cart."""
    return {COOKIE: _signer.sign(str(cart.public_id))}


def visitor(cart: Cart, **options: Any) -> Client:
    """Return the browser of a guest who has the cart; the options are the test client's."""
    client = Client(**options)
    client.cookies.load(cookie_of(cart))
    return client


def checkout_form(client: Client, **changes: str) -> dict[str, str]:
    """Return what the checkout page's form sends when it is filled in, with these changes."""
    page = client.get("/checkout/").content.decode()
    found = re.search(r'name="fingerprint" value="([^"]+)"', page)
    assert found, "the page carries no fingerprint"
    return {"email": "reader@example.com", **ADDRESS, "fingerprint": found[1]} | changes


def order_by_form(client: Client, **changes: str) -> Any:
    """Fill in and send the checkout page's form; return the answer."""
    return client.post("/checkout/", checkout_form(client, **changes))


def signed(name: str, order: Order) -> str:
    """Return the address of an order's page, like "pay", for whoever has the link."""
    return reverse(f"payments:{name}", args=[order.number, links.sign(order.number)])


def title_of(answer: Any) -> str:
    """Return the heading of a page, as its reader sees it."""
    (title,) = re.findall(r"<h1[^>]*>(.+?)</h1>", unescape(answer.content.decode()))
    return str(title)
