"""Refunds that staff ask for: how much, of what, once; and what Stripe is told."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from procrastinate.contrib.django.models import ProcrastinateJob

from orders.models import Order, OrderEvent, OrderLine, Status
from orders.tests.factories import PendingOrderFactory
from payments import gateway
from payments.models import Refund
from payments.services import refund_amounts, refunds
from payments.services.refunds import CannotRefund
from payments.tests import support
from payments.tests.money_back import (
    ask,
    charge_of,
    intent_of,
    mails,
    money,
    paid_order,
    refunded,
    story,
    unanswered,
)
from shop import services as stock
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db


def test_a_full_refund_goes_through_stripe_and_refunds_the_order(sandbox: Any) -> None:
    variant = VariantFactory(on_hand=3)
    order = paid_order(sandbox, variant, quantity=2)
    line = order.lines.get()

    refund = ask(order, order.total_minor, quantities={line.pk: 2}, restock=True, note="Wet")
    assert (refund.state, refund.by_user_id, refund.note) == ("created", 7, "Wet")
    assert support.stripe_get("refunds")["data"] == []
    support.run_jobs()

    refund.refresh_from_db()
    order.refresh_from_db()
    variant.refresh_from_db()
    (at_stripe,) = support.stripe_get("refunds")["data"]
    assert (refund.state, refund.stripe_id) == ("succeeded", at_stripe["id"])
    assert at_stripe["metadata"] == {"app": "shop", "refund": str(refund.key)}
    assert (at_stripe["amount"], at_stripe["reason"]) == (
        order.total_minor,
        "requested_by_customer",
    )
    assert order.status == Status.REFUNDED
    assert money(order) == [("capture", order.total_minor), ("refund", -order.total_minor)]
    assert story(order) == ["placed", "capture", "refund_asked", "refunded"]
    assert mails(order) == ["confirmation", "refund"]
    assert order.mails.get(kind="refund").facts == {
        "amount_minor": order.total_minor,
        "currency": "EUR",
        "why": "requested_by_customer",
    }
    assert (variant.on_hand, variant.reserved) == (3, 0)


def test_a_part_is_refunded_and_its_units_stay_out_without_restocking(sandbox: Any) -> None:
    variant = VariantFactory(on_hand=3, price_minor=12_00)
    order = paid_order(sandbox, variant, quantity=2)

    refunded(order, 12_00, quantities={order.lines.get().pk: 1})

    order.refresh_from_db()
    variant.refresh_from_db()
    assert order.status == Status.PAID
    assert money(order) == [("capture", order.total_minor), ("refund", -12_00)]
    assert story(order) == ["placed", "capture", "refund_asked", "partly_refunded"]
    assert (variant.on_hand, variant.reserved) == (1, 0)


def test_what_was_asked_for_counts_before_stripe_knows_of_it(sandbox: Any) -> None:
    order = paid_order(sandbox)
    ask(order, 5_00)

    left = refund_amounts.refundable_minor(order=order, charge_id=charge_of(order))
    with pytest.raises(CannotRefund, match="can still be refunded"):
        ask(order, left + 1)

    assert left == order.total_minor - 5_00
    assert Refund.objects.count() == 1


@pytest.mark.parametrize("amount_minor", [0, -1, 1_000_000])
def test_no_more_than_there_is_and_no_less_than_something(sandbox: Any, amount_minor: int) -> None:
    order = paid_order(sandbox)
    before = OrderEvent.objects.count(), ProcrastinateJob.objects.count()

    with pytest.raises(CannotRefund):
        ask(order, amount_minor)

    assert Refund.objects.count() == 0
    assert (OrderEvent.objects.count(), ProcrastinateJob.objects.count()) == before


def test_another_orders_payment_and_line_are_refused(sandbox: Any) -> None:
    order, other = paid_order(sandbox), paid_order(sandbox)

    with pytest.raises(CannotRefund, match="no such payment"):
        ask(order, 1_00, charge_id=charge_of(other))
    with pytest.raises(CannotRefund, match="no such line"):
        ask(order, 1_00, quantities={other.lines.get().pk: 1})

    assert Refund.objects.count() == 0


def test_units_are_refunded_once(sandbox: Any) -> None:
    order = paid_order(sandbox, quantity=2)
    line = order.lines.get()
    refunded(order, 1_00, quantities={line.pk: 1})

    with pytest.raises(CannotRefund, match="1 can still be refunded"):
        ask(order, 1_00, quantities={line.pk: 2})

    assert Refund.objects.count() == 1


def test_units_of_an_order_that_never_sold_any_are_not_restocked(sandbox: Any) -> None:
    order = paid_order(sandbox)
    Order.objects.update(status="canceled")

    with pytest.raises(CannotRefund, match="no units"):
        ask(order, 1_00, quantities={order.lines.get().pk: 1}, restock=True)

    assert Refund.objects.count() == 0


def test_a_form_sent_twice_asks_once(sandbox: Any) -> None:
    order, key = paid_order(sandbox), uuid4()

    first, second = ask(order, 1_00, key=key), ask(order, 1_00, key=key)

    assert first == second
    assert Refund.objects.count() == 1
    with pytest.raises(CannotRefund, match="sent before"):
        ask(order, 2_00, key=key)
    assert Refund.objects.count() == 1


def test_a_disputed_payment_is_not_refunded(sandbox: Any) -> None:
    order = paid_order(sandbox)
    sandbox.dispute(intent_of(order))
    support.hear(sandbox.events())

    with pytest.raises(CannotRefund, match="disputed"):
        ask(order, 1_00)

    assert Refund.objects.count() == 0


def test_a_lost_answer_is_asked_for_again_under_the_same_key(sandbox: Any) -> None:
    order = paid_order(sandbox)

    refund = unanswered(sandbox, order, 3_00)
    assert refund.state == "created"
    support.run_jobs()

    refund.refresh_from_db()
    assert refund.state == "succeeded"
    assert [found["id"] for found in support.stripe_get("refunds")["data"]] == [refund.stripe_id]


def test_after_ten_minutes_what_was_asked_is_looked_for_before_it_is_asked_again(
    sandbox: Any,
) -> None:
    order = paid_order(sandbox)
    refund = unanswered(sandbox, order, 3_00)
    # Asking again would show: nobody answers.
    sandbox.fault(kind="refuse", path="/v1/refunds", method="POST", times=None)

    refunds.send(refund_id=refund.pk, at=support.stripe_now() + timedelta(minutes=11))

    refund.refresh_from_db()
    assert refund.state == "succeeded"
    assert len(support.stripe_get("refunds")["data"]) == 1


def test_an_error_that_stripe_keeps_repeating_is_got_round_by_another_key(sandbox: Any) -> None:
    order = paid_order(sandbox)
    at = support.stripe_now()
    refund = unanswered(sandbox, order, 3_00, fault="error_before", note="Torn")
    with pytest.raises(gateway.ReplayedFailure):
        refunds.send(refund_id=refund.pk, at=at)

    refunds.send(refund_id=refund.pk, at=at + timedelta(minutes=11))
    support.run_jobs()

    given_up, made = Refund.objects.all()
    assert (given_up.state, given_up.failure) == ("failed", "replaced")
    assert (made.state, made.amount_minor, made.note) == ("succeeded", 3_00, "Torn")
    assert money(order)[1:] == [("refund", -3_00)]
    assert len(support.stripe_get("refunds")["data"]) == 1


def test_what_was_done_before_an_error_that_is_repeated_is_found(sandbox: Any) -> None:
    order = paid_order(sandbox)
    refund = unanswered(sandbox, order, 3_00, fault="error_after")

    refunds.send(refund_id=refund.pk, at=support.stripe_now() + timedelta(minutes=11))

    refund.refresh_from_db()
    assert (refund.state, Refund.objects.count()) == ("succeeded", 1)


def test_a_refusal_is_noted_with_what_is_true_instead(sandbox: Any) -> None:
    order = paid_order(sandbox)
    refund = ask(order, order.total_minor)
    sandbox.refund_in_dashboard(intent_of(order))

    support.run_jobs()

    refund.refresh_from_db()
    order.refresh_from_db()
    assert (refund.state, refund.failure) == ("failed", "charge_already_refunded")
    assert order.refunds.get(source="dashboard").state == "succeeded"
    assert order.status == Status.REFUNDED
    assert money(order)[1:] == [("refund", -order.total_minor)]
    assert not order.reviews.exists()


def test_a_refund_overtaken_by_a_dispute_ends_with_the_dispute_known(sandbox: Any) -> None:
    order = paid_order(sandbox)
    refund = ask(order, 3_00)
    sandbox.dispute(intent_of(order))

    support.run_jobs()

    refund.refresh_from_db()
    assert (refund.state, refund.failure) == ("failed", "charge_disputed")
    assert order.disputes.get().status == "needs_response"
    assert refund_amounts.refundable_minor(order=order, charge_id=charge_of(order)) == 0
    assert support.reread(order).status == Status.PAID


def with_line(order: Order, **changes: int) -> OrderLine:
    """Return the order's first line, changed past all rules of placing."""
    line = order.lines.order_by("pk")[0]
    OrderLine.objects.filter(pk=line.pk).update(**changes)
    return OrderLine.objects.get(pk=line.pk)


def test_the_units_of_a_line_together_come_to_what_was_paid_for_it() -> None:
    one, other = VariantFactory(price_minor=10_00), VariantFactory(price_minor=7_00)
    order = PendingOrderFactory(quantities={one: 3, other: 1})
    line = with_line(order, discount_minor=1_00, tax_minor=5)
    given: list[int] = []

    for _ in range(3):
        amount = refund_amounts.amount_of_units(order=order, quantities={line.pk: 1})
        refund = Refund.objects.create(
            order=order, amount_minor=amount, currency="EUR", created_at=order.placed_at
        )
        refund.lines.create(line=line, quantity=1)
        given.append(amount)

    # A euro in three is 34, 33 and 33 cents; five cents are 2, 2 and 1.
    assert given == [9_68, 9_69, 9_68]
    assert sum(given) == 30_00 - 1_00 + 5
    last = order.lines.get(variant=other)
    rest = refund_amounts.amount_of_units(order=order, quantities={last.pk: 1})
    assert rest == 7_00 + order.total_minor - 37_00 + 1_00 - 5


def test_shipping_goes_back_with_everything_and_not_before() -> None:
    variant = VariantFactory(price_minor=10_00)
    order = PendingOrderFactory(quantities={variant: 2})
    line = order.lines.get()
    assert order.shipping_minor > 0

    assert refund_amounts.amount_of_units(order=order, quantities={line.pk: 1}) == 10_00
    assert refund_amounts.amount_of_units(order=order, quantities={line.pk: 2}) == order.total_minor


def test_an_order_that_cost_nothing_is_called_off_before_it_is_handed_over() -> None:
    variant = VariantFactory(on_hand=2)
    order = PendingOrderFactory(quantities={variant: 1})
    Order.objects.update(subtotal_minor=0, shipping_minor=0, total_minor=0, status="paid")
    stock.sell(quantities={variant.pk: 1}, reference=order.number, at=order.placed_at)

    refunds.call_off(order_id=order.pk, by=7, at=support.stripe_now())

    order.refresh_from_db()
    variant.refresh_from_db()
    last = support.last_event(order)
    assert (order.status, last.from_status, last.by_user_id) == (Status.REFUNDED, "paid", 7)
    assert (variant.on_hand, variant.reserved) == (2, 0)
    assert mails(order) == ["canceled"]
    with pytest.raises(CannotRefund, match="refunded"):
        refunds.call_off(order_id=order.pk, by=7, at=support.stripe_now())
    variant.refresh_from_db()
    assert variant.on_hand == 2


def test_an_order_that_was_paid_for_is_not_called_off(sandbox: Any) -> None:
    order = paid_order(sandbox)

    with pytest.raises(CannotRefund, match="refund it instead"):
        refunds.call_off(order_id=order.pk, by=7, at=support.stripe_now())

    assert support.reread(order).status == Status.PAID
