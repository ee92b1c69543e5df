"""Held against Stripe's own API document: each answer fits it and says nothing it does not know."""

from typing import Any

import pytest
import requests
import stripe

from stripe_sandbox import customers, intent_params, refund_endpoints, webhook_endpoints
from stripe_sandbox.event_types import EVENT_TYPES
from stripe_sandbox.session_params import LOCALES, SESSION_PARAMS
from stripe_sandbox.tests.api_document import check_answer, check_object, document
from stripe_sandbox.tests.conftest import API_VERSION, ASKING, DECLINED, SECONDS, Twin, line

EVERYTHING = [
    "payment_intent.latest_charge.balance_transaction",
    "payment_intent.payment_method",
    "line_items.data.discounts",
    "line_items.data.taxes",
    "line_items.data.price.product",
    "total_details.breakdown",
    "shipping_cost.shipping_rate",
    "shipping_cost.taxes",
    "shipping_options.shipping_rate",
    "customer",
]


@pytest.fixture
def paid(twin: Twin) -> stripe.checkout.Session:
    """A session that was declined, then paid, its fee known."""
    session = twin.open_session(
        line_items=[line(), line(unit_amount=5, quantity=1)],
        locale="en",
        submit_type="pay",
        payment_intent_data={
            "description": "Books",
            "shipping": {"name": "A. Reader", "address": {"line1": "Pond 1", "country": "US"}},
        },
    )
    assert twin.pay(session.url, card=DECLINED).status_code == 402
    assert twin.pay(session.url).status_code == 303
    twin.control("clock", advance=10)
    return twin.sdk.v1.checkout.sessions.retrieve(session.id)


def test_the_document_is_of_the_api_version_spoken() -> None:
    assert document()["info"]["version"] == API_VERSION


def test_the_parameters_of_a_session_are_those_of_the_document() -> None:
    properties = posted("/v1/checkout/sessions")

    assert set(SESSION_PARAMS) == set(properties)
    assert LOCALES.split() == properties["locale"]["enum"]


@pytest.mark.parametrize(
    ("path", "taken"),
    [
        ("/v1/payment_intents", intent_params.CREATE_PARAMS),
        ("/v1/payment_intents/{intent}", intent_params.UPDATE_PARAMS),
        ("/v1/payment_intents/{intent}/confirm", intent_params.CONFIRM_PARAMS),
        ("/v1/payment_intents/{intent}/cancel", intent_params.CANCEL_PARAMS),
        ("/v1/customers", customers.CREATE_PARAMS),
        ("/v1/customers/{customer}", customers.UPDATE_PARAMS),
        ("/v1/refunds", refund_endpoints.CREATE_PARAMS),
        ("/v1/refunds/{refund}", refund_endpoints.UPDATE_PARAMS),
        ("/v1/webhook_endpoints", webhook_endpoints.CREATE_PARAMS),
        ("/v1/webhook_endpoints/{webhook_endpoint}", webhook_endpoints.UPDATE_PARAMS),
    ],
)
def test_the_parameters_taken_are_those_of_the_document(path: str, taken: dict[str, Any]) -> None:
    assert {*taken, "expand"} == set(posted(path))


def test_the_types_of_events_are_those_of_the_document() -> None:
    listed = posted("/v1/webhook_endpoints")["enabled_events"]["items"]["enum"]

    assert sorted(["*", *EVENT_TYPES]) == sorted(listed)


def posted(path: str) -> dict[str, Any]:
    """Return what the document lets one send to the path."""
    body = document()["paths"][path]["post"]["requestBody"]["content"]
    found: dict[str, Any] = body["application/x-www-form-urlencoded"]["schema"]["properties"]
    return found


def test_an_unknown_key_would_be_seen(twin: Twin) -> None:
    session = twin.get("/v1/account").json()

    with pytest.raises(AssertionError, match="surprise"):
        check_object(session | {"surprise": 1})


def test_a_new_session_and_its_list_fit(twin: Twin) -> None:
    session = twin.open_session()

    check_answer(
        twin.get(f"/v1/checkout/sessions/{session.id}").json(), "/v1/checkout/sessions/{session}"
    )
    check_answer(twin.get("/v1/checkout/sessions").json(), "/v1/checkout/sessions")
    check_answer(
        twin.post(f"/v1/checkout/sessions/{session.id}/expire").json(),
        "/v1/checkout/sessions/{session}/expire",
        "post",
    )


def test_a_paid_session_and_all_that_hangs_on_it_fit(
    twin: Twin, paid: stripe.checkout.Session
) -> None:
    path = f"/v1/checkout/sessions/{paid.id}"

    plain = twin.get(path).json()
    full = twin.get(path, **{"expand[]": EVERYTHING}).json()

    check_answer(plain, "/v1/checkout/sessions/{session}")
    check_answer(full, "/v1/checkout/sessions/{session}")
    check_answer(
        twin.get(f"{path}/line_items", **{"expand[]": ["data.discounts"]}).json(),
        "/v1/checkout/sessions/{session}/line_items",
    )
    assert full["payment_intent"]["latest_charge"]["balance_transaction"]["fee"] == 72


def test_intents_methods_charges_and_balance_transactions_fit(
    twin: Twin, paid: stripe.checkout.Session
) -> None:
    intent = twin.get(f"/v1/payment_intents/{paid.payment_intent}").json()
    charge = twin.get(f"/v1/charges/{intent['latest_charge']}").json()
    transaction = charge["balance_transaction"]

    check_answer(intent, "/v1/payment_intents/{intent}")
    check_answer(charge, "/v1/charges/{charge}")
    for path, template in [
        ("/v1/payment_intents", "/v1/payment_intents"),
        ("/v1/charges", "/v1/charges"),
        (f"/v1/payment_methods/{intent['payment_method']}", "/v1/payment_methods/{payment_method}"),
        (f"/v1/balance_transactions/{transaction}", "/v1/balance_transactions/{id}"),
    ]:
        check_answer(twin.get(path).json(), template)
    for path, template, field in [
        (f"/v1/charges/{charge['id']}", "/v1/charges/{charge}", "refunds"),
        (f"/v1/charges/{charge['id']}", "/v1/charges/{charge}", "payment_intent"),
        (f"/v1/balance_transactions/{transaction}", "/v1/balance_transactions/{id}", "source"),
    ]:
        check_answer(twin.get(path, **{"expand[]": field}).json(), template)


def test_refunds_and_what_they_move_fit(twin: Twin, paid: stripe.checkout.Session) -> None:
    path, one = "/v1/refunds", "/v1/refunds/{refund}"
    made = twin.post(path, payment_intent=paid.payment_intent, amount=9).json()
    here = f"{path}/{made['id']}"
    twin.control("faults", kind="refund_pending")
    waiting = twin.control("refunds", payment_intent=paid.payment_intent)

    check_answer(made, path, "post")
    check_answer(twin.post(here, **{"metadata[a]": "b"}).json(), one, "post")
    check_object(waiting)
    check_object(twin.control(f"refunds/{waiting['id']}", outcome="requires_action"))
    canceled = twin.post(f"{path}/{waiting['id']}/cancel").json()
    check_answer(canceled, "/v1/refunds/{refund}/cancel", "post")
    twin.control(f"refunds/{made['id']}", outcome="failed")

    everything = ["balance_transaction", "charge", "failure_balance_transaction", "payment_intent"]
    failed = twin.get(here, **{"expand[]": everything}).json()
    check_answer(failed, one)
    assert failed["failure_balance_transaction"]["amount"] == 9
    check_answer(twin.get(path, **{"expand[]": "data.charge.refunds"}).json(), path)
    of_charge = f"/v1/charges/{made['charge']}/refunds"
    check_answer(twin.get(of_charge).json(), "/v1/charges/{charge}/refunds")
    moved = "/v1/balance_transactions"
    check_answer(twin.get(moved, **{"expand[]": "data.source"}).json(), moved)
    for event in twin.get("/v1/events", limit=100).json()["data"]:
        check_object(event["data"]["object"])


def test_disputes_and_what_they_move_fit(twin: Twin, paid: stripe.checkout.Session) -> None:
    path, one = "/v1/disputes", "/v1/disputes/{dispute}"
    inquiry = twin.control("disputes", payment_intent=paid.payment_intent, inquiry=True)
    debit = twin.open_session()
    twin.pay(debit.url, method="bank_debit")
    intent = twin.sdk.v1.checkout.sessions.retrieve(debit.id).payment_intent
    twin.control(f"bank_debits/{intent}", outcome="succeeded")
    check_object(twin.control("disputes", payment_intent=intent))

    for action in ("submit", "escalate", "submit", "win"):
        check_object(twin.control(f"disputes/{inquiry['id']}", action=action))

    everything = {"expand[]": ["charge", "payment_intent"]}
    check_answer(twin.get(f"{path}/{inquiry['id']}", **everything).json(), one)
    check_answer(twin.get(path).json(), path)
    moved = "/v1/balance_transactions"
    check_answer(twin.get(moved, **{"expand[]": "data.source"}).json(), moved)
    for event in twin.get("/v1/events", limit=100).json()["data"]:
        check_object(event["data"]["object"])


def test_intents_of_the_merchant_s_own_fit(twin: Twin) -> None:
    path, one = "/v1/payment_intents", "/v1/payment_intents/{intent}"
    confirm = f"{one}/confirm"
    ways = {"payment_method": "pm_card_visa", "return_url": "http://127.0.0.1:9/"}
    made = [
        twin.post(path, amount=3097, currency="eur", **{"metadata[order]": "1"}).json()
        for _ in range(4)
    ]
    paid, asked, debited, canceled = (f"{path}/{intent['id']}" for intent in made)

    check_answer(made[0], path, "post")
    check_answer(twin.post(paid, description="Books").json(), one, "post")
    refused = twin.post(f"{paid}/confirm", **ways | {"payment_method": "pm_card_chargeDeclined"})
    check_answer(refused.json(), confirm, "post", "default")
    check_answer(twin.post(f"{paid}/confirm", **ways).json(), confirm, "post")
    for there, method in [
        (asked, "pm_card_threeDSecure2Required"),
        (debited, "pm_success_de"),
    ]:
        answer = twin.post(f"{there}/confirm", **ways | {"payment_method": method}).json()
        check_answer(answer, confirm, "post")
        check_answer(
            twin.get(there, **{"expand[]": ["latest_charge", "payment_method"]}).json(), one
        )
    check_answer(
        twin.post(f"{canceled}/cancel", cancellation_reason="abandoned").json(),
        f"{one}/cancel",
        "post",
    )
    for there in (paid, debited, canceled):
        over = twin.post(f"{there}/cancel")
        assert over.status_code == 400
        check_answer(over.json(), f"{one}/cancel", "post", "default")
    check_answer(twin.get(path).json(), path)
    for event in twin.get("/v1/events", limit=100).json()["data"]:
        check_object(event["data"]["object"])


def test_every_event_and_its_object_fit(twin: Twin, paid: stripe.checkout.Session) -> None:
    debits = [twin.open_session(), twin.open_session()]
    for session, outcome in zip(debits, ("succeeded", "failed"), strict=True):
        assert twin.pay(session.url, method="bank_debit").status_code == 303
        intent = twin.sdk.v1.checkout.sessions.retrieve(session.id).payment_intent
        twin.control(f"bank_debits/{intent}", outcome=outcome)
        check_answer(
            twin.get(f"/v1/payment_intents/{intent}", **{"expand[]": "payment_method"}).json(),
            "/v1/payment_intents/{intent}",
        )
    expiring = twin.open_session()
    assert twin.pay(expiring.url, card=DECLINED).status_code == 402
    twin.sdk.v1.checkout.sessions.expire(expiring.id)

    asked = twin.open_session()
    for said in ("fail", "complete"):
        question = twin.url + twin.pay(asked.url, card=ASKING).headers["Location"]
        requests.post(question, {"answer": said}, allow_redirects=False, timeout=SECONDS)

    listed = twin.get("/v1/events", limit=100).json()

    check_answer(listed, "/v1/events")
    check_answer(twin.get(f"/v1/events/{listed['data'][0]['id']}").json(), "/v1/events/{id}")
    for event in listed["data"]:
        check_object(event["data"]["object"])
    assert {event["type"] for event in listed["data"]} == {
        "payment_intent.created",
        "payment_intent.succeeded",
        "payment_intent.payment_failed",
        "payment_intent.processing",
        "payment_intent.canceled",
        "payment_intent.requires_action",
        "charge.succeeded",
        "charge.failed",
        "charge.pending",
        "charge.updated",
        "checkout.session.completed",
        "checkout.session.expired",
        "checkout.session.async_payment_succeeded",
        "checkout.session.async_payment_failed",
    }


def test_customers_fit(twin: Twin) -> None:
    path = "/v1/customers"
    one = f"{path}/{{customer}}"
    made = twin.post(path, name="A. Reader", **{"address[line1]": "Pond 1"}).json()
    here = f"{path}/{made['id']}"
    all_of_it = ["default_source", "sources", "subscriptions", "tax_ids"]

    check_answer(made, path, "post")
    check_answer(twin.get(here, **{"expand[]": all_of_it}).json(), one)
    check_answer(twin.post(here, name="B. Reader").json(), one, "post")
    check_answer(twin.get(path).json(), path)
    check_answer(twin.sdk.v1.customers.delete(made["id"]).to_dict(), one, "delete")
    check_answer(twin.get(here).json(), one)
    for event in twin.get("/v1/events").json()["data"]:
        check_object(event["data"]["object"])


def test_webhook_endpoints_fit(twin: Twin) -> None:
    path = "/v1/webhook_endpoints"
    one = f"{path}/{{webhook_endpoint}}"
    made = twin.post(path, url="http://127.0.0.1:9/", **{"enabled_events[]": "*"}).json()
    here = f"{path}/{made['id']}"

    check_answer(made, path, "post")
    check_answer(twin.get(here).json(), one)
    check_answer(twin.post(here, disabled="true").json(), one, "post")
    check_answer(twin.get(path).json(), path)
    check_answer(twin.sdk.v1.webhook_endpoints.delete(made["id"]).to_dict(), one, "delete")


def test_the_account_fits(twin: Twin) -> None:
    account = twin.get("/v1/account").json()

    check_answer(account, "/v1/account")
    check_answer(twin.get(f"/v1/accounts/{account['id']}").json(), "/v1/accounts/{account}")


def test_the_country_of_the_account_fits(twin: Twin) -> None:
    country = twin.get("/v1/country_specs/IE").json()

    check_answer(country, "/v1/country_specs/{country}")


@pytest.mark.parametrize(
    ("method", "path", "template"),
    [
        ("get", "/v1/customers/cus_1", "/v1/customers/{customer}"),
        ("get", "/v1/charges?limit=0", "/v1/charges"),
        ("post", "/v1/checkout/sessions", "/v1/checkout/sessions"),
    ],
)
def test_errors_fit(twin: Twin, method: str, path: str, template: str) -> None:
    answer = twin.get(path) if method == "get" else twin.post(path)

    assert answer.status_code in (400, 404)
    check_answer(answer.json(), template, method, status="default")
