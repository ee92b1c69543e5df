"""Webhook endpoints: where events are posted, which, and the secret that signs them."""

from stripe_sandbox import listeners
from stripe_sandbox.call import Call
from stripe_sandbox.errors import invalid, missing, no_such
from stripe_sandbox.event_types import EVENT_TYPES
from stripe_sandbox.lists import PAGE_PARAMS, page
from stripe_sandbox.objects import API_VERSION, new_id
from stripe_sandbox.params import (
    Raw,
    Rule,
    boolean,
    changed_metadata,
    choice,
    clearable,
    items,
    metadata_changes,
    not_here,
    only,
    text,
    url,
)
from stripe_sandbox.store import Record

_event_types = items(choice(listeners.EVERYTHING, *EVENT_TYPES), len(EVENT_TYPES) + 1)


def _enabled_events(name: str, raw: Raw) -> list[str]:
    chosen: list[str] = _event_types(name, raw)
    if not chosen:
        raise missing(name)
    return chosen


_CHANGEABLE: dict[str, Rule] = {
    "description": clearable(text),
    "enabled_events": _enabled_events,
    "metadata": metadata_changes,
    "url": url,
}
CREATE_PARAMS = _CHANGEABLE | {
    "api_version": only(API_VERSION, text),
    "connect": not_here("it has one account"),
}
UPDATE_PARAMS = _CHANGEABLE | {"disabled": boolean}


def create(call: Call) -> Record:
    """Open an endpoint; only this answer ever tells the secret."""
    at = call.twin.catch_up()
    params = call.read(CREATE_PARAMS)
    for name in ("enabled_events", "url"):
        if name not in params:
            raise missing(name)
    if call.twin.store.count("webhook_endpoint") >= listeners.MOST:
        raise invalid(f"You have reached the maximum of {listeners.MOST} test webhook endpoints.")
    endpoint = listeners.endpoint(url=params["url"], secret=new_id("whsec_", 32), at=at)
    endpoint = _changed(endpoint, params | {"api_version": params.get("api_version")})
    call.twin.store.save(endpoint)
    return call.view(endpoint) | {"secret": endpoint["_secret"]}


def list_all(call: Call) -> Record:
    params = call.read({name: rule for name, rule in PAGE_PARAMS.items() if name != "created"})
    return call.views(page(call.twin.store, "webhook_endpoint", call.path, params, []))


def read(call: Call, endpoint_id: str) -> Record:
    call.read({})
    return call.view(_existing(call, endpoint_id))


def update(call: Call, endpoint_id: str) -> Record:
    endpoint = _changed(_existing(call, endpoint_id), call.read(UPDATE_PARAMS))
    if "disabled" in endpoint:
        endpoint["status"] = "disabled" if endpoint.pop("disabled") else "enabled"
    call.twin.store.save(endpoint)
    return call.view(endpoint)


def delete(call: Call, endpoint_id: str) -> Record:
    """Close an endpoint; what still waited for it is never sent."""
    call.read({})
    _existing(call, endpoint_id)
    call.twin.store.delete_endpoint(endpoint_id)
    return {"id": endpoint_id, "object": "webhook_endpoint", "deleted": True}


def _changed(endpoint: Record, changes: Record) -> Record:
    changed = endpoint | changes
    if "metadata" in changes:
        changed["metadata"] = changed_metadata(endpoint["metadata"], changes["metadata"])
    return changed


def _existing(call: Call, endpoint_id: str) -> Record:
    endpoint = call.twin.store.find("webhook_endpoint", endpoint_id)
    if endpoint is None:
        raise no_such("webhook endpoint", endpoint_id, "webhook_endpoint")
    return endpoint
