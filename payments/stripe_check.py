"""Whether Stripe answers to our key: asked by the worker, remembered for whoever asks the shop."""

from datetime import datetime, timedelta

from django.core.cache import cache

from payments import gateway

OK = "ok"
_KEY = "stripe-check"
# The job asks every minute: it missed two rounds.
_FRESH = timedelta(minutes=3)


def ask(*, at: datetime) -> None:
    """Ask Stripe for as little as there is, and remember how that went."""
    try:
        gateway.ping()
        word = OK
    except gateway.NotAvailable:
        word = "unauthorized"
    except gateway.GatewayError:
        word = "unreachable"
    cache.set(_KEY, (word, at), timeout=None)


def last_word(*, at: datetime) -> str:
    """Return `ok`, `unauthorized` or `unreachable`; `stale` when it is old, `unknown` if none."""
    remembered: tuple[str, datetime] | None = cache.get(_KEY)
    if remembered is None:
        return "unknown"
    word, asked_at = remembered
    return word if at - asked_at < _FRESH else "stale"
