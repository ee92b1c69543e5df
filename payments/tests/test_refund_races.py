"""Money that goes back, asked for by many at once: never more than there is, never twice."""

from collections import Counter
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
import requests

from orders.models import Order, Review, Status
from orders.services import open_review
from payments import gateway
from payments.models import InboxEvent, Refund
from payments.services import attempts, inbox, manual, refund_amounts, refunds, reviews, sums
from payments.services.refunds import CannotRefund
from payments.tests import support
from payments.tests.money_back import (
    ask,
    charge_of,
    decide,
    intent_of,
    money,
    paid_order,
    refunded,
)
from payments.tests.threads import all_at_once
from shop.tests.factories import VariantFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("empty_queue")]


def test_two_of_staff_who_refund_all_of_it_at_once_refund_it_once(sandbox: Any) -> None:
    order = paid_order(sandbox)

    outcomes = all_at_once(
        [partial(ask, order, order.total_minor, by=n) for n in range(4)], may_raise=(CannotRefund,)
    )
    support.run_jobs()

    assert Counter(type(outcome) for outcome in outcomes) == {Refund: 1, CannotRefund: 3}
    assert money(order) == [("capture", order.total_minor), ("refund", -order.total_minor)]
    assert len(support.stripe_get("refunds")["data"]) == 1


def test_parts_asked_for_at_once_never_come_to_more_than_there_is(sandbox: Any) -> None:
    order = paid_order(sandbox)
    part = order.total_minor * 2 // 5

    outcomes = all_at_once([partial(ask, order, part)] * 5, may_raise=(CannotRefund,))
    support.run_jobs()

    assert Counter(type(outcome) for outcome in outcomes) == {Refund: 2, CannotRefund: 3}
    assert money(order)[1:] == [("refund", -part)] * 2
    left = refund_amounts.refundable_minor(order=order, charge_id=charge_of(order))
    assert left == order.total_minor - 2 * part


def test_a_button_pressed_four_times_at_once_asks_once(sandbox: Any) -> None:
    order, key = paid_order(sandbox), uuid4()

    outcomes = all_at_once([partial(ask, order, 1_00, key=key)] * 4)

    assert set(outcomes) == {Refund.objects.get()}


def test_a_refund_sent_by_two_workers_at_once_is_made_once(sandbox: Any) -> None:
    order = paid_order(sandbox)
    refund = ask(order, 1_00)
    send = partial(refunds.send, refund_id=refund.pk, at=support.stripe_now())

    all_at_once([send] * 4, may_raise=(gateway.KeyInUse,))
    support.run_jobs()

    refund.refresh_from_db()
    assert (refund.state, len(support.stripe_get("refunds")["data"])) == ("succeeded", 1)
    assert money(order)[1:] == [("refund", -1_00)]


@pytest.mark.parametrize("dispute_is_first", [True, False])
def test_a_refund_and_a_dispute_at_once_give_the_money_back_once(
    sandbox: Any, dispute_is_first: bool
) -> None:
    order = paid_order(sandbox)
    at = support.stripe_now()
    earlier = ask(order, order.total_minor // 2)
    if dispute_is_first:
        sandbox.dispute(intent_of(order))
        for event in sandbox.events():
            support.deliver(event)
        rows = InboxEvent.objects.values_list("pk", flat=True)
        bank = [partial(inbox.process, inbox_id=pk, at=at) for pk in rows]
    else:
        bank = [partial(sandbox.dispute, intent_of(order))]

    all_at_once(
        [
            partial(refunds.send, refund_id=earlier.pk, at=at),
            partial(ask, order, order.total_minor // 2),
            partial(ask, order, order.total_minor // 2),
            *bank,
        ],
        may_raise=(CannotRefund,),
    )
    support.hear_all(sandbox)

    at_stripe = sum(refund["amount"] for refund in support.stripe_get("refunds")["data"])
    given_back = -order.ledger.given_back().total_minor("EUR")
    withheld = sums.withheld_minor(order=order, charge_id=charge_of(order))
    assert given_back == at_stripe
    assert given_back + withheld == order.total_minor
    assert not order.refunds.unfinished().exists()
    assert refund_amounts.refundable_minor(order=order, charge_id=charge_of(order)) == 0


def test_a_review_refunded_and_accepted_at_once_is_answered_one_way(sandbox: Any) -> None:
    order = paid_order(sandbox)
    review = open_review(
        order=order,
        reason=Review.Reason.MISMATCH,
        cause=charge_of(order),
        detail="",
        at=order.placed_at,
    )
    at = support.stripe_now()

    all_at_once(
        [partial(reviews.refund, review_id=review.pk, by=n, at=at) for n in range(3)]
        + [partial(reviews.accept, review_id=review.pk, by=9, at=at)],
        may_raise=(CannotRefund, reviews.CannotAccept),
    )
    support.run_jobs()

    review.refresh_from_db()
    assert review.resolution in {"refunded", "accepted"}
    refunded = order.refunds.count()
    assert refunded <= 1
    assert support.reread(order).status == (Status.REFUNDED if refunded else Status.PAID)


def test_a_part_that_failed_is_given_back_once_however_many_answer_its_review(
    sandbox: Any,
) -> None:
    order = paid_order(sandbox)
    decide(sandbox, refunded(order, 5_00), "failed")
    review = order.reviews.get()
    at = support.stripe_now()

    outcomes = all_at_once(
        [partial(reviews.refund, review_id=review.pk, by=n, at=at) for n in range(3)],
        may_raise=(CannotRefund,),
    )
    support.run_jobs()

    assert Counter(type(outcome) for outcome in outcomes) == {Refund: 1, CannotRefund: 2}
    assert money(order)[1:] == [("refund", -5_00), ("refund_reversal", 5_00), ("refund", -5_00)]
    review.refresh_from_db()
    assert review.resolution == "refunded"


def test_money_by_hand_and_by_card_at_once_pay_an_order_once(sandbox: Any) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory()))
    order = attempt.order
    at = support.stripe_now()

    def by_hand() -> None:
        entry = manual.Entry(order.total_minor, "EUR", uuid4())
        manual.book(order_id=order.pk, entry=entry, by=7, at=at)

    def by_card() -> None:
        sandbox.pay(attempt.url)
        attempts.reconcile(attempt=attempt, at=at)

    all_at_once([by_hand, by_card, by_hand], may_raise=(manual.CannotBook, requests.HTTPError))
    support.hear_all(sandbox)

    order = Order.objects.get()
    kept = order.ledger.received().total_minor("EUR") + order.ledger.given_back().total_minor("EUR")
    assert (order.status, kept) == (Status.PAID, order.total_minor)
    assert order.events.filter(from_status="pending", to_status="paid").count() == 1


def test_staff_who_enter_the_same_payment_at_once_pay_the_order_once(sandbox: Any) -> None:
    variant = VariantFactory()
    # Units that others hold: were it sold twice, stock would not tell.
    for name in ("b", "c", "d"):
        cart = support.cart_with(variant)
        support.checkout(cart, buyer=support.a_buyer(email=f"{name}@example.com"))
    attempt = support.checkout(support.cart_with(variant))
    order, at = attempt.order, support.stripe_now()
    attempts.close_all(order_id=order.pk, closed_as=attempt.ClosedAs.SUPERSEDED, at=at)

    def by_hand() -> None:
        entry = manual.Entry(order.total_minor, "EUR", uuid4())
        manual.book(order_id=order.pk, entry=entry, by=7, at=at)

    outcomes = all_at_once([by_hand] * 4, may_raise=(manual.CannotBook,))

    assert Counter(type(outcome) for outcome in outcomes) == {type(None): 1, manual.CannotBook: 3}
    assert money(order) == [("manual", order.total_minor)]
