"""Answering reviews: let the money stand, give it back, or settle it by hand."""

from typing import Any
from uuid import uuid4

import pytest

from orders import services as orders
from orders.models import Order, OrderEvent, Reason, Review, Status
from payments import gateway
from payments.audit.checks import CHECKS, offenders
from payments.models import LedgerEntry, PaymentAttempt, Refund
from payments.services import attempts, manual, reviews
from payments.services.refunds import CannotRefund
from payments.tests import support
from payments.tests.money_back import charge_of, hear, intent_of, mails, money, paid_order, story
from shop.services import InsufficientStock, adjust
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db


def mismatched(sandbox: Any, *, paid_too_little: int = 1) -> Review:
    """Return the review of a pending order that got less than was asked for."""
    variant = VariantFactory(on_hand=1)
    attempt = support.checkout(support.cart_with(variant))
    PaymentAttempt.objects.update(amount_minor=attempt.amount_minor + paid_too_little)
    Order.objects.update(
        subtotal_minor=attempt.order.subtotal_minor + paid_too_little,
        total_minor=attempt.order.total_minor + paid_too_little,
    )
    sandbox.pay(attempt.url)
    attempts.reconcile(attempt=attempt, at=support.stripe_now())
    support.run_jobs()
    return Review.objects.get()


def late(sandbox: Any) -> Order:
    """Return a canceled order that was paid all the same; its refund is not yet sent."""
    attempt = support.checkout(support.cart_with(VariantFactory(on_hand=1)))
    orders.cancel(order=attempt.order, reason=Reason.BUYER, cause="", at=support.stripe_now())
    sandbox.pay(attempt.url)
    attempts.reconcile(attempt=attempt, at=support.stripe_now())
    return attempt.order


def test_an_accepted_review_of_a_pending_order_makes_it_paid(sandbox: Any) -> None:
    review = mismatched(sandbox)

    reviews.accept(review_id=review.pk, by=7, at=support.stripe_now())

    order = support.reread(review.order)
    review.refresh_from_db()
    assert (review.resolution, review.resolved_by_id) == ("accepted", 7)
    last = support.last_event(order)
    assert (order.status, last.reason, last.by_user_id) == (Status.PAID, Reason.ACCEPTED, 7)


@pytest.mark.parametrize("end", ["", "lose"])
def test_what_the_bank_took_of_a_pending_order_is_not_what_pays_for_it(
    sandbox: Any, end: str
) -> None:
    review = mismatched(sandbox)
    order = review.order
    made = sandbox.dispute(intent_of(order))
    if end:
        sandbox.move_dispute(made["id"], end)
    hear(sandbox)

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
    hear(sandbox)
    PaymentAttempt.objects.create(
        order=review.order,
        kind="checkout",
        state="processing",
        params={},
        amount_minor=1,
        currency="EUR",
        created_at=support.stripe_now(),
        deadline_at=support.stripe_now(),
    )

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
    hear(sandbox)
    hear(sandbox)

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
    hear(sandbox)
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
    hear(sandbox)

    review.refresh_from_db()
    assert (review.resolution, review.resolved_by_id) == ("refunded", None)
    assert support.reread(review.order).status == Status.CANCELED


def test_a_part_of_the_money_answers_nothing(sandbox: Any) -> None:
    review = mismatched(sandbox)

    sandbox.refund_in_dashboard(intent_of(review.order), amount=1_00)
    hear(sandbox)

    assert Review.objects.get().resolved_at is None
    assert support.reread(review.order).status == Status.PENDING


def test_nothing_is_refunded_while_other_money_of_the_order_is_on_its_way(sandbox: Any) -> None:
    review = mismatched(sandbox)
    PaymentAttempt.objects.create(
        order=review.order,
        kind="checkout",
        state="processing",
        params={},
        amount_minor=1,
        currency="EUR",
        created_at=support.stripe_now(),
        deadline_at=support.stripe_now(),
    )

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
    hear(sandbox)
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

    sandbox.decide_refund(refund.stripe_id, "failed", reason="expired_or_canceled_card")
    hear(sandbox)

    review = order.reviews.get()
    assert (review.reason, review.cause) == (Review.Reason.REFUND, str(refund.key))
    assert "expired_or_canceled_card" in review.detail
    assert support.reread(order).status == Status.CANCELED
    total = order.total_minor
    assert money(order) == [("capture", total), ("refund", -total), ("refund_reversal", total)]
    reviews.refund(review_id=review.pk, by=7, at=support.stripe_now())
    support.run_jobs()
    again = order.refunds.get(state="succeeded")
    sandbox.decide_refund(again.stripe_id, "failed")
    hear(sandbox)
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
    hear(sandbox)

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
    sandbox.decide_refund(order.refunds.get().stripe_id, "failed")
    hear(sandbox)
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


def test_money_given_back_by_hand_settles_the_review_of_a_canceled_order(sandbox: Any) -> None:
    order = late(sandbox)
    support.run_jobs()
    sandbox.decide_refund(order.refunds.get().stripe_id, "failed")
    hear(sandbox)
    review = order.reviews.get()

    with pytest.raises(manual.CannotBook, match="total"):
        book(order, -1_00, review)
    book(order, -order.total_minor, review)

    review.refresh_from_db()
    assert (review.resolution, review.resolved_by_id) == ("manual", 7)
    assert support.reread(order).status == Status.CANCELED
    assert money(order)[-1] == ("manual", -order.total_minor)
    assert LedgerEntry.objects.filter(kind="manual").count() == 1


@pytest.mark.parametrize(("by_hand", "status"), [(5_00, Status.PAID), (None, Status.CANCELED)])
def test_a_manual_entry_makes_up_the_total_or_gives_all_back(
    sandbox: Any, by_hand: int | None, status: Status
) -> None:
    review = mismatched(sandbox, paid_too_little=5_00)
    order = support.reread(review.order)

    with pytest.raises(manual.CannotBook, match="there"):
        book(order, 5_00)
    with pytest.raises(manual.CannotBook, match="total"):
        book(order, 4_99, review)
    assert money(order) == [("capture", order.total_minor - 5_00)]
    book(order, by_hand or 5_00 - order.total_minor, review)

    review.refresh_from_db()
    order.refresh_from_db()
    assert (order.status, review.resolution) == (status, "manual")
    variant = order.lines.get().variant
    on_hand = 0 if order.is_paid else 1
    assert (variant.on_hand, variant.reserved) == (on_hand, 0)


def book(order: Order, amount_minor: int, review: Review | None = None) -> None:
    entry = manual.Entry(
        amount_minor=amount_minor,
        currency="EUR",
        form_key=uuid4(),
        review_id=review.pk if review else None,
    )
    manual.book(order_id=order.pk, entry=entry, by=7, at=support.stripe_now())


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
