"""What breaks an invariant is found and named; nothing else is."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from orders.models import Order, OrderMail
from payments import gateway
from payments.audit import checks, stripe_side
from payments.models import InboxEvent, LedgerEntry, PaymentAttempt, Refund
from payments.services import attempts, disputes, inbox, refunds
from payments.tests import support
from payments.tests.audits import execute, unguarded
from shop.models import Variant
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(sandbox: Any) -> dict[str, Order]:
    """A shop at rest: an order paid, one refunded, one refunded in part, one that waits."""
    variant = VariantFactory(on_hand=10)
    names = ("paid", "refunded", "partly", "waiting")
    bought = {
        name: support.checkout(
            support.cart_with(variant), buyer=support.a_buyer(f"{name}@example.com")
        )
        for name in names
    }
    for name in names[:3]:
        sandbox.pay(bought[name].url)
    sandbox.post("clock", advance=10)
    for name in names[:3]:
        attempts.reconcile(attempt=bought[name], at=support.stripe_now())
    give_back(bought["refunded"].order, kept=0)
    give_back(bought["partly"].order, kept=300)
    return {name: support.reread(attempt.order) for name, attempt in bought.items()}


def give_back(order: Order, *, kept: int) -> None:
    capture = order.ledger.get(kind="capture")
    at = support.stripe_now()
    refund = refunds.ask(
        order_id=order.pk,
        charge_id=capture.stripe_id or "",
        amount_minor=capture.amount_minor - kept,
        why=Refund.Why.REQUESTED,
        by=7,
        at=at,
    )
    refunds.send(refund_id=refund.pk, at=at)


@contextmanager
def undone() -> Iterator[None]:
    """Take back at the end what is planted inside."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def found(*names: str, hours: int = 0) -> dict[str, list[str]]:
    """Return what each check names, of those that name anything."""
    at = support.stripe_now() + timedelta(hours=hours)
    named = {
        check.name: [offender.what for offender in checks.offenders(check, at=at)]
        for check in checks.CHECKS
        if not names or check.name in names
    }
    return {name: offenders for name, offenders in named.items() if offenders}


def test_a_shop_at_rest_breaks_nothing(shop: dict[str, Order]) -> None:
    statuses = {name: order.status for name, order in shop.items()}
    assert statuses == {
        "paid": "paid",
        "refunded": "refunded",
        "partly": "paid",
        "waiting": "pending",
    }
    assert found(hours=0) == {}
    assert drift() == []


def test_more_reserved_than_on_hand(shop: dict[str, Order]) -> None:
    unguarded("shop_variant", "variant_reserved_within_on_hand")
    execute("UPDATE shop_variant SET on_hand = 0")

    sku = Variant.objects.get().sku
    assert found("stock_range") == {"stock_range": [f"variant {sku}"]}


def test_reserved_for_nobody(shop: dict[str, Order]) -> None:
    execute("UPDATE shop_variant SET reserved = reserved + 1")

    variant = f"variant {Variant.objects.get().sku}"
    assert found() == {"stock_held": [variant], "stock_moved": [variant]}


def test_units_that_no_movement_brought(shop: dict[str, Order]) -> None:
    execute("UPDATE shop_variant SET on_hand = on_hand + 1")

    assert found() == {"stock_moved": [f"variant {Variant.objects.get().sku}"]}


def test_an_event_stored_twice(shop: dict[str, Order]) -> None:
    execute("ALTER TABLE payments_inboxevent DROP CONSTRAINT payments_inboxevent_event_id_key")
    columns = (
        "event_id, type, payload, api_version, livemode, source, state, attempts, last_error,"
        " received_at"
    )
    event = support.all_events()[0]
    event_id = event["id"]
    inbox.store(payload=event, source=InboxEvent.Source.WEBHOOK, at=support.stripe_now())
    execute(
        f"INSERT INTO payments_inboxevent ({columns}) SELECT {columns} FROM payments_inboxevent"
        " WHERE event_id = %s",
        event_id,
    )

    assert found() == {"event_once": [f"event {event_id}"]}


def test_money_booked_twice(shop: dict[str, Order]) -> None:
    unguarded("payments_ledgerentry", "ledger_once_per_stripe_object")
    capture = shop["paid"].ledger.get(kind="capture")
    capture.pk = None
    capture.save()

    assert found() == {
        "money_once": [f"capture {capture.stripe_id}"],
        "append_only": ["table payments_ledgerentry"],
    }


def test_a_story_with_a_gap(shop: dict[str, Order]) -> None:
    unguarded("orders_orderevent")
    execute(
        "UPDATE orders_orderevent SET from_status = 'canceled'"
        " WHERE order_id = %s AND to_status = 'paid'",
        shop["paid"].pk,
    )

    assert found("story") == {"story": [f"order {shop['paid'].number}"]}


def test_a_status_that_the_story_does_not_end_in(shop: dict[str, Order]) -> None:
    execute("UPDATE orders_order SET status = 'fulfilled' WHERE id = %s", shop["paid"].pk)

    assert found() == {"story": [f"order {shop['paid'].number}"]}


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


def test_a_refund_that_was_never_booked(shop: dict[str, Order]) -> None:
    unguarded("payments_ledgerentry")
    refund = shop["partly"].refunds.get()
    execute("DELETE FROM payments_ledgerentry WHERE stripe_id = %s", refund.stripe_id)

    assert found("refunds") == {"refunds": [f"refund {refund.stripe_id}"]}


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

    assert found() == {"refunds": [f"charge {refund.charge_id}"]}


def test_a_line_that_the_total_does_not_know(shop: dict[str, Order]) -> None:
    execute(
        "UPDATE orders_orderline SET quantity = quantity + 1 WHERE order_id = %s", shop["paid"].pk
    )

    assert found() == {"totals": [f"order {shop['paid'].number}"]}


def test_a_total_that_does_not_add_up(shop: dict[str, Order]) -> None:
    execute("ALTER TABLE orders_order DROP CONSTRAINT order_total_adds_up")
    execute("UPDATE orders_order SET tax_minor = 1 WHERE id = %s", shop["paid"].pk)

    assert found() == {"totals": [f"order {shop['paid'].number}"]}


def test_an_attempt_that_asked_for_something_else(shop: dict[str, Order]) -> None:
    for change in ("amount_minor = amount_minor + 1", "currency = 'USD'"):
        with undone():
            execute(
                f"UPDATE payments_paymentattempt SET {change} WHERE order_id = %s", shop["paid"].pk
            )

            assert found() == {"totals": [f"order {shop['paid'].number}"]}


def test_a_trigger_switched_off_or_taken_away(shop: dict[str, Order]) -> None:
    for table in ("payments_ledgerentry", "orders_orderevent", "shop_stockmovement"):
        for change in (
            f"ALTER TABLE {table} DISABLE TRIGGER append_only",
            f"ALTER TABLE {table} DISABLE TRIGGER USER",
            f"DROP TRIGGER append_only ON {table}",
        ):
            with undone():
                execute(change)

                assert found() == {"append_only": [f"table {table}"]}


def test_a_fee_that_never_came(shop: dict[str, Order]) -> None:
    unguarded("payments_ledgerentry")
    fee = shop["paid"].ledger.get(kind="fee")
    execute("DELETE FROM payments_ledgerentry WHERE id = %s", fee.pk)
    execute("ALTER TABLE payments_ledgerentry ENABLE TRIGGER USER")

    assert found() == {}
    assert found("fees", hours=2) == {"fees": [f"charge {fee.charge_id}"]}


def test_a_hold_that_nobody_ended(shop: dict[str, Order]) -> None:
    waiting = shop["waiting"]
    assert found("overdue", hours=1) == {}
    assert found("overdue", hours=2) == {"overdue": [f"order {waiting.number}"]}

    at = support.stripe_now() + timedelta(hours=2)
    PaymentAttempt.objects.filter(order=waiting).update(close_failed_at=at)
    assert found("overdue", hours=2) == {}


def test_a_mail_about_nothing(shop: dict[str, Order]) -> None:
    for kind in OrderMail.Kind:
        with undone():
            mail = OrderMail.objects.create(
                order=shop["waiting"], kind=kind, cause="re_1", due_at=support.stripe_now()
            )

            assert found() == {"mails": [f"mail {mail.pk}"]}


def test_an_inquiry_and_the_dispute_that_it_becomes_have_a_mail_each(
    sandbox: Any, shop: dict[str, Order]
) -> None:
    order = shop["paid"]
    intent_id = order.attempts.get().intent_id or ""
    inquiry = sandbox.dispute(intent_id, inquiry=True)
    for action in ("submit", "escalate"):
        made = gateway.disputes_of_intent(intent_id)
        disputes.follow(order_id=order.pk, made=made, cause="", at=support.stripe_now())
        sandbox.move_dispute(inquiry["id"], action)
    made = gateway.disputes_of_intent(intent_id)
    disputes.follow(order_id=order.pk, made=made, cause="", at=support.stripe_now())

    assert order.mails.filter(kind="dispute").count() == 2
    assert found() == {}


def test_a_mail_that_is_not_sent_within_a_day(shop: dict[str, Order]) -> None:
    sent, *unsent = OrderMail.objects.all()
    OrderMail.objects.filter(pk=sent.pk).update(sent_at=sent.due_at)

    assert found("mails", hours=23) == {}
    assert found("mails", hours=25) == {"mails": [f"mail {mail.pk}" for mail in unsent]}


def test_a_mail_owed_twice_and_a_confirmation_owed_to_nobody(shop: dict[str, Order]) -> None:
    execute("ALTER TABLE orders_ordermail DROP CONSTRAINT order_mail_once")
    mail = shop["paid"].mails.get()
    mail.pk = None
    mail.save()
    shop["partly"].mails.filter(kind="confirmation").delete()

    assert sorted(found()["mails"]) == sorted(
        [f"order {shop['paid'].number}", f"order {shop['partly'].number}"]
    )


@pytest.fixture
def behind_our_back(shop: dict[str, Order]) -> LedgerEntry:
    """A capture in a ledger that can be written to."""
    unguarded("payments_ledgerentry")
    return shop["paid"].ledger.get(kind="capture")


def drift(minutes: int = 20) -> list[tuple[str, str]]:
    at = support.stripe_now() + timedelta(minutes=minutes)
    found = stripe_side.drift(at=at, progress=lambda text: None)
    return [(offender.what, offender.why) for offender in found]


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


def test_a_check_asks_the_database_once_however_many_orders_there_are(
    shop: dict[str, Order],
) -> None:
    for check in checks.CHECKS:
        with CaptureQueriesContext(connection) as queries:
            assert list(checks.offenders(check, at=support.stripe_now())) == []
        # Beside the savepoint that the test's own transaction makes of a transaction.
        assert len([q for q in queries if "SAVEPOINT" not in q["sql"]]) <= 1
