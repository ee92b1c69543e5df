"""What every page may show of the shop itself."""

from django.conf import settings
from django.http import HttpRequest


def shop(request: HttpRequest) -> dict[str, object]:
    return {
        "shop_name": settings.SHOP_NAME,
        "is_test_mode": not settings.STRIPE_LIVE_MODE,
        "site_url": settings.SITE_URL,
    }
