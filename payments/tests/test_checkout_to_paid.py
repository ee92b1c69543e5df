"""The main road: a cart, Stripe's page, a webhook, a paid order."""

import logging
from typing import Any

import pytest
from django.core import mail

from orders.models import Order, Status
from payments.models import InboxEvent, LedgerEntry, PaymentAttempt
from payments.services import inbox
from payments.tests import support
from shop.models import StockMovement
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db


def test_a_card_payment_pays_the_order_once_however_its_events_arrive(sandbox: Any) -> None:
    variant = VariantFactory(price_minor=1_200, on_hand=3)
    cart = support.cart_with(variant, quantity=2)
    attempt = support.checkout(cart)
    sandbox.pay(attempt.url)

    for event in sandbox.events() + sandbox.events():
        assert support.deliver(event) == 200
    support.run_jobs()

    order = Order.objects.get()
    variant.refresh_from_db()
    attempt.refresh_from_db()
    assert (order.status, order.total_minor) == (Status.PAID, 2_400 + 490)
    assert attempt.state == PaymentAttempt.State.SUCCEEDED
    assert (variant.on_hand, variant.reserved) == (1, 0)
    assert list(variant.movements.values_list("kind", flat=True)) == [
        "sold",
        "reserved",
        "received",
    ]
    capture = LedgerEntry.objects.get(kind="capture")
    assert (capture.amount_minor, capture.currency) == (2_890, "EUR")
    # Both tell of the money; the one that comes first moves the order.
    telling = {"checkout.session.completed", "payment_intent.succeeded"}
    first = next(event for event in sandbox.events() if event["type"] in telling)
    assert [(e.from_status, e.to_status, e.reason, e.cause) for e in order.events.all()] == [
        ("", "pending", "placed", ""),
        ("pending", "paid", "capture", first["id"]),
    ]
    assert cart.lines.count() == 0
    assert [m.to for m in mail.outbox] == [["reader@example.com"]]
    assert InboxEvent.objects.exclude(state__in=["done", "ignored"]).count() == 0
    assert StockMovement.objects.count() == 3


def test_the_main_road_takes_few_calls_to_stripe_and_few_queries(
    sandbox: Any, caplog: pytest.LogCaptureFixture, django_assert_max_num_queries: Any
) -> None:
    caplog.set_level(logging.INFO, logger="stripe")
    attempt = support.checkout(support.cart_with(VariantFactory()))
    asked = support.stripe_calls(caplog)
    sandbox.pay(attempt.url)
    sandbox.post("clock", advance=10)
    events = {event["type"]: event for event in sandbox.events()}
    for told, queries in MAIN_ROAD.items():
        caplog.clear()
        support.deliver(events[told])
        row = InboxEvent.objects.get(type=told)
        with django_assert_max_num_queries(queries):
            inbox.process(inbox_id=row.pk, at=support.stripe_now())
        reads = [f"GET /v1/checkout/sessions/{attempt.session_id}", "GET /v1/charges"]
        assert support.stripe_calls(caplog) == reads, told

    assert asked == ["POST /v1/checkout/sessions"]
    assert support.reread(attempt.order).status == Status.PAID


# What happens on it, and the most queries that this takes: a sale, and what tells of it again.
MAIN_ROAD = {
    "checkout.session.completed": 41,
    "payment_intent.succeeded": 14,
    "charge.updated": 14,
}
