"""Balance transactions: what moves money into the account's balance, or out of it.

Amounts are signed; a fee is Stripe's and always taken off. The names are Stripe's own.
Source: https://docs.stripe.com/reports/balance-transaction-types
"""

from stripe_sandbox.objects import new_id
from stripe_sandbox.store import Record

_PAYOUT_SECONDS = 2 * 24 * 60 * 60
_FEE_PER_MILLE, _FEE_FIXED = 15, 25
_DISPUTE_FEE = 1500


def charge(settled: Record) -> Record:
    """Return the movement of a charge into the balance, Stripe's fee taken off.

    Stripe makes it some time after the charge, and it is of that moment: maybe of the next day.
    """
    amount, at = settled["amount"], settled["_settles_at"]
    return _movement(
        settled,
        amount,
        kind="charge" if settled["id"].startswith("ch_") else "payment",
        category="charge",
        description=settled["description"],
        at=at,
        available_on=at + _PAYOUT_SECONDS,
        # 1.5 % rounded half up, and a fixed part; never more than there is.
        fee=min(amount, (amount * _FEE_PER_MILLE + 500) // 1000 + _FEE_FIXED),
        fee_description="Stripe processing fees",
    )


def refund(made: Record, at: int) -> Record:
    """Return the movement of a refund out of the balance; Stripe keeps the payment's fee."""
    is_of_card = made["id"].startswith("re_")
    return _movement(
        made,
        -made["amount"],
        kind="refund" if is_of_card else "payment_refund",
        category="refund",
        description=f"REFUND FOR {'CHARGE' if is_of_card else 'PAYMENT'}",
        at=at,
    )


def refund_failure(failed: Record, at: int) -> Record:
    """Return the way back of a refund that failed or was canceled."""
    return _movement(
        failed,
        failed["amount"],
        kind="refund_failure",
        category="refund_failure",
        description="REFUND FAILURE",
        at=at,
    )


def dispute_withdrawal(dispute: Record, at: int) -> Record:
    """Return what the bank takes back, with the fee for having to."""
    return _movement(
        dispute,
        -dispute["amount"],
        kind="adjustment",
        category="dispute",
        description=f"Chargeback withdrawal for {dispute['charge']}",
        at=at,
        fee=_DISPUTE_FEE,
        fee_description="Dispute fee",
    )


def dispute_reversal(dispute: Record, at: int) -> Record:
    """Return what the bank gives again; the fee stays with Stripe, whoever wins.

    Source: https://support.stripe.com/questions/dispute-fees-faq
    """
    return _movement(
        dispute,
        dispute["amount"],
        kind="adjustment",
        category="dispute_reversal",
        description=f"Chargeback reversal for {dispute['charge']}",
        at=at,
    )


def _movement(
    source: Record,
    amount: int,
    *,
    kind: str,
    category: str,
    description: str | None,
    at: int,
    available_on: int | None = None,
    fee: int = 0,
    fee_description: str = "",
) -> Record:
    """Return a balance transaction of `source`; it is available at once unless said otherwise."""
    details = {
        "amount": fee,
        "application": None,
        "currency": source["currency"],
        "description": fee_description,
        "type": "stripe_fee",
    }
    return {
        "id": new_id("txn_"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": available_on or at,
        "balance_type": "payments",
        "created": at,
        "currency": source["currency"],
        "description": description,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [details] if fee else [],
        "net": amount - fee,
        "reporting_category": category,
        "source": source["id"],
        "status": "pending" if available_on else "available",
        "type": kind,
    }
