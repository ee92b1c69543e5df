"""Where Stripe posts its events."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import stripe
from django.conf import settings

from payments.gateway.client import client
from payments.gateway.errors import failures


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A webhook endpoint; `secret` is told once, by the answer that made it."""

    id: str
    url: str
    api_version: str
    enabled_events: tuple[str, ...]
    is_enabled: bool
    secret: str = field(default="", repr=False)


def list_endpoints() -> list[Endpoint]:
    """Read every webhook endpoint of the account, newest first."""
    with failures():
        listed = client().v1.webhook_endpoints.list(params={"limit": 100})
        return [_endpoint(found) for found in listed.auto_paging_iter()]


def create_endpoint(
    *, url: str, events: Sequence[str], metadata: dict[str, str], idempotency_key: str
) -> Endpoint:
    """Have Stripe post these types of events to `url`; an unanswered request is repeated."""
    # The library wants each type of event as a literal.
    params: Any = {
        "url": url,
        "enabled_events": list(events),
        "api_version": settings.STRIPE_API_VERSION,
        "metadata": metadata,
    }
    with failures():
        return _endpoint(
            client().v1.webhook_endpoints.create(
                params=params,
                options={"idempotency_key": idempotency_key, "max_network_retries": 2},
            )
        )


def update_endpoint(endpoint_id: str, *, url: str, events: Sequence[str]) -> Endpoint:
    """Enable an endpoint with this address and these events; its API version cannot change."""
    params: Any = {"url": url, "enabled_events": list(events), "disabled": False}
    with failures():
        return _endpoint(client().v1.webhook_endpoints.update(endpoint_id, params=params))


def delete_endpoint(endpoint_id: str) -> None:
    """Have Stripe post nothing there any more; raises Missing."""
    with failures():
        client().v1.webhook_endpoints.delete(endpoint_id)


def signature(body: str, secret: str) -> str:
    """Return the Stripe-Signature header with which Stripe would post `body` to an endpoint."""
    header: str = stripe.WebhookSignature.generate_signature_header(body, secret)
    return header


def _endpoint(found: stripe.WebhookEndpoint) -> Endpoint:
    return Endpoint(
        id=found.id,
        url=found.url,
        api_version=found.api_version or "",
        enabled_events=tuple(found.enabled_events),
        is_enabled=found.status == "enabled",
        # Left out of every answer but one.
        secret=getattr(found, "secret", None) or "",
    )
