"""The ledger against what Stripe lists: entry by entry, so also per order and currency."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from payments import gateway
from payments.audit.sql import Offender, streamed
from payments.models import LedgerEntry
from shop import money

Kind = LedgerEntry.Kind
# What just happened is still on its way to us.
GRACE = timedelta(minutes=10)
_FEE_GRACE = timedelta(hours=1)
_BATCH = 500

_TABLE = """
    CREATE TEMPORARY TABLE stripe_side (
        kind text, stripe_id text, charge_id text, amount_minor bigint, currency text,
        made_at timestamptz, is_ours boolean
    )
"""
# A refund or a dispute carries no tag of ours; it is ours when its charge is.
_DIFFERENCES = """
    WITH ours AS (
        SELECT charge_id FROM stripe_side WHERE kind = 'capture' AND is_ours
         UNION SELECT stripe_id FROM payments_ledgerentry WHERE kind = 'capture'
    ), theirs AS (
        SELECT DISTINCT ON (kind, stripe_id) * FROM stripe_side
         WHERE charge_id IN (SELECT charge_id FROM ours)
    )
    SELECT coalesce(theirs.kind, entry.kind) || ' ' || coalesce(theirs.stripe_id, entry.stripe_id),
           CASE WHEN entry.id IS NULL THEN format('Stripe says %%s %%s, nothing is booked',
                                                  theirs.amount_minor, theirs.currency)
                WHEN theirs.kind IS NULL THEN format('%%s %%s is booked, Stripe knows nothing',
                                                     entry.amount_minor, entry.currency)
                ELSE format('Stripe says %%s %%s, %%s %%s is booked', theirs.amount_minor,
                            theirs.currency, entry.amount_minor, entry.currency) END
      FROM theirs
      FULL JOIN (SELECT * FROM payments_ledgerentry WHERE kind <> 'manual') entry
        ON (entry.kind, entry.stripe_id) = (theirs.kind, theirs.stripe_id)
     WHERE (theirs.amount_minor, theirs.currency)
           IS DISTINCT FROM (entry.amount_minor, entry.currency)
       AND (entry.id IS NOT NULL OR theirs.made_at < CASE theirs.kind
            WHEN 'fee' THEN %(fees_since)s ELSE %(since)s END)
       -- What was booked while Stripe's list was read may have come after its page.
       AND (theirs.kind IS NOT NULL OR entry.booked_at <= %(at)s)
"""

Row = tuple[str, str, str, int, str, datetime, bool]


def drift(*, at: datetime, progress: Callable[[str], None]) -> Iterator[Offender]:
    """Find every ledger entry that Stripe does not know so, and all of Stripe's that we lack.

    `progress` is told in words how far the reading is. Raises the gateway's errors. What Stripe
    lists is kept in a temporary table, so memory stays as it is however much there is.
    """
    with _table():
        _fill_table(progress)
        yield from streamed(
            _DIFFERENCES, {"at": at, "since": at - GRACE, "fees_since": at - _FEE_GRACE}
        )


@contextmanager
def _table() -> Iterator[None]:
    """Keep a temporary table for a while, with no transaction: reading Stripe may take hours."""
    _execute(_TABLE)
    try:
        yield
    finally:
        # The connection goes back to its pool, and the table would go with it.
        _execute("DROP TABLE stripe_side")


def _fill_table(progress: Callable[[str], None]) -> None:
    batch: list[Row] = []
    for count, row in enumerate(_listed(), start=1):
        batch.append(row)
        if len(batch) == _BATCH:
            _keep(batch)
            batch.clear()
            progress(f"{count} movements read at Stripe")
    _keep(batch)
    _execute("CREATE INDEX ON stripe_side (kind, stripe_id)")
    _execute("ANALYZE stripe_side")


def _execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def _keep(batch: list[Row]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO stripe_side VALUES (%s, %s, %s, %s, %s, %s, %s)", batch)


def _listed() -> Iterator[Row]:
    """Return what Stripe lists as the ledger would book it.

    What we cannot count is left out, but for a payment of ours.
    """
    for listed in gateway.all_charges():
        charge = listed.charge
        is_ours = listed.metadata.get("app") == settings.STRIPE_APP_TAG
        yield from _row(Kind.CAPTURE, charge.id, charge.id, charge, charge.charged_at, is_ours)
        if charge.moved:
            yield from _fee(charge.moved, charge.id)
    for refund in gateway.all_refunds():
        yield from _of_refund(refund)
    for dispute in gateway.all_disputes():
        yield from _of_dispute(dispute)


def _of_refund(refund: gateway.Refund) -> Iterator[Row]:
    if refund.status == "succeeded" or refund.moved_back:
        yield from _row(Kind.REFUND, refund.id, refund.charge_id, refund, refund.made_at, sign=-1)
        # Of a charge a fee of zero is booked too, of anything else it is not.
        if refund.moved and refund.moved.fee.amount:
            yield from _fee(refund.moved, refund.charge_id)
    if refund.moved_back:
        yield from _row(
            Kind.REFUND_REVERSAL,
            refund.id,
            refund.charge_id,
            refund,
            refund.moved_back.moved_at,
        )


def _of_dispute(dispute: gateway.Dispute) -> Iterator[Row]:
    for moved in dispute.movements:
        kind = Kind.DISPUTE if moved.amount < 0 else Kind.DISPUTE_REVERSAL
        if moved.amount:
            amount = dispute.as_charged(moved)
            yield from _row(kind, moved.id, dispute.charge_id, amount, moved.moved_at)
        if moved.fee.amount:
            yield from _fee(moved, dispute.charge_id)


def _fee(moved: gateway.BalanceTransaction, charge_id: str) -> Iterator[Row]:
    yield from _row(Kind.FEE, moved.id, charge_id, moved.fee, moved.moved_at, sign=-1)


def _row(
    kind: LedgerEntry.Kind,
    stripe_id: str,
    charge_id: str,
    amount: gateway.Amount,
    made_at: datetime,
    is_ours: bool = False,
    *,
    sign: int = 1,
) -> Iterator[Row]:
    try:
        amount_minor = sign * amount.amount_minor
    except (money.UnsupportedCurrency, money.InexactAmount):
        if not is_ours:
            return
        # As Stripe counts it: whatever it is, it is not booked.
        amount_minor = sign * amount.amount
    yield kind, stripe_id, charge_id, amount_minor, amount.currency, made_at, is_ours
