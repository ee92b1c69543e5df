"""Handing over: never what is refunded, not while something is open, and finished with the last."""

from dataclasses import replace
from typing import Any

import pytest

from orders.models import Fulfillment, Order, OrderEvent, Review, Status
from orders.services import open_review
from payments import gateway
from payments.services import disputes, fulfilling, reviews
from payments.services.fulfilling import CannotHandOver, CannotPutBack
from payments.services.refunds import CannotRefund
from payments.tests import support
from payments.tests.money_back import ask, charge_of, intent_of, paid_order, refunded, story
from shop.models import StockMovement, Variant
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
    refused(order, "not left", A=1)


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


def test_a_unit_that_came_back_and_was_refunded_leaves_the_other_to_be_sent(sandbox: Any) -> None:
    order = paid_order(sandbox, VariantFactory(sku="A"), quantity=3)
    line = order.lines.get()
    hand_over(order, A=1)
    for out, units in ((2, 2), (0, 3), (2, 1)):
        with pytest.raises(CannotRefund, match="can be refunded that had been handed over"):
            ask(order, 1_00, quantities={line.pk: units}, handed_over={line.pk: out})

    back = refunded(order, 1_00, quantities={line.pk: 1}, handed_over={line.pk: 1}, restock=True)

    assert back.lines.get().handed_over == 1
    assert fulfilling.left_to_hand_over(order) == {line.pk: 2}
    assert support.reread(order).status == Status.PAID
    unsent = refunded(order, 1_00, quantities={line.pk: 1})
    assert unsent.lines.get().handed_over == 0
    hand_over(order, A=1)
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
    support.hear_all(sandbox)

    refused(order, "disputed", A=1)
    sandbox.move_dispute(dispute["id"], "close")
    support.hear_all(sandbox)
    hand_over(order, A=1)

    assert support.reread(order).status == Status.FULFILLED


def test_nothing_is_handed_over_of_an_order_whose_money_the_bank_keeps(sandbox: Any) -> None:
    order = two_of_a_and_one_of_b(sandbox)
    dispute = sandbox.dispute(intent_of(order), amount=1_00)
    sandbox.move_dispute(dispute["id"], "lose")
    support.hear_all(sandbox)

    refused(order, "A bank took back money", A=2, B=1)

    assert support.reread(order).status == Status.PAID


def test_a_dispute_that_ends_lets_an_order_be_finished(sandbox: Any) -> None:
    order = two_of_a_and_one_of_b(sandbox)
    hand_over(order, A=2)
    rest = ask(order, 1_00, quantities={order.lines.get(sku="B").pk: 1})
    sandbox.fault(kind="refund_pending", path=charge_of(order), times=1)
    support.run_jobs()
    rest.refresh_from_db()
    inquiry = sandbox.dispute(intent_of(order), inquiry=True)
    support.hear_all(sandbox)
    sandbox.decide_refund(rest.stripe_id, "succeeded")
    support.hear_all(sandbox)
    assert support.reread(order).status == Status.PAID

    sandbox.move_dispute(inquiry["id"], "close")
    support.hear_all(sandbox)

    assert support.reread(order).status == Status.FULFILLED


def test_an_order_that_is_not_paid_is_not_handed_over(sandbox: Any) -> None:
    order = support.checkout(support.cart_with(VariantFactory(sku="A"))).order

    refused(order, "awaiting payment", A=1)


def lose(sandbox: Any, order: Order, amount: int | None = None) -> str:
    """Let the buyer's bank take money of the order for good; return the dispute's id."""
    dispute = sandbox.dispute(intent_of(order), amount=amount)
    sandbox.move_dispute(dispute["id"], "lose")
    support.hear_all(sandbox)
    return str(dispute["id"])


def put_back(order: Order) -> None:
    fulfilling.put_back(order_id=order.pk, by=7, at=support.stripe_now())


def test_what_stayed_here_is_for_sale_again_once_a_bank_kept_the_money(sandbox: Any) -> None:
    a, b = VariantFactory(sku="A", on_hand=5), VariantFactory(sku="B", on_hand=5)
    order = paid_order(sandbox, a, b, quantity=2)
    hand_over(order, A=1)
    lose(sandbox, order)
    refused(order, "A bank took back money", A=1)
    with pytest.raises(CannotRefund, match="disputed"):
        ask(order, 1, quantities={order.lines.get(sku="B").pk: 2}, restock=True)

    put_back(order)

    assert support.reread(order).status == Status.FULFILLED
    assert (story(order)[-1], support.last_event(order).by_user_id) == ("put_back", 7)
    assert list(Variant.objects.order_by("sku").values_list("on_hand", "reserved")) == [
        (4, 0),
        (5, 0),
    ]
    returned = StockMovement.objects.filter(kind="returned", reference=order.number)
    assert [move.on_hand_delta for move in returned.order_by("variant__sku")] == [1, 2]
    refused(order, "back on the shelf", B=1)
    with pytest.raises(CannotPutBack, match="is fulfilled"):
        put_back(order)
    assert returned.count() == 2


@pytest.mark.parametrize("why", ["No bank", "disputed", "review", "in a refund"])
def test_nothing_is_put_back_that_may_still_be_owed(sandbox: Any, why: str) -> None:
    order = paid_order(sandbox, VariantFactory(sku="A", price_minor=12_00), VariantFactory())
    match why:
        case "disputed":
            sandbox.dispute(intent_of(order))
            support.hear_all(sandbox)
        case "in a refund":
            lose(sandbox, order, amount=5_00)
            ask(order, 1_00, quantities={order.lines.get(sku="A").pk: 1})
        case "review":
            lose(sandbox, order)
            reason = Review.Reason.REFUND
            open_review(order=order, reason=reason, cause="re_1", detail="", at=order.placed_at)
    before = OrderEvent.objects.count(), StockMovement.objects.count()

    with pytest.raises(CannotPutBack, match=why):
        put_back(order)

    assert (OrderEvent.objects.count(), StockMovement.objects.count()) == before
    assert support.reread(order).status == Status.PAID


def test_a_bank_that_pays_after_all_leaves_the_money_to_a_person(sandbox: Any) -> None:
    order = paid_order(sandbox, VariantFactory(sku="A", on_hand=5))
    dispute_id = lose(sandbox, order)
    put_back(order)

    sandbox.move_dispute(dispute_id, "reinstate")
    (reading,) = gateway.disputes_of_charge(charge_of(order))
    disputes.follow(
        order_id=order.pk,
        made=[replace(reading, status="won")],
        cause="evt_1",
        at=support.stripe_now(),
    )

    review = order.reviews.open().get()
    assert (review.reason, review.cause) == (Review.Reason.REFUND, charge_of(order))
    with pytest.raises(CannotRefund, match="on the shelf already"):
        ask(order, 1_00, quantities={order.lines.get().pk: 1}, restock=True)
    back = reviews.refund(review_id=review.pk, by=7, at=support.stripe_now())
    assert (back.amount_minor, back.is_restocked) == (order.total_minor, False)


def test_an_order_is_not_finished_by_a_refund_that_stripe_then_refuses(sandbox: Any) -> None:
    order = two_of_a_and_one_of_b(sandbox)
    hand_over(order, A=2)
    lose(sandbox, order, amount=1_00)

    rest = refunded(order, 1_00, quantities={order.lines.get(sku="B").pk: 1}, restock=True)

    assert (rest.state, support.reread(order).status) == ("failed", Status.PAID)
    reviews.accept(review_id=order.reviews.get().pk, by=7, at=support.stripe_now())
    put_back(order)
    assert support.reread(order).status == Status.FULFILLED


def test_handing_the_rest_over_waits_for_a_refund_on_its_way(sandbox: Any) -> None:
    order = paid_order(sandbox, VariantFactory(sku="A"), quantity=2)
    sandbox.fault(kind="refund_pending", path=charge_of(order), times=1)
    half = refunded(order, 1_00, quantities={order.lines.get().pk: 1})
    assert half.state == "pending"

    hand_over(order, A=1)
    assert support.reread(order).status == Status.PAID
    sandbox.decide_refund(half.stripe_id, "succeeded")
    support.hear_all(sandbox)

    assert support.reread(order).status == Status.FULFILLED
