"""Everything that Stripe lists of money, for those who compare it with the ledger."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import stripe

from payments.gateway.client import client, metadata_of
from payments.gateway.errors import failures
from payments.gateway.facts import Charge, Dispute, Refund


@dataclass(frozen=True, slots=True)
class ListedCharge:
    """A charge that captured money, with the metadata that it took from its intent."""

    charge: Charge
    metadata: dict[str, str]


def all_charges() -> Iterator[ListedCharge]:
    """Read every charge of the account that captured money, newest first."""
    for found in _all(client().v1.charges, ["data.balance_transaction"]):
        if isinstance(found, stripe.Charge) and found.paid and found.captured:
            yield ListedCharge(Charge.read(found), metadata_of(found.metadata))


def all_refunds() -> Iterator[Refund]:
    """Read every refund of the account, newest first."""
    for found in _all(
        client().v1.refunds, ["data.balance_transaction", "data.failure_balance_transaction"]
    ):
        yield Refund.read(found)


def all_disputes() -> Iterator[Dispute]:
    """Read every dispute and inquiry of the account, newest first."""
    for found in _all(client().v1.disputes, []):
        yield Dispute.read(found)


def _all(service: Any, expand: list[str]) -> Iterator[Any]:
    with failures():
        yield from service.list(params={"limit": 100, "expand": expand}).auto_paging_iter()
