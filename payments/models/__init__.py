"""Tries to take an order's money, what Stripe told us, the books, and money that goes back."""

from payments.models.attempts import LIVE_STATES, AttemptQuerySet, PaymentAttempt
from payments.models.disputes import Dispute
from payments.models.inbox import Checkpoint, InboxEvent
from payments.models.ledger import LedgerEntry, LedgerQuerySet
from payments.models.refunds import Refund, RefundLine, RefundRequest

__all__ = [
    "LIVE_STATES",
    "AttemptQuerySet",
    "Checkpoint",
    "Dispute",
    "InboxEvent",
    "LedgerEntry",
    "LedgerQuerySet",
    "PaymentAttempt",
    "Refund",
    "RefundLine",
    "RefundRequest",
]
