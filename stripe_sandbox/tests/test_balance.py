"""Balance transactions: what moved, listed as the merchant's bookkeeping asks for it."""

import pytest
import stripe

from stripe_sandbox.tests.conftest import Twin, line


def test_balance_transactions_are_listed_and_picked(twin: Twin) -> None:
    twin.paid_session()
    twin.paid_session(line_items=[line(1200, 1, "jpy")], shipping_options=None)
    twin.control("clock", advance=3600)
    yen, euro = twin.sdk.v1.charges.list().data
    refund = twin.sdk.v1.refunds.create(params={"charge": euro.id})
    moved = twin.sdk.v1.balance_transactions

    def ids(**params: object) -> set[str | None]:
        listed = twin.get("/v1/balance_transactions", **params).json()
        return {transaction["source"] for transaction in listed["data"]}

    assert ids() == {yen.id, euro.id, refund.id}
    assert ids(type="refund") == {refund.id}
    assert ids(currency="jpy") == {yen.id}
    assert ids(source=euro.id) == {euro.id}
    assert ids(**{"created[gte]": refund.created}) == {refund.id}
    assert len(list(moved.list(params={"limit": 1}).auto_paging_iter())) == 3
    with pytest.raises(stripe.InvalidRequestError, match="No such payout"):
        moved.list(params={"payout": "po_1"})


def test_a_payments_transaction_is_of_the_moment_at_which_it_is_made(twin: Twin) -> None:
    twin.paid_session()
    twin.control("clock", advance=3600)

    (charge,) = twin.sdk.v1.charges.list(params={"expand": ["data.balance_transaction"]}).data

    transaction = charge.balance_transaction
    assert isinstance(transaction, stripe.BalanceTransaction)
    assert transaction.created == charge.created + 5
    assert transaction.available_on == transaction.created + 2 * 24 * 60 * 60
    assert (transaction.status, transaction.type) == ("pending", "charge")
