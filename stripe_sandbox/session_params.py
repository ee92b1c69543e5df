"""What POST /v1/checkout/sessions takes.

The names are all that Stripe's API document of 2026-05-27 lists, which a test holds; the ones that
the sandbox does not play are refused in words of their own.
"""

from typing import Any

from stripe_sandbox import currencies
from stripe_sandbox.errors import invalid, missing
from stripe_sandbox.intent_params import (
    INTENT_DATA,
    MAXIMUM_AMOUNT,
    PAYMENT_METHOD_TYPES,
    currency_code,
)
from stripe_sandbox.params import (
    Raw,
    Rule,
    anything,
    boolean,
    choice,
    email,
    fields,
    integer,
    items,
    metadata,
    not_here,
    only,
    short_text,
    text,
    url,
)

LOCALES = (
    "auto bg cs da de el en en-GB es es-419 et fi fil fr fr-CA hr hu id it ja ko lt lv ms mt nb nl"
    " pl pt pt-BR ro ru sk sl sv th tr vi zh zh-HK zh-TW"
)
_SHORTEST_SECONDS, _LONGEST_SECONDS = 30 * 60, 24 * 60 * 60

_disabled = fields({"enabled": only(False, boolean)})
_enabled_or_not = fields({"enabled": boolean}, required=["enabled"])
_no_tax = not_here("it counts no tax")
_one_off = not_here("use price_data")
_amount = integer(minimum=0, maximum=MAXIMUM_AMOUNT)
_line_item = fields(
    {
        "price_data": fields(
            {
                "currency": currency_code,
                "product": _one_off,
                "product_data": fields(
                    {
                        "description": short_text(40_000),
                        "images": items(url, 8),
                        "metadata": metadata,
                        "name": text,
                        "tax_code": _no_tax,
                        "unit_label": short_text(12),
                    },
                    required=["name"],
                ),
                "recurring": not_here("it has no subscriptions"),
                "tax_behavior": choice("exclusive", "inclusive", "unspecified"),
                "unit_amount": _amount,
                "unit_amount_decimal": not_here("use unit_amount"),
            },
            required=["currency", "product_data", "unit_amount"],
        ),
        "quantity": integer(minimum=1, maximum=999_999),
        "metadata": metadata,
        "price": _one_off,
        "adjustable_quantity": _disabled,
        "dynamic_tax_rates": _no_tax,
        "tax_rates": _no_tax,
    },
    required=["price_data", "quantity"],
)
_delivery = fields(
    {
        "unit": choice("business_day", "day", "hour", "month", "week"),
        "value": integer(minimum=1),
    },
    required=["unit", "value"],
)
_shipping_option = fields(
    {
        "shipping_rate": not_here("use shipping_rate_data"),
        "shipping_rate_data": fields(
            {
                "delivery_estimate": fields({"maximum": _delivery, "minimum": _delivery}),
                "display_name": short_text(100),
                "fixed_amount": fields(
                    {
                        "amount": _amount,
                        "currency": currency_code,
                        "currency_options": not_here("it knows one currency per session"),
                    },
                    required=["amount", "currency"],
                ),
                "metadata": metadata,
                "tax_behavior": choice("exclusive", "inclusive", "unspecified"),
                "tax_code": _no_tax,
                "type": choice("fixed_amount"),
            },
            required=["display_name", "fixed_amount"],
        ),
    },
    required=["shipping_rate_data"],
)

_later = not_here("it is not built yet")
SESSION_PARAMS: dict[str, Rule] = {
    "adaptive_pricing": fields({"enabled": boolean}),
    "after_expiration": _later,
    "allow_promotion_codes": only(False, boolean),
    "automatic_tax": _disabled,
    "billing_address_collection": choice("auto", "required"),
    "branding_settings": _later,
    "cancel_url": url,
    "client_reference_id": short_text(200),
    "consent_collection": _later,
    "currency": currency_code,
    "custom_fields": _later,
    "custom_text": _later,
    "customer": text,
    "customer_account": not_here("it has one kind of customer"),
    "customer_creation": only("if_required", choice("always", "if_required")),
    "customer_email": email,
    "customer_update": not_here("its customers stay as they are"),
    "discounts": _later,
    "excluded_payment_method_types": _later,
    "expand": anything,
    "expires_at": integer(),
    "integration_identifier": text,
    "invoice_creation": _disabled,
    "line_items": items(_line_item),
    "locale": choice(*LOCALES.split()),
    "managed_payments": _disabled,
    "metadata": metadata,
    "mode": only("payment", choice("payment", "setup", "subscription")),
    "name_collection": _later,
    "optional_items": _later,
    "origin_context": choice("mobile_app", "web"),
    "payment_intent_data": fields(INTENT_DATA),
    "payment_method_collection": not_here("it has no subscriptions"),
    "payment_method_configuration": _later,
    "payment_method_data": _later,
    "payment_method_options": _later,
    "payment_method_types": items(choice(*PAYMENT_METHOD_TYPES)),
    "permissions": _later,
    "phone_number_collection": only({"enabled": False}, _enabled_or_not),
    "redirect_on_completion": not_here("its page is the hosted one"),
    "return_url": not_here("its page is the hosted one"),
    "saved_payment_method_options": _later,
    "setup_intent_data": not_here("it has no set-up mode"),
    "shipping_address_collection": _later,
    "shipping_options": items(_shipping_option, 5),
    "submit_type": choice("auto", "book", "donate", "pay", "subscribe"),
    "subscription_data": not_here("it has no subscriptions"),
    "success_url": url,
    "tax_id_collection": _disabled,
    "ui_mode": only("hosted_page", choice("elements", "embedded_page", "hosted_page")),
    "wallet_options": _later,
}
_session = fields(SESSION_PARAMS, required=["mode", "line_items", "success_url"])


def read_session_params(raw: dict[str, Raw], at: int) -> dict[str, Any]:
    """Return the typed parameters of a session that can be opened; raises ApiError."""
    params: dict[str, Any] = _session("", raw)
    if not params["line_items"]:
        raise missing("line_items")
    if len(params.get("shipping_options", [])) > 1:
        raise invalid("The sandbox takes one shipping option", "shipping_options[1]")
    params["currency"] = _common_currency(params)
    _check_amounts(params)
    if {"customer", "customer_email"} <= params.keys():
        message = "You may only specify one of these parameters: customer, customer_email."
        raise invalid(message, "customer")
    params.setdefault("expires_at", at + _LONGEST_SECONDS)
    _check_deadline(params["expires_at"], at)
    return params


def shipping_amount(params: dict[str, Any]) -> int | None:
    for option in params.get("shipping_options", []):
        amount: int = option["shipping_rate_data"]["fixed_amount"]["amount"]
        return amount
    return None


def subtotal(params: dict[str, Any]) -> int:
    return sum(
        item["price_data"]["unit_amount"] * item["quantity"] for item in params["line_items"]
    )


def _common_currency(params: dict[str, Any]) -> str:
    named = [
        (f"line_items[{place}][price_data][currency]", item["price_data"]["currency"])
        for place, item in enumerate(params["line_items"])
    ]
    named += [
        (
            f"shipping_options[{place}][shipping_rate_data][fixed_amount][currency]",
            option["shipping_rate_data"]["fixed_amount"]["currency"],
        )
        for place, option in enumerate(params.get("shipping_options", []))
    ]
    first: str = params.get("currency", named[0][1])
    for name, currency in named:
        if currency != first:
            message = "All amounts of a Checkout Session must have the same currency."
            raise invalid(message, name)
    return first


def _check_amounts(params: dict[str, Any]) -> None:
    currency = params["currency"]
    named = [
        (f"line_items[{place}][price_data][unit_amount]", item["price_data"]["unit_amount"])
        for place, item in enumerate(params["line_items"])
    ]
    shipping = shipping_amount(params)
    if shipping is not None:
        named.append(("shipping_options[0][shipping_rate_data][fixed_amount][amount]", shipping))
    for name, amount in named:
        if amount % currencies.step(currency):
            message = f"Invalid amount: {currency} takes multiples of {currencies.step(currency)}."
            raise invalid(message, name)
    total = subtotal(params) + (shipping or 0)
    minimum = currencies.minimum(currency)
    if total < minimum:
        least = currencies.format_amount(minimum, currency)
        message = f"The Checkout Session's total amount due must add up to at least {least}."
        raise invalid(message, code="amount_too_small")
    if total > MAXIMUM_AMOUNT:
        message = "The Checkout Session's total amount must be no more than 99999999."
        raise invalid(message, code="amount_too_large")


def _check_deadline(expires_at: int, at: int) -> None:
    if expires_at < at + _SHORTEST_SECONDS:
        message = (
            "The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation."
        )
        raise invalid(message, "expires_at")
    if expires_at > at + _LONGEST_SECONDS:
        message = (
            "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation."
        )
        raise invalid(message, "expires_at")
