"""What a buyer may pay with: Stripe's test cards, and a bank debit that is decided later."""

from dataclasses import dataclass

CARD, BANK_DEBIT = "card", "sepa_debit"
GOOD_CARD = "4242424242424242"
# Its bank asks the buyer to confirm each payment (3-D Secure).
ASKING_CARD = "4000000000003220"


@dataclass(frozen=True)
class Instrument:
    """A card or a bank account; `kind` is Stripe's name for it."""

    kind: str
    number: str = ""
    exp_month: int = 0
    exp_year: int = 0


@dataclass(frozen=True)
class Decline:
    """Why a payment failed: Stripe's codes, and the words for buyer and merchant."""

    code: str
    decline_code: str | None
    message: str
    seller_message: str = "The bank did not return any further details with this decline."
    kind: str = "card_error"


DECLINES = {
    "4000000000000002": Decline("card_declined", "generic_decline", "Your card was declined."),
    "4000000000009995": Decline(
        "card_declined",
        "insufficient_funds",
        "Your card has insufficient funds.",
        "The bank returned the decline code `insufficient_funds`.",
    ),
    "4000000000000069": Decline(
        "expired_card",
        "expired_card",
        "Your card has expired.",
        "The bank returned the decline code `expired_card`.",
    ),
}
FAILED_DEBIT = Decline(
    "payment_intent_payment_attempt_failed",
    None,
    "The payment failed: the bank did not accept the debit.",
    "The customer's bank did not accept the debit.",
)
NOT_CONFIRMED = Decline(
    "payment_intent_authentication_failure",
    None,
    "The provided PaymentMethod has failed authentication. You can provide payment_method_data or"
    " a new PaymentMethod to attempt to fulfill this PaymentIntent again.",
    kind="invalid_request_error",
)
# Stripe's names of its test cards and accounts, for those who pay without a page.
# Source: https://docs.stripe.com/testing
_CARD_TOKENS = {
    "pm_card_visa": GOOD_CARD,
    "pm_card_visa_chargeDeclined": "4000000000000002",
    "pm_card_chargeDeclined": "4000000000000002",
    "pm_card_visa_chargeDeclinedInsufficientFunds": "4000000000009995",
    "pm_card_chargeDeclinedInsufficientFunds": "4000000000009995",
    "pm_card_chargeDeclinedExpiredCard": "4000000000000069",
    "pm_card_threeDSecure2Required": ASKING_CARD,
    "pm_card_authenticationRequired": ASKING_CARD,
}
TOKENS = {
    "pm_success_de": Instrument(BANK_DEBIT),
    **{
        token: Instrument(CARD, number, exp_month=12, exp_year=2034)
        for token, number in _CARD_TOKENS.items()
    },
}
KNOWN_CARDS = frozenset({GOOD_CARD, ASKING_CARD, *DECLINES})
# What the page offers to try, each with what comes of it.
TEST_CARDS = (
    ("4242 4242 4242 4242", "pays"),
    ("4000 0000 0000 3220", "asks its bank (3-D Secure)"),
    ("4000 0000 0000 0002", "is declined"),
    ("4000 0000 0000 9995", "lacks funds"),
    ("4000 0000 0000 0069", "has expired"),
)
