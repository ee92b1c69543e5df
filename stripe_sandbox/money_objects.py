"""Payment methods and charges: the objects that a payment leaves behind."""

from typing import Any

from stripe_sandbox.cards import BANK_DEBIT, Decline, Instrument
from stripe_sandbox.objects import new_id, public
from stripe_sandbox.store import Record

SETTLEMENT_SECONDS = 5  # until Stripe knows its fee


def billing_details(email: str, name: str) -> Record:
    return {
        "address": dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state")),
        "email": email or None,
        "name": name or None,
        "phone": None,
        "tax_id": None,
    }


def payment_method(instrument: Instrument, billing: Record, at: int) -> Record:
    details: dict[str, Any]
    if instrument.kind == BANK_DEBIT:
        details = {**_bank_account(), "generated_from": {"charge": None, "setup_attempt": None}}
    else:
        details = {
            **_card(instrument),
            "display_brand": "visa",
            "generated_from": None,
            "networks": {"available": ["visa"], "preferred": None},
            "three_d_secure_usage": {"supported": True},
        }
    return {
        "id": new_id("pm_"),
        "object": "payment_method",
        "allow_redisplay": "limited",
        "billing_details": billing,
        instrument.kind: details,
        "created": at,
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": {},
        "type": instrument.kind,
        "_number": instrument.number,
    }


def charge(intent: Record, method: Record, at: int, *, is_confirmed: bool) -> Record:
    """Return a succeeded charge of a card, or a pending one of a bank debit.

    `is_confirmed` says that the buyer has confirmed the payment to the bank.
    """
    is_paid = method["type"] != BANK_DEBIT
    return {
        "id": new_id("ch_" if is_paid else "py_"),
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": intent["amount"],
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": None,
        "captured": True,
        "created": at,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": intent["metadata"],
        "on_behalf_of": None,
        "outcome": _outcome("authorized", "approved_by_network", "Payment complete."),
        "paid": is_paid,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": _charge_details(method, intent["amount"], is_confirmed),
        "radar_options": {},
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": intent["shipping"],
        "source_transfer": None,
        "statement_descriptor": intent["statement_descriptor"],
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "status": "succeeded" if is_paid else "pending",
        "transfer_data": None,
        "transfer_group": intent["transfer_group"],
        "_settles_at": at + SETTLEMENT_SECONDS if is_paid else None,
    }


def fail(failed: Record, decline: Decline) -> None:
    """Turn a charge into a failed one."""
    failed |= {
        "amount_captured": 0,
        "captured": False,
        "failure_code": decline.code,
        "failure_message": decline.message,
        "outcome": {
            **_outcome("issuer_declined", "declined_by_network", decline.seller_message),
            "reason": decline.decline_code or decline.code,
        },
        "paid": False,
        "status": "failed",
        "_settles_at": None,
    }


def payment_error(decline: Decline, charge_id: str | None, method: Record) -> Record:
    """Return an intent's `last_payment_error`; no charge was made if the bank was never asked."""
    error = {
        "charge": charge_id,
        "code": decline.code,
        "decline_code": decline.decline_code,
        "doc_url": f"https://stripe.com/docs/error-codes/{decline.code.replace('_', '-')}",
        "message": decline.message,
        "payment_method": public(method),
        "type": decline.kind,
    }
    return {name: value for name, value in error.items() if value is not None}


def _outcome(kind: str, network_status: str, seller_message: str) -> Record:
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": network_status,
        "reason": None,
        "risk_level": "normal",
        "risk_score": 20,
        "seller_message": seller_message,
        "type": kind,
    }


# What a payment method and a charge both tell of a card.
_CARD_FIELDS = (
    "brand",
    "checks",
    "country",
    "exp_month",
    "exp_year",
    "fingerprint",
    "funding",
    "last4",
    "regulated_status",
    "wallet",
)


def _card(card: Instrument) -> Record:
    return {
        "brand": "visa",
        "checks": {
            "address_line1_check": None,
            "address_postal_code_check": None,
            "cvc_check": "pass",
        },
        "country": "US",
        "exp_month": card.exp_month,
        "exp_year": card.exp_year,
        "fingerprint": "SandboxCard00001",
        "funding": "credit",
        "last4": card.number[-4:],
        "regulated_status": "unregulated",
        "wallet": None,
    }


def _confirmation() -> Record:
    """Return how the buyer confirmed a payment to the bank."""
    return {
        "authentication_flow": "challenge",
        "electronic_commerce_indicator": "05",
        "exemption_indicator": None,
        "result": "authenticated",
        "result_reason": None,
        "transaction_id": new_id("", 28),
        "version": "2.2.0",
    }


def _bank_account() -> Record:
    return {
        "bank_code": "37040044",
        "branch_code": "",
        "country": "DE",
        "fingerprint": "SandboxBank00001",
        "last4": "3000",
    }


def _charge_details(method: Record, amount: int, is_confirmed: bool) -> Record:
    if method["type"] == BANK_DEBIT:
        return {"type": BANK_DEBIT, BANK_DEBIT: {**_bank_account(), "mandate": None}}
    return {
        "type": "card",
        "card": {
            **{name: method["card"][name] for name in _CARD_FIELDS},
            "amount_authorized": amount,
            "authorization_code": "123456",
            "extended_authorization": {"status": "disabled"},
            "incremental_authorization": {"status": "unavailable"},
            "installments": None,
            "mandate": None,
            "multicapture": {"status": "unavailable"},
            "network": "visa",
            "network_token": {"used": False},
            "network_transaction_id": None,
            "overcapture": {"maximum_amount_capturable": amount, "status": "unavailable"},
            "three_d_secure": _confirmation() if is_confirmed else None,
        },
    }
