"""What every page may show of the shop itself."""

from django.conf import settings
from django.http import HttpRequest

from shop.models import Category


def shop(request: HttpRequest) -> dict[str, object]:
    """Return the shop's names and its top categories (one query, made when a page shows them)."""
    return {
        "shop_name": settings.SHOP_NAME,
        "is_test_mode": not settings.STRIPE_LIVE_MODE,
        "site_url": settings.SITE_URL,
        "shop_currency": settings.SHOP_CURRENCY,
        "shelves": Category.objects.filter(parent=None),
    }
