"""What every page may show of the shop itself."""

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest

from shop.models import Category


@dataclass(frozen=True, slots=True)
class Shipping:
    """What sending an order costs, in minor units of `currency`."""

    flat_minor: int
    free_from_minor: int
    currency: str

    @property
    def is_charged(self) -> bool:
        return self.flat_minor > 0 and self.free_from_minor > 0


def shop(request: HttpRequest) -> dict[str, object]:
    """Return the shop's names, terms and top categories (one query, made when a page shows them).

    A view that has read the tree of categories hands `shelves` over itself.
    """
    return {
        "shop_name": settings.SHOP_NAME,
        "is_test_mode": not settings.STRIPE_LIVE_MODE,
        "site_url": settings.SITE_URL,
        "shop_currency": settings.SHOP_CURRENCY,
        "shipping": Shipping(
            settings.SHIPPING_FLAT_MINOR, settings.SHIPPING_FREE_FROM_MINOR, settings.SHOP_CURRENCY
        ),
        "return_days": settings.RETURN_DAYS,
        "shelves": Category.objects.filter(parent=None),
    }
