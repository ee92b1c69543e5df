"""What the database itself refuses of orders, however it is written to."""

from typing import Any
from uuid import uuid4

import pytest
from django.db.models import Model

from cart.tests.factories import CartFactory
from orders.models import (
    Fulfillment,
    FulfillmentLine,
    Order,
    OrderEvent,
    OrderLine,
    OrderMail,
    OrderNote,
    Review,
)
from orders.tests.factories import PLACED_AT, PendingOrderFactory
from shop.tests.factories import VariantFactory
from shop.tests.guards import (
    Violation,
    append_only_tables,
    assert_append_only,
    assert_refused,
    guards,
)

pytestmark = pytest.mark.django_db

VIOLATIONS = [
    Violation(Order, "orders_order_number_key", same=("number",)),
    Violation(Order, "order_one_pending_per_cart", same=("cart_id",)),
    Violation(Order, "order_total_adds_up", {"total_minor": 1_691}),
    Violation(Order, "order_total_adds_up", {"discount_minor": 1}),
    Violation(Order, "order_total_adds_up", {"tax_minor": 1}),
    Violation(Order, "order_status_is_known", {"status": "lost"}),
    Violation(Order, "order_currency_is_iso", {"currency": "eur"}),
    Violation(Order, "order_currency_is_iso", {"currency": "EU"}),
    Violation(Order, "order_cart_emptied_only_when_due", {"cart_emptied_at": PLACED_AT}),
    Violation(
        Order, "orders_order_subtotal_minor_check", {"subtotal_minor": -1, "total_minor": 489}
    ),
    Violation(
        Order, "orders_order_discount_minor_check", {"discount_minor": -1, "total_minor": 1_691}
    ),
    Violation(
        Order, "orders_order_shipping_minor_check", {"shipping_minor": -1, "total_minor": 1_199}
    ),
    Violation(Order, "orders_order_tax_minor_check", {"tax_minor": -1, "total_minor": 1_689}),
    Violation(
        Order, "orders_order_total_minor_check", {"discount_minor": 1_691, "total_minor": -1}
    ),
    Violation(Order, "orders_order_tax_included_minor_check", {"tax_included_minor": -1}),
    Violation(OrderLine, "order_line_per_variant", same=("variant_id",)),
    Violation(OrderLine, "order_line_has_quantity", {"quantity": 0}),
    Violation(OrderLine, "order_line_discount_within_price", {"discount_minor": 1_201}),
    Violation(OrderLine, "order_line_discount_within_price", {"unit_price_minor": -1}),
    Violation(OrderLine, "orders_orderline_discount_minor_check", {"discount_minor": -1}),
    Violation(OrderLine, "orders_orderline_tax_minor_check", {"tax_minor": -1}),
    Violation(OrderLine, "orders_orderline_tax_included_minor_check", {"tax_included_minor": -1}),
    Violation(OrderEvent, "order_event_statuses_are_known", {"to_status": "lost"}),
    Violation(OrderEvent, "order_event_statuses_are_known", {"from_status": "lost"}),
    Violation(OrderEvent, "order_event_statuses_are_known", {"reason": "capture"}),
    Violation(
        OrderEvent, "order_event_reason_is_known", {"from_status": "pending", "reason": "whim"}
    ),
    Violation(Review, "review_once_per_cause", same=("cause",)),
    Violation(Review, "review_resolved_with_a_resolution", {"resolution": "accepted"}),
    Violation(Review, "review_resolved_with_a_resolution", {"resolved_at": PLACED_AT}),
    Violation(
        Review,
        "review_resolved_with_a_resolution",
        {"resolved_at": PLACED_AT, "resolution": "forgotten"},
    ),
    Violation(OrderMail, "order_mail_once", same=("cause",)),
    Violation(Fulfillment, "orders_fulfillment_key_key", same=("key",)),
    Violation(OrderNote, "orders_ordernote_form_key_key", same=("form_key",)),
    Violation(FulfillmentLine, "fulfillment_line_once", same=("line_id",)),
    Violation(FulfillmentLine, "fulfillment_line_has_quantity", {"quantity": 0}),
]
# Implied by a guard that PostgreSQL, which goes by name, asks before them.
IMPLIED = {
    "orders_fulfillmentline_quantity_check",
    "orders_orderline_quantity_check",
    "orders_orderline_unit_price_minor_check",
}


@pytest.mark.parametrize("violation", VIOLATIONS, ids=str)
def test_the_database_refuses(violation: Violation) -> None:
    order = PendingOrderFactory()
    handed_over = Fulfillment.objects.create(order=order, handed_over_at=PLACED_AT, key=uuid4())
    rows: dict[type[Model], tuple[Model, dict[str, Any]]] = {
        Order: (order, {"number": "ANOTHER", "cart_id": CartFactory().pk}),
        OrderLine: (order.lines.get(), {"variant_id": VariantFactory().pk}),
        OrderEvent: (order.events.get(), {}),
        Review: (
            Review.objects.create(order=order, reason="late", cause="ch_1", opened_at=PLACED_AT),
            {"cause": "ch_2"},
        ),
        OrderMail: (
            OrderMail.objects.create(
                order=order, kind="confirmation", cause="paid", due_at=PLACED_AT
            ),
            {"cause": "paid again"},
        ),
        Fulfillment: (handed_over, {"key": uuid4()}),
        OrderNote: (
            OrderNote.objects.create(
                order=order, text="Hello", form_key=uuid4(), written_at=PLACED_AT
            ),
            {"form_key": uuid4()},
        ),
        FulfillmentLine: (
            FulfillmentLine.objects.create(
                fulfillment=handed_over, line=order.lines.get(), quantity=1
            ),
            {"line_id": PendingOrderFactory().lines.get().pk},
        ),
    }

    assert_refused(violation, *rows[violation.model])


def test_every_guard_is_put_to_the_test() -> None:
    assert guards("orders") - IMPLIED == {violation.by for violation in VIOLATIONS}


def test_an_entry_of_a_story_is_never_edited_or_deleted() -> None:
    event = PendingOrderFactory().events.get()

    assert append_only_tables("orders") == {"orders_orderevent"}
    assert_append_only(event, cause="evt_1")
