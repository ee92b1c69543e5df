"""Money that could not go back by itself: a person is asked, and what he decides."""

from typing import Any

import pytest

from orders.models import OrderEvent, Review, Status
from payments.models import PaymentAttempt, Refund
from payments.services import attempts, reviews
from payments.services.refunds import CannotRefund
from payments.tests import support
from payments.tests.money_back import decide, intent_of, money
from payments.tests.reviewing import late
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
