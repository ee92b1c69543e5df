"""Money that moved outside of Stripe: booked once, signed, and the order follows."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from orders.models import Order, OrderEvent, Reason, Review, Status
from payments import gateway
from payments.models import LedgerEntry
from payments.services import attempts, manual, refund_amounts, refunds
from payments.services.manual import CannotBook
from payments.tests import support
from payments.tests.money_back import (
    ask,
    charge_of,
    decide,
    mails,
    money,
    paid_order,
    story,
)
from payments.tests.reviewing import late, mismatched
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db


def book(
    order: Order,
    amount_minor: int,
    *,
    form_key: UUID | None = None,
    currency: str = "EUR",
    review: Review | None = None,
) -> LedgerEntry:
    entry = manual.Entry(
        amount_minor=amount_minor,
        currency=currency,
        form_key=form_key or uuid4(),
        review_id=review.pk if review else None,
    )
    return manual.book(order_id=order.pk, entry=entry, by=7, at=support.stripe_now())


def refused(order: Order, amount_minor: int, why: str, **how: Any) -> None:
    """Assert that an entry is refused in these words, and that nothing was written."""
    before = OrderEvent.objects.count(), LedgerEntry.objects.count()
    with pytest.raises(CannotBook, match=why):
        book(order, amount_minor, **how)
    assert (OrderEvent.objects.count(), LedgerEntry.objects.count()) == before


def test_the_total_entered_by_hand_pays_the_order_and_ends_its_session(sandbox: Any) -> None:
    variant = VariantFactory(on_hand=1)
    attempt = support.checkout(support.cart_with(variant))
    order = attempt.order

    entry = book(order, order.total_minor)
    support.run_jobs()

    order.refresh_from_db()
    attempt.refresh_from_db()
    variant.refresh_from_db()
    last = support.last_event(order)
    assert (order.status, last.reason, last.by_user_id) == (Status.PAID, Reason.MANUAL, 7)
    assert money(order) == [("manual", order.total_minor)]
    assert (attempt.state, attempt.closed_as) == ("closed", "superseded")
    assert support.stripe_get(f"checkout/sessions/{attempt.session_id}")["status"] == "expired"
    by_hand = order.attempts.get(kind="manual")
    assert (by_hand.state, entry.attempt) == ("succeeded", by_hand)
    assert (variant.on_hand, variant.reserved) == (0, 0)
    assert mails(order) == ["confirmation"]


def test_a_form_sent_twice_books_once(sandbox: Any) -> None:
    order, key = support.checkout(support.cart_with(VariantFactory())).order, uuid4()

    first = book(order, order.total_minor, form_key=key)
    again = book(order, order.total_minor, form_key=key)

    assert first == again
    assert money(order) == [("manual", order.total_minor)]
    refused(order, 1, "sent before", form_key=key)


@pytest.mark.parametrize("difference", [-1, 1])
def test_nothing_but_the_total_pays_an_order(sandbox: Any, difference: int) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory()))
    order = attempt.order

    refused(order, order.total_minor + difference, "total")
    refused(order, order.total_minor, "total", currency="USD")
    refused(order, -1, "total")

    attempt.refresh_from_db()
    assert (attempt.state, support.reread(order).status) == ("open", Status.PENDING)


def test_a_payment_that_was_faster_wins(sandbox: Any) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory()))
    order = attempt.order
    sandbox.pay(attempt.url)

    with pytest.raises(CannotBook, match="is paid"):
        book(order, order.total_minor)

    assert support.reread(order).status == Status.PAID
    assert money(order) == [("capture", order.total_minor)]


def test_money_on_its_way_is_waited_for(sandbox: Any) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory()))
    type(attempt).objects.update(state="processing")

    refused(attempt.order, attempt.order.total_minor, "on its way")


def test_nothing_is_booked_while_stripe_cannot_close_the_session(sandbox: Any) -> None:
    order = support.checkout(support.cart_with(VariantFactory())).order
    sandbox.fault(kind="refuse", path="/v1/checkout/sessions", times=None)

    with pytest.raises(gateway.Unreachable):
        book(order, order.total_minor)

    assert (money(order), support.reread(order).status) == ([], Status.PENDING)
    sandbox.clear_faults()
    book(order, order.total_minor)
    assert support.reread(order).status == Status.PAID


def test_money_given_back_by_hand_refunds_the_order_and_leaves_nothing_for_stripe(
    sandbox: Any,
) -> None:
    order = paid_order(sandbox)

    book(order, -3_00)
    assert support.reread(order).status == Status.PAID
    left = refund_amounts.refundable_minor(order=order, charge_id=charge_of(order))
    assert left == order.total_minor - 3_00
    refused(order, -(left + 1), "is kept of it")
    book(order, -left)

    last = support.last_event(order)
    assert (support.reread(order).status, last.reason) == (Status.REFUNDED, Reason.REFUNDED)
    assert last.by_user_id == 7
    assert money(order)[1:] == [("manual", -3_00), ("manual", -left)]
    with pytest.raises(refunds.CannotRefund, match="given back already"):
        ask(order, 1)


def test_what_is_on_its_way_back_is_not_given_back_by_hand(sandbox: Any) -> None:
    order = paid_order(sandbox)
    ask(order, order.total_minor)

    refused(order, -1, "0.00 is kept")


def test_an_entry_made_in_error_is_corrected_by_its_opposite(sandbox: Any) -> None:
    order = paid_order(sandbox)
    book(order, -order.total_minor)

    refused(order, order.total_minor + 1, "entered as given back")
    book(order, order.total_minor)

    assert support.reread(order).status == Status.PAID
    assert story(order)[-2:] == ["refunded", "refund_failed"]
    refused(order, 1, "entered as given back")


def test_an_order_paid_by_hand_is_given_back_by_hand(sandbox: Any) -> None:
    order = support.checkout(support.cart_with(VariantFactory())).order
    book(order, order.total_minor)

    book(order, -order.total_minor)

    assert support.reread(order).status == Status.REFUNDED
    assert money(order) == [("manual", order.total_minor), ("manual", -order.total_minor)]


def test_a_canceled_order_is_not_paid_by_hand_and_its_correction_is_asked_about(
    sandbox: Any,
) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory()))
    order = attempt.order
    attempts.close_all(
        order_id=order.pk, closed_as=attempt.ClosedAs.CANCELED, at=support.stripe_now()
    )
    Order.objects.update(status="canceled")
    refused(order, order.total_minor, "is canceled")
    LedgerEntry.objects.bulk_create(
        LedgerEntry(
            order=order,
            kind="capture" if amount > 0 else "manual",
            amount_minor=amount,
            currency="EUR",
            stripe_id="ch_1" if amount > 0 else None,
            charge_id="ch_1" if amount > 0 else "",
            form_key=None if amount > 0 else uuid4(),
            booked_at=order.placed_at,
            occurred_at=order.placed_at,
        )
        for amount in (order.total_minor, -order.total_minor)
    )

    book(order, order.total_minor)

    assert order.reviews.get().reason == Review.Reason.REFUND


def test_a_card_payment_after_one_by_hand_goes_back(sandbox: Any) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory()))
    order = attempt.order
    # The session was given up here, but not at Stripe: as after a lost answer.
    type(attempt).objects.update(state="closed", closed_as="superseded")
    book(order, order.total_minor)

    sandbox.pay(attempt.url)
    support.hear_all(sandbox)

    refund = order.refunds.get()
    assert (refund.source, refund.why, refund.state) == ("automatic", "duplicate", "succeeded")
    assert support.reread(order).status == Status.PAID


def test_money_given_back_by_hand_settles_the_review_of_a_canceled_order(sandbox: Any) -> None:
    order = late(sandbox)
    support.run_jobs()
    decide(sandbox, order.refunds.get(), "failed")
    review = order.reviews.get()

    with pytest.raises(CannotBook, match="total"):
        book(order, -1_00, review=review)
    book(order, -order.total_minor, review=review)

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

    with pytest.raises(CannotBook, match="there"):
        book(order, 5_00)
    with pytest.raises(CannotBook, match="total"):
        book(order, 4_99, review=review)
    assert money(order) == [("capture", order.total_minor - 5_00)]
    book(order, by_hand or 5_00 - order.total_minor, review=review)

    review.refresh_from_db()
    order.refresh_from_db()
    assert (order.status, review.resolution) == (status, "manual")
    variant = order.lines.get().variant
    on_hand = 0 if order.is_paid else 1
    assert (variant.on_hand, variant.reserved) == (on_hand, 0)
