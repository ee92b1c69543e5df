"""What the calls on PaymentIntents take.

The names are all that Stripe's API document of 2026-05-27 lists, which a test holds; the ones that
the sandbox does not play are refused in words of their own.
"""

from typing import Any

from stripe_sandbox import currencies
from stripe_sandbox.cards import BANK_DEBIT, CARD, TOKENS
from stripe_sandbox.errors import invalid, no_such
from stripe_sandbox.params import (
    Raw,
    Rule,
    address,
    boolean,
    choice,
    clearable,
    email,
    fields,
    integer,
    items,
    metadata,
    metadata_changes,
    not_here,
    only,
    short_text,
    text,
    url,
)

PAYMENT_METHOD_TYPES = (CARD, BANK_DEBIT)
MAXIMUM_AMOUNT = 99_999_999

_one_account = not_here("it has one account")
_later = not_here("it is not built yet")
_at_creation = not_here("say it when you create the intent")
_for_good = not_here("it keeps no cards and no mandates")


def currency_code(name: str, raw: Raw) -> str:
    code = text(name, raw).lower()
    if not currencies.is_supported(code):
        message = f"Invalid currency: {code}. Stripe does not currently support it."
        raise invalid(message, name)
    return code


def _token(name: str, raw: Raw) -> str:
    token = text(name, raw)
    if token not in TOKENS:
        raise no_such("PaymentMethod", token, name)
    return token


shipping = fields(
    {
        "address": address,
        "carrier": text,
        "name": text,
        "phone": text,
        "tracking_number": text,
    },
    required=["address", "name"],
)

# What an intent is told when it is made, by a call of its own or by its session.
INTENT_DATA: dict[str, Rule] = {
    "application_fee_amount": _one_account,
    "capture_method": choice("automatic", "automatic_async"),
    "description": short_text(1000),
    "metadata": metadata,
    "on_behalf_of": _one_account,
    "receipt_email": email,
    "setup_future_usage": _for_good,
    "shipping": shipping,
    "statement_descriptor": short_text(22),
    "statement_descriptor_suffix": short_text(22),
    "transfer_data": _one_account,
    "transfer_group": text,
}
_amount = integer(minimum=1, maximum=MAXIMUM_AMOUNT)
_NOT_BUILT = dict.fromkeys(
    (
        "amount_details",
        "excluded_payment_method_types",
        "hooks",
        "payment_details",
        "payment_method_data",
        "payment_method_options",
    ),
    _later,
)
_TRIED = {
    "confirmation_token": _later,
    "error_on_requires_action": only(False, boolean),
    "mandate": _for_good,
    "mandate_data": _for_good,
    "off_session": only(False, boolean),
    "payment_method": _token,
    "radar_options": _later,
    "return_url": url,
    "use_stripe_sdk": only(False, boolean),
}
CREATE_PARAMS: dict[str, Rule] = {
    **INTENT_DATA,
    **_NOT_BUILT,
    **_TRIED,
    "amount": _amount,
    "automatic_payment_methods": fields(
        {"allow_redirects": choice("always", "never"), "enabled": only(True, boolean)},
        required=["enabled"],
    ),
    "confirm": boolean,
    "confirmation_method": only("automatic", choice("automatic", "manual")),
    "currency": currency_code,
    "customer": text,
    "customer_account": not_here("it has one kind of customer"),
    "payment_method_configuration": _later,
    "payment_method_types": items(choice(*PAYMENT_METHOD_TYPES)),
}
UPDATE_PARAMS: dict[str, Rule] = {
    **dict.fromkeys(INTENT_DATA.keys() - {"on_behalf_of"}, _at_creation),
    **_NOT_BUILT,
    "amount": _amount,
    "currency": _at_creation,
    "customer": _at_creation,
    "customer_account": _at_creation,
    "description": clearable(short_text(1000)),
    "metadata": metadata_changes,
    "payment_method": not_here("say it when you confirm the intent"),
    "payment_method_configuration": _later,
    "payment_method_types": _at_creation,
    "receipt_email": clearable(email),
    "shipping": clearable(shipping),
}
CONFIRM_PARAMS: dict[str, Rule] = {
    **_NOT_BUILT,
    **_TRIED,
    "amount_to_confirm": _later,
    "capture_method": _at_creation,
    "client_secret": text,
    "payment_method_types": _at_creation,
    "receipt_email": clearable(email),
    "setup_future_usage": _for_good,
    "shipping": clearable(shipping),
}
CANCEL_PARAMS: dict[str, Rule] = {
    "cancellation_reason": choice("abandoned", "duplicate", "fraudulent", "requested_by_customer")
}
_creation = fields(CREATE_PARAMS, required=["amount", "currency"])


def read_creation(raw: dict[str, Raw]) -> dict[str, Any]:
    """Return the typed parameters of an intent that can be made; raises ApiError."""
    params: dict[str, Any] = _creation("", raw)
    check_amount(params["amount"], params["currency"])
    if {"automatic_payment_methods", "payment_method_types"} <= params.keys():
        message = (
            "You may only specify one of these parameters: automatic_payment_methods,"
            " payment_method_types."
        )
        raise invalid(message, "automatic_payment_methods")
    for name in ("error_on_requires_action", "off_session", "return_url"):
        if name in params and not params.get("confirm"):
            raise invalid(f"The parameter {name} can only be used with `confirm=true`.", name)
    if "payment_method_types" not in params:
        chosen = params.get("automatic_payment_methods", {})
        params["automatic_payment_methods"] = {"allow_redirects": "always", "enabled": True}
        params["automatic_payment_methods"] |= chosen
        params["payment_method_types"] = list(PAYMENT_METHOD_TYPES)
    return params


def check_amount(amount: int, code: str) -> None:
    """Raise ApiError for an amount that Stripe does not charge in this currency."""
    step, minimum = currencies.step(code), currencies.minimum(code)
    if amount % step:
        raise invalid(f"Invalid amount: {code} takes multiples of {step}.", "amount")
    if amount < minimum:
        least = currencies.format_amount(minimum, code)
        raise invalid(f"Amount must be at least {least} {code}", "amount", "amount_too_small")
