"""Checkout Sessions: Stripe's own page, on which the buyer pays."""

from datetime import datetime

import stripe
from stripe.params.checkout import SessionCreateParams, SessionListParams

from payments.gateway.client import client, metadata_of
from payments.gateway.errors import failures
from payments.gateway.facts import Intent, Session
from payments.gateway.intents import charges_of


def create_session(*, params: SessionCreateParams, idempotency_key: str) -> Session:
    """Open a Checkout Session; repeating the key with the same params returns the same one."""
    with failures():
        return Session.read(
            client().v1.checkout.sessions.create(
                params=params, options={"idempotency_key": idempotency_key}
            )
        )


def retrieve_session(session_id: str) -> Session:
    """Read a session with its intent, charges and fees; raises Missing."""
    with failures():
        return _with_money(
            client().v1.checkout.sessions.retrieve(
                session_id, params={"expand": ["payment_intent"]}
            )
        )


def expire_session(session_id: str) -> Session:
    """End a session, so that nothing can be paid by it; raises Refused when it is not open."""
    with failures():
        return Session.read(client().v1.checkout.sessions.expire(session_id))


def session_of_attempt(key: str, *, since: datetime, until: datetime) -> Session | None:
    """Find the session whose metadata names this attempt, among those made between these moments.

    Stripe has no filter by reference, so its list is read, newest first.
    """
    params: SessionListParams = {
        "created": {"gte": int(since.timestamp()), "lte": int(until.timestamp())},
        "limit": 100,
    }
    with failures():
        for found in client().v1.checkout.sessions.list(params=params).auto_paging_iter():
            if metadata_of(found.metadata).get("attempt") == key:
                return retrieve_session(found.id)
    return None


def session_of_intent(intent_id: str) -> Session | None:
    """Read the session that an intent belongs to, or None when it has none."""
    with failures():
        found = client().v1.checkout.sessions.list(
            params={"payment_intent": intent_id, "expand": ["data.payment_intent"], "limit": 1}
        )
        return _with_money(found.data[0]) if found.data else None


def _with_money(found: stripe.checkout.Session) -> Session:
    intent = found.payment_intent
    if not isinstance(intent, stripe.PaymentIntent):
        return Session.read(found)
    return Session.read(found, Intent.read(intent, charges_of(intent)))
