"""What Stripe says, as frozen facts in our own terms: ISO currency codes, aware UTC moments, and
amounts as Stripe counts them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

import stripe

from payments.gateway.client import metadata_of
from shop import money


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount as Stripe counts it, with its ISO 4217 code."""

    amount: int
    currency: str

    @property
    def amount_minor(self) -> int:
        """The amount in minor units; raises money.UnsupportedCurrency or money.InexactAmount, so
        that a foreign object can be read and left alone.
        """
        return money.from_stripe(self.amount, self.currency)


@dataclass(frozen=True, slots=True)
class BalanceTransaction(Amount):
    """Money that moved into (above zero) or out of the account's balance, before `fee`."""

    id: str
    fee: Amount
    moved_at: datetime

    @classmethod
    def read(cls, found: Any) -> Self | None:
        """Return None for one that is not known yet, or not expanded."""
        if not isinstance(found, stripe.BalanceTransaction):
            return None
        currency = found.currency.upper()
        return cls(
            id=found.id,
            amount=found.amount,
            currency=currency,
            fee=Amount(amount=found.fee, currency=currency),
            moved_at=moment(found.created),
        )


@dataclass(frozen=True, slots=True)
class Charge(Amount):
    """Money taken from the buyer; `moved` is None until Stripe knows its fee."""

    id: str
    charged_at: datetime
    moved: BalanceTransaction | None

    @classmethod
    def read(cls, found: stripe.Charge) -> Self:
        return cls(
            id=found.id,
            amount=found.amount_captured,
            currency=found.currency.upper(),
            charged_at=moment(found.created),
            moved=BalanceTransaction.read(found.balance_transaction),
        )


@dataclass(frozen=True, slots=True)
class Intent(Amount):
    """A PaymentIntent; `charges` are those that captured money, oldest first.

    `has_failed_debit` tells whether a payment that is no card's was tried, and failed.
    """

    id: str
    status: str
    livemode: bool
    metadata: dict[str, str]
    has_failed_debit: bool
    client_secret: str = field(repr=False)
    charges: tuple[Charge, ...] = ()

    @classmethod
    def read(cls, found: stripe.PaymentIntent, charges: Sequence[stripe.Charge] = ()) -> Self:
        return cls(
            id=found.id,
            status=found.status,
            livemode=found.livemode,
            metadata=metadata_of(found.metadata),
            has_failed_debit=any(
                charge.status == "failed" and _is_debit(charge) for charge in charges
            ),
            client_secret=found.client_secret or "",
            amount=found.amount,
            currency=found.currency.upper(),
            charges=tuple(
                Charge.read(charge) for charge in charges if charge.paid and charge.captured
            ),
        )


@dataclass(frozen=True, slots=True)
class Session(Amount):
    """A Checkout Session; the amount is its total."""

    id: str
    url: str
    status: str
    payment_status: str
    mode: str
    livemode: bool
    reference: str
    metadata: dict[str, str]
    intent: Intent | None

    @classmethod
    def read(cls, found: stripe.checkout.Session, intent: Intent | None = None) -> Self:
        return cls(
            id=found.id,
            url=found.url or "",
            status=found.status or "",
            payment_status=found.payment_status,
            mode=found.mode,
            livemode=found.livemode,
            reference=found.client_reference_id or "",
            metadata=metadata_of(found.metadata),
            amount=found.amount_total or 0,
            currency=(found.currency or "").upper(),
            intent=intent,
        )

    @property
    def charges(self) -> tuple[Charge, ...]:
        return self.intent.charges if self.intent else ()


@dataclass(frozen=True, slots=True)
class Refund(Amount):
    """Money given back; `moved_back` is there when that failed after all."""

    id: str
    status: str
    charge_id: str
    intent_id: str
    metadata: dict[str, str]
    failure: str
    made_at: datetime
    moved: BalanceTransaction | None
    moved_back: BalanceTransaction | None

    @classmethod
    def read(cls, found: stripe.Refund) -> Self:
        return cls(
            id=found.id,
            status=found.status or "",
            charge_id=id_of(found.charge),
            intent_id=id_of(found.payment_intent),
            metadata=metadata_of(found.metadata),
            # Left out of the answer unless it failed.
            failure=getattr(found, "failure_reason", None) or "",
            made_at=moment(found.created),
            amount=found.amount,
            currency=found.currency.upper(),
            moved=BalanceTransaction.read(found.balance_transaction),
            moved_back=BalanceTransaction.read(getattr(found, "failure_balance_transaction", None)),
        )


@dataclass(frozen=True, slots=True)
class Dispute(Amount):
    """A charge that the buyer's bank questions; `movements` are what it took and gave back."""

    id: str
    status: str
    reason: str
    charge_id: str
    due_at: datetime | None
    made_at: datetime
    movements: tuple[BalanceTransaction, ...]

    @classmethod
    def read(cls, found: stripe.Dispute) -> Self:
        due = found.evidence_details.due_by if found.evidence_details else None
        moved = (BalanceTransaction.read(entry) for entry in found.balance_transactions)
        return cls(
            id=found.id,
            status=found.status,
            reason=found.reason,
            charge_id=id_of(found.charge),
            due_at=moment(due) if due else None,
            made_at=moment(found.created),
            amount=found.amount,
            currency=found.currency.upper(),
            movements=tuple(entry for entry in moved if entry),
        )

    def as_charged(self, moved: BalanceTransaction) -> Amount:
        """Return a movement in the charge's currency: Stripe tells it in the account's."""
        if moved.currency == self.currency:
            return moved
        return Amount(-self.amount if moved.amount < 0 else self.amount, self.currency)


def _is_debit(charge: stripe.Charge) -> bool:
    details = charge.payment_method_details
    return details is not None and details.type != "card"


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def id_of(found: Any) -> str:
    """Return the id of an object, expanded or not; empty for none."""
    return found if isinstance(found, str) else found.id if found else ""
