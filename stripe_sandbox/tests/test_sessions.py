"""Opening, reading, listing and expiring Checkout Sessions through Stripe's SDK."""

import time
from typing import Any

import pytest
import requests
import stripe

from stripe_sandbox.tests.conftest import DECLINED, Twin, line, session_params, shipping


def refused(twin: Twin, **changes: object) -> stripe.InvalidRequestError:
    """Return why a session is refused, having seen that none was opened."""
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        twin.open_session(**changes)
    assert twin.sdk.v1.checkout.sessions.list().data == []
    return refusal.value


def test_a_session_adds_up_lines_and_shipping_and_keeps_what_it_was_told(twin: Twin) -> None:
    session = twin.open_session()

    assert (session.status, session.payment_status) == ("open", "unpaid")
    assert (session.amount_subtotal, session.amount_total, session.currency) == (2598, 3097, "eur")
    assert session.total_details is not None
    assert session.total_details.amount_shipping == 499
    assert session.shipping_cost is not None
    assert session.shipping_cost.amount_total == 499
    assert session.client_reference_id == "ORDER-1"
    assert session.metadata is not None
    assert session.metadata.to_dict() == {"attempt": "1"}
    assert session.payment_intent is None
    assert session.url == f"{twin.url}/c/pay/{session.id}"
    assert session.expires_at == session.created + 24 * 60 * 60
    assert not session.livemode


def test_without_shipping_the_total_is_that_of_the_lines(twin: Twin) -> None:
    session = twin.open_session(shipping_options=None)

    assert (session.amount_total, session.shipping_cost) == (2598, None)


def test_line_items_come_when_asked_for_and_by_their_own_list(twin: Twin) -> None:
    session = twin.open_session(line_items=[line(quantity=n) for n in range(1, 13)])

    asked = twin.sdk.v1.checkout.sessions.retrieve(session.id, params={"expand": ["line_items"]})
    first = twin.sdk.v1.checkout.sessions.line_items.list(session.id, params={"limit": 5})
    all_of_them = list(first.auto_paging_iter())

    assert asked.line_items is not None
    assert [item.quantity for item in asked.line_items.data] == list(range(1, 11))
    assert asked.line_items.has_more
    assert [item.quantity for item in all_of_them] == list(range(1, 13))
    assert all_of_them[1].amount_total == 2598
    assert "line_items" not in session


@pytest.mark.parametrize(
    ("changes", "param", "code"),
    [
        ({"surprise": "1"}, "surprise", "parameter_unknown"),
        ({"mode": None}, "mode", "parameter_missing"),
        ({"success_url": None}, "success_url", "parameter_missing"),
        ({"line_items": None}, "line_items", "parameter_missing"),
        ({"success_url": "javascript:alert(1)"}, "success_url", "url_invalid"),
        ({"customer_email": "nobody"}, "customer_email", "email_invalid"),
        ({"customer_email": ""}, "customer_email", "parameter_invalid_empty"),
        ({"expires_at": "soon"}, "expires_at", "parameter_invalid_integer"),
        ({"customer": "cus_1", "customer_email": None}, "customer", "resource_missing"),
        ({"customer": "cus_1"}, "customer", None),
        ({"locale": "xx"}, "locale", None),
        ({"client_reference_id": "x" * 201}, "client_reference_id", None),
        ({"metadata": {"k": "v" * 501}}, "metadata[k]", None),
        ({"metadata": {"k" * 41: "v"}}, f"metadata[{'k' * 41}]", None),
        ({"line_items": [line(currency="xxx")]}, "line_items[0][price_data][currency]", None),
        (
            {"line_items": [line(quantity=0)]},
            "line_items[0][quantity]",
            "parameter_invalid_integer",
        ),
        (
            {"line_items": [line(unit_amount=-1)]},
            "line_items[0][price_data][unit_amount]",
            "parameter_invalid_integer",
        ),
        (
            {"line_items": [{"price_data": {"currency": "eur"}, "quantity": 1}]},
            "line_items[0][price_data][product_data]",
            "parameter_missing",
        ),
        (
            {"shipping_options": [shipping(currency="usd")]},
            "shipping_options[0][shipping_rate_data][fixed_amount][currency]",
            None,
        ),
        ({"discounts": [{"coupon": "x"}]}, "discounts", None),
        ({"automatic_tax": {"enabled": True}}, "automatic_tax[enabled]", None),
    ],
)
def test_a_wrong_parameter_is_named(
    twin: Twin, changes: dict[str, Any], param: str, code: str | None
) -> None:
    error = refused(twin, **changes)

    assert (error.http_status, error.param, error.code) == (400, param, code)


def test_a_deadline_lies_between_half_an_hour_and_a_day_ahead(twin: Twin) -> None:
    now = int(time.time())

    assert refused(twin, expires_at=now + 29 * 60).param == "expires_at"
    assert refused(twin, expires_at=now + 25 * 60 * 60).param == "expires_at"
    assert twin.open_session(expires_at=now + 45 * 60).expires_at == now + 45 * 60


@pytest.mark.parametrize(
    ("currency", "minimum"), [("eur", 50), ("gbp", 30), ("jpy", 50), ("czk", 1500), ("huf", 17500)]
)
def test_a_total_below_stripes_minimum_is_refused(twin: Twin, currency: str, minimum: int) -> None:
    def items(amount: int) -> dict[str, object]:
        one = line(unit_amount=amount, quantity=1, currency=currency)
        return {"line_items": [one], "shipping_options": None}

    assert refused(twin, **items(minimum - 1)).code == "amount_too_small"
    assert twin.open_session(**items(minimum)).amount_total == minimum


@pytest.mark.parametrize(
    ("currency", "wrong", "right"), [("isk", 150, 200), ("ugx", 150, 200), ("kwd", 1001, 1010)]
)
def test_some_currencies_take_no_odd_amounts(
    twin: Twin, currency: str, wrong: int, right: int
) -> None:
    def items(amount: int) -> dict[str, object]:
        one = line(unit_amount=amount, quantity=1, currency=currency)
        return {"line_items": [one], "shipping_options": None}

    assert refused(twin, **items(wrong)).param == "line_items[0][price_data][unit_amount]"
    assert twin.open_session(**items(right)).amount_total == right


def test_an_open_session_expires_on_request_once(twin: Twin) -> None:
    session = twin.open_session()

    expired = twin.sdk.v1.checkout.sessions.expire(session.id)
    with pytest.raises(stripe.InvalidRequestError, match="status of expired") as refusal:
        twin.sdk.v1.checkout.sessions.expire(session.id)

    assert (expired.status, expired.url) == ("expired", None)
    assert refusal.value.http_status == 400
    assert twin.event_types() == ["checkout.session.expired"]
    (event,) = twin.get("/v1/events").json()["data"]
    assert event["request"]["id"].startswith("req_")


def test_a_paid_session_does_not_expire(twin: Twin) -> None:
    session = twin.paid_session()

    with pytest.raises(stripe.InvalidRequestError, match="status of complete"):
        twin.sdk.v1.checkout.sessions.expire(session.id)

    assert twin.sdk.v1.checkout.sessions.retrieve(session.id).status == "complete"


def test_a_session_past_its_deadline_is_expired_and_its_intent_canceled(twin: Twin) -> None:
    session = twin.open_session(expires_at=int(time.time()) + 45 * 60)
    twin.pay(session.url, card=DECLINED)

    twin.control("clock", advance=46 * 60)

    read = twin.sdk.v1.checkout.sessions.retrieve(session.id, params={"expand": ["payment_intent"]})
    assert read.status == "expired"
    assert isinstance(read.payment_intent, stripe.PaymentIntent)
    assert read.payment_intent.status == "canceled"
    assert twin.event_types().count("checkout.session.expired") == 1
    assert twin.pay(session.url).status_code == 410
    assert [charge.status for charge in twin.sdk.v1.charges.list().data] == ["failed"]


def test_sessions_are_listed_newest_first_by_pages_and_filters(twin: Twin) -> None:
    ids = [twin.open_session().id for _ in range(4)]
    paid = twin.paid_session()
    ids.append(paid.id)
    sessions = twin.sdk.v1.checkout.sessions

    first = sessions.list(params={"limit": 2})
    after = sessions.list(params={"limit": 2, "starting_after": ids[3]})
    before = sessions.list(params={"limit": 2, "ending_before": ids[0]})

    assert [found.id for found in first.data] == [ids[4], ids[3]]
    assert first.has_more
    assert [found.id for found in after.data] == [ids[2], ids[1]]
    assert [found.id for found in before.data] == [ids[2], ids[1]]
    assert before.has_more
    assert [found.id for found in first.auto_paging_iter()] == ids[::-1]
    assert [found.id for found in sessions.list(params={"status": "complete"}).data] == [paid.id]
    by_intent = sessions.list(params={"payment_intent": str(paid.payment_intent)})
    assert [found.id for found in by_intent.data] == [paid.id]
    assert sessions.list(params={"created": {"gt": paid.created + 60}}).data == []
    assert len(sessions.list(params={"created": {"gte": paid.created - 60}}).data) == 5
    assert len(sessions.list(params={"customer_details": {"email": "reader@example.com"}})) == 5


def test_a_list_with_an_unknown_cursor_or_parameter_is_refused(twin: Twin) -> None:
    unknown = twin.get("/v1/checkout/sessions", starting_after="cs_test_none")
    surprise = twin.get("/v1/checkout/sessions", surprise=1)

    assert (unknown.status_code, unknown.json()["error"]["code"]) == (400, "resource_missing")
    assert (surprise.status_code, surprise.json()["error"]["code"]) == (400, "parameter_unknown")


@pytest.mark.parametrize(
    "path",
    [
        "checkout/sessions/cs_test_none",
        "checkout/sessions/cs_test_none/line_items",
        "payment_intents/pi_none",
        "payment_methods/pm_none",
        "charges/ch_none",
        "balance_transactions/txn_none",
        "events/evt_none",
        "customers/cus_none",
        "accounts/acct_none",
    ],
)
def test_what_is_not_there_is_missing(twin: Twin, path: str) -> None:
    answer = twin.get(f"/v1/{path}")

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "resource_missing")


def test_a_wrong_key_is_refused_and_every_answer_names_its_request(twin: Twin) -> None:
    wrong = stripe.StripeClient("sk_test_wrong", base_addresses={"api": twin.url})
    with pytest.raises(stripe.AuthenticationError) as refusal:
        wrong.v1.checkout.sessions.create(params=session_params())  # type: ignore[arg-type]
    nobody = requests.get(f"{twin.url}/v1/account", timeout=10)

    assert refusal.value.request_id is not None
    assert refusal.value.request_id.startswith("req_")
    assert nobody.status_code == 401
    assert twin.sdk.v1.checkout.sessions.list().data == []


@pytest.mark.parametrize(
    "path", ["surprise", "payment_intent.surprise", "line_items.data.surprise", "metadata"]
)
def test_what_cannot_be_expanded_is_refused(twin: Twin, path: str) -> None:
    session = twin.paid_session()

    answer = twin.get(f"/v1/checkout/sessions/{session.id}", **{"expand[]": path})

    assert answer.status_code == 400
    assert "cannot be expanded" in answer.json()["error"]["message"]


def test_elements_of_a_list_can_be_expanded(twin: Twin) -> None:
    session = twin.paid_session()

    listed = twin.sdk.v1.checkout.sessions.list(params={"expand": ["data.payment_intent"]})

    assert isinstance(listed.data[0].payment_intent, stripe.PaymentIntent)
    assert listed.data[0].payment_intent.id == session.payment_intent


def test_an_unknown_address_is_said_to_be_one(twin: Twin) -> None:
    assert twin.get("/v1/surprises").status_code == 404
    assert twin.post("/v1/events").status_code == 404
