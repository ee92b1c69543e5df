"""What a buyer is told when his money takes an unusual way: mail, page, and a line in the story."""

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail

from orders import services as orders
from orders.models import Order, Reason, Review, Status
from orders.tests.factories import PLACED_AT, PendingOrderFactory
from payments.models import Dispute, LedgerEntry, PaymentAttempt, Refund
from payments.services.attempts import open_attempt
from payments.standings import Phase, standings
from payments.story import money_back, story
from payments.tests import support
from payments.tests.money_back import refunded
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db
LATER = PLACED_AT + timedelta(minutes=10)


def an_attempt() -> PaymentAttempt:
    return support.checkout(support.cart_with(VariantFactory(price_minor=8_00, on_hand=5)))


def told(order: Order) -> list[str]:
    """Return the story as the buyer reads it."""
    return [entry.words for entry in story(order, list(order.refunds.all()))]


def mails(order: Order) -> list[str]:
    """Return the subjects of the mails that the buyer got, without the order's number."""
    return [str(sent.subject).replace(order.number, "X") for sent in mail.outbox]


def paid(order: Order, amount_minor: int | None = None) -> LedgerEntry:
    orders.mark_paid(order=order, reason=Reason.CAPTURE, cause="evt_1", at=LATER)
    return booked(order, "ch_1", order.total_minor if amount_minor is None else amount_minor)


def booked(order: Order, charge_id: str, amount_minor: int, currency: str = "EUR") -> LedgerEntry:
    return LedgerEntry.objects.create(
        order=order,
        kind=LedgerEntry.Kind.CAPTURE,
        stripe_id=charge_id,
        charge_id=charge_id,
        amount_minor=amount_minor,
        currency=currency,
        booked_at=LATER,
    )


def give_back(order: Order, amount_minor: int, state: str = "pending", why: str = "other") -> None:
    refund = Refund.objects.create(
        order=order,
        charge_id="ch_1",
        intent_id="pi_1",
        amount_minor=amount_minor,
        currency="EUR",
        source=Refund.Source.STAFF,
        why=why,
        state=state,
        stripe_id=f"re_{order.refunds.count()}",
        created_at=support.stripe_now(),
    )
    orders.note(order=order, reason=Reason.REFUND_ASKED, cause=str(refund.key), at=LATER)


def test_a_payment_that_comes_too_late_goes_back_and_the_buyer_reads_why(sandbox: Any) -> None:
    attempt = an_attempt()
    orders.cancel(order=attempt.order, reason=Reason.BUYER, cause="", at=support.stripe_now())

    sandbox.pay(attempt.url)
    support.hear_all(sandbox)

    order = support.reread(attempt.order)
    assert order.status == Status.CANCELED
    assert told(order) == [
        "Order placed",
        "Canceled by you",
        "A payment arrived after the order was canceled",
        "We give you back €12.90: paid too late",
        "All your money given back",
    ]
    assert mails(order) == ["Order X is canceled", "€12.90 of order X come back to you"]
    assert "came after the order was closed" in str(mail.outbox[1].body)
    page = support.text_of_page(order)
    assert "You canceled it. A payment that came all the same goes back to you." in page
    assert "Money back to you On its way" in page


def test_a_replaced_order_that_was_paid_all_the_same_does_not_say_that_nothing_was_charged() -> (
    None
):
    order = PendingOrderFactory()
    orders.cancel(order=order, reason=Reason.REPLACEMENT, cause="", at=LATER)
    before = support.text_of_page(order)

    booked(order, "ch_1", order.total_minor)
    give_back(order, order.total_minor, why="late")

    assert "Nothing was charged for this one." in before
    page = support.text_of_page(order)
    assert "Nothing was charged" not in page
    assert "A payment that came for this one all the same goes back to you." in page


def test_a_payment_in_another_currency_was_charged_all_the_same() -> None:
    order = PendingOrderFactory()
    booked(order, "ch_1", order.total_minor, "USD")

    orders.cancel(order=order, reason=Reason.STAFF, cause="", at=LATER)

    page = support.text_of_page(order)
    assert "we had to cancel it. A payment that came all the same goes back to you." in page


def test_a_payment_after_all_money_went_back_goes_back_too_and_none_is_said_to_be_kept(
    sandbox: Any,
) -> None:
    first = an_attempt()
    PaymentAttempt.objects.filter(pk=first.pk).update(state="closed", closed_as="superseded")
    second = open_attempt(order_id=first.order_id, at=support.stripe_now())
    sandbox.pay(second.url)
    support.hear_all(sandbox)
    refunded(support.reread(first.order), 12_90)

    sandbox.pay(first.url)
    support.hear_all(sandbox)

    order = support.reread(first.order)
    assert order.status == Status.REFUNDED
    assert "We give you back €12.90: paid too late" in told(order)
    assert "came after the order was closed" in str(mail.outbox[-1].body)


def test_a_second_payment_goes_back_and_the_order_goes_on(sandbox: Any) -> None:
    first = an_attempt()
    PaymentAttempt.objects.filter(pk=first.pk).update(state="closed", closed_as="superseded")
    second = open_attempt(order_id=first.order_id, at=support.stripe_now())

    sandbox.pay(second.url)
    support.hear_all(sandbox)
    sandbox.pay(first.url)
    support.hear_all(sandbox)

    order = support.reread(first.order)
    assert order.status == Status.PAID
    assert told(order) == [
        "Order placed",
        "Payment received",
        "Another payment arrived",
        "We give you back €12.90: paid twice",
        "Money given back",
    ]
    assert mails(order) == [
        f"Your order X at {'Quire & Quill'} is paid",
        "€12.90 of order X come back to you",
    ]
    assert "was paid more than once" in str(mail.outbox[1].body)
    page = support.text_of_page(order)
    assert "Thank you for your order" in page
    assert "Money back to you On its way" in page


def test_a_wrong_amount_waits_for_a_person_and_the_buyer_is_told_to_wait(sandbox: Any) -> None:
    attempt = an_attempt()
    sandbox.fault(kind="wrong_amount", by=1)

    sandbox.pay(attempt.url)
    support.hear_all(sandbox)

    assert told(attempt.order) == ["Order placed", "A payment arrived, and we look into it"]
    assert mails(attempt.order) == ["We are looking into your payment for order X"]
    assert "please do not pay again" in support.text_of_page(attempt.order)


@pytest.mark.parametrize("is_told", [True, False])
def test_a_question_about_the_buyers_money_is_told_once_unless_he_knows(is_told: bool) -> None:
    order = PendingOrderFactory()
    for _ in range(2):
        orders.open_review(
            order=order,
            reason=Review.Reason.MISMATCH,
            cause="ch_1",
            detail="",
            at=LATER,
            is_told=is_told,
        )

    assert order.mails.filter(kind="in_review").count() == int(not is_told)


@pytest.mark.parametrize(
    ("amounts", "phase", "headline"),
    [
        ([5_00], Phase.PAID, "Thank you for your order"),
        ([5_00, 11_90], Phase.REFUNDED, "Your money goes back to you"),
    ],
)
def test_an_order_of_which_all_money_is_on_its_way_back_is_not_packed(
    amounts: list[int], phase: Phase, headline: str
) -> None:
    order = PendingOrderFactory()
    paid(order)
    for amount_minor in amounts:
        give_back(order, amount_minor)

    (standing,) = standings(Order.objects.all(), LATER)

    assert (order.total_minor, standing.phase) == (16_90, phase)
    page = support.text_of_page(order)
    assert headline in page
    assert ("We pack your books" in page) is (phase == Phase.PAID)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("created", "On its way"),
        ("pending", "On its way"),
        ("requires_action", "Waits for you Stripe has written to you"),
        ("succeeded", "On its way"),
        ("failed", None),
        ("canceled", None),
    ],
)
def test_each_refund_says_how_far_it_is(state: str, words: str | None) -> None:
    order = PendingOrderFactory()
    paid(order)
    give_back(order, 5_00, state=state)

    page = support.text_of_page(order)

    assert (f"Money back to you {words}" in page) if words else ("Money back" not in page)


def test_what_the_bank_must_have_shown_by_now_is_given_back() -> None:
    order = PendingOrderFactory()
    give_back(order, 5_00, state="succeeded")
    refund = order.refunds.get()

    in_time, late = (
        money_back([refund], refund.created_at + timedelta(days=days)) for days in (9, 10)
    )

    assert [back.is_on_its_way for back in in_time + late] == [True, False]


def test_a_refund_that_fails_is_told_and_no_longer_shown_as_on_its_way(sandbox: Any) -> None:
    attempt = an_attempt()
    sandbox.pay(attempt.url)
    support.hear_all(sandbox)
    attempt.refresh_from_db()
    refund = sandbox.refund_in_dashboard(attempt.intent_id, amount=5_00)
    support.hear_all(sandbox)
    assert "Money back to you On its way" in support.text_of_page(attempt.order)

    sandbox.decide_refund(refund["id"], "failed")
    support.hear_all(sandbox)

    order = support.reread(attempt.order)
    assert told(order) == [
        "Order placed",
        "Payment received",
        "We give you back €5.00",
        "Money given back",
        "A refund did not go through",
    ]
    assert mails(order)[1:] == [
        "€5.00 of order X come back to you",
        "Your refund for order X did not reach you",
    ]
    assert "Money back" not in support.text_of_page(order)


def test_a_disputed_order_looks_to_its_buyer_as_ever() -> None:
    order = PendingOrderFactory()
    paid(order)
    before = support.text_of_page(order)

    for reason in (Reason.DISPUTED, Reason.DISPUTE_MOVED, Reason.DISPUTE_CLOSED):
        orders.note(order=order, reason=reason, cause="du_1", at=LATER)
    Dispute.objects.create(
        order=order,
        stripe_id="du_1",
        charge_id="ch_1",
        amount_minor=order.total_minor,
        currency="EUR",
        reason="fraudulent",
        status="needs_response",
        opened_at=LATER,
    )

    assert support.text_of_page(order) == before


def test_goods_that_were_put_back_close_the_order_for_its_buyer() -> None:
    order = PendingOrderFactory()
    paid(order)

    units = {line.pk: line.quantity for line in order.lines.all()}
    orders.put_back(order=order, quantities=units, cause="7", by=7, at=LATER)

    page = support.text_of_page(order)
    assert "This order is closed" in page
    assert "so what was not sent by then stays with us" in page
    assert "Order X Closed" in page.replace(order.number, "X")
    assert "It is complete" not in page
    assert told(order)[-1] == "Closed, as your bank gave you money back"
