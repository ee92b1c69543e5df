"""What tests of sessions share: one made under a key, its intent and charges, the bank's answer."""

from typing import Any

import requests
import stripe

from stripe_sandbox.tests.conftest import SECONDS, Twin, session_params

SESSIONS = "/v1/checkout/sessions"
PAID = {
    "payment_intent.created",
    "charge.succeeded",
    "payment_intent.succeeded",
    "checkout.session.completed",
}


def create(twin: Twin, key: str, **changes: object) -> stripe.checkout.Session:
    params: Any = session_params(**changes)
    return twin.sdk.v1.checkout.sessions.create(params, {"idempotency_key": key})


def count(twin: Twin) -> int:
    return len(twin.sdk.v1.checkout.sessions.list(params={"limit": 100}).data)


def intent_of(twin: Twin, session_id: str) -> stripe.PaymentIntent:
    session = twin.sdk.v1.checkout.sessions.retrieve(
        session_id, params={"expand": ["payment_intent.latest_charge"]}
    )
    assert isinstance(session.payment_intent, stripe.PaymentIntent)
    return session.payment_intent


def charges_of(twin: Twin, intent: str) -> list[stripe.Charge]:
    return twin.sdk.v1.charges.list(params={"payment_intent": intent}).data


def answer(question: str, said: str) -> requests.Response:
    """Press one of the bank's buttons; the redirect is not followed."""
    return requests.post(question, {"answer": said}, allow_redirects=False, timeout=SECONDS)
