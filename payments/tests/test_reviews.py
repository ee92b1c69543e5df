"""Answering reviews: let the money stand, or give it back."""

from typing import Any

import pytest

from orders import services as orders
from orders.models import Order, Reason, Review, Status
from payments import gateway
from payments.audit.checks import CHECKS, offenders
from payments.models import PaymentAttempt, Refund
from payments.services import reviews
from payments.services.refunds import CannotRefund
from payments.tests import support
from payments.tests.money_back import charge_of, intent_of, mails, money, paid_order, story
from payments.tests.reviewing import late, mismatched

pytestmark = pytest.mark.django_db


def test_an_accepted_review_of_a_pending_order_makes_it_paid(sandbox: Any) -> None:
    review = mismatched(sandbox)

    reviews.accept(review_id=review.pk, by=7, at=support.stripe_now())

    order = support.reread(review.order)
    review.refresh_from_db()
    assert (review.resolution, review.resolved_by_id) == ("accepted", 7)
    last = support.last_event(order)
    assert (order.status, last.reason, last.by_user_id) == (Status.PAID, Reason.ACCEPTED, 7)


def test_nothing_more_can_be_paid_for_an_order_whose_review_was_accepted(sandbox: Any) -> None:
    review = mismatched(sandbox)
    support.run_jobs()
    left_open = support.attempt_row(review.order, created_at=review.opened_at)

    reviews.accept(review_id=review.pk, by=7, at=support.stripe_now())
    support.run_jobs()

    left_open.refresh_from_db()
    assert (left_open.state, left_open.closed_as) == ("closed", "superseded")


@pytest.mark.parametrize("end", ["", "lose"])
def test_what_the_bank_took_of_a_pending_order_is_not_what_pays_for_it(
    sandbox: Any, end: str
) -> None:
    review = mismatched(sandbox)
    order = review.order
    made = sandbox.dispute(intent_of(order))
    if end:
        sandbox.move_dispute(made["id"], end)
    support.hear_all(sandbox)

    reviews.accept(review_id=review.pk, by=7, at=support.stripe_now())

    order.refresh_from_db()
    paid = order.total_minor - 1
    assert (order.status, story(order)[-2:]) == (Status.CANCELED, ["review_resolved", "staff"])
    assert money(order) == [("capture", paid), ("dispute", -paid)]
    variant = order.lines.get().variant
    assert (variant.on_hand, variant.reserved) == (1, 0)
    assert found_by_audit("status") == []


def test_what_the_bank_took_is_not_judged_while_the_order_may_be_paid_anew(sandbox: Any) -> None:
    review = mismatched(sandbox)
    sandbox.dispute(intent_of(review.order))
    support.hear_all(sandbox)
    support.attempt_row(review.order, state="processing")

    with pytest.raises(reviews.CannotAccept, match="still on its way"):
        reviews.accept(review_id=review.pk, by=7, at=support.stripe_now())

    assert Review.objects.get().resolved_at is None
    assert support.reread(review.order).status == Status.PENDING


def test_a_canceled_order_whose_money_the_bank_took_stays_canceled(sandbox: Any) -> None:
    order, _made = late_and_disputed(sandbox)
    review = order.reviews.get()

    reviews.accept(review_id=review.pk, by=7, at=support.stripe_now())

    order.refresh_from_db()
    review.refresh_from_db()
    assert (order.status, review.resolution) == (Status.CANCELED, "accepted")
    assert support.last_event(order).reason == Reason.REVIEW_RESOLVED
    assert found_by_audit("status") == []


def test_money_that_a_bank_gives_back_to_a_canceled_order_is_asked_about(sandbox: Any) -> None:
    order, made = late_and_disputed(sandbox)
    reviews.accept(review_id=order.reviews.get().pk, by=7, at=support.stripe_now())

    sandbox.move_dispute(made["id"], "win")
    support.hear_all(sandbox)
    support.hear_all(sandbox)

    asked = order.reviews.open().get()
    assert (asked.reason, asked.cause) == (Review.Reason.REFUND, charge_of(order))
    assert found_by_audit("status") == []
    reviews.refund(review_id=asked.pk, by=7, at=support.stripe_now())
    support.run_jobs()
    asked.refresh_from_db()
    assert (asked.resolution, support.reread(order).status) == ("refunded", Status.CANCELED)


def late_and_disputed(sandbox: Any) -> tuple[Order, Any]:
    """Return a canceled order whose payment the bank took before it could be given back."""
    order = late(sandbox)
    made = sandbox.dispute(intent_of(order))
    support.hear_all(sandbox)
    assert [refund.state for refund in order.refunds.all()] == ["failed"]
    return order, made


def found_by_audit(name: str) -> list[str]:
    (check,) = (check for check in CHECKS if check.name == name)
    return [found.what for found in offenders(check, at=support.stripe_now())]


def test_refunding_what_a_review_names_cancels_the_pending_order(sandbox: Any) -> None:
    review = mismatched(sandbox)
    order = review.order

    reviews.refund(review_id=review.pk, by=7, at=support.stripe_now())
    review.refresh_from_db()
    assert (review.resolved_at, support.reread(order).status) == (None, Status.PENDING)
    support.run_jobs()

    review.refresh_from_db()
    order.refresh_from_db()
    paid = order.total_minor - 1
    assert (review.resolution, review.resolved_by_id) == ("refunded", 7)
    assert order.status == Status.CANCELED
    assert money(order) == [("capture", paid), ("refund", -paid)]
    assert story(order)[-4:] == ["refund_asked", "refunded", "review_resolved", "staff"]
    assert {"in_review", "refund", "canceled"} <= set(mails(order))
    variant = order.lines.get().variant
    assert (variant.on_hand, variant.reserved) == (1, 0)


def test_a_refund_from_a_review_is_asked_for_once(sandbox: Any) -> None:
    review = mismatched(sandbox)
    reviews.refund(review_id=review.pk, by=7, at=support.stripe_now())

    with pytest.raises(CannotRefund, match="on its way back"):
        reviews.refund(review_id=review.pk, by=7, at=support.stripe_now())
    with pytest.raises(reviews.CannotAccept, match="on its way back"):
        reviews.accept(review_id=review.pk, by=7, at=support.stripe_now())

    assert (Refund.objects.count(), Review.objects.get().resolved_at) == (1, None)


def test_a_refund_in_the_dashboard_answers_the_review_of_its_payment(sandbox: Any) -> None:
    review = mismatched(sandbox)

    sandbox.refund_in_dashboard(intent_of(review.order))
    support.hear_all(sandbox)

    review.refresh_from_db()
    assert (review.resolution, review.resolved_by_id) == ("refunded", None)
    assert support.reread(review.order).status == Status.CANCELED


def test_a_part_of_the_money_answers_nothing(sandbox: Any) -> None:
    review = mismatched(sandbox)

    sandbox.refund_in_dashboard(intent_of(review.order), amount=1_00)
    support.hear_all(sandbox)

    assert Review.objects.get().resolved_at is None
    assert support.reread(review.order).status == Status.PENDING


def test_nothing_is_refunded_while_other_money_of_the_order_is_on_its_way(sandbox: Any) -> None:
    review = mismatched(sandbox)
    support.attempt_row(review.order, state="processing")

    with pytest.raises(CannotRefund, match="on its way"):
        reviews.refund(review_id=review.pk, by=7, at=support.stripe_now())

    assert Refund.objects.count() == 0


def test_nothing_is_refunded_while_a_payment_that_was_given_up_is_on_its_way(
    sandbox: Any,
) -> None:
    review = mismatched(sandbox)
    orders.open_review(
        order=review.order,
        reason=Review.Reason.UNPAID,
        cause="cs_1",
        detail="",
        at=review.opened_at,
    )

    with pytest.raises(CannotRefund, match="on its way"):
        reviews.refund(review_id=review.pk, by=7, at=support.stripe_now())

    assert Refund.objects.count() == 0


def test_without_stripe_a_review_is_not_refunded_while_the_order_could_be_paid(
    sandbox: Any,
) -> None:
    review = mismatched(sandbox)
    PaymentAttempt.objects.filter(state="succeeded").update(state="open")
    sandbox.fault(kind="refuse", path="/v1/checkout/sessions", times=None)

    with pytest.raises(gateway.Unreachable):
        reviews.refund(review_id=review.pk, by=7, at=support.stripe_now())

    assert Refund.objects.count() == 0


def test_a_second_payment_that_cannot_be_given_back_is_answered_by_staff(sandbox: Any) -> None:
    order = paid_order(sandbox)
    review = orders.open_review(
        order=order, reason=Review.Reason.REFUND, cause="re_unknown", detail="", at=order.placed_at
    )

    with pytest.raises(CannotRefund, match="names no money"):
        reviews.refund(review_id=review.pk, by=7, at=support.stripe_now())
    reviews.accept(review_id=review.pk, by=7, at=support.stripe_now())

    with pytest.raises(CannotRefund, match="resolved already"):
        reviews.refund(review_id=review.pk, by=7, at=support.stripe_now())
    with pytest.raises(reviews.CannotAccept, match="resolved already"):
        reviews.accept(review_id=review.pk, by=7, at=support.stripe_now())
    assert support.reread(order).status == Status.PAID
