"""PaymentIntents: the buyer pays in a client of his own."""

from datetime import datetime
from typing import Any

import stripe

from payments.gateway.client import client, metadata_of
from payments.gateway.errors import failures
from payments.gateway.facts import Intent


def create_intent(*, params: Any, idempotency_key: str) -> Intent:
    """Make a PaymentIntent; repeating the key with the same params returns the same one."""
    with failures():
        return Intent.read(
            client().v1.payment_intents.create(
                params=params, options={"idempotency_key": idempotency_key}
            )
        )


def retrieve_intent(intent_id: str) -> Intent:
    """Read an intent with its charges and fees; raises Missing."""
    with failures():
        found = client().v1.payment_intents.retrieve(intent_id)
        return Intent.read(found, charges_of(found))


def cancel_intent(intent_id: str) -> Intent:
    """End an intent, so that nothing can be paid by it; raises Refused when it is too late."""
    with failures():
        ended = client().v1.payment_intents.cancel(intent_id)
        return Intent.read(ended, charges_of(ended))


def intent_of_attempt(key: str, *, since: datetime, until: datetime) -> Intent | None:
    """Find the intent whose metadata names this attempt, among those made between these moments."""
    with failures():
        listed = client().v1.payment_intents.list(
            params={
                "created": {"gte": int(since.timestamp()), "lte": int(until.timestamp())},
                "limit": 100,
            }
        )
        for found in listed.auto_paging_iter():
            if metadata_of(found.metadata).get("attempt") == key:
                return Intent.read(found, charges_of(found))
    return None


def charges_of(intent: stripe.PaymentIntent) -> list[stripe.Charge]:
    """Read the intent's charges, oldest first, with their balance transactions.

    One intent may have several: a declined one before the one that paid, or, should Stripe err,
    two that paid. `latest_charge` alone would hide the first.
    """
    if not intent.latest_charge:
        return []
    listed = client().v1.charges.list(
        params={
            "payment_intent": intent.id,
            "expand": ["data.balance_transaction"],
            "limit": 100,
        }
    )
    return list(listed.auto_paging_iter())[::-1]
