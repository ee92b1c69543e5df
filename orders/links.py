"""Links by which a guest reaches an order: its number, signed."""

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse

from orders.models import Order

_signer = Signer(salt="orders.link")


def sign(number: str) -> str:
    """Return the signature that opens the order's page to whoever holds the link."""
    return _signer.signature(number)


def is_signed(number: str, signature: str) -> bool:
    """Tell whether `signature` is the one that `sign` made for this number."""
    try:
        _signer.unsign(f"{number}:{signature}")
    except BadSignature:
        return False
    return True


def path(order: Order) -> str:
    """Return the path of the order's page, open to whoever holds it."""
    return reverse("payments:order_by_link", args=[order.number, sign(order.number)])


def url(order: Order) -> str:
    """Return the full address of the order's page, for a mail."""
    return settings.SITE_URL + path(order)
