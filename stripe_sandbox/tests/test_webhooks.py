"""Webhooks: signed, sent again until accepted, and told apart from the events themselves."""

import json
import queue
from collections.abc import Callable

import pytest
import stripe

from stripe_sandbox.tests.conftest import SECONDS, WEBHOOK_SECRET, Receiver, Twin
from stripe_sandbox.tests.sessions import PAID


@pytest.fixture
def sender(start: Callable[..., Twin], receiver: Receiver) -> Twin:
    """A sandbox that sends to the receiver and tries again only when its clock is moved."""
    return start(STRIPE_WEBHOOK_URL=receiver.url, STRIPE_WEBHOOK_BACKOFF="60")


def received_types(receiver: Receiver, count: int) -> list[str]:
    return [receiver.next_event().type for _ in range(count)]


def test_every_event_is_delivered_signed_as_stripe_signs(sender: Twin, receiver: Receiver) -> None:
    session = sender.paid_session()

    events = {event.type: event for event in (receiver.next_event() for _ in PAID)}

    assert sorted(events) == sorted(PAID)
    completed = events["checkout.session.completed"]
    assert completed.data.object["id"] == session.id
    assert (completed.pending_webhooks, completed.livemode) == (1, False)
    assert completed.id == sender.sdk.v1.events.retrieve(completed.id).id


def test_a_wrong_secret_or_changed_body_does_not_verify(sender: Twin, receiver: Receiver) -> None:
    sender.paid_session()

    headers, body = receiver.received.get(timeout=SECONDS)

    for payload, secret in [(body, "whsec_other"), (body + b" ", WEBHOOK_SECRET)]:
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(payload, headers["Stripe-Signature"], secret)
    assert headers["User-Agent"].startswith("Stripe/1.0 ")


def test_signatures_keep_real_time_when_the_clock_is_moved(
    sender: Twin, receiver: Receiver
) -> None:
    sender.control("clock", advance=24 * 60 * 60)

    session = sender.paid_session()

    assert sorted(received_types(receiver, 4)) == sorted(PAID)
    (event, *_) = sender.sdk.v1.events.list().data
    assert abs(event.created - session.created) < 60


@pytest.mark.parametrize("status", [500, 404, 302])
def test_anything_but_2xx_is_tried_again_with_a_signature_of_its_own(
    sender: Twin, receiver: Receiver, status: int
) -> None:
    receiver.statuses = [status, status]
    session = sender.open_session()
    sender.sdk.v1.checkout.sessions.expire(session.id)

    first = receiver.next_event()
    sender.control("deliveries/flush")
    assert receiver.received.empty()
    assert _delivered(sender) == []
    sender.control("clock", advance=60)
    second = receiver.next_event()
    sender.control("deliveries/flush")
    sender.control("clock", advance=119)
    sender.control("deliveries/flush")
    assert receiver.received.empty()
    sender.control("clock", advance=2)
    third = receiver.next_event()

    assert first.id == second.id == third.id
    sender.control("deliveries/flush")
    tries = sender.tries()
    assert [(entry["event"], entry["status"]) for entry in tries] == [
        (first.id, status),
        (first.id, status),
        (first.id, 200),
    ]
    assert _delivered(sender) == [first.id]
    assert sender.sdk.v1.events.retrieve(first.id).pending_webhooks == 0


def _delivered(twin: Twin) -> list[str]:
    listed = twin.sdk.v1.events.list(params={"delivery_success": True})
    return [event.id for event in listed.data]


def test_nobody_there_is_tried_again_too(start: Callable[..., Twin], receiver: Receiver) -> None:
    deaf = start(STRIPE_WEBHOOK_URL="http://127.0.0.1:9/webhook/", STRIPE_WEBHOOK_BACKOFF="0.1")
    session = deaf.open_session()
    deaf.sdk.v1.checkout.sessions.expire(session.id)
    deaf.control("deliveries/flush")
    deaf.stop()

    sender = start(STRIPE_WEBHOOK_URL=receiver.url)

    assert receiver.next_event().type == "checkout.session.expired"
    sender.control("deliveries/flush")
    statuses = [one["status"] for one in sender.tries()]
    assert statuses[0] is None
    assert statuses[-1] == 200


def test_flush_delivers_what_is_due_before_it_answers(sender: Twin, receiver: Receiver) -> None:
    sender.paid_session()

    tries = sender.control("deliveries/flush")["data"]

    assert [entry["status"] for entry in tries] == [200] * 4
    assert receiver.received.qsize() == 4


def test_webhooks_can_be_doubled(sender: Twin, receiver: Receiver) -> None:
    sender.control("faults", kind="webhook_duplicate", match=r"^checkout\.", times=None)

    sender.paid_session()
    sender.control("deliveries/flush")

    assert sorted(received_types(receiver, 5)) == sorted([*PAID, "checkout.session.completed"])
    assert receiver.received.empty()


def test_webhooks_can_be_lost_while_their_events_are_listed(
    sender: Twin, receiver: Receiver
) -> None:
    sender.control("faults", kind="webhook_drop", path="checkout.", times=None)

    sender.paid_session()
    sender.control("deliveries/flush")

    assert sorted(received_types(receiver, 3)) == sorted(PAID - {"checkout.session.completed"})
    assert receiver.received.empty()
    lost = sender.sdk.v1.events.list(params={"delivery_success": False}).data
    assert [event.type for event in lost] == ["checkout.session.completed"]


def test_webhooks_can_be_late(sender: Twin, receiver: Receiver) -> None:
    sender.control("faults", kind="webhook_delay", path="checkout.", seconds=600)

    sender.paid_session()
    sender.control("deliveries/flush")
    assert sorted(received_types(receiver, 3)) == sorted(PAID - {"checkout.session.completed"})
    sender.control("faults", kind="webhook_drop", path="charge.updated")
    sender.control("clock", advance=600)

    assert receiver.next_event().type == "checkout.session.completed"


def test_webhooks_can_be_shuffled_among_those_that_wait(
    start: Callable[..., Twin], receiver: Receiver
) -> None:
    sender = start(STRIPE_WEBHOOK_URL=receiver.url, STRIPE_WEBHOOK_BACKOFF="60")
    sender.control("reset", seed=1)
    sender.control("faults", kind="webhook_shuffle", times=None)
    sender.control("faults", kind="webhook_delay", times=None, seconds=60)
    ids = []
    for _ in range(6):
        session = sender.open_session()
        sender.sdk.v1.checkout.sessions.expire(session.id)
        ids.append(session.id)

    sender.control("clock", advance=61)
    arrived = [receiver.next_event().data.object["id"] for _ in ids]

    assert sorted(arrived) == sorted(ids)
    assert arrived != ids


def test_without_an_address_nothing_is_sent(twin: Twin, receiver: Receiver) -> None:
    twin.paid_session()

    assert twin.control("deliveries/flush")["data"] == []
    assert [event.pending_webhooks for event in twin.sdk.v1.events.list().data] == [0] * 4
    with pytest.raises(queue.Empty):
        receiver.received.get_nowait()


def test_the_payload_is_the_event_as_listed(sender: Twin, receiver: Receiver) -> None:
    sender.paid_session()

    _, body = receiver.received.get(timeout=SECONDS)

    sent = json.loads(body)
    listed = sender.get(f"/v1/events/{sent['id']}").json()
    assert sent | {"pending_webhooks": 0} == listed | {"pending_webhooks": 0}


def test_a_webhook_that_is_cut_comes_again_whole(sender: Twin, receiver: Receiver) -> None:
    sender.control("faults", kind="webhook_cut")
    session = sender.open_session()
    sender.sdk.v1.checkout.sessions.expire(session.id)

    headers, half = receiver.received.get(timeout=SECONDS)
    sender.control("deliveries/flush")
    sender.control("clock", advance=60)
    event = receiver.next_event()

    assert len(half) == int(headers["Content-Length"]) // 2
    assert event.type == "checkout.session.expired"
    sender.control("deliveries/flush")
    assert [entry["status"] for entry in sender.tries()] == [None, 200]
