"""The ledger against what Stripe lists: every difference is named, and nothing else."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders.models import Order
from payments import gateway
from payments.models import LedgerEntry
from payments.tests import support
from payments.tests.audits import drift, execute, shop_at_rest, unguarded

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(sandbox: Any) -> dict[str, Order]:
    return shop_at_rest(sandbox)


@pytest.fixture
def behind_our_back(shop: dict[str, Order]) -> LedgerEntry:
    """A capture in a ledger that can be written to."""
    unguarded("payments_ledgerentry")
    return shop["paid"].ledger.get(kind="capture")


def test_money_that_stripe_has_and_we_have_not(behind_our_back: LedgerEntry) -> None:
    execute("DELETE FROM payments_ledgerentry WHERE id = %s", behind_our_back.pk)

    said = f"Stripe says {behind_our_back.amount_minor} EUR, nothing is booked"
    assert drift() == [(f"capture {behind_our_back.stripe_id}", said)]
    assert drift(minutes=0) == []


def test_money_that_is_booked_while_stripes_list_is_read_is_no_difference(
    behind_our_back: LedgerEntry,
) -> None:
    later = support.stripe_now() + timedelta(minutes=21)
    execute(
        "UPDATE payments_ledgerentry SET stripe_id = 'ch_later', booked_at = %s WHERE id = %s",
        later.isoformat(),
        behind_our_back.pk,
    )

    assert [what for what, _why in drift()] == [f"capture {behind_our_back.charge_id}"]


def test_a_dispute_of_an_account_in_another_currency_is_compared_in_the_charges() -> None:
    dispute = gateway.Dispute(
        id="du_1",
        status="lost",
        reason="general",
        charge_id="ch_1",
        due_at=None,
        made_at=support.stripe_now(),
        amount=1000,
        currency="EUR",
        movements=(),
    )
    taken = gateway.BalanceTransaction(
        id="txn_1",
        amount=-1100,
        currency="USD",
        fee=gateway.Amount(1500, "USD"),
        moved_at=support.stripe_now(),
    )

    assert dispute.as_charged(taken) == gateway.Amount(-1000, "EUR")
    assert dispute.as_charged(replace(taken, amount=1100)) == gateway.Amount(1000, "EUR")
    assert dispute.as_charged(replace(taken, currency="EUR")).amount == -1100


def test_money_that_stripe_knows_otherwise_or_not_at_all(behind_our_back: LedgerEntry) -> None:
    execute("UPDATE payments_ledgerentry SET amount_minor = 1 WHERE id = %s", behind_our_back.pk)
    fee = LedgerEntry.objects.get(kind="fee", charge_id=behind_our_back.stripe_id)
    execute("UPDATE payments_ledgerentry SET stripe_id = 'txn_none' WHERE id = %s", fee.pk)

    assert sorted(drift(minutes=120)) == sorted(
        [
            (
                f"capture {behind_our_back.stripe_id}",
                f"Stripe says {behind_our_back.amount_minor} EUR, 1 EUR is booked",
            ),
            ("fee txn_none", f"{fee.amount_minor} EUR is booked, Stripe knows nothing"),
            (f"fee {fee.stripe_id}", f"Stripe says {fee.amount_minor} EUR, nothing is booked"),
        ]
    )


@pytest.mark.django_db(transaction=True)
def test_stripe_is_read_with_no_transaction_open(sandbox: Any) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert drift() == []

    said = [query["sql"].split()[0] for query in queries if "INSERT" not in query["sql"]]
    assert said == ["CREATE", "CREATE", "ANALYZE", "BEGIN", "DECLARE", "COMMIT", "DROP"]


@pytest.mark.django_db(transaction=True)
def test_what_was_read_is_forgotten_though_stripe_goes_away(sandbox: Any) -> None:
    sandbox.fault(kind="refuse", path="/v1/disputes", times=None)
    with pytest.raises(gateway.Unreachable):
        drift()
    sandbox.clear_faults()

    assert drift() == []
