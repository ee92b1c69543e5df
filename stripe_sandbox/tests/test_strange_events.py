"""Events that a shop must not act on: they arrive as they would from an attacker or a stranger."""

from collections.abc import Callable
from typing import Any

import pytest
import requests
import stripe

from stripe_sandbox.tests.conftest import SECONDS, WEBHOOK_SECRET, Receiver, Twin
from stripe_sandbox.tests.sessions import SESSIONS


@pytest.fixture
def sender(start: Callable[..., Twin], receiver: Receiver) -> Twin:
    """A sandbox that has sent the event of an expired session."""
    twin = start(STRIPE_WEBHOOK_URL=receiver.url)
    session = twin.open_session()
    twin.sdk.v1.checkout.sessions.expire(session.id)
    assert receiver.next_event().type == "checkout.session.expired"
    return twin


def received_events(receiver: Receiver, count: int) -> dict[str, Any]:
    events = [receiver.next_event() for _ in range(count)]
    return {event.type: event.data.object for event in events}


def test_a_forged_event_looks_right_and_is_signed_with_a_wrong_secret(
    sender: Twin, receiver: Receiver
) -> None:
    (real,) = sender.sdk.v1.events.list().data
    receiver.statuses = [400]

    made = sender.control("events", kind="forged", event=real.id)

    headers, body = receiver.received.get(timeout=SECONDS)
    with pytest.raises(stripe.SignatureVerificationError, match="No signatures found matching"):
        stripe.Webhook.construct_event(body, headers["Stripe-Signature"], WEBHOOK_SECRET)
    assert made["event"]["data"]["object"] == real.data.object.to_dict()
    assert made["event"]["id"] != real.id
    assert [entry["status"] for entry in made["tries"]] == [400]
    assert sender.tries()[-1] == made["tries"][0]
    assert len(sender.event_types()) == 1
    sender.control("deliveries/flush")
    assert receiver.received.empty()  # nobody tries that again


def test_a_replayed_event_comes_again_as_it_was(sender: Twin, receiver: Receiver) -> None:
    made = sender.control("events", kind="replay")

    assert receiver.next_event().id == made["event"]["id"] == sender.tries()[0]["event"]
    assert [entry["status"] for entry in sender.tries()] == [200, 200]


def test_a_replay_may_be_of_an_old_signature(sender: Twin, receiver: Receiver) -> None:
    sender.control("events", kind="replay", age=3600)

    headers, body = receiver.received.get(timeout=SECONDS)
    with pytest.raises(stripe.SignatureVerificationError, match="outside the tolerance"):
        stripe.Webhook.construct_event(body, headers["Stripe-Signature"], WEBHOOK_SECRET)
    event = stripe.Webhook.construct_event(
        body, headers["Stripe-Signature"], WEBHOOK_SECRET, tolerance=3700
    )
    assert event.type == "checkout.session.expired"


@pytest.mark.parametrize("metadata", [{}, {"app": "another", "attempt": "1"}])
def test_a_foreign_payment_is_real_and_has_no_tag_of_ours(
    sender: Twin, receiver: Receiver, metadata: dict[str, str]
) -> None:
    made = sender.control("events", kind="foreign", metadata=metadata)["session"]

    objects = received_events(receiver, 4)
    session = objects["checkout.session.completed"]
    assert (session.id, session.metadata.to_dict()) == (made["id"], metadata)
    assert objects["charge.succeeded"].metadata.to_dict() == metadata
    assert sender.get(f"{SESSIONS}/{session.id}").json()["payment_status"] == "paid"


def test_an_unknown_attempt_carries_our_tags(sender: Twin, receiver: Receiver) -> None:
    tags = {"app": "shop", "order": "ORDER-2", "attempt": "1"}
    sender.open_session(metadata=tags)

    made = sender.control("events", kind="unknown")["session"]

    session = received_events(receiver, 4)["checkout.session.completed"]
    assert session.id == made["id"]
    assert session.metadata["attempt"] != "1"
    assert session.metadata.to_dict() == tags | {"attempt": session.metadata["attempt"]}
    assert (session.client_reference_id, session.amount_total) == ("ORDER-1", 3097)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"kind": "surprise"}, 400),
        ({}, 404),
        ({"kind": "replay", "event": "evt_1"}, 404),
        ({"kind": "unknown"}, 404),
        ({"kind": "foreign", "metadata": "none"}, 400),
    ],
)
def test_what_makes_no_sense_is_refused(twin: Twin, fields: dict[str, object], status: int) -> None:
    answer = requests.post(f"{twin.url}/_sandbox/events", json=fields, timeout=SECONDS)

    assert answer.status_code == status
    assert twin.event_types() == []
