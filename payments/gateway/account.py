"""Whose keys these are, and what Stripe lets that account do."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

import stripe
from django.conf import settings

from payments.gateway.client import client, client_with
from payments.gateway.errors import failures


@dataclass(frozen=True, slots=True)
class Account:
    id: str
    country: str
    charges_enabled: bool
    capabilities: dict[str, str]


def own_account() -> Account:
    """Read the account of the secret key; raises NotAllowed for a key without that right."""
    with failures():
        found = client().v1.accounts.retrieve_current()
    capabilities = found.capabilities
    return Account(
        id=found.id,
        country=found.country or "",
        charges_enabled=bool(found.charges_enabled),
        capabilities=capabilities.to_dict() if capabilities else {},
    )


def time_at_stripe() -> datetime | None:
    """Read Stripe's clock, to the second; None when its answer does not tell."""
    with failures():
        try:
            answer = client().v1.accounts.retrieve_current().last_response
        except stripe.PermissionError as refusal:
            headers: Mapping[str, str] = refusal.headers or {}
        else:
            headers = answer.headers if answer else {}
    date = headers.get("Date")
    return parsedate_to_datetime(date) if date else None


def payment_currencies(country: str) -> frozenset[str]:
    """Read in which currencies an account in this country may take payments: ISO 4217 codes."""
    with failures():
        found = client().v1.country_specs.retrieve(country)
    return frozenset(code.upper() for code in found.supported_payment_currencies)


def publishable_key_opens(intent_id: str) -> bool:
    """Tell whether the publishable key is of the account that this intent is of.

    Raises Missing when the secret key does not know the intent, NotAvailable when Stripe refuses
    the publishable key.
    """
    with failures():
        secret = client().v1.payment_intents.retrieve(intent_id).client_secret
    return _publishable_key_reads(intent_id, secret or "")


def try_publishable_key() -> None:
    """Ask Stripe for what nobody has; raises NotAvailable when it refuses the publishable key."""
    _publishable_key_reads("pi_nobodys", "pi_nobodys_secret_none")


def _publishable_key_reads(intent_id: str, secret: str) -> bool:
    with failures():
        try:
            client_with(settings.STRIPE_PUBLISHABLE_KEY).v1.payment_intents.retrieve(
                intent_id, params={"client_secret": secret}
            )
        except stripe.InvalidRequestError:
            return False
    return True
