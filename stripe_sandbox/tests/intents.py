"""What tests of intents share: one made by a merchant, confirmed by an app, looked at."""

from collections.abc import Callable
from typing import Any

import pytest
import stripe

from stripe_sandbox.tests.conftest import Twin
from stripe_sandbox.tests.sessions import charges_of

RETURN_URL = "http://127.0.0.1:9/returned?order=1"
UNPAID = "requires_payment_method"


def see(twin: Twin, intent: stripe.PaymentIntent) -> stripe.PaymentIntent:
    return twin.sdk.v1.payment_intents.retrieve(intent.id)


def confirm(
    twin: Twin, intent: stripe.PaymentIntent, method: str = "pm_card_visa", **changes: Any
) -> stripe.PaymentIntent:
    params: Any = {"payment_method": method, "return_url": RETURN_URL} | changes
    return twin.sdk.v1.payment_intents.confirm(intent.id, params=params)


def standing(twin: Twin, intent: stripe.PaymentIntent) -> tuple[str, int, list[str]]:
    """Return the intent's status, what it received, and the states of its charges, newest first."""
    now = see(twin, intent)
    return now.status, now.amount_received, [one.status for one in charges_of(twin, intent.id)]


def refusals(*calls: Callable[[], object]) -> list[stripe.StripeError]:
    """Return the error of each call, none of which may succeed."""
    errors = []
    for call in calls:
        with pytest.raises(stripe.StripeError) as refused:
            call()
        errors.append(refused.value)
    return errors


def intent_in(error: stripe.StripeError) -> stripe.PaymentIntent:
    """Return the intent that an error tells of."""
    assert error.error is not None
    assert error.error.payment_intent is not None
    return error.error.payment_intent


def ask(
    twin: Twin, intent: stripe.PaymentIntent, method: str = "pm_card_threeDSecure2Required"
) -> str:
    asked = confirm(twin, intent, method)
    assert asked.next_action is not None
    assert asked.next_action.redirect_to_url is not None
    assert asked.next_action.redirect_to_url.url is not None
    return asked.next_action.redirect_to_url.url
