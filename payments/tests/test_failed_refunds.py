"""Money that could not go back by itself: a person is asked, and what he decides."""

from typing import Any

import pytest

from orders.models import Order, OrderEvent, Review, Status
from payments.models import PaymentAttempt, Refund
from payments.services import attempts, fulfilling, reviews
from payments.services.refunds import CannotRefund
from payments.tests import audits, support
from payments.tests.money_back import ask, decide, intent_of, mails, money, paid_order, refunded
from payments.tests.reviewing import late
from shop.models import Variant
from shop.services import InsufficientStock, adjust
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db


def test_an_automatic_refund_that_a_dispute_forbids_asks_a_person_who_refunds_later(
    sandbox: Any,
) -> None:
    order = late(sandbox)
    dispute = sandbox.dispute(intent_of(order))

    support.run_jobs()

    review = order.reviews.get()
    refund = order.refunds.get()
    assert (review.reason, review.cause) == (Review.Reason.REFUND, str(refund.key))
    assert (refund.state, refund.failure) == ("failed", "charge_disputed")
    with pytest.raises(CannotRefund, match="disputed"):
        reviews.refund(review_id=review.pk, by=7, at=support.stripe_now())
    sandbox.move_dispute(dispute["id"], "win")
    support.hear_all(sandbox)
    reviews.refund(review_id=review.pk, by=7, at=support.stripe_now())
    support.run_jobs()

    review.refresh_from_db()
    assert (review.resolution, support.reread(order).status) == ("refunded", Status.CANCELED)
    assert order.refunds.get(state="succeeded").why == Refund.Why.LATE
    assert ("refund", -order.total_minor) in money(order)


def test_an_automatic_refund_that_fails_later_asks_a_person(sandbox: Any) -> None:
    order = late(sandbox)
    support.run_jobs()
    refund = order.refunds.get(state="succeeded")

    decide(sandbox, refund, "failed", reason="expired_or_canceled_card")

    review = order.reviews.get()
    assert (review.reason, review.cause) == (Review.Reason.REFUND, str(refund.key))
    assert "expired_or_canceled_card" in review.detail
    assert support.reread(order).status == Status.CANCELED
    total = order.total_minor
    assert money(order) == [("capture", total), ("refund", -total), ("refund_reversal", total)]
    reviews.refund(review_id=review.pk, by=7, at=support.stripe_now())
    support.run_jobs()
    decide(sandbox, order.refunds.get(state="succeeded"), "failed")
    assert [r.resolution for r in order.reviews.all()] == ["refunded", ""]


def test_an_automatic_refund_takes_what_the_dashboard_has_left(sandbox: Any) -> None:
    order = late(sandbox)
    sandbox.refund_in_dashboard(intent_of(order), amount=1_00)

    support.run_jobs()

    total = order.total_minor
    assert sorted(order.refunds.values_list("source", "state", "amount_minor")) == sorted(
        [
            ("automatic", "failed", total),
            ("dashboard", "succeeded", 1_00),
            ("automatic", "succeeded", total - 1_00),
        ]
    )
    assert not order.reviews.exists()


def test_a_second_payment_whose_refund_in_the_dashboard_failed_asks_a_person(sandbox: Any) -> None:
    at = support.stripe_now()
    first = support.checkout(support.cart_with(VariantFactory()), at=at)
    PaymentAttempt.objects.update(state="closed", closed_as="superseded")
    second = attempts.open_attempt(order_id=first.order_id, at=at)
    for attempt in (second, first):
        sandbox.pay(attempt.url)
    attempts.reconcile(attempt=second, at=at)
    attempts.reconcile(attempt=first, at=at)
    first.refresh_from_db()
    made = sandbox.refund_in_dashboard(first.intent_id)
    support.run_jobs()
    order = support.reread(first.order)
    assert sorted(order.refunds.values_list("source", "state")) == [
        ("automatic", "failed"),
        ("dashboard", "succeeded"),
    ]
    assert not order.reviews.exists()

    sandbox.decide_refund(made["id"], "failed")
    support.hear_all(sandbox)

    review = order.reviews.get()
    assert (review.reason, order.status) == (Review.Reason.REFUND, Status.PAID)
    reviews.refund(review_id=review.pk, by=7, at=support.stripe_now())
    support.run_jobs()
    review.refresh_from_db()
    kept = order.ledger.received().total_minor("EUR") + order.ledger.given_back().total_minor("EUR")
    assert (review.resolution, kept) == ("refunded", order.total_minor)


def test_a_canceled_order_that_is_accepted_after_its_refund_failed_becomes_paid(
    sandbox: Any,
) -> None:
    order = late(sandbox)
    support.run_jobs()
    decide(sandbox, order.refunds.get(), "failed")
    variant = order.lines.get().variant
    adjust(variant_id=variant.pk, difference=-1, reason="lost", at=support.stripe_now())
    before = OrderEvent.objects.count()
    review = order.reviews.get()

    with pytest.raises(InsufficientStock):
        reviews.accept(review_id=review.pk, by=7, at=support.stripe_now())
    assert (OrderEvent.objects.count(), Review.objects.get().resolved_at) == (before, None)

    adjust(variant_id=variant.pk, difference=1, reason="found", at=support.stripe_now())
    reviews.accept(review_id=review.pk, by=7, at=support.stripe_now())
    assert support.reread(order).status == Status.PAID


def test_a_staff_refund_that_stripe_refuses_asks_staff_and_tells_the_buyer_nothing(
    sandbox: Any,
) -> None:
    order = paid_order(sandbox)
    refund = ask(order, 5_00, quantities={order.lines.get().pk: 1})
    sandbox.refund_in_dashboard(intent_of(order), amount=order.total_minor - 1_00)

    support.run_jobs()

    refund.refresh_from_db()
    review = order.reviews.get()
    assert (refund.state, review.reason, review.cause) == ("failed", "refund", str(refund.key))
    assert set(mails(order)) == {"confirmation", "refund"}
    assert audits.found("mails") == {}


def a_and_b(sandbox: Any, b: Variant) -> tuple[Order, int, int]:
    """Return a paid order of one A, which is handed over, and of b; and the keys of their lines."""
    order = paid_order(sandbox, VariantFactory(sku="A", price_minor=20_00), b)
    line_a, line_b = order.lines.all()
    at = support.stripe_now()
    fulfilling.hand_over(order_id=order.pk, quantities={line_a.pk: 1}, by=7, at=at)
    return order, line_a.pk, line_b.pk


def test_a_later_refund_of_other_units_answers_no_review_of_a_failed_one(sandbox: Any) -> None:
    order, line_a, line_b = a_and_b(sandbox, VariantFactory())
    failed = refunded(order, 5_00, quantities={line_b: 1})
    decide(sandbox, failed, "failed")
    review = order.reviews.get()

    refunded(order, 7_00, quantities={line_a: 1})

    review.refresh_from_db()
    assert (review.cause, review.resolved_at) == (str(failed.key), None)
    assert fulfilling.left_to_hand_over(order) == {line_a: 0, line_b: 1}
    again = reviews.refund(review_id=review.pk, by=7, at=support.stripe_now())
    assert (again.amount_minor, again.review) == (5_00, review)
    with pytest.raises(CannotRefund, match="on its way back already"):
        reviews.refund(review_id=review.pk, by=8, at=support.stripe_now())
    support.run_jobs()
    review.refresh_from_db()
    assert (review.resolution, review.resolved_by_id) == ("refunded", 7)
    assert fulfilling.left_to_hand_over(order) == {line_a: 0, line_b: 0}


def test_each_refund_of_a_payment_that_fails_is_asked_about(sandbox: Any) -> None:
    order = paid_order(sandbox)
    first, second = refunded(order, 5_00), refunded(order, 7_00)

    decide(sandbox, first, "failed")
    decide(sandbox, second, "failed")

    asked = [str(refund.key) for refund in (first, second)]
    assert list(order.reviews.values_list("cause", flat=True)) == asked


def on_hand(variant: Variant) -> int:
    return Variant.objects.get(pk=variant.pk).on_hand


def test_a_refund_from_a_review_puts_units_on_the_shelf_as_the_failed_one(sandbox: Any) -> None:
    variant = VariantFactory(on_hand=10)
    order = paid_order(sandbox, variant)
    failed = refunded(order, 5_00, quantities={order.lines.get().pk: 1}, restock=True)
    assert on_hand(variant) == 10
    decide(sandbox, failed, "failed")
    assert on_hand(variant) == 9

    reviews.refund(review_id=order.reviews.get().pk, by=7, at=support.stripe_now())
    support.run_jobs()

    assert on_hand(variant) == 10


def owed_and_gone(sandbox: Any) -> tuple[Order, Variant, Review]:
    """Return a fulfilled order that is owed a unit, as its refund failed, and that is gone."""
    variant = VariantFactory(sku="B", on_hand=1)
    order, _, line_b = a_and_b(sandbox, variant)
    failed = refunded(order, 5_00, quantities={line_b: 1}, restock=True)
    paid_order(sandbox, variant)
    decide(sandbox, failed, "failed")
    assert support.reread(order).status == Status.FULFILLED
    review = order.reviews.get()
    assert review.reason == Review.Reason.STOCK
    return order, variant, review


def test_a_unit_that_was_found_for_a_review_is_the_orders_and_can_be_sent(sandbox: Any) -> None:
    order, variant, review = owed_and_gone(sandbox)
    at = support.stripe_now()
    with pytest.raises(InsufficientStock):
        reviews.accept(review_id=review.pk, by=7, at=at)
    adjust(variant_id=variant.pk, difference=5, reason="found", at=at)

    reviews.accept(review_id=review.pk, by=7, at=at)

    assert on_hand(variant) == 4
    owed = {pk: units for pk, units in fulfilling.left_to_hand_over(order).items() if units}
    fulfilling.hand_over(order_id=order.pk, quantities=owed, by=7, at=at)
    assert support.reread(order).status == Status.FULFILLED
    assert not any(fulfilling.left_to_hand_over(order).values())
    assert audits.found() == {}


def test_units_that_are_for_sale_are_not_put_on_the_shelf_once_more(sandbox: Any) -> None:
    order, variant, review = owed_and_gone(sandbox)

    reviews.refund(review_id=review.pk, by=7, at=support.stripe_now())
    support.run_jobs()

    review.refresh_from_db()
    assert (review.resolution, on_hand(variant)) == ("refunded", 0)
    assert not any(fulfilling.left_to_hand_over(order).values())


@pytest.mark.parametrize("restock", [True, False])
def test_missing_units_are_refunded_by_the_answer_to_their_question_alone(
    sandbox: Any, restock: bool
) -> None:
    order, variant, review = owed_and_gone(sandbox)
    before = order.refunds.count()

    with pytest.raises(CannotRefund, match="answer that review first"):
        ask(order, 5_00, quantities={review_line(review): 1}, restock=restock)

    assert (order.refunds.count(), on_hand(variant)) == (before, 0)


def review_line(review: Review) -> int:
    """Return the key of the line whose unit a question is about."""
    return Refund.objects.get(key=review.cause).lines.get().line_id


def test_a_refund_for_missing_units_that_fails_has_the_question_asked_again(sandbox: Any) -> None:
    order, variant, review = owed_and_gone(sandbox)
    reviews.refund(review_id=review.pk, by=7, at=support.stripe_now())
    support.run_jobs()
    answer = review.refunds.get()

    decide(sandbox, answer, "failed")

    review.refresh_from_db()
    assert (review.resolution, review.resolved_at, review.resolved_by_id) == ("", None, None)
    assert (order.reviews.open().count(), on_hand(variant)) == (1, 0)
    at = support.stripe_now()
    adjust(variant_id=variant.pk, difference=1, reason="found", at=at)
    reviews.accept(review_id=review.pk, by=7, at=at)
    assert on_hand(variant) == 0
    assert fulfilling.left_to_hand_over(order)[review_line(review)] == 1
    assert audits.found() == {}


def test_all_money_that_comes_back_from_the_dashboard_has_it_asked_again_too(sandbox: Any) -> None:
    order, variant, review = owed_and_gone(sandbox)
    made = sandbox.refund_in_dashboard(intent_of(order))
    support.hear_all(sandbox)
    review.refresh_from_db()
    assert (review.resolution, support.reread(order).status) == ("refunded", Status.REFUNDED)

    sandbox.decide_refund(made["id"], "failed")
    support.hear_all(sandbox)

    review.refresh_from_db()
    assert (review.resolution, support.reread(order).status) == ("", Status.FULFILLED)
    assert on_hand(variant) == 0
    assert audits.found() == {}
