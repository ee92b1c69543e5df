"""The books: the other side's truth about the money, for whoever compares it with his own.

GET /_sandbox/books tells, oldest first, every session and every intent that has none, each with
its sums by currency, and by day (UTC) and currency; then the same of all of them. Amounts are in
minor units, and a day's are those of its balance transactions.

captured        what charges took, known at once
refunded        what refunds took out of the balance, those that failed later too
refunds_failed  what came back of these
disputed        what banks withdrew            won_back   what they gave again
fees            Stripe's, of payments and disputes
net             what all this left in the balance
unsettled       charges whose fee Stripe does not know yet; at rest there are none
"""

import json
from typing import Any

from stripe_sandbox.store import Record
from stripe_sandbox.twin import Twin

# A charge that has no balance transaction yet counts as if it had one of its own moment, without a
# fee.
_MOVEMENTS = """
    SELECT json_extract(source.body, '$.payment_intent') AS intent,
        json_extract(moved.body, '$.currency') AS currency,
        date(json_extract(moved.body, '$.created'), 'unixepoch') AS day,
        json_extract(moved.body, '$.reporting_category') AS category,
        json_extract(moved.body, '$.amount') AS amount,
        json_extract(moved.body, '$.fee') AS fee, 0 AS unsettled
    FROM objects AS moved
    JOIN objects AS source ON source.id = json_extract(moved.body, '$.source')
    WHERE moved.type = 'balance_transaction'
    UNION ALL
    SELECT json_extract(body, '$.payment_intent'), json_extract(body, '$.currency'),
        date(json_extract(body, '$.created'), 'unixepoch'), 'charge',
        json_extract(body, '$.amount_captured'), 0, 1
    FROM objects
    WHERE type = 'charge' AND json_extract(body, '$.status') = 'succeeded'
        AND json_extract(body, '$.balance_transaction') IS NULL
"""
_SUMS = {
    "captured": "sum(iif(category = 'charge', amount, 0))",
    "refunded": "-sum(iif(category = 'refund', amount, 0))",
    "refunds_failed": "sum(iif(category = 'refund_failure', amount, 0))",
    "disputed": "-sum(iif(category = 'dispute', amount, 0))",
    "won_back": "sum(iif(category = 'dispute_reversal', amount, 0))",
    "fees": "sum(fee)",
    "net": "sum(amount - fee)",
    "unsettled": "sum(unsettled)",
}
# What was asked stands on an intent that took something else.
_PAYMENTS = """
    SELECT session.seq, session.id, intent.id, json_extract(session.body, '$.client_reference_id'),
        json_extract(session.body, '$.metadata'), json_extract(session.body, '$.status'),
        json_extract(intent.body, '$.status'),
        ifnull(json_extract(intent.body, '$._asked.currency'),
            json_extract(session.body, '$.currency')),
        ifnull(json_extract(intent.body, '$._asked.amount'),
            json_extract(session.body, '$.amount_total'))
    FROM objects AS session
    LEFT JOIN objects AS intent ON intent.id = json_extract(session.body, '$.payment_intent')
    WHERE session.type = 'checkout.session'
    UNION ALL
    SELECT seq, NULL, id, NULL, json_extract(body, '$.metadata'), NULL,
        json_extract(body, '$.status'),
        ifnull(json_extract(body, '$._asked.currency'), json_extract(body, '$.currency')),
        ifnull(json_extract(body, '$._asked.amount'), json_extract(body, '$.amount'))
    FROM objects WHERE type = 'payment_intent' AND json_extract(body, '$._session') IS NULL
    ORDER BY 1
"""
_NAMES = ("session", "intent", "reference", "metadata", "session_status", "intent_status")
_ASKED = ("currency", "asked")


def read(twin: Twin, _fields: Any) -> Record:
    """Return the books of one moment."""
    twin.catch_up()
    with twin.store.transaction():
        sums = _sums(twin, "intent", "currency")
        days = _sums(twin, "intent", "day", "currency")
        payments = [
            dict(zip(_NAMES + _ASKED, row, strict=True))
            | {
                "metadata": json.loads(row[3]),
                "sums": sums.get(row[1], {}),
                "days": days.get(row[1], {}),
            }
            for _, *row in twin.store.query(_PAYMENTS)
        ]
        return {
            "payments": payments,
            "totals": _sums(twin, "currency"),
            "days": _sums(twin, "day", "currency"),
        }


def _sums(twin: Twin, *keys: str) -> Record:
    """Return sums by columns of the movements, a dictionary in a dictionary for each."""
    by, sums = ", ".join(keys), ", ".join(_SUMS.values())
    found: Record = {}
    for row in twin.store.query(f"SELECT {by}, {sums} FROM ({_MOVEMENTS}) GROUP BY {by}"):  # noqa: S608 - our own constants
        *path, last = row[: len(keys)]
        place = found
        for key in path:
            place = place.setdefault(key, {})
        place[last] = dict(zip(_SUMS, row[len(keys) :], strict=True))
    return found
