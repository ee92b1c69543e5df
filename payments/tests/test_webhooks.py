"""The door that Stripe knocks at: what is not signed by Stripe for it leaves no trace."""

import hashlib
import hmac
import json
import time
import uuid
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client, override_settings
from djstripe.models import Event, WebhookEndpoint, WebhookEventTrigger
from procrastinate.contrib.django.models import ProcrastinateJob

from payments.models import InboxEvent
from payments.services import inbox
from payments.tests import support

pytestmark = pytest.mark.django_db

EVENT = {
    "id": "evt_1",
    "object": "event",
    "type": "checkout.session.completed",
    "api_version": settings.STRIPE_API_VERSION,
    "livemode": False,
    "created": 1_700_000_000,
    "data": {"object": {"id": "cs_1", "object": "checkout.session"}},
}


def without(name: str) -> bytes:
    return json.dumps({key: value for key, value in EVENT.items() if key != name}).encode()


@pytest.fixture
def endpoint() -> WebhookEndpoint:
    return support.endpoint_row()


def post(endpoint: WebhookEndpoint, body: str | bytes, **headers: str) -> HttpResponse:
    return Client().post(  # type: ignore[return-value]
        f"/stripe/webhook/{endpoint.djstripe_uuid}/",
        data=body,
        content_type="application/json",
        headers=headers,
    )


def signed(body: str | bytes, *, at: int | None = None, secret: str = "") -> str:
    at = int(time.time()) if at is None else at
    raw = body.encode() if isinstance(body, str) else body
    key = (secret or settings.STRIPE_WEBHOOK_SECRET).encode()
    digest = hmac.new(key, f"{at}.".encode() + raw, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def nothing_was_stored() -> bool:
    return not (
        InboxEvent.objects.exists()
        or WebhookEventTrigger.objects.exists()
        or Event.objects.exists()
        or ProcrastinateJob.objects.exists()
    )


def test_a_signed_event_is_stored_once_with_one_job(endpoint: WebhookEndpoint) -> None:
    body = json.dumps(EVENT)

    answers = [post(endpoint, body, **{"Stripe-Signature": signed(body)}) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    row = InboxEvent.objects.get()
    assert (row.event_id, row.type, row.state, row.source) == (
        "evt_1",
        "checkout.session.completed",
        "received",
        "webhook",
    )
    assert [job.args["inbox_id"] for job in ProcrastinateJob.objects.all()] == [row.pk]


def test_the_answer_needs_few_queries(
    endpoint: WebhookEndpoint, django_assert_max_num_queries: Any
) -> None:
    body = json.dumps(EVENT)

    with django_assert_max_num_queries(9):
        post(endpoint, body, **{"Stripe-Signature": signed(body)})


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("", id="none"),
        pytest.param("t=1,v1=00", id="nonsense"),
        pytest.param(signed(json.dumps(EVENT), secret="whsec_wrong"), id="another secret"),
        pytest.param(signed(json.dumps(EVENT) + " "), id="another body"),
        pytest.param(signed(json.dumps(EVENT), at=int(time.time()) - 400), id="stale"),
    ],
)
def test_a_forged_or_stale_delivery_is_refused(endpoint: WebhookEndpoint, header: str) -> None:
    headers = {"Stripe-Signature": header} if header else {}

    assert post(endpoint, json.dumps(EVENT), **headers).status_code == 400

    assert nothing_was_stored()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="no JSON"),
        pytest.param(b"3", id="a scalar"),
        pytest.param(b'["evt_1"]', id="a list"),
        pytest.param(b'{"object": "event"}', id="no id"),
        pytest.param(json.dumps(EVENT | {"id": "x" * 256}).encode(), id="a long id"),
        pytest.param(json.dumps(EVENT | {"created": float("nan")}).encode(), id="not a number"),
        pytest.param(json.dumps(EVENT | {"created": None}).encode(), id="no time"),
        pytest.param(json.dumps(EVENT | {"created": "1700000000"}).encode(), id="a time in words"),
        pytest.param(json.dumps(EVENT | {"created": True}).encode(), id="a time that is none"),
        pytest.param(json.dumps(EVENT | {"created": 10**18}).encode(), id="a time beyond years"),
        pytest.param(json.dumps(EVENT | {"created": -(10**18)}).encode(), id="a time before years"),
        pytest.param(without("created"), id="time left out"),
        pytest.param(json.dumps(EVENT | {"id": 3}).encode(), id="an id that is no text"),
        pytest.param(b"\xff\xfe", id="no UTF-8"),
        pytest.param(json.dumps(EVENT).encode() + b"\0", id="a NUL byte"),
        pytest.param(b"[" * 200_000, id="nested too deeply"),
        pytest.param(b'{"id": "' + b"x" * 1_000_001 + b'"}', id="a megabyte"),
    ],
)
def test_a_malformed_body_is_refused_though_signed(endpoint: WebhookEndpoint, body: bytes) -> None:
    assert post(endpoint, body, **{"Stripe-Signature": signed(body)}).status_code == 400

    assert nothing_was_stored()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"livemode": True}, id="live mode"),
        pytest.param({"object": "v2.core.event"}, id="a thin event"),
        pytest.param({"type": None}, id="no type"),
        pytest.param({"livemode": None}, id="no mode"),
    ],
)
def test_an_event_that_is_not_for_us_is_acknowledged_and_dropped(
    endpoint: WebhookEndpoint, changes: dict[str, Any]
) -> None:
    body = json.dumps(EVENT | changes)

    assert post(endpoint, body, **{"Stripe-Signature": signed(body)}).status_code == 200

    assert nothing_was_stored()


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        pytest.param("A\0da", "Ada", id="NUL"),
        pytest.param("A\\u0000da", "A\\u0000da", id="NUL spelt out by the buyer"),
        pytest.param("Ada\\\0", "Ada\\", id="NUL after a backslash"),
        pytest.param("Ad\ud800a", "Ad?a", id="half of a pair"),
        pytest.param("\U0001f600", "\U0001f600", id="a whole pair"),
    ],
)
def test_what_the_database_cannot_hold_is_left_out_and_the_event_stored(
    endpoint: WebhookEndpoint, name: str, stored: str
) -> None:
    body = json.dumps(EVENT | {"data": {"object": {"id": "cs_1", "name": name}}})

    assert post(endpoint, body, **{"Stripe-Signature": signed(body)}).status_code == 200

    payload: Any = InboxEvent.objects.get().payload
    assert payload["data"]["object"]["name"] == stored


@override_settings(DEBUG=True)
def test_debug_lets_nobody_sign_with_a_secret_of_his_own(endpoint: WebhookEndpoint) -> None:
    body = json.dumps(EVENT)
    headers = {
        "Stripe-Signature": signed(body, secret="whsec_mine"),
        "X-Djstripe-Webhook-Secret": "whsec_mine",
    }

    assert post(endpoint, body, **headers).status_code == 400

    assert nothing_was_stored()


@pytest.mark.parametrize(
    "changes",
    [
        {"djstripe_validation_method": "none"},
        {"djstripe_validation_method": "retrieve_event"},
        {"status": "disabled"},
        {"secret": ""},
    ],
)
def test_an_endpoint_whose_checks_are_off_is_none(
    endpoint: WebhookEndpoint, changes: dict[str, str]
) -> None:
    WebhookEndpoint.objects.update(**changes)
    body = json.dumps(EVENT)

    assert post(endpoint, body, **{"Stripe-Signature": signed(body)}).status_code == 404

    assert nothing_was_stored()


@pytest.mark.parametrize("headers", [{}, {"Stripe-Signature": "t=1,v1=00"}])
def test_what_is_malformed_costs_no_query(
    endpoint: WebhookEndpoint, headers: dict[str, str], django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        assert post(endpoint, "[]", **headers).status_code == 400


def test_an_unknown_endpoint_is_not_found(endpoint: WebhookEndpoint) -> None:
    endpoint.djstripe_uuid = uuid.uuid4()
    body = json.dumps(EVENT)

    assert post(endpoint, body, **{"Stripe-Signature": signed(body)}).status_code == 404


def test_a_forwarded_address_of_nonsense_does_no_harm(endpoint: WebhookEndpoint) -> None:
    body = json.dumps(EVENT)
    headers = {"Stripe-Signature": signed(body), "X-Forwarded-For": "not-an-ip"}

    assert post(endpoint, body, **headers).status_code == 200


def test_provisioning_again_keeps_the_address_and_takes_the_new_secret(
    endpoint: WebhookEndpoint,
) -> None:
    with override_settings(STRIPE_WEBHOOK_SECRET="whsec_new"):
        again = support.endpoint_row()

    assert (again.djstripe_uuid, again.url) == (endpoint.djstripe_uuid, endpoint.url)
    assert again.secret == "whsec_new"
    assert again.url == f"http://testserver/stripe/webhook/{again.djstripe_uuid}/"


def test_a_type_that_is_not_handled_is_stored_and_ignored(endpoint: WebhookEndpoint) -> None:
    support.deliver(EVENT | {"type": "customer.created"})
    support.run_jobs()

    row = InboxEvent.objects.get()
    assert (row.state, row.attempts, row.last_error) == ("ignored", 1, "")


def test_an_event_of_ours_that_cannot_be_processed_ends_failed_and_can_be_retried(
    sandbox: Any, endpoint: WebhookEndpoint
) -> None:
    support.deliver(EVENT)
    row = InboxEvent.objects.get()
    for earlier in range(5):
        with pytest.raises(Exception, match="InvalidRequestError") as failure:
            inbox.process(inbox_id=row.pk, at=support.stripe_now())
        inbox.record_failure(inbox_id=row.pk, error=failure.value, earlier_tries=earlier)

    row.refresh_from_db()
    assert (row.state, row.attempts) == ("failed", 5)
    assert row.last_error == "Missing: InvalidRequestError"
    assert inbox.retry(inbox_ids=[row.pk]) == 1
    assert inbox.retry(inbox_ids=[row.pk]) == 0
    row.refresh_from_db()
    assert row.state == "received"
