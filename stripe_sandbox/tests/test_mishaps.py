"""What should never happen to a payment: another sum, twice, or at the last moment."""

from typing import Any

import pytest
import requests
import stripe

from stripe_sandbox.tests.api_document import check_answer, check_object
from stripe_sandbox.tests.conftest import DECLINED, SECONDS, Twin
from stripe_sandbox.tests.sessions import SESSIONS

INTENTS = "/v1/payment_intents"
CARD = {"payment_method": "pm_card_visa", "return_url": "http://127.0.0.1:9/"}


def make_intent(twin: Twin) -> str:
    made: str = twin.post(INTENTS, amount=3097, currency="eur").json()["id"]
    return made


def sums(twin: Twin) -> dict[str, Any]:
    """Return what the books say was asked and captured of the newest payment."""
    row = twin.control("books", "GET")["payments"][-1]
    captured = {currency: sums["captured"] for currency, sums in row["sums"].items()}
    return {"asked": row["asked"], "in": row["currency"], "captured": captured}


@pytest.mark.parametrize(
    ("fault", "amount", "currency"),
    [
        ({"kind": "wrong_amount"}, 3098, "eur"),
        ({"kind": "wrong_amount", "by": -97}, 3000, "eur"),
        ({"kind": "wrong_amount", "by": -9999}, 1, "eur"),
        ({"kind": "wrong_currency"}, 3097, "usd"),
        ({"kind": "wrong_currency", "currency": "gbp"}, 3097, "gbp"),
    ],
)
def test_a_session_is_paid_with_another_sum_than_was_asked(
    twin: Twin, fault: dict[str, object], amount: int, currency: str
) -> None:
    session = twin.open_session()
    twin.control("faults", **fault)
    assert twin.pay(session.url, card=DECLINED).status_code == 402  # uses no fault up
    assert twin.pay(session.url).status_code == 303

    paid = twin.get(
        f"{SESSIONS}/{session.id}", **{"expand[]": "payment_intent.latest_charge"}
    ).json()
    intent = paid["payment_intent"]
    charge = intent["latest_charge"]
    assert (paid["amount_total"], paid["currency"]) == (amount, currency)
    assert (paid["status"], paid["payment_status"]) == ("complete", "paid")
    assert (intent["amount"], intent["amount_received"]) == (amount, amount)
    assert (charge["amount"], charge["amount_captured"]) == (amount, amount)
    assert (intent["currency"], charge["currency"]) == (currency, currency)
    assert sums(twin) == {"asked": 3097, "in": "eur", "captured": {currency: amount}}
    assert twin.faults() == []


def test_both_may_be_wrong_of_an_intent(twin: Twin) -> None:
    intent = make_intent(twin)
    twin.control("faults", kind="wrong_amount", by=3, path=intent)
    twin.control("faults", kind="wrong_currency", path=intent)
    other = twin.post(f"{INTENTS}/{make_intent(twin)}/confirm", **CARD).json()

    paid = twin.post(f"{INTENTS}/{intent}/confirm", **CARD).json()

    assert (other["amount_received"], other["currency"]) == (3097, "eur")
    assert (paid["amount_received"], paid["currency"]) == (3100, "usd")


def test_a_bank_debit_of_another_sum_is_told_when_it_begins(twin: Twin) -> None:
    session = twin.open_session()
    twin.control("faults", kind="wrong_amount")

    assert twin.pay(session.url, method="bank_debit").status_code == 303

    begun = twin.sdk.v1.checkout.sessions.retrieve(session.id)
    assert (begun.amount_total, begun.payment_status) == (3098, "unpaid")
    twin.control(f"bank_debits/{begun.payment_intent}", outcome="succeeded")
    assert sums(twin) == {"asked": 3097, "in": "eur", "captured": {"eur": 3098}}


def test_what_was_asked_is_known_however_often_another_sum_was_tried(twin: Twin) -> None:
    intent = make_intent(twin)
    twin.control("faults", kind="wrong_amount", times=2)
    twin.post(f"{INTENTS}/{intent}/confirm", **CARD | {"payment_method": "pm_success_de"})
    twin.control(f"bank_debits/{intent}", outcome="failed")

    twin.post(f"{INTENTS}/{intent}/confirm", **CARD)

    assert sums(twin) == {"asked": 3097, "in": "eur", "captured": {"eur": 3099}}


def test_a_payment_may_be_charged_twice_at_once(twin: Twin) -> None:
    twin.control("faults", kind="second_charge")

    session = twin.paid_session()

    intent = twin.sdk.v1.payment_intents.retrieve(str(session.payment_intent))
    second, first = twin.sdk.v1.charges.list(params={"payment_intent": intent.id}).data
    assert (intent.latest_charge, intent.amount_received) == (second.id, 3097)
    assert [first.amount, second.amount] == [3097, 3097]
    assert sorted(twin.event_types()) == [
        "charge.succeeded",
        "charge.succeeded",
        "checkout.session.completed",
        "payment_intent.created",
        "payment_intent.succeeded",
    ]
    assert sums(twin)["captured"] == {"eur": 6194}


def test_a_second_charge_may_come_later_and_is_a_charge_of_its_own(twin: Twin) -> None:
    intent = str(twin.paid_session().payment_intent)
    twin.control("clock", advance=60)
    twin.sdk.v1.refunds.create(params={"payment_intent": intent, "amount": 1000})
    twin.control("second_charges", payment_intent=intent)
    made, _ = twin.sdk.v1.charges.list(params={"payment_intent": intent}).data
    assert made.balance_transaction is None
    twin.control("clock", advance=60)

    second, first = twin.sdk.v1.charges.list(params={"payment_intent": intent}).data

    assert second.created - first.created >= 60
    assert (first.amount_refunded, second.amount_refunded) == (1000, 0)
    assert first.balance_transaction != second.balance_transaction
    assert twin.control("books", "GET")["totals"]["eur"]["net"] == 2 * (3097 - 71) - 1000


def test_only_what_is_paid_is_charged_again(twin: Twin) -> None:
    for fields, status in [({"payment_intent": make_intent(twin)}, 409), ({}, 404)]:
        answer = requests.post(f"{twin.url}/_sandbox/second_charges", json=fields, timeout=SECONDS)
        assert answer.status_code == status
    assert twin.event_types() == ["payment_intent.created"]


def test_a_session_may_be_paid_at_the_moment_of_an_expire_call(twin: Twin) -> None:
    session = twin.open_session()
    twin.control("faults", kind="pay_at_expire")
    twin.get(f"{SESSIONS}/{session.id}")

    answers = [twin.post(f"{SESSIONS}/{session.id}/expire", key="key") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [400, 400]
    assert "has a status of complete" in answers[0].json()["error"]["message"]
    assert twin.sdk.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"
    assert sums(twin)["captured"] == {"eur": 3097}
    assert twin.faults() == []


def test_an_intent_may_be_paid_at_the_moment_of_its_cancellation(twin: Twin) -> None:
    intent = make_intent(twin)
    twin.control("faults", kind="pay_at_expire")

    with pytest.raises(stripe.InvalidRequestError) as refused:
        twin.sdk.v1.payment_intents.cancel(intent)

    assert refused.value.code == "payment_intent_unexpected_state"
    assert sums(twin)["captured"] == {"eur": 3097}
    twin.control("faults", kind="pay_at_expire")
    assert twin.post(f"{INTENTS}/{intent}/cancel").status_code == 400
    assert sums(twin)["captured"] == {"eur": 3097}


def test_a_sessions_intent_is_paid_by_its_session_alone(twin: Twin) -> None:
    session = twin.open_session()
    twin.pay(session.url, card=DECLINED)
    intent = twin.sdk.v1.checkout.sessions.retrieve(session.id).payment_intent
    twin.control("faults", kind="pay_at_expire")

    assert twin.post(f"{INTENTS}/{intent}/cancel").status_code == 400

    assert sums(twin)["captured"] == {}


def test_what_is_over_or_unknown_is_not_paid_at_the_last_moment(twin: Twin) -> None:
    over = twin.open_session()
    twin.sdk.v1.checkout.sessions.expire(over.id)
    twin.control("faults", kind="pay_at_expire", times=2)

    assert twin.post(f"{SESSIONS}/{over.id}/expire").status_code == 400
    assert twin.post(f"{SESSIONS}/cs_test_none/expire").status_code == 404
    assert twin.event_types() == ["checkout.session.expired"]


def test_what_a_mishap_leaves_still_fits_the_api(twin: Twin) -> None:
    for kind in ("wrong_amount", "wrong_currency", "second_charge"):
        twin.control("faults", kind=kind)
    session = twin.paid_session()
    twin.control("clock", advance=10)

    path = f"{SESSIONS}/{session.id}"
    whole = "payment_intent.latest_charge.balance_transaction"
    check_answer(twin.get(path, **{"expand[]": whole}).json(), "/v1/checkout/sessions/{session}")
    charges = twin.get("/v1/charges", payment_intent=session.payment_intent).json()
    check_answer(charges, "/v1/charges")
    assert len(charges["data"]) == 2
    for event in twin.get("/v1/events").json()["data"]:
        check_object(event["data"]["object"])
