"""The books: every payment with all that became of its money, summed up in three ways."""

from datetime import UTC, datetime
from typing import Any

import stripe

from stripe_sandbox.tests.conftest import DECLINED, Twin, line

DAY = 24 * 60 * 60
NOTHING = dict.fromkeys(
    ("captured", "refunded", "refunds_failed", "disputed", "won_back", "fees", "net", "unsettled"),
    0,
)


def books(twin: Twin) -> Any:
    return twin.control("books", "GET")


def test_nothing_happened(twin: Twin) -> None:
    assert books(twin) == {"payments": [], "totals": {}, "days": {}}


def test_a_session_is_told_from_its_opening_on(twin: Twin) -> None:
    session = twin.open_session()
    opened = books(twin)["payments"]
    twin.pay(session.url, card=DECLINED)
    (declined,) = books(twin)["payments"]
    twin.pay(session.url)
    (paid,) = books(twin)["payments"]
    twin.control("clock", advance=10)
    (settled,) = books(twin)["payments"]

    assert opened == [
        {
            "session": session.id,
            "intent": None,
            "reference": "ORDER-1",
            "metadata": {"attempt": "1"},
            "session_status": "open",
            "intent_status": None,
            "currency": "eur",
            "asked": 3097,
            "sums": {},
            "days": {},
        }
    ]
    assert (declined["intent_status"], declined["sums"]) == ("requires_payment_method", {})
    assert (paid["session_status"], paid["intent_status"]) == ("complete", "succeeded")
    assert paid["sums"] == {
        "eur": NOTHING | {"captured": 3097, "net": 3097, "unsettled": 1},
    }
    assert settled["sums"] == {"eur": NOTHING | {"captured": 3097, "fees": 71, "net": 3026}}


def test_refunds_disputes_and_their_ways_back_are_told_apart(twin: Twin) -> None:
    refunded, disputed = (twin.paid_session().payment_intent for _ in range(2))
    kept = twin.control("refunds", payment_intent=refunded, amount=1000)
    failed = twin.control("refunds", payment_intent=refunded, amount=500)
    twin.control(f"refunds/{failed['id']}", outcome="failed")
    won = twin.control("disputes", payment_intent=disputed)
    twin.control(f"disputes/{won['id']}", action="win")
    twin.control("clock", advance=10)

    told = books(twin)

    sums = {row["intent"]: row["sums"]["eur"] for row in told["payments"]}
    assert kept["status"] == "succeeded"
    assert sums[refunded] == NOTHING | {
        "captured": 3097,
        "refunded": 1500,
        "refunds_failed": 500,
        "fees": 71,
        "net": 3097 - 1000 - 71,
    }
    assert sums[disputed] == NOTHING | {
        "captured": 3097,
        "disputed": 3097,
        "won_back": 3097,
        "fees": 71 + 1500,
        "net": 3097 - 71 - 1500,
    }
    assert told["totals"] == {
        "eur": {name: sums[refunded][name] + sums[disputed][name] for name in NOTHING}
    }


def test_each_day_is_the_sum_of_its_balance_transactions(twin: Twin) -> None:
    first = twin.paid_session()
    twin.control("clock", advance=2 * DAY)
    twin.paid_session(line_items=[line(1200, 1, "jpy")], shipping_options=None)
    twin.control("refunds", payment_intent=first.payment_intent)
    twin.control("clock", advance=10)

    told = books(twin)
    days = told["days"]

    expected: dict[tuple[str, str], int] = {}
    for transaction in twin.get("/v1/balance_transactions", limit=100).json()["data"]:
        key = (day_of(transaction["created"]), transaction["currency"])
        expected[key] = expected.get(key, 0) + transaction["net"]
    assert len(expected) == 3
    assert expected == {
        (day, currency): sums["net"]
        for day, currencies in days.items()
        for currency, sums in currencies.items()
    }
    (today, euro), (later, yen) = ((day, days[day]) for day in sorted(days))
    assert [payment["days"] for payment in told["payments"]] == [
        {today: euro, later: {"eur": yen["eur"]}},
        {later: {"jpy": yen["jpy"]}},
    ]


def test_a_charge_counts_to_the_day_of_its_balance_transaction_once_there_is_one(
    twin: Twin,
) -> None:
    session = twin.open_session(payment_method_types=["sepa_debit"])
    twin.pay(session.url, method="bank_debit")
    twin.control("clock", advance=DAY)
    intent = twin.sdk.v1.checkout.sessions.retrieve(session.id).payment_intent
    twin.control(f"bank_debits/{intent}", outcome="succeeded")
    unsettled = books(twin)["days"]
    twin.control("clock", advance=10)

    settled = books(twin)["days"]

    (charge,) = twin.sdk.v1.charges.list(params={"expand": ["data.balance_transaction"]}).data
    moved = charge.balance_transaction
    assert isinstance(moved, stripe.BalanceTransaction)
    assert moved.created >= charge.created + DAY
    assert unsettled == {
        day_of(charge.created): {
            "eur": NOTHING | {"captured": 3097, "net": 3097, "unsettled": 1},
        }
    }
    assert settled == {
        day_of(moved.created): {"eur": NOTHING | {"captured": 3097, "fees": 71, "net": 3026}}
    }


def day_of(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).date().isoformat()
