"""Idempotency keys as Stripe keeps them: the first result is every repeat's result."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import stripe

from stripe_sandbox.tests.conftest import Twin
from stripe_sandbox.tests.sessions import SESSIONS, count, create


def test_a_repeat_gets_the_first_answer_and_says_so(twin: Twin) -> None:
    first, second = create(twin, "key"), create(twin, "key")

    assert str(first) == str(second)
    assert first.last_response is not None
    assert second.last_response is not None
    assert "Idempotent-Replayed" not in first.last_response.headers
    assert second.last_response.headers["Idempotent-Replayed"] == "true"
    said_by = first.last_response.headers["Request-Id"]
    assert second.last_response.headers["Original-Request"] == said_by
    assert second.last_response.headers["Request-Id"] != said_by
    assert count(twin) == 1


def test_a_repeat_gets_the_first_answer_though_the_session_went_on(twin: Twin) -> None:
    first = create(twin, "key")
    twin.pay(first.url)

    assert create(twin, "key").status == "open"
    assert count(twin) == 1


def test_a_key_is_for_one_set_of_parameters(twin: Twin) -> None:
    create(twin, "key")

    with pytest.raises(stripe.IdempotencyError) as refusal:
        create(twin, "key", client_reference_id="ORDER-2")

    assert refusal.value.http_status == 400
    assert count(twin) == 1


def test_a_request_that_fails_validation_leaves_its_key_free(twin: Twin) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        create(twin, "key", success_url="nowhere")

    create(twin, "key")

    assert count(twin) == 1


def test_a_failure_of_a_request_that_began_is_kept(twin: Twin) -> None:
    session = twin.paid_session()
    path = f"{SESSIONS}/{session.id}/expire"

    first, second = twin.post(path, key="key"), twin.post(path, key="key")

    assert (first.status_code, second.status_code) == (400, 400)
    assert first.text == second.text
    assert second.headers["Idempotent-Replayed"] == "true"


def test_while_the_first_is_running_a_second_is_told_so(twin: Twin) -> None:
    twin.control("faults", kind="slow", path=SESSIONS, seconds=1)

    with ThreadPoolExecutor(1) as other:
        first = other.submit(create, twin, "key")
        while twin.faults():  # until the first has begun
            pass
        with pytest.raises(stripe.APIError) as refusal:
            create(twin, "key")

    assert refusal.value.http_status == 409
    assert refusal.value.error is not None
    assert refusal.value.error.code == "idempotency_key_in_use"
    assert create(twin, "key").id == first.result().id
    assert count(twin) == 1


def test_many_at_once_make_one_session(twin: Twin) -> None:
    form = {
        "mode": "payment",
        "success_url": "http://127.0.0.1:9/",
        "line_items[0][quantity]": 1,
        "line_items[0][price_data][currency]": "eur",
        "line_items[0][price_data][unit_amount]": 500,
        "line_items[0][price_data][product_data][name]": "Walden",
    }

    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda _: twin.post(SESSIONS, "key", **form), range(16)))

    statuses = {answer.status_code for answer in answers}
    assert statuses <= {200, 409}
    assert 200 in statuses
    assert len({answer.text for answer in answers if answer.status_code == 200}) == 1
    assert count(twin) == 1


def test_reading_takes_no_notice_of_a_key(twin: Twin) -> None:
    session = twin.open_session()
    sessions = twin.sdk.v1.checkout.sessions
    options: stripe.RequestOptions = {"idempotency_key": "key"}

    assert sessions.retrieve(session.id, options=options).status == "open"
    twin.pay(session.url)
    assert sessions.retrieve(session.id, options=options).status == "complete"
