"""The one client that we speak to Stripe with, and what both it and dj-stripe's are told."""

from functools import cache
from typing import Any

import stripe
from django.conf import settings

from payments.gateway.errors import failures

_CONNECT_SECONDS, _READ_SECONDS = 3.05, 10


def ping() -> None:
    """Ask Stripe whose key this is: one small object, and nobody's order or person in it."""
    with failures():
        try:
            client().v1.accounts.retrieve_current()
        except stripe.PermissionError:
            # Stripe knows our key. A restricted one need not have the right to see the account.
            return


def configure_library() -> None:
    """Give dj-stripe's calls, which use the library's global client, our time-outs and retries."""
    stripe.default_http_client = stripe.RequestsClient(timeout=(_CONNECT_SECONDS, _READ_SECONDS))
    stripe.max_network_retries = 0


@cache
def client() -> stripe.StripeClient:
    return client_with(settings.STRIPE_SECRET_KEY)


def client_with(key: str) -> stripe.StripeClient:
    """Make a client that has this key."""
    # The client of its own knows nothing of the library's global address: it is told here.
    host = getattr(settings, "STRIPE_API_HOST", None)
    return stripe.StripeClient(
        key,
        stripe_version=settings.STRIPE_API_VERSION,
        base_addresses={"api": host} if host else {},
        max_network_retries=0,
        http_client=stripe.RequestsClient(timeout=(_CONNECT_SECONDS, _READ_SECONDS)),
    )


def metadata_of(found: Any) -> dict[str, str]:
    """Return metadata as a dictionary; the library's objects are none."""
    return found.to_dict() if found else {}
