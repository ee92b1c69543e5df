"""The calls on PaymentIntents: what they take, refuse and show, and to whom."""

from typing import Any

import pytest
import stripe

from stripe_sandbox.tests.conftest import API_VERSION, PUBLISHABLE_KEY, Params, Twin
from stripe_sandbox.tests.intents import (
    RETURN_URL,
    UNPAID,
    ask,
    confirm,
    intent_in,
    refusals,
    see,
    standing,
)
from stripe_sandbox.tests.sessions import answer


def app(twin: Twin) -> stripe.StripeClient:
    """Return what runs in a buyer's app: the SDK with the publishable key."""
    return stripe.StripeClient(
        PUBLISHABLE_KEY,
        base_addresses={"api": twin.url},
        stripe_version=API_VERSION,
        max_network_retries=0,
    )


def test_metadata_and_amount_can_be_changed_before_it_is_paid(
    twin: Twin, intent: stripe.PaymentIntent
) -> None:
    question = ask(twin, intent)

    changed = twin.sdk.v1.payment_intents.update(
        intent.id,
        params={"amount": 500, "metadata": {"attempt": "2"}, "receipt_email": "a@example.com"},
    )

    assert (changed.amount, changed.receipt_email) == (500, "a@example.com")
    assert changed.metadata.to_dict() == {"order": "ORDER-1", "attempt": "2"}
    assert (changed.status, changed.next_action) == ("requires_confirmation", None)
    assert answer(question, "complete").status_code == 409
    assert confirm(twin, intent).amount_received == 500


def test_only_metadata_and_words_can_be_changed_afterwards(
    twin: Twin, intent: stripe.PaymentIntent
) -> None:
    confirm(twin, intent)
    intents = twin.sdk.v1.payment_intents

    with pytest.raises(stripe.InvalidRequestError) as refused:
        intents.update(intent.id, params={"amount": 500, "metadata": {"order": ""}})
    assert refused.value.code == "payment_intent_unexpected_state"
    assert see(twin, intent).metadata.to_dict() == {"order": "ORDER-1"}

    changed = intents.update(intent.id, params={"metadata": {"order": ""}, "description": "B"})
    assert (changed.metadata.to_dict(), changed.description) == ({}, "B")
    assert changed.amount == 3097


def test_intents_are_listed_newest_first(twin: Twin) -> None:
    customer = twin.sdk.v1.customers.create(params={"email": "a@example.com"})
    first, second, third = (
        twin.make_intent(),
        twin.make_intent(customer=customer.id),
        twin.make_intent(),
    )
    intents = twin.sdk.v1.payment_intents

    def ids(params: Any) -> list[str]:
        return [listed.id for listed in intents.list(params=params).data]

    assert ids({}) == [third.id, second.id, first.id]
    assert ids({"limit": 1, "starting_after": third.id}) == [second.id]
    assert ids({"customer": customer.id}) == [second.id]
    assert ids({"created": {"gt": third.created}}) == []


def test_a_buyer_s_app_confirms_with_the_publishable_key(
    twin: Twin, intent: stripe.PaymentIntent
) -> None:
    known: Any = {"client_secret": intent.client_secret}
    shown = app(twin).v1.payment_intents.retrieve(intent.id, params=known)
    assert (shown.amount, shown.status) == (3097, UNPAID)
    assert "metadata" not in shown
    assert "latest_charge" not in shown

    trying = known | {"payment_method": "pm_card_chargeDeclined", "return_url": RETURN_URL}
    with pytest.raises(stripe.CardError) as refused:
        app(twin).v1.payment_intents.confirm(intent.id, params=trying)
    assert "metadata" not in intent_in(refused.value)

    paying = trying | {"payment_method": "pm_card_visa"}
    paid = app(twin).v1.payment_intents.confirm(intent.id, params=paying)
    assert paid.status == "succeeded"
    assert "latest_charge" not in paid
    assert standing(twin, intent) == ("succeeded", 3097, ["succeeded", "failed"])


@pytest.mark.parametrize("secret", [None, "pi_other_secret_none"])
def test_the_publishable_key_opens_nothing_without_the_client_secret(
    twin: Twin, intent: stripe.PaymentIntent, secret: str | None
) -> None:
    known: Any = {"client_secret": secret} if secret else {}
    intents = app(twin).v1.payment_intents

    refused = refusals(
        lambda: intents.retrieve(intent.id, params=known),
        lambda: intents.confirm(intent.id, params=known | {"payment_method": "pm_card_visa"}),
    )

    assert [error.http_status for error in refused] == [400, 400]
    assert all("client_secret" in str(error) for error in refused)
    assert standing(twin, intent) == (UNPAID, 0, [])


def test_the_publishable_key_does_nothing_else(twin: Twin, intent: stripe.PaymentIntent) -> None:
    buyer = app(twin).v1

    refused = refusals(
        lambda: buyer.payment_intents.list(),
        lambda: buyer.payment_intents.cancel(intent.id),
        lambda: buyer.payment_intents.create(params={"amount": 500, "currency": "eur"}),
        lambda: buyer.charges.list(),
    )

    assert [error.http_status for error in refused] == [403] * 4
    assert all("with a publishable API key" in str(error) for error in refused)
    assert twin.event_types() == ["payment_intent.created"]


@pytest.mark.parametrize(
    ("changes", "param", "code"),
    [
        ({"amount": 49}, "amount", "amount_too_small"),
        ({"amount": 0}, "amount", "parameter_invalid_integer"),
        ({"currency": "xyz"}, "currency", None),
        ({"amount": 1001, "currency": "kwd"}, "amount", None),
        ({"return_url": RETURN_URL}, "return_url", None),
        ({"payment_method": "pm_unknown"}, "payment_method", "resource_missing"),
        ({"customer": "cus_none"}, "customer", "resource_missing"),
        ({"confirmation_method": "manual"}, "confirmation_method", None),
        ({"surprise": 1}, "surprise", "parameter_unknown"),
        ({"confirm": True, "payment_method": "pm_card_visa"}, "return_url", None),
        (
            {"automatic_payment_methods": {"enabled": True}, "payment_method_types": ["card"]},
            "automatic_payment_methods",
            None,
        ),
    ],
)
def test_a_creation_that_is_wrong_makes_nothing(
    twin: Twin, changes: Params, param: str, code: str | None
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        twin.make_intent(**changes)

    assert (refused.value.param, refused.value.code) == (param, code)
    assert twin.sdk.v1.payment_intents.list().data == []
    assert twin.event_types() == []


def test_without_redirects_a_card_pays_without_a_return_url(twin: Twin) -> None:
    intent = twin.make_intent(
        automatic_payment_methods={"enabled": True, "allow_redirects": "never"}
    )
    intents = twin.sdk.v1.payment_intents

    for token in (None, "pm_card_threeDSecure2Required"):
        params: Any = {"payment_method": token} if token else {}
        with pytest.raises(stripe.InvalidRequestError):
            intents.confirm(intent.id, params=params)
        assert standing(twin, intent) == (UNPAID, 0, [])
    paid = intents.confirm(intent.id, params={"payment_method": "pm_card_visa"})

    assert paid.status == "succeeded"


def test_nothing_is_confirmed_without_a_payment_method(
    twin: Twin, intent: stripe.PaymentIntent
) -> None:
    way: Any = {"return_url": RETURN_URL}

    refused = refusals(
        lambda: twin.sdk.v1.payment_intents.confirm(intent.id, params=way),
        lambda: twin.make_intent(confirm=True, **way),
    )

    assert [error.code for error in refused] == ["payment_intent_unexpected_state"] * 2
    assert all("missing a payment method" in str(error) for error in refused)
    assert twin.event_types() == ["payment_intent.created"]


def test_an_unknown_intent_is_not_found(twin: Twin) -> None:
    for path in ("", "/confirm", "/cancel"):
        assert twin.post(f"/v1/payment_intents/pi_none{path}").status_code == 404
    assert twin.get("/v1/payment_intents/pi_none").status_code == 404
