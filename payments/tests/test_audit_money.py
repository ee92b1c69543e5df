"""What breaks an invariant is found and named; nothing else is: money that came and went."""

from typing import Any
from uuid import uuid4

import pytest

from orders.models import Order, Review
from payments.audit import fixes
from payments.models import LedgerEntry, Refund
from payments.services import sums
from payments.tests import support
from payments.tests.audits import (
    behind_the_trigger,
    execute,
    found,
    shop_at_rest,
    undone,
    unguarded,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(sandbox: Any) -> dict[str, Order]:
    return shop_at_rest(sandbox)


def test_money_booked_twice(shop: dict[str, Order]) -> None:
    unguarded("payments_ledgerentry", "ledger_once_per_stripe_object")
    capture = shop["paid"].ledger.get(kind="capture")
    capture.pk = None
    capture.save()

    assert found() == {
        "money_once": [f"capture {capture.stripe_id}"],
        "status": [f"order {shop['paid'].number}"],
        "append_only": ["table payments_ledgerentry"],
    }


def test_a_form_booked_twice(shop: dict[str, Order]) -> None:
    execute("ALTER TABLE payments_ledgerentry DROP CONSTRAINT payments_ledgerentry_form_key_key")
    form, at = uuid4(), support.stripe_now()
    for _ in range(2):
        shop["partly"].ledger.create(
            kind="manual",
            amount_minor=-100,
            currency="EUR",
            form_key=form,
            booked_at=at,
            occurred_at=at,
        )

    assert found() == {"money_once": [f"manual {form}"]}


def test_a_status_that_the_money_contradicts(shop: dict[str, Order]) -> None:
    for name, status in (
        ("waiting", "paid"),
        ("waiting", "fulfilled"),
        ("waiting", "refunded"),
        ("paid", "pending"),
        ("paid", "canceled"),
        ("partly", "refunded"),
        ("refunded", "paid"),
    ):
        with undone():
            execute("UPDATE orders_order SET status = %s WHERE id = %s", status, shop[name].pk)

            assert found("status") == {"status": [f"order {shop[name].number}"]}


@pytest.fixture
def paid_twice(shop: dict[str, Order]) -> LedgerEntry:
    """A second payment of an order, and nothing that says what becomes of it."""
    attempt = shop["paid"].attempts.get()
    attempt.pk, attempt.key = None, uuid4()
    attempt.session_id, attempt.intent_id = "cs_second", "pi_second"
    attempt.save()
    second = shop["paid"].ledger.get(kind="capture")
    second.pk, second.attempt, second.stripe_id = None, attempt, "ch_second"
    second.charge_id = "ch_second"
    second.save()
    return second


def test_a_second_payment_that_is_kept(paid_twice: LedgerEntry) -> None:
    named = {"status": [f"order {paid_twice.order.number}"]}
    assert found() == named

    for state, is_named in (("created", False), ("failed", True)):
        with undone():
            a_refund(paid_twice, state=state)
            assert found() == (named if is_named else {})
    for reason, is_named in (("refund", False), ("mismatch", False), ("unpaid", True)):
        with undone():
            Review.objects.create(
                order=paid_twice.order,
                reason=reason,
                cause="ch_second",
                opened_at=paid_twice.booked_at,
            )
            assert found() == (named if is_named else {})
    paid_twice.order.refunds.all().delete()
    LedgerEntry.objects.create(
        order=paid_twice.order,
        kind="dispute",
        stripe_id="txn_dispute",
        charge_id="ch_second",
        amount_minor=-paid_twice.amount_minor,
        currency="EUR",
        booked_at=paid_twice.booked_at,
    )
    assert found() == {}, "the bank has it"


def a_refund(capture: LedgerEntry, **fields: Any) -> Refund:
    return Refund.objects.create(
        **{
            "order": capture.order,
            "charge_id": capture.charge_id,
            "intent_id": "pi_1",
            "amount_minor": capture.amount_minor,
            "currency": capture.currency,
            "source": "staff",
            "why": "other",
            "created_at": support.stripe_now(),
        }
        | fields
    )


@pytest.mark.parametrize("status", ["won", "prevented", "lost", "needs_response"])
def test_what_a_bank_withholds_is_judged_as_the_shop_does(
    shop: dict[str, Order], status: str
) -> None:
    order = shop["paid"]
    execute("UPDATE orders_order SET status = 'canceled' WHERE id = %s", order.pk)
    capture = order.ledger.get(kind="capture")
    support.dispute_row(
        order,
        "du_1",
        charge_id=capture.charge_id,
        amount_minor=capture.amount_minor,
        status=status,
    )

    def move(kind: str, sign: int) -> None:
        order.ledger.create(
            kind=kind,
            stripe_id=f"txn_{kind}",
            charge_id=capture.charge_id,
            amount_minor=sign * capture.amount_minor,
            currency="EUR",
            booked_at=capture.booked_at,
        )

    def is_ours() -> bool:
        is_named = found("status") == {"status": [f"order {order.number}"]}
        assert is_named == sums.is_any(sums.undisputed(order))
        return is_named

    is_claimed = status in {"lost", "needs_response"}
    assert is_ours() is not is_claimed
    move("dispute", -1)
    assert not is_ours()
    move("dispute_reversal", 1)
    assert is_ours() is not is_claimed


def test_an_attempt_and_its_money_that_know_nothing_of_each_other(shop: dict[str, Order]) -> None:
    attempts = {name: order.attempts.get() for name, order in shop.items()}
    charge = shop["paid"].ledger.get(kind="capture").stripe_id
    for change, attempt, named in (
        ("state = 'closed', closed_as = 'expired'", "paid", [f"capture {charge}"]),
        ("state = 'succeeded'", "waiting", [f"attempt {attempts['waiting'].key}"]),
        ("state = 'closed', closed_as = 'failed'", "waiting", []),
    ):
        with undone():
            execute(
                f"UPDATE payments_paymentattempt SET {change} WHERE id = %s", attempts[attempt].pk
            )

            assert found() == ({"attempts": named} if named else {})
    behind_the_trigger(
        "UPDATE payments_ledgerentry SET attempt_id = %s WHERE stripe_id = %s",
        attempts["partly"].pk,
        charge,
    )

    assert found() == {"attempts": [f"attempt {attempts['paid'].key}", f"capture {charge}"]}


def test_money_booked_on_another_order(shop: dict[str, Order]) -> None:
    refund = shop["partly"].refunds.get()
    fee = shop["partly"].ledger.get(kind="fee")
    for entry in (f"refund {refund.stripe_id}", f"fee {fee.stripe_id}"):
        with undone():
            behind_the_trigger(
                "UPDATE payments_ledgerentry SET order_id = %s WHERE kind || ' ' || stripe_id = %s",
                shop["paid"].pk,
                entry,
            )

            assert found() == {"charges": [entry]}
    execute("UPDATE payments_refund SET order_id = %s WHERE id = %s", shop["paid"].pk, refund.pk)

    assert found("charges") == {"charges": [f"row of refund {refund.stripe_id}"]}


def test_what_follows_a_payment_that_is_not_booked(shop: dict[str, Order]) -> None:
    capture = shop["paid"].ledger.get(kind="capture")
    with undone():
        fee = shop["paid"].ledger.get(kind="fee")
        behind_the_trigger(
            "UPDATE payments_ledgerentry SET charge_id = 'ch_none' WHERE id = %s", fee.pk
        )
        assert found() == {"charges": [f"fee {fee.stripe_id}"]}
    capture.charge_id = "ch_none"
    refund = a_refund(capture)
    support.dispute_row(shop["paid"], "du_1", charge_id="ch_none")

    assert found() == {"charges": ["row of dispute du_1", f"row of refund {refund.key}"]}


def test_a_refund_that_is_not_as_booked(shop: dict[str, Order]) -> None:
    refund = shop["partly"].refunds.get()
    name = f"refund {refund.stripe_id}"
    with undone():
        behind_the_trigger(
            "DELETE FROM payments_ledgerentry WHERE stripe_id = %s", refund.stripe_id
        )
        assert found() == {"refunds": [name]}
    for change, named in (
        ("amount_minor = amount_minor - 1", [name]),
        ("state = 'pending'", [name]),
        ("currency = 'USD'", [name, name]),
    ):
        with undone():
            execute(f"UPDATE payments_refund SET {change} WHERE id = %s", refund.pk)
            assert found("refunds") == {"refunds": named}
    for kind, amount_minor in (("refund", -100), ("refund_reversal", 100)):
        shop["paid"].ledger.create(
            kind=kind,
            stripe_id="re_planted",
            charge_id=shop["paid"].ledger.get(kind="capture").charge_id,
            amount_minor=amount_minor,
            currency="EUR",
            booked_at=support.stripe_now(),
        )

        assert found() == {"refunds": ["refund re_planted"]}


def test_more_given_back_than_was_captured(shop: dict[str, Order]) -> None:
    refund = shop["partly"].refunds.get()
    planted = Refund.objects.create(
        order=refund.order,
        charge_id=refund.charge_id,
        intent_id=refund.intent_id,
        amount_minor=301,
        currency=refund.currency,
        source="staff",
        why="other",
        created_at=support.stripe_now(),
    )
    assert found() == {}, "Stripe may yet refuse what it has not answered"

    planted.state, planted.stripe_id = Refund.State.PENDING, "re_planted"
    planted.save()

    assert found("refunds") == {"refunds": [f"charge {refund.charge_id}"]}


def test_a_trigger_switched_off_or_taken_away(shop: dict[str, Order]) -> None:
    for table in (
        "payments_ledgerentry",
        "orders_orderevent",
        "shop_stockmovement",
        "shop_pricechange",
    ):
        for change in (
            f"ALTER TABLE {table} DISABLE TRIGGER append_only",
            f"ALTER TABLE {table} DISABLE TRIGGER USER",
            f"DROP TRIGGER append_only ON {table}",
            trigger(table, "BEFORE UPDATE", "refuse_change"),
            trigger(table, "BEFORE DELETE", "refuse_change"),
            trigger(table, "AFTER UPDATE OR DELETE", "refuse_change"),
            trigger(table, "BEFORE UPDATE OF id OR DELETE", "refuse_change"),
            trigger(table, "BEFORE UPDATE OR DELETE", "refuse_change", "WHEN (OLD.id < 0)"),
            trigger(table, "BEFORE UPDATE OR DELETE", "suppress_redundant_updates_trigger"),
        ):
            with undone():
                execute(change)

                assert found() == {"append_only": [f"table {table}"]}


def trigger(table: str, when: str, function: str, condition: str = "") -> str:
    return (
        f"DROP TRIGGER append_only ON {table}; CREATE TRIGGER append_only {when} ON {table}"
        f" FOR EACH ROW {condition} EXECUTE FUNCTION {function}()"
    )


@pytest.mark.parametrize(
    "body",
    [
        "RETURN NULL;",
        "IF false THEN RAISE EXCEPTION 'no'; END IF; RETURN OLD;",
        "RAISE EXCEPTION 'no'; EXCEPTION WHEN OTHERS THEN RETURN OLD;",
    ],
)
def test_a_trigger_that_refuses_nothing_any_more(shop: dict[str, Order], body: str) -> None:
    execute(
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql"
        f" AS $$ BEGIN {body} END $$"
    )

    assert found() == {
        "append_only": [
            "table orders_orderevent",
            "table payments_ledgerentry",
            "table shop_pricechange",
            "table shop_stockmovement",
        ]
    }


def test_a_fee_that_never_came(shop: dict[str, Order]) -> None:
    fee = shop["paid"].ledger.get(kind="fee")
    behind_the_trigger("DELETE FROM payments_ledgerentry WHERE id = %s", fee.pk)
    assert found() == {}
    assert found("fees", hours=2) == {"fees": [f"charge {fee.charge_id}"]}

    for kind, amount_minor in (("dispute", -100), ("fee", -15_00)):
        shop["paid"].ledger.create(
            kind=kind,
            stripe_id="txn_dispute",
            charge_id=fee.charge_id,
            amount_minor=amount_minor,
            currency="EUR",
            booked_at=fee.booked_at,
        )

    assert found("fees", hours=2) == {"fees": [f"charge {fee.charge_id}"]}
    mended = list(fixes.fix("fees", at=support.stripe_now()))
    assert mended == [f"charge {fee.charge_id}: Stripe will be asked for its fee"]
