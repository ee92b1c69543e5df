"""Money that takes days: the order waits for it, and what the bank says in the end settles it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from orders import services as orders
from orders.models import Order, OrderMail, Reason, Review, Status
from payments import gateway
from payments.models import PaymentAttempt
from payments.services import holds, reviews, settling
from payments.services.attempts import open_attempt
from payments.tests import support
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db


def test_what_is_accepted_while_other_money_is_on_its_way_would_leave_nobody_to_move_the_order(
    sandbox: Any,
) -> None:
    at = support.stripe_now()
    first = support.checkout(support.cart_with(VariantFactory()), at=at)
    PaymentAttempt.objects.filter(pk=first.pk).update(state="closed", closed_as="superseded")
    second = open_attempt(order_id=first.order_id, at=at)
    PaymentAttempt.objects.filter(pk=second.pk).update(amount_minor=second.amount_minor + 1)
    sandbox.pay(second.url)
    support.pay_and_hear(sandbox, first, method="bank_debit")
    mismatch = Review.objects.get(reason=Review.Reason.MISMATCH)

    with pytest.raises(reviews.CannotAccept, match="on its way"):
        reviews.accept(review_id=mismatch.pk, by=7, at=at)

    assert Review.objects.open().count() == 2
    first.refresh_from_db()
    sandbox.post(f"bank_debits/{first.intent_id}", outcome="failed")
    support.hear_all(sandbox)
    reviews.accept(review_id=mismatch.pk, by=7, at=at)
    assert support.reread(first.order).status == Status.PAID


def test_a_bank_debit_on_its_way_lets_the_buyer_shop_on(sandbox: Any) -> None:
    variant = VariantFactory(on_hand=3)
    cart = support.cart_with(variant)
    attempt = support.checkout(cart)

    support.pay_and_hear(sandbox, attempt, method="bank_debit")

    order = support.reread(attempt.order)
    attempt.refresh_from_db()
    assert (order.status, attempt.state) == (Status.PENDING, "processing")
    assert order.cart_emptied_at is not None
    assert cart.lines.count() == 0
    assert list(holds.overdue(support.stripe_now() + timedelta(days=9))) == []
    more = support.cart_with(variant)
    cart.lines.add(*more.lines.all())
    support.checkout(cart)
    assert Order.objects.pending().count() == 2

    sandbox.post(f"bank_debits/{attempt.intent_id}", outcome="succeeded")
    support.hear_all(sandbox)

    assert support.reread(order).status == Status.PAID
    variant.refresh_from_db()
    assert (variant.on_hand, variant.reserved) == (2, 1)


def test_a_bank_debit_that_fails_gives_the_buyer_a_day_to_pay_otherwise(sandbox: Any) -> None:
    at = support.stripe_now()
    attempt = support.checkout(support.cart_with(VariantFactory()), at=at)
    support.pay_and_hear(sandbox, attempt, method="bank_debit")
    attempt.refresh_from_db()

    sandbox.post(f"bank_debits/{attempt.intent_id}", outcome="failed")
    support.hear_all(sandbox)

    order = support.reread(attempt.order)
    attempt.refresh_from_db()
    assert (attempt.state, attempt.closed_as) == ("closed", "failed")
    assert support.last_event(order).reason == Reason.PAYMENT_FAILED
    assert order.hold_until >= at + timedelta(hours=24)
    assert order.pay_until >= at + timedelta(hours=24)
    again = open_attempt(order_id=order.pk, at=support.stripe_now())
    support.pay_and_hear(sandbox, again)
    assert support.reread(order).status == Status.PAID


def test_a_closed_session_completed_by_bank_debit_asks_a_person_until_the_bank_answers(
    sandbox: Any,
) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory()))
    attempt.state, attempt.closed_as = "closed", "expired"
    attempt.save()
    orders.cancel(order=attempt.order, reason=Reason.EXPIRY, cause="", at=support.stripe_now())

    support.pay_and_hear(sandbox, attempt, method="bank_debit")

    review = Review.objects.get()
    assert (review.reason, review.cause) == (Review.Reason.UNPAID, attempt.session_id)

    attempt.refresh_from_db()
    sandbox.post(f"bank_debits/{attempt.intent_id}", outcome="succeeded")
    support.hear_all(sandbox)

    review.refresh_from_db()
    assert review.resolution == Review.Resolution.ANSWERED
    assert support.reread(attempt.order).status == Status.PAID


def test_a_payment_on_its_way_that_is_over_at_stripe_has_failed(sandbox: Any) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory()))
    support.pay_and_hear(sandbox, attempt, method="bank_debit")
    session = gateway.retrieve_session(attempt.session_id or "")
    at = support.stripe_now() + timedelta(days=3)

    settled = settling.settle(payment=replace(session, status="expired"), cause="evt_1", at=at)

    order = settled.order
    assert (settled.attempt.state, settled.attempt.closed_as) == ("closed", "failed")
    assert support.last_event(order).reason == Reason.PAYMENT_FAILED
    assert (order.hold_until, order.pay_until) == (at + timedelta(hours=24),) * 2
    assert order.mails.filter(kind=OrderMail.Kind.PAYMENT_FAILED).count() == 1
