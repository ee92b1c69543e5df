"""The other side's books against the shop's, by a stranger: no code of the shop is used here.

python chaos/books.py SANDBOX_URL DATABASE_URL

Reads what the sandbox knows of each payment, and the tables of the shop. Compares, to the minor
unit: each payment, the sums per currency and per day, and the stock with the orders.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.request import urlopen

import psycopg

Sums = Mapping[tuple[str, str, str], int]  # by payment or day, currency, figure

# Which ledger entries make up which figure of the sandbox's books, and by which sign.
FIGURES = {
    "captured": ({"capture"}, 1),
    "refunded": ({"refund"}, -1),
    "refunds_failed": ({"refund_reversal"}, 1),
    "disputed": ({"dispute"}, -1),
    "won_back": ({"dispute_reversal"}, 1),
    "fees": ({"fee"}, -1),
    "net": ({"capture", "refund", "refund_reversal", "dispute", "dispute_reversal", "fee"}, 1),
}
# A capture is of the day of its fee, once that is known: the first one of its charge.
LEDGER = """
    SELECT coalesce(a.intent_id, ''), l.kind, upper(l.currency), l.amount_minor,
           to_char(coalesce((SELECT min(f.occurred_at) FROM payments_ledgerentry f
                              WHERE l.kind = 'capture' AND f.kind = 'fee'
                                AND f.charge_id = l.stripe_id),
                            l.occurred_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD')
      FROM payments_ledgerentry l
      LEFT JOIN payments_ledgerentry c ON c.kind = 'capture' AND c.stripe_id = l.charge_id
      LEFT JOIN payments_paymentattempt a ON a.id = c.attempt_id
     WHERE l.kind <> 'manual'
"""
# What each variant should have: what came in, less what paid orders took, more what came back
# with its refund, or was put back as a bank kept its money.
STOCK = """
    SELECT v.sku, v.on_hand, v.reserved,
           coalesce((SELECT sum(m.on_hand_delta) FROM shop_stockmovement m
                      WHERE m.variant_id = v.id AND m.kind IN ('received', 'adjusted')), 0)
           - coalesce((SELECT sum(l.quantity) FROM orders_orderline l
                        WHERE l.variant_id = v.id AND EXISTS (
                              SELECT 1 FROM orders_orderevent e WHERE e.order_id = l.order_id
                                 AND e.to_status = 'paid'
                                 AND e.from_status IN ('pending', 'canceled'))), 0)
           + coalesce((SELECT sum(rl.quantity) FROM payments_refundline rl
                         JOIN payments_refund r ON r.id = rl.refund_id
                         JOIN orders_orderline l ON l.id = rl.line_id
                        WHERE l.variant_id = v.id AND r.is_restocked
                          AND (r.state = 'succeeded' OR EXISTS (
                               SELECT 1 FROM orders_review w WHERE w.reason = 'stock'
                                  AND w.resolution <> 'accepted' AND w.cause = r.key::text))), 0)
           + coalesce((SELECT sum(m.on_hand_delta) FROM shop_stockmovement m
                         JOIN orders_order o ON o.number = m.reference
                         JOIN orders_orderevent e ON e.order_id = o.id AND e.reason = 'put_back'
                              AND e.happened_at = m.moved_at
                        WHERE m.variant_id = v.id AND m.kind = 'returned'), 0),
           coalesce((SELECT sum(l.quantity) FROM orders_orderline l
                       JOIN orders_order o ON o.id = l.order_id
                      WHERE l.variant_id = v.id AND o.status = 'pending'), 0)
      FROM shop_variant v
"""


def main(sandbox: str, database: str) -> int:
    with urlopen(f"{sandbox}/_sandbox/books") as answer:  # noqa: S310 - an address of this machine
        books = json.load(answer)
    with psycopg.connect(database) as connection:
        entries = connection.execute(LEDGER).fetchall()
        stock = connection.execute(STOCK).fetchall()
        failed = connection.execute(
            "SELECT count(*) FROM payments_inboxevent WHERE state = 'failed'"
        ).fetchone()
    ours = [payment for payment in books["payments"] if payment["metadata"].get("app") == "shop"]
    differences = [
        *_payments(ours, entries),
        *_days(ours, entries),
        *_stock(stock),
    ]
    for difference in differences[:50]:
        print(f"  {difference}")
    totals: dict[str, int] = defaultdict(int)
    for _intent, kind, currency, amount, _day in entries:
        if kind != "fee":
            totals[currency] += amount
    kept = ", ".join(f"{amount / 100:.2f} {currency}" for currency, amount in totals.items())
    print(
        f"{len(books['payments'])} payments at the sandbox, {len(entries)} ledger entries, kept"
        f" {kept or 'nothing'}; {len(stock)} variants; {failed[0] if failed else 0} events failed;"
        f" {len(differences)} differences"
    )
    return int(bool(differences))


def _payments(ours: list[Any], entries: list[Any]) -> Iterator[str]:
    """Compare each payment, figure by figure and currency by currency."""
    theirs = {
        (payment["intent"], currency.upper(), figure): sums[figure]
        for payment in ours
        for currency, sums in payment["sums"].items()
        for figure in FIGURES
    }
    mine = _figures(
        (intent, currency, kind, amount) for intent, kind, currency, amount, _ in entries
    )
    yield from _compared(theirs, mine)


def _days(ours: list[Any], entries: list[Any]) -> Iterator[str]:
    """Compare each day's sums of all payments."""
    theirs: dict[tuple[str, str, str], int] = defaultdict(int)
    for payment in ours:
        for day, by_currency in payment["days"].items():
            for currency, sums in by_currency.items():
                for figure in FIGURES:
                    theirs[day, currency.upper(), figure] += sums[figure]
    mine = _figures((day, currency, kind, amount) for _, kind, currency, amount, day in entries)
    yield from _compared(theirs, mine)


def _figures(rows: Iterable[tuple[str, str, str, int]]) -> Sums:
    found: dict[tuple[str, str, str], int] = defaultdict(int)
    for key, currency, kind, amount in rows:
        for figure, (kinds, sign) in FIGURES.items():
            if kind in kinds:
                found[key, currency, figure] += sign * amount
    return found


def _compared(theirs: Sums, mine: Sums) -> Iterator[str]:
    for key in sorted({*theirs, *mine}):
        if theirs.get(key, 0) != mine.get(key, 0):
            name, currency, figure = key
            yield (
                f"{name} {figure}: {theirs.get(key, 0)} at the sandbox, {mine.get(key, 0)} in the"
                f" ledger ({currency}, minor units)"
            )


def _stock(rows: list[Any]) -> Iterator[str]:
    for sku, on_hand, reserved, should_be, held in rows:
        if (on_hand, reserved) != (should_be, held):
            yield f"{sku}: {on_hand} on hand, {reserved} held; the orders say {should_be}, {held}"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
