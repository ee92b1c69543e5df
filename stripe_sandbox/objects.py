"""Stripe's objects as API version 2026-05-27.dahlia shows them, built from nothing.

Names that begin with an underscore are the sandbox's own notes; `public` takes them away.
"""

import random
import string

from stripe_sandbox.store import Record

API_VERSION = "2026-05-27.dahlia"
ACCOUNT_ID = "acct_1SandboxOfTheShop0"
NO_ADDRESS = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
_ALPHABET = string.ascii_letters + string.digits


class _Ids:
    """Where ids come from: nobody can guess them, unless a seed is to repeat them."""

    def __init__(self) -> None:
        self._unguessable = random.SystemRandom()
        self.repeat(None)

    def repeat(self, seed: str | None) -> None:
        """Let the ids of each kind follow `seed`, in the order of their making."""
        self._seed = seed
        self._dice: dict[str, random.Random] = {}

    def new(self, prefix: str, length: int) -> str:
        dice: random.Random = self._unguessable
        if self._seed is not None:
            kind = prefix.partition("_")[0]
            dice = self._dice.setdefault(kind, random.Random(f"{self._seed} {kind}"))  # noqa: S311
        return prefix + "".join(dice.choices(_ALPHABET, k=length))


ids = _Ids()


def new_id(prefix: str, length: int = 24) -> str:
    return ids.new(prefix, length)


def public(record: Record) -> Record:
    return {name: value for name, value in record.items() if not name.startswith("_")}


def listing(url: str, data: list[Record], *, has_more: bool = False) -> Record:
    return {"object": "list", "data": data, "has_more": has_more, "url": url}


def account() -> Record:
    return {
        "id": ACCOUNT_ID,
        "object": "account",
        "business_profile": {
            **dict.fromkeys(
                (
                    "annual_revenue",
                    "estimated_worker_count",
                    "mcc",
                    "product_description",
                    "support_address",
                    "support_email",
                    "support_phone",
                    "support_url",
                    "url",
                )
            ),
            "name": "Sandbox merchant",
        },
        "business_type": "company",
        "capabilities": {"card_payments": "active", "sepa_debit_payments": "active"},
        "charges_enabled": True,
        "controller": {"type": "account"},
        "country": "IE",
        "created": 1767225600,
        "default_currency": "eur",
        "details_submitted": True,
        "email": "merchant@example.com",
        "external_accounts": listing(f"/v1/accounts/{ACCOUNT_ID}/external_accounts", []),
        "metadata": {},
        "payouts_enabled": True,
        "settings": {
            "branding": dict.fromkeys(("icon", "logo", "primary_color", "secondary_color")),
            "card_payments": dict.fromkeys(
                (
                    "statement_descriptor_prefix",
                    "statement_descriptor_prefix_kana",
                    "statement_descriptor_prefix_kanji",
                )
            ),
            "dashboard": {"display_name": "Sandbox merchant", "timezone": "Etc/UTC"},
            "payments": dict.fromkeys(
                (
                    "statement_descriptor",
                    "statement_descriptor_kana",
                    "statement_descriptor_kanji",
                )
            ),
        },
        "type": "standard",
    }


def product(data: Record, at: int) -> Record:
    """Return the product that `product_data` makes on the fly."""
    return {
        "id": new_id("prod_", 14),
        "object": "product",
        "active": False,
        "created": at,
        "default_price": None,
        "description": data.get("description"),
        "images": data.get("images", []),
        "livemode": False,
        "marketing_features": [],
        "metadata": data.get("metadata", {}),
        "name": data["name"],
        "package_dimensions": None,
        "shippable": None,
        "statement_descriptor": None,
        "tax_code": None,
        "unit_label": data.get("unit_label"),
        "updated": at,
        "url": None,
    }


def line_item(params: Record, product_id: str, at: int) -> Record:
    price = params["price_data"]
    amount = price["unit_amount"] * params["quantity"]
    return {
        "id": new_id("li_"),
        "object": "item",
        "adjustable_quantity": None,
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": price["currency"],
        "description": price["product_data"]["name"],
        "metadata": params.get("metadata", {}),
        "price": {
            "id": new_id("price_"),
            "object": "price",
            "active": False,
            "billing_scheme": "per_unit",
            "created": at,
            "currency": price["currency"],
            "custom_unit_amount": None,
            "livemode": False,
            "lookup_key": None,
            "metadata": {},
            "nickname": None,
            "product": product_id,
            "recurring": None,
            "tax_behavior": price.get("tax_behavior", "unspecified"),
            "tiers_mode": None,
            "transform_quantity": None,
            "type": "one_time",
            "unit_amount": price["unit_amount"],
            "unit_amount_decimal": str(price["unit_amount"]),
        },
        "quantity": params["quantity"],
    }


def shipping_rate(data: Record, at: int) -> Record:
    estimate = data.get("delivery_estimate")
    return {
        "id": new_id("shr_"),
        "object": "shipping_rate",
        "active": True,
        "created": at,
        "delivery_estimate": estimate
        and {bound: estimate.get(bound) for bound in ("maximum", "minimum")},
        "display_name": data["display_name"],
        "fixed_amount": data["fixed_amount"],
        "livemode": False,
        "metadata": data.get("metadata", {}),
        "tax_behavior": data.get("tax_behavior", "unspecified"),
        "tax_code": None,
        "type": "fixed_amount",
    }


def session(params: Record, at: int) -> Record:
    """Return an open session without its amounts, items and address, which `checkout` adds."""
    email = params.get("customer_email")
    return _session_left_alone() | {
        "id": new_id("cs_test_", 58),
        "adaptive_pricing": {"enabled": params.get("adaptive_pricing", {}).get("enabled", False)},
        "allow_promotion_codes": params.get("allow_promotion_codes"),
        "billing_address_collection": params.get("billing_address_collection"),
        "cancel_url": params.get("cancel_url"),
        "client_reference_id": params.get("client_reference_id"),
        "created": at,
        "currency": params["currency"],
        "customer": params.get("customer"),
        "customer_creation": params.get("customer_creation", "if_required"),
        "customer_details": customer_details(email, None) if email else None,
        "customer_email": email,
        "expires_at": params["expires_at"],
        "integration_identifier": params.get("integration_identifier"),
        "locale": params.get("locale"),
        "metadata": params.get("metadata", {}),
        "origin_context": params.get("origin_context"),
        "payment_method_types": params.get("payment_method_types", ["card", "sepa_debit"]),
        "submit_type": params.get("submit_type"),
        "success_url": params["success_url"],
        "_intent_data": params.get("payment_intent_data", {}),
    }


def _session_left_alone() -> Record:
    """Return what is alike in every new session, whatever was asked for."""
    return {
        "object": "checkout.session",
        "after_expiration": None,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "client_secret": None,
        "collected_information": None,
        "consent": None,
        "consent_collection": None,
        "currency_conversion": None,
        "custom_fields": [],
        "custom_text": dict.fromkeys(
            ("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")
        ),
        "customer_account": None,
        "discounts": [],
        "invoice": None,
        "invoice_creation": {
            "enabled": False,
            "invoice_data": {
                "account_tax_ids": None,
                "custom_fields": None,
                "description": None,
                "footer": None,
                "issuer": None,
                "metadata": {},
                "rendering_options": None,
            },
        },
        "livemode": False,
        "mode": "payment",
        "payment_intent": None,
        "payment_link": None,
        "payment_method_collection": "if_required",
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "payment_status": "unpaid",
        "permissions": None,
        "phone_number_collection": {"enabled": False},
        "recovered_from": None,
        "saved_payment_method_options": None,
        "setup_intent": None,
        "shipping_address_collection": None,
        "status": "open",
        "subscription": None,
        "ui_mode": "hosted_page",
        "wallet_options": None,
    }


def customer_details(email: str, name: str | None, country: str | None = None) -> Record:
    return {
        "address": {**NO_ADDRESS, "country": country} if country else None,
        "business_name": None,
        "email": email,
        "individual_name": None,
        "name": name,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": [] if name else None,
    }


def session_intent(checkout_session: Record, at: int) -> Record:
    """Return the intent that a session makes of its own amounts and its `payment_intent_data`."""
    of_session = {
        "amount": checkout_session["amount_total"],
        "currency": checkout_session["currency"],
        "customer": checkout_session["customer"],
        "payment_method_types": checkout_session["payment_method_types"],
    }
    return payment_intent(checkout_session["_intent_data"] | of_session, at) | {
        "_session": checkout_session["id"]
    }


def payment_intent(params: Record, at: int) -> Record:
    """Return an intent of typed parameters (see `intent_params`)."""
    intent_id = new_id("pi_")
    return {
        "id": intent_id,
        "object": "payment_intent",
        "amount": params["amount"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": params.get("automatic_payment_methods"),
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": params.get("capture_method", "automatic_async"),
        "client_secret": new_id(f"{intent_id}_secret_"),
        "confirmation_method": "automatic",
        "created": at,
        "currency": params["currency"],
        "customer": params.get("customer"),
        "customer_account": None,
        "description": params.get("description"),
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": params.get("metadata", {}),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "payment_method_types": params["payment_method_types"],
        "processing": None,
        "receipt_email": params.get("receipt_email"),
        "review": None,
        "setup_future_usage": None,
        "shipping": intent_shipping(params.get("shipping")),
        "statement_descriptor": params.get("statement_descriptor"),
        "statement_descriptor_suffix": params.get("statement_descriptor_suffix"),
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": params.get("transfer_group"),
        "_challenge": None,
        "_return_url": None,
        "_session": None,
    }


def intent_shipping(shipping: Record | None) -> Record | None:
    return shipping and {
        "address": {**NO_ADDRESS, **shipping["address"]},
        "carrier": shipping.get("carrier"),
        "name": shipping["name"],
        "phone": shipping.get("phone"),
        "tracking_number": shipping.get("tracking_number"),
    }
