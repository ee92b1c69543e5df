"""Webhook endpoints made through the API: who hears of what, and whose secret signs it."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import stripe

from stripe_sandbox.event_types import EVENT_TYPES
from stripe_sandbox.tests.conftest import API_VERSION, SECONDS, WEBHOOK_SECRET, Receiver, Twin
from stripe_sandbox.tests.sessions import PAID

Endpoint = stripe.WebhookEndpoint


@pytest.fixture
def sender(start: Callable[..., Twin]) -> Twin:
    """A sandbox without an endpoint; what fails is sent again only when its clock is moved."""
    return start(STRIPE_WEBHOOK_BACKOFF="60")


def create(twin: Twin, url: str, *events: str, **more: object) -> Endpoint:
    params: Any = {"url": url, "enabled_events": list(events) or ["*"], **more}
    return twin.sdk.v1.webhook_endpoints.create(params=params)


def refused(twin: Twin, **params: Any) -> stripe.StripeError:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        twin.sdk.v1.webhook_endpoints.create(params=params)  # type: ignore[arg-type]
    return refusal.value


def received(receiver: Receiver, secret: str | None, count: int) -> list[str]:
    """Return the types of that many deliveries, each verified with the secret."""
    types = []
    for _ in range(count):
        headers, body = receiver.received.get(timeout=SECONDS)
        event = stripe.Webhook.construct_event(body, headers["Stripe-Signature"], secret or "")
        types.append(event.type)
    return sorted(types)


def test_only_the_answer_to_creating_tells_the_secret(twin: Twin) -> None:
    params: Any = {"url": "http://127.0.0.1:9/hook/", "enabled_events": ["charge.updated"]}
    params |= {"api_version": API_VERSION, "metadata": {"a": "1"}, "description": "The shop's"}
    options: Any = {"idempotency_key": "once"}

    made = twin.sdk.v1.webhook_endpoints.create(params=params, options=options)
    again = twin.sdk.v1.webhook_endpoints.create(params=params, options=options)
    read = twin.sdk.v1.webhook_endpoints.retrieve(made.id)

    assert made.secret is not None
    assert made.secret.startswith("whsec_")
    assert (again.id, again.secret) == (made.id, made.secret)
    assert "secret" not in read.to_dict()
    assert read.to_dict() == {
        name: value for name, value in made.to_dict().items() if name != "secret"
    }
    assert (read.url, read.enabled_events, read.status, read.api_version) == (
        "http://127.0.0.1:9/hook/",
        ["charge.updated"],
        "enabled",
        API_VERSION,
    )
    assert create(twin, "http://127.0.0.1:9/hook/").secret != made.secret


def test_an_update_changes_what_it_names(twin: Twin) -> None:
    made = create(twin, "http://127.0.0.1:9/", metadata={"a": "1", "b": "2"}, description="old")

    changed = twin.sdk.v1.webhook_endpoints.update(
        made.id,
        params={
            "url": "https://shop.example/hook/",
            "enabled_events": ["charge.updated", "charge.failed"],
            "disabled": True,
            "metadata": {"a": "", "c": "3"},
            "description": "",
        },
    )

    assert changed.metadata is not None
    assert changed.metadata.to_dict() == {"b": "2", "c": "3"}
    assert (changed.url, changed.status, changed.description) == (
        "https://shop.example/hook/",
        "disabled",
        None,
    )
    assert changed.enabled_events == ["charge.updated", "charge.failed"]
    params: Any = {"disabled": False, "metadata": ""}
    enabled = twin.sdk.v1.webhook_endpoints.update(made.id, params=params)
    assert (enabled.status, enabled.metadata) == ("enabled", stripe.StripeObject())


def test_the_list_has_all_newest_first_and_a_deleted_one_is_gone(twin: Twin) -> None:
    ids = [create(twin, f"http://127.0.0.1:9/{number}/").id for number in range(3)]

    deleted = twin.sdk.v1.webhook_endpoints.delete(ids[1])

    assert deleted.to_dict() == {"id": ids[1], "object": "webhook_endpoint", "deleted": True}
    listed = twin.sdk.v1.webhook_endpoints.list(params={"limit": 1})
    assert [found.id for found in listed.auto_paging_iter()] == [ids[2], ids[0]]
    for call in (
        twin.sdk.v1.webhook_endpoints.retrieve,
        twin.sdk.v1.webhook_endpoints.update,
        twin.sdk.v1.webhook_endpoints.delete,
    ):
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            call(ids[1])
        assert (refusal.value.http_status, refusal.value.code) == (404, "resource_missing")


@pytest.mark.parametrize(
    ("changes", "param", "code"),
    [
        ({"url": "shop.example/hook"}, "url", "url_invalid"),
        ({"url": "ftp://shop.example/"}, "url", "url_invalid"),
        ({"url": None}, "url", "parameter_missing"),
        ({"enabled_events": None}, "enabled_events", "parameter_missing"),
        ({"enabled_events": ["charge.exploded"]}, "enabled_events[0]", None),
        ({"enabled_events": ["charge.updated", ""]}, "enabled_events[1]", None),
        ({"secret": "whsec_mine"}, "secret", "parameter_unknown"),
        ({"disabled": True}, "disabled", "parameter_unknown"),
        ({"api_version": "2020-01-01"}, "api_version", None),
        ({"connect": True}, "connect", None),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_made(
    twin: Twin, changes: dict[str, Any], param: str, code: str | None
) -> None:
    params = {"url": "http://127.0.0.1:9/", "enabled_events": ["*"]} | changes

    error = refused(twin, **{name: value for name, value in params.items() if value is not None})

    assert (error.http_status, error.param) == (400, param)  # type: ignore[attr-defined]
    assert code is None or error.code == code
    assert twin.sdk.v1.webhook_endpoints.list().data == []


def test_there_may_be_sixteen(twin: Twin) -> None:
    for _ in range(16):
        create(twin, "http://127.0.0.1:9/")

    assert "maximum of 16" in str(refused(twin, url="http://127.0.0.1:9/", enabled_events=["*"]))


def test_each_endpoint_hears_of_what_it_asked_for_signed_with_its_own_secret(
    sender: Twin, receiver: Receiver, other: Receiver
) -> None:
    everything = create(sender, receiver.url)
    some = create(sender, other.url, "checkout.session.completed", "charge.failed")

    sender.paid_session()
    sender.control("deliveries/flush")

    assert received(receiver, everything.secret, 4) == sorted(PAID)
    assert received(other, some.secret, 1) == ["checkout.session.completed"]
    assert receiver.received.empty()
    assert other.received.empty()
    assert sorted(entry["endpoint"] for entry in sender.tries()) == sorted(
        [everything.id] * 4 + [some.id]
    )


def test_an_event_is_delivered_when_all_its_endpoints_have_taken_it(
    sender: Twin, receiver: Receiver, other: Receiver
) -> None:
    create(sender, receiver.url)
    create(sender, other.url, "checkout.session.expired")
    other.statuses = [500]
    session = sender.open_session()

    sender.sdk.v1.checkout.sessions.expire(session.id)
    (event,) = sender.sdk.v1.events.list().data
    sender.control("deliveries/flush")

    after_a_failure = sender.sdk.v1.events.retrieve(event.id).pending_webhooks
    delivered = sender.sdk.v1.events.list(params={"delivery_success": True}).data
    # How many it began with is gone as soon as the first has taken it.
    assert (after_a_failure, delivered) == (1, [])
    sender.control("clock", advance=61)
    sender.control("deliveries/flush")
    assert sender.sdk.v1.events.retrieve(event.id).pending_webhooks == 0
    assert receiver.received.qsize() == 1
    assert other.received.qsize() == 2


def test_a_disabled_endpoint_hears_nothing_until_it_is_enabled(
    sender: Twin, receiver: Receiver
) -> None:
    made = create(sender, receiver.url, "checkout.session.expired")
    receiver.statuses = [500]
    sender.sdk.v1.checkout.sessions.expire(sender.open_session().id)
    sender.control("deliveries/flush")

    sender.sdk.v1.webhook_endpoints.update(made.id, params={"disabled": True})
    sender.control("clock", advance=61)
    sender.sdk.v1.checkout.sessions.expire(sender.open_session().id)
    sender.control("deliveries/flush")
    sender.sdk.v1.webhook_endpoints.update(made.id, params={"disabled": False})
    session = sender.open_session()
    sender.sdk.v1.checkout.sessions.expire(session.id)
    sender.control("deliveries/flush")

    assert received(receiver, made.secret, 1) == ["checkout.session.expired"]
    _, body = receiver.received.get(timeout=SECONDS)
    assert session.id in body.decode()
    assert receiver.received.empty()


def test_a_deleted_endpoint_hears_nothing_more(sender: Twin, receiver: Receiver) -> None:
    made = create(sender, receiver.url, "checkout.session.expired")
    receiver.statuses = [500]
    sender.sdk.v1.checkout.sessions.expire(sender.open_session().id)
    sender.control("deliveries/flush")

    sender.sdk.v1.webhook_endpoints.delete(made.id)
    sender.control("clock", advance=61)
    sender.control("deliveries/flush")

    assert receiver.received.qsize() == 1
    assert [event.pending_webhooks for event in sender.sdk.v1.events.list().data] == [0]


def test_the_endpoint_of_the_environment_is_one_like_others_and_ends_with_it(
    start: Callable[..., Twin], receiver: Receiver
) -> None:
    first = start(STRIPE_WEBHOOK_URL=receiver.url)
    (own,) = first.sdk.v1.webhook_endpoints.list().data
    first.control("reset")
    first.paid_session()
    first.control("deliveries/flush")
    first.stop()

    second = start(STRIPE_WEBHOOK_URL="")

    assert (own.url, own.enabled_events) == (receiver.url, ["*"])
    assert received(receiver, WEBHOOK_SECRET, 4) == sorted(PAID)
    assert second.sdk.v1.webhook_endpoints.list().data == []


def test_the_state_of_an_older_sandbox_is_taken_over_with_what_still_waits(
    start: Callable[..., Twin], receiver: Receiver, tmp_path: Path
) -> None:
    old = start(STRIPE_WEBHOOK_URL="http://127.0.0.1:9/")
    session = old.open_session()
    old.sdk.v1.checkout.sessions.expire(session.id)
    old.control("deliveries/flush")
    old.stop()
    with sqlite3.connect(tmp_path / "state" / "sandbox.sqlite3") as state:
        for table in ("deliveries", "tries"):
            state.execute(f"ALTER TABLE {table} DROP COLUMN endpoint_id")
    state.close()

    start(STRIPE_WEBHOOK_URL=receiver.url)

    assert receiver.next_event().data.object["id"] == session.id


def test_the_types_of_events_are_in_order() -> None:
    assert list(EVENT_TYPES) == sorted(set(EVENT_TYPES))
