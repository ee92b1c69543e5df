"""PaymentIntents without a session: made by a merchant, confirmed by an app, paid once at most."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
import stripe

from stripe_sandbox.tests.conftest import DECLINED, Twin
from stripe_sandbox.tests.intents import (
    RETURN_URL,
    UNPAID,
    confirm,
    intent_in,
    refusals,
    see,
    standing,
)
from stripe_sandbox.tests.sessions import charges_of

PAID = ["charge.succeeded", "payment_intent.created", "payment_intent.succeeded"]


def test_a_new_intent_waits_for_a_payment_method(twin: Twin, intent: stripe.PaymentIntent) -> None:
    assert (intent.status, intent.amount, intent.currency) == (UNPAID, 3097, "eur")
    assert intent.client_secret is not None
    assert intent.client_secret.startswith(f"{intent.id}_secret_")
    assert intent.automatic_payment_methods is not None
    assert intent.automatic_payment_methods.to_dict() == {
        "allow_redirects": "always",
        "enabled": True,
    }
    assert intent.payment_method_types == ["card", "sepa_debit"]
    assert (intent.metadata.to_dict(), intent.latest_charge) == ({"order": "ORDER-1"}, None)
    assert twin.event_types() == ["payment_intent.created"]
    (event,) = twin.sdk.v1.events.list().data
    assert event.data.object["id"] == intent.id
    assert event["request"]["id"].startswith("req_")


def test_what_is_told_at_creation_is_kept_and_reaches_the_charge(twin: Twin) -> None:
    intent = twin.make_intent(
        description="Books",
        receipt_email="reader@example.com",
        shipping={"name": "A. Reader", "address": {"line1": "Pond 1", "country": "US"}},
        payment_method_types=["card"],
    )

    paid = confirm(twin, intent)

    assert (paid.automatic_payment_methods, paid.payment_method_types) == (None, ["card"])
    (charge,) = charges_of(twin, intent.id)
    assert (charge.description, charge.receipt_email) == ("Books", "reader@example.com")
    assert charge.shipping is not None
    assert charge.shipping.name == "A. Reader"
    assert charge.metadata.to_dict() == {"order": "ORDER-1"}


def test_a_good_card_pays(twin: Twin, intent: stripe.PaymentIntent) -> None:
    paid = confirm(twin, intent)

    assert (paid.status, paid.amount_received, paid.next_action) == ("succeeded", 3097, None)
    (charge,) = charges_of(twin, intent.id)
    assert (charge.id, charge.amount, charge.paid) == (paid.latest_charge, 3097, True)
    assert charge.payment_method_details is not None
    assert charge.payment_method_details.card is not None
    assert charge.payment_method_details.card.last4 == "4242"
    assert sorted(twin.event_types()) == PAID


def test_the_fee_is_of_the_moment_at_which_it_becomes_known(
    twin: Twin, intent: stripe.PaymentIntent
) -> None:
    confirm(twin, intent)
    assert charges_of(twin, intent.id)[0].balance_transaction is None

    twin.control("clock", advance=24 * 60 * 60)

    (charge,) = charges_of(twin, intent.id)
    transaction = twin.sdk.v1.balance_transactions.retrieve(str(charge.balance_transaction))
    assert (transaction.created, transaction.net) == (charge.created + 5, 3026)
    assert twin.event_types()[0] == "charge.updated"


@pytest.mark.parametrize(
    ("token", "code", "decline_code"),
    [
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        (
            "pm_card_visa_chargeDeclinedInsufficientFunds",
            "card_declined",
            "insufficient_funds",
        ),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
    ],
)
def test_a_refusal_is_an_error_that_tells_of_the_intent_and_a_good_card_pays_later(
    twin: Twin, intent: stripe.PaymentIntent, token: str, code: str, decline_code: str
) -> None:
    with pytest.raises(stripe.CardError) as refused:
        confirm(twin, intent, token)

    (failed,) = charges_of(twin, intent.id)
    error = refused.value.error
    assert (refused.value.http_status, refused.value.code) == (402, code)
    assert error is not None
    assert (error.decline_code, error.charge) == (decline_code, failed.id)
    assert (intent_in(refused.value).id, intent_in(refused.value).status) == (intent.id, UNPAID)
    now = see(twin, intent)
    assert (now.status, now.latest_charge, now.payment_method) == (UNPAID, failed.id, None)
    assert now.last_payment_error is not None
    assert now.last_payment_error.decline_code == decline_code
    assert sorted(twin.event_types()) == [
        "charge.failed",
        "payment_intent.created",
        "payment_intent.payment_failed",
    ]

    assert confirm(twin, intent).last_payment_error is None
    assert standing(twin, intent) == ("succeeded", 3097, ["succeeded", "failed"])


def test_one_call_makes_and_pays(twin: Twin) -> None:
    paid = twin.make_intent(confirm=True, payment_method="pm_card_visa", return_url=RETURN_URL)

    assert standing(twin, paid) == ("succeeded", 3097, ["succeeded"])
    assert sorted(twin.event_types()) == PAID


def test_one_call_that_is_refused_leaves_the_intent_for_another_try(twin: Twin) -> None:
    with pytest.raises(stripe.CardError) as refused:
        twin.make_intent(
            confirm=True,
            payment_method="pm_card_visa_chargeDeclined",
            return_url=RETURN_URL,
        )

    left = intent_in(refused.value)
    assert standing(twin, left) == (UNPAID, 0, ["failed"])
    assert confirm(twin, left).status == "succeeded"


def test_a_payment_method_chosen_at_creation_pays_on_confirmation(twin: Twin) -> None:
    intent = twin.make_intent(payment_method="pm_card_visa")
    assert standing(twin, intent) == ("requires_confirmation", 0, [])

    paid = twin.sdk.v1.payment_intents.confirm(intent.id, params={"return_url": RETURN_URL})

    assert (paid.status, paid.payment_method) == ("succeeded", intent.payment_method)


def test_a_repeated_confirmation_replays_its_answer_even_a_refusal(
    twin: Twin, intent: stripe.PaymentIntent
) -> None:
    path = f"/v1/payment_intents/{intent.id}/confirm"
    declined = {"payment_method": "pm_card_chargeDeclined", "return_url": RETURN_URL}

    refused = [twin.post(path, key="one", **declined) for _ in range(2)]
    paid = [
        twin.post(path, key="two", payment_method="pm_card_visa", return_url=RETURN_URL)
        for _ in range(2)
    ]

    assert [answer.status_code for answer in refused] == [402, 402]
    assert refused[0].json() == refused[1].json()
    assert refused[1].headers["Idempotent-Replayed"] == "true"
    assert paid[0].json() == paid[1].json()
    assert standing(twin, intent) == ("succeeded", 3097, ["succeeded", "failed"])


def test_simultaneous_confirmations_charge_once(twin: Twin, intent: stripe.PaymentIntent) -> None:
    path = f"/v1/payment_intents/{intent.id}/confirm"

    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda _: twin.post(path, payment_method="pm_card_visa", return_url=RETURN_URL),
                range(8),
            )
        )

    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
    assert standing(twin, intent) == ("succeeded", 3097, ["succeeded"])


@pytest.mark.parametrize(
    ("outcome", "left", "events"),
    [
        (
            "succeeded",
            ("succeeded", 3097, ["succeeded"]),
            ["charge.succeeded", "payment_intent.succeeded"],
        ),
        ("failed", (UNPAID, 0, ["failed"]), ["charge.failed", "payment_intent.payment_failed"]),
    ],
)
def test_a_bank_debit_is_decided_later(
    twin: Twin,
    intent: stripe.PaymentIntent,
    outcome: str,
    left: tuple[str, int, list[str]],
    events: list[str],
) -> None:
    begun = confirm(twin, intent, "pm_success_de")

    assert standing(twin, intent) == ("processing", 0, ["pending"])
    assert str(begun.latest_charge).startswith("py_")
    assert sorted(twin.event_types()[:2]) == ["charge.pending", "payment_intent.processing"]

    twin.control(f"bank_debits/{intent.id}", outcome=outcome)

    assert standing(twin, intent) == left
    assert sorted(twin.event_types()[:2]) == events
    with pytest.raises(requests.HTTPError, match="409"):
        twin.control(f"bank_debits/{intent.id}", outcome="succeeded")


def test_an_intent_for_cards_alone_takes_no_bank_debit(twin: Twin) -> None:
    intent = twin.make_intent(payment_method_types=["card"])

    with pytest.raises(stripe.InvalidRequestError) as refused:
        confirm(twin, intent, "pm_success_de")

    assert refused.value.code == "payment_intent_incompatible_payment_method"
    assert standing(twin, intent) == (UNPAID, 0, [])


@pytest.mark.parametrize("reason", ["abandoned", "requested_by_customer", None])
def test_an_unpaid_intent_can_be_canceled_and_then_never_paid(
    twin: Twin, intent: stripe.PaymentIntent, reason: str | None
) -> None:
    params: Any = {"cancellation_reason": reason} if reason else {}

    canceled = twin.sdk.v1.payment_intents.cancel(intent.id, params=params)

    assert (canceled.status, canceled.cancellation_reason) == ("canceled", reason)
    assert canceled.canceled_at is not None
    assert twin.event_types()[0] == "payment_intent.canceled"
    refused = refusals(
        lambda: confirm(twin, intent),
        lambda: twin.sdk.v1.payment_intents.cancel(intent.id),
        lambda: twin.sdk.v1.payment_intents.update(intent.id, params={"amount": 500}),
    )
    assert [error.code for error in refused] == ["payment_intent_unexpected_state"] * 3
    assert standing(twin, intent) == ("canceled", 0, [])


@pytest.mark.parametrize(
    ("token", "status"), [("pm_card_visa", "succeeded"), ("pm_success_de", "processing")]
)
def test_what_is_paid_or_on_its_way_cannot_be_canceled(
    twin: Twin, intent: stripe.PaymentIntent, token: str, status: str
) -> None:
    confirm(twin, intent, token)
    before = standing(twin, intent)

    refused = refusals(
        lambda: twin.sdk.v1.payment_intents.cancel(intent.id), lambda: confirm(twin, intent)
    )

    assert [error.http_status for error in refused] == [400, 400]
    assert [error.code for error in refused] == ["payment_intent_unexpected_state"] * 2
    assert [intent_in(error).status for error in refused] == [status] * 2
    assert all(f"a status of {status}" in str(error) for error in refused)
    assert standing(twin, intent) == before


def test_the_intent_of_a_session_is_its_session_s_affair(twin: Twin) -> None:
    session = twin.open_session()
    twin.pay(session.url, card=DECLINED)
    mine = str(twin.sdk.v1.checkout.sessions.retrieve(session.id).payment_intent)
    intents = twin.sdk.v1.payment_intents

    refused = refusals(
        lambda: intents.cancel(mine),
        lambda: intents.confirm(mine, params={"payment_method": "pm_card_visa"}),
        lambda: intents.update(mine, params={"amount": 500}),
    )

    assert all("PaymentIntents created by Checkout" in str(error) for error in refused)
    twin.sdk.v1.checkout.sessions.expire(session.id)

    (ended,) = refusals(lambda: intents.cancel(mine))
    assert "a status of canceled" in str(ended)
    assert [charge.status for charge in charges_of(twin, mine)] == ["failed"]


def test_an_intent_waits_for_ever(twin: Twin, intent: stripe.PaymentIntent) -> None:
    twin.control("clock", advance=400 * 24 * 60 * 60)

    assert confirm(twin, intent).status == "succeeded"
