"""How often a caller may ask for something: per client address, per user, per guest.

They count in the cache, so they may count short under a burst: what guards money or stock is a row
in the database, never one of these.
"""

from typing import Any, cast

from django.core.cache import BaseCache, caches
from django.utils.connection import ConnectionProxy
from rest_framework.settings import api_settings
from rest_framework.throttling import SimpleRateThrottle


class _Throttle(SimpleRateThrottle):
    """Counts under a name of DEFAULT_THROTTLE_RATES."""

    scope: str
    cache = cast(BaseCache, ConnectionProxy(caches, "quick"))

    def __init__(self, scope: str) -> None:
        self.scope = scope
        super().__init__()

    def get_rate(self) -> str:
        return str(api_settings.DEFAULT_THROTTLE_RATES[self.scope])


class _ByAddress(_Throttle):
    """One client address; NUM_PROXIES says how many proxies of ours to believe about it."""

    def get_cache_key(self, request: Any, view: Any) -> str | None:
        return f"limit:{self.scope}:address:{self.get_ident(request)}"


class _ByUser(_Throttle):
    """One signed-in user, from wherever; nobody in particular is not limited by this one."""

    def get_cache_key(self, request: Any, view: Any) -> str | None:
        if not request.user.is_authenticated:
            return None
        return f"limit:{self.scope}:user:{request.user.pk}"


class _ByGuest(_Throttle):
    """One guest of the API, from wherever; a token that is made up names none."""

    def get_cache_key(self, request: Any, view: Any) -> str | None:
        guest = view.guest() if hasattr(view, "guest") else ""
        return f"limit:{self.scope}:guest:{guest}" if guest else None


def throttles(name: str) -> list[SimpleRateThrottle]:
    """Return what a request must pass to be within DEFAULT_THROTTLE_RATES[name]."""
    return [_ByAddress(name), _ByUser(name), _ByGuest(name)]
