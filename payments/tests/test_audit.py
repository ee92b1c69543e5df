"""What breaks an invariant is found and named; nothing else is: orders, and what they ask for."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cart.quotes import quote
from orders import services as orders
from orders.models import Order, Reason, Review
from payments.audit import checks
from payments.models import InboxEvent, PaymentAttempt, Refund
from payments.services import fulfilling, inbox, manual, placing, refunds
from payments.services.manual import Entry
from payments.tests import support
from payments.tests.audits import drift, execute, found, shop_at_rest, undone, unguarded
from shop.models import Variant
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(sandbox: Any) -> dict[str, Order]:
    return shop_at_rest(sandbox)


def test_a_shop_at_rest_breaks_nothing(shop: dict[str, Order]) -> None:
    statuses = {name: order.status for name, order in shop.items()}
    assert statuses == {
        "paid": "paid",
        "refunded": "refunded",
        "partly": "paid",
        "waiting": "pending",
    }
    assert found() == {}
    assert drift() == []


def test_what_costs_nothing_or_is_paid_by_hand_breaks_nothing(
    settings: Any, shop: dict[str, Order]
) -> None:
    at = support.stripe_now()
    waiting = shop["waiting"]
    entry = Entry(waiting.total_minor, waiting.currency, uuid4())
    manual.book(order_id=waiting.pk, entry=entry, by=7, at=at)
    settings.SHIPPING_FLAT_MINOR = 0
    free = support.cart_with(VariantFactory(price_minor=0))
    placing.start_checkout(
        cart=free,
        buyer=support.a_buyer("free@example.com"),
        fingerprint=quote(free).fingerprint,
        at=at,
    )

    assert list(Order.objects.order_by("-pk").values_list("status", flat=True)[:2]) == ["paid"] * 2
    assert found() == {}


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

    assert found("story", "status") == {"story": [f"order {shop['paid'].number}"]}


@pytest.fixture
def fulfilled(shop: dict[str, Order]) -> Order:
    order = shop["paid"]
    fulfilling.hand_over(
        order_id=order.pk, quantities={order.lines.get().pk: 1}, by=7, at=support.stripe_now()
    )
    assert found() == {}
    return support.reread(order)


def test_a_fulfilled_order_that_is_owed_units(fulfilled: Order) -> None:
    execute("DELETE FROM orders_fulfillmentline")
    assert found() == {"units": [f"order {fulfilled.number}"]}

    refund = refunds.ask(
        order_id=fulfilled.pk,
        charge_id=fulfilled.ledger.get(kind="capture").charge_id,
        amount_minor=100,
        why=Refund.Why.REQUESTED,
        by=7,
        at=support.stripe_now(),
    )
    assert found() == {}, "what its refund leaves to be handed over is not decided yet"

    execute("UPDATE payments_refund SET state = 'failed' WHERE id = %s", refund.pk)
    assert found() == {"units": [f"order {fulfilled.number}"]}

    Review.objects.create(
        order=fulfilled, reason="refund", cause=str(refund.key), opened_at=support.stripe_now()
    )
    assert found() == {}, "a person was asked"


def test_a_fulfilled_order_whose_units_were_put_back(fulfilled: Order) -> None:
    execute("DELETE FROM orders_fulfillmentline")
    orders.note(order=fulfilled, reason=Reason.PUT_BACK, cause="7", at=support.stripe_now())

    assert found() == {}


def test_more_units_handed_over_than_bought_or_than_paid(
    shop: dict[str, Order], fulfilled: Order
) -> None:
    with undone():
        execute("UPDATE orders_fulfillmentline SET quantity = 2")

        assert found() == {"units": [f"order {fulfilled.number}"]}
    waiting = shop["waiting"]
    execute("UPDATE orders_fulfillmentline SET line_id = %s", waiting.lines.get().pk)

    named = found("units")["units"]
    assert sorted(named) == sorted([f"order {waiting.number}", f"order {fulfilled.number}"])


def test_units_that_come_back_are_handed_over_and_refunded(fulfilled: Order) -> None:
    refunds.ask(
        order_id=fulfilled.pk,
        charge_id=fulfilled.ledger.get(kind="capture").charge_id,
        amount_minor=100,
        why=Refund.Why.REQUESTED,
        quantities={fulfilled.lines.get().pk: 1},
        by=7,
        at=support.stripe_now(),
    )

    assert found() == {}
    execute("UPDATE payments_refundline SET handed_over = 0")
    assert found() == {"units": [f"order {fulfilled.number}"]}


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


def test_an_attempt_whose_parameters_ask_for_something_else(shop: dict[str, Order]) -> None:
    as_intent = "kind = 'intent', params = jsonb_build_object('amount', amount_minor"
    for change, is_named in (
        ("params = jsonb_set(params, '{line_items,0,quantity}', '2')", True),
        (
            "params = jsonb_set(params, '{shipping_options,0,shipping_rate_data,fixed_amount}',"
            """ '{"amount": 0}')""",
            True,
        ),
        (f"{as_intent} + 1)", True),
        (f"{as_intent})", False),
    ):
        with undone():
            execute(
                f"UPDATE payments_paymentattempt SET {change} WHERE order_id = %s", shop["paid"].pk
            )

            assert found() == ({"totals": [f"order {shop['paid'].number}"]} if is_named else {})


def test_stripe_is_asked_for_hundredths_of_a_krona(shop: dict[str, Order]) -> None:
    execute("UPDATE orders_order SET currency = 'ISK'")
    execute(
        "UPDATE payments_paymentattempt SET currency = 'ISK', kind = 'intent',"
        " client_secret = 'secret', intent_id = coalesce(intent_id, 'pi_waiting'),"
        " params = jsonb_build_object('amount', amount_minor * 100)"
    )

    assert found("totals") == {}


def test_a_hold_that_nobody_ended(shop: dict[str, Order]) -> None:
    waiting = shop["waiting"]
    assert found("overdue", hours=1) == {}
    assert found("overdue", hours=2) == {"overdue": [f"order {waiting.number}"]}

    at = support.stripe_now() + timedelta(hours=2)
    PaymentAttempt.objects.filter(order=waiting).update(close_failed_at=at)
    assert found("overdue", hours=2) == {}


def test_an_order_that_can_be_paid_though_it_is_paid(shop: dict[str, Order]) -> None:
    paid = shop["paid"]
    PaymentAttempt.objects.filter(order=shop["waiting"]).update(state="closed", closed_as="failed")
    left = PaymentAttempt.objects.get(order=shop["waiting"])
    left.pk, left.key, left.order = None, uuid4(), paid
    left.session_id, left.state, left.closed_as = "cs_planted", "open", ""
    left.save()

    assert found() == {}
    assert found("payable", hours=1) == {"payable": [f"order {paid.number}"]}

    for change in (
        {"state": "processing"},
        {"close_failed_at": support.stripe_now() + timedelta(hours=1)},
    ):
        with undone():
            PaymentAttempt.objects.filter(pk=left.pk).update(**change)

            assert found("payable", hours=1) == {}


def test_a_check_asks_the_database_once_however_many_orders_there_are(
    shop: dict[str, Order],
) -> None:
    for check in checks.CHECKS:
        with CaptureQueriesContext(connection) as queries:
            assert list(checks.offenders(check, at=support.stripe_now())) == []
        # Beside the savepoint that the test's own transaction makes of a transaction.
        assert len([q for q in queries if "SAVEPOINT" not in q["sql"]]) <= 1
