"""Handing over: never what is refunded, not while something is open, and finished with the last."""

from typing import Any

import pytest

from orders.models import Fulfillment, Order, OrderEvent, Review, Status
from orders.services import open_review
from payments.services import fulfilling, reviews
from payments.services.fulfilling import CannotHandOver
from payments.tests import support
from payments.tests.money_back import ask, charge_of, hear, intent_of, paid_order, refunded, story
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db


def hand_over(order: Order, **units: int) -> Fulfillment:
    """Hand units over by the SKU of their line, as staff do."""
    lines = {line.sku: line.pk for line in order.lines.all()}
    return fulfilling.hand_over(
        order_id=order.pk,
        quantities={lines[sku]: quantity for sku, quantity in units.items()},
        by=7,
        at=support.stripe_now(),
    )


def refused(order: Order, why: str, **units: int) -> None:
    before = OrderEvent.objects.count(), Fulfillment.objects.count()
    with pytest.raises(CannotHandOver, match=why):
        hand_over(order, **units)
    assert (OrderEvent.objects.count(), Fulfillment.objects.count()) == before


def two_of_a_and_one_of_b(sandbox: Any) -> Order:
    """Return a paid order of two A and two B, of which one B is refunded."""
    order = paid_order(sandbox, VariantFactory(sku="A"), VariantFactory(sku="B"), quantity=2)
    refunded(order, 1_00, quantities={order.lines.get(sku="B").pk: 1})
    return order


def test_an_order_is_fulfilled_when_all_that_is_not_refunded_is_out(sandbox: Any) -> None:
    order = two_of_a_and_one_of_b(sandbox)

    refused(order, "not left", A=3)
    refused(order, "not left", B=2)
    refused(order, "not left", A=0)
    refused(order, "not left")
    hand_over(order, A=1, B=1)
    assert support.reread(order).status == Status.PAID
    hand_over(order, A=1)

    assert support.reread(order).status == Status.FULFILLED
    assert story(order)[-3:] == ["handed_over", "handed_over", "fulfilled"]
    assert support.last_event(order).by_user_id == 7
    refused(order, "is fulfilled", A=1)


def test_refunding_the_rest_finishes_an_order(sandbox: Any) -> None:
    order = two_of_a_and_one_of_b(sandbox)
    hand_over(order, A=2)

    refunded(order, 1_00, quantities={order.lines.get(sku="B").pk: 1})

    assert support.reread(order).status == Status.FULFILLED


def test_what_came_back_and_was_refunded_does_not_hold_up_the_rest(sandbox: Any) -> None:
    order = two_of_a_and_one_of_b(sandbox)
    hand_over(order, A=2)
    refunded(order, 1_00, quantities={order.lines.get(sku="A").pk: 1})

    hand_over(order, B=1)

    assert support.reread(order).status == Status.FULFILLED


def test_nothing_is_handed_over_or_finished_while_a_review_is_open(sandbox: Any) -> None:
    order = two_of_a_and_one_of_b(sandbox)
    hand_over(order, A=2)
    review = open_review(
        order=order, reason=Review.Reason.REFUND, cause="re_1", detail="", at=order.placed_at
    )

    refused(order, "review", B=1)
    refunded(order, 1_00, quantities={order.lines.get(sku="B").pk: 1})
    assert support.reread(order).status == Status.PAID
    reviews.accept(review_id=review.pk, by=7, at=support.stripe_now())

    assert support.reread(order).status == Status.FULFILLED


def test_nothing_is_handed_over_while_a_dispute_is_open(sandbox: Any) -> None:
    order = paid_order(sandbox, VariantFactory(sku="A"))
    dispute = sandbox.dispute(intent_of(order), inquiry=True)
    hear(sandbox)

    refused(order, "disputed", A=1)
    sandbox.move_dispute(dispute["id"], "close")
    hear(sandbox)
    hand_over(order, A=1)

    assert support.reread(order).status == Status.FULFILLED


def test_nothing_is_handed_over_of_an_order_whose_money_the_bank_keeps(sandbox: Any) -> None:
    order = two_of_a_and_one_of_b(sandbox)
    dispute = sandbox.dispute(intent_of(order), amount=1_00)
    sandbox.move_dispute(dispute["id"], "lose")
    hear(sandbox)

    refused(order, "A bank took back money", A=2, B=1)

    assert support.reread(order).status == Status.PAID


def test_units_of_a_lost_dispute_that_are_refunded_finish_the_order(sandbox: Any) -> None:
    order = two_of_a_and_one_of_b(sandbox)
    hand_over(order, A=2)
    dispute = sandbox.dispute(intent_of(order), amount=1_00)
    sandbox.move_dispute(dispute["id"], "lose")
    hear(sandbox)

    refunded(order, 1_00, quantities={order.lines.get(sku="B").pk: 1}, restock=True)

    assert support.reread(order).status == Status.FULFILLED


def test_a_dispute_that_ends_lets_an_order_be_finished(sandbox: Any) -> None:
    order = two_of_a_and_one_of_b(sandbox)
    hand_over(order, A=2)
    rest = ask(order, 1_00, quantities={order.lines.get(sku="B").pk: 1})
    sandbox.fault(kind="refund_pending", path=charge_of(order), times=1)
    support.run_jobs()
    rest.refresh_from_db()
    inquiry = sandbox.dispute(intent_of(order), inquiry=True)
    hear(sandbox)
    sandbox.decide_refund(rest.stripe_id, "succeeded")
    hear(sandbox)
    assert support.reread(order).status == Status.PAID

    sandbox.move_dispute(inquiry["id"], "close")
    hear(sandbox)

    assert support.reread(order).status == Status.FULFILLED


def test_an_order_that_is_not_paid_is_not_handed_over(sandbox: Any) -> None:
    order = support.checkout(support.cart_with(VariantFactory(sku="A"))).order

    refused(order, "awaiting payment", A=1)
