"""Refunds and disputes: money that leaves us again."""

from typing import Any

from payments.gateway.client import client
from payments.gateway.errors import failures
from payments.gateway.facts import Dispute, Refund

_MOVED = ["balance_transaction", "failure_balance_transaction"]


def create_refund(*, params: Any, idempotency_key: str) -> Refund:
    """Give money of a charge back; repeating the key with the same params gives it back once.

    Raises Refused when the charge has less left, or is disputed.
    """
    with failures():
        return Refund.read(
            client().v1.refunds.create(
                params=params | {"expand": _MOVED}, options={"idempotency_key": idempotency_key}
            )
        )


def refunds_of_intent(intent_id: str) -> list[Refund]:
    """Read all refunds of an intent's charges, oldest first."""
    return _refunds({"payment_intent": intent_id})


def refunds_of_charge(charge_id: str) -> list[Refund]:
    """Read all refunds of a charge, oldest first."""
    return _refunds({"charge": charge_id})


def _refunds(of: Any) -> list[Refund]:
    expand = [f"data.{name}" for name in _MOVED]
    with failures():
        listed = client().v1.refunds.list(params=of | {"expand": expand, "limit": 100})
        return [Refund.read(found) for found in listed.auto_paging_iter()][::-1]


def disputes_of_intent(intent_id: str) -> list[Dispute]:
    """Read all disputes and inquiries about an intent's charges, oldest first."""
    return _disputes({"payment_intent": intent_id})


def disputes_of_charge(charge_id: str) -> list[Dispute]:
    """Read all disputes and inquiries about a charge, oldest first."""
    return _disputes({"charge": charge_id})


def _disputes(of: Any) -> list[Dispute]:
    with failures():
        listed = client().v1.disputes.list(params=of | {"limit": 100})
        return [Dispute.read(found) for found in listed.auto_paging_iter()][::-1]
