"""Webhook endpoints as they are kept, and which of them an event is for."""

from stripe_sandbox.objects import API_VERSION, new_id
from stripe_sandbox.store import Record, Store

EVERYTHING = "*"
MOST = 16  # beside the one that the environment names


def listening(store: Store, event_type: str) -> list[Record]:
    """Return the endpoints that are to hear of an event of this type."""
    is_enabled = ("json_extract(body, '$.status') = ?", "enabled")
    enabled = store.select("webhook_endpoint", [is_enabled], newest_first=False, limit=MOST + 1)
    wanted = {EVERYTHING, event_type}
    return [found for found in enabled if wanted & set(found["enabled_events"])]


def endpoint(*, url: str, secret: str, at: int, endpoint_id: str | None = None) -> Record:
    return {
        "id": endpoint_id or new_id("we_"),
        "object": "webhook_endpoint",
        "api_version": API_VERSION,
        "application": None,
        "created": at,
        "description": None,
        "enabled_events": [EVERYTHING],
        "livemode": False,
        "metadata": {},
        "status": "enabled",
        "url": url,
        "_secret": secret,
    }
