"""Where an order stands, and its story, in the words that its buyer reads."""

import re
from datetime import datetime, timedelta
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from accounts.tests.factories import UserFactory
from orders import links, services
from orders.models import Order, Reason, Review
from orders.tests.factories import PLACED_AT, PendingOrderFactory
from payments.models import PaymentAttempt
from payments.standings import Phase, standings
from payments.story import story
from payments.tests import support
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db
SOON = PLACED_AT + timedelta(minutes=10)
LATER = PLACED_AT + timedelta(minutes=61)


def pay(order: Order) -> None:
    services.mark_paid(order=order, reason=Reason.CAPTURE, cause="evt_1", at=SOON)


def cancel(order: Order) -> None:
    services.cancel(order=order, reason=Reason.EXPIRY, cause="", at=LATER)


def replace(order: Order) -> None:
    services.cancel(order=order, reason=Reason.REPLACEMENT, cause="", at=SOON)


def ask(order: Order) -> None:
    services.open_review(order=order, reason=Review.Reason.LATE, cause="ch_1", detail="", at=SOON)


def cancel_and_ask(order: Order) -> None:
    cancel(order)
    ask(order)


def decline(order: Order) -> None:
    services.note(order=order, reason=Reason.FAILED_CARD, cause="evt_1", at=SOON)


def try_to_pay(order: Order, state: str, deadline_at: datetime) -> None:
    support.attempt_row(
        order,
        state=state,
        session_id=f"cs_{uuid4().hex}",
        url="https://stripe.example/",
        deadline_at=deadline_at,
    )


def let_bank_work(order: Order) -> None:
    try_to_pay(order, PaymentAttempt.State.PROCESSING, LATER)


def come_back(order: Order) -> None:
    try_to_pay(order, PaymentAttempt.State.OPEN, PLACED_AT + timedelta(minutes=45))
    order.attempts.update(reconcile_queued_at=SOON)


def leave(order: Order) -> None:
    """Nothing has happened since."""


@pytest.mark.parametrize(
    ("happens", "at", "phase"),
    [
        (leave, SOON, Phase.PAYABLE),
        (leave, LATER, Phase.TOO_LATE),
        (decline, SOON, Phase.PAYABLE),
        (come_back, SOON, Phase.CONFIRMING),
        (come_back, SOON + timedelta(minutes=5), Phase.PAYABLE),
        (let_bank_work, SOON, Phase.PROCESSING),
        (let_bank_work, LATER, Phase.PROCESSING),
        (pay, SOON, Phase.PAID),
        (ask, SOON, Phase.REVIEW),
        (cancel, LATER, Phase.CANCELED),
        (cancel_and_ask, LATER, Phase.REVIEW),
    ],
)
def test_an_order_stands_in_one_phase(happens: Any, at: datetime, phase: Phase) -> None:
    order = PendingOrderFactory()
    happens(order)

    (standing,) = standings(Order.objects.all(), at)

    assert (standing.order, standing.phase) == (order, phase)
    assert standing.is_payable is (phase == Phase.PAYABLE)


@pytest.mark.parametrize(
    ("hold", "pay_within", "deadline", "pay_by"),
    [
        pytest.param(60, 24 * 60, None, 60, id="as long as it is held"),
        pytest.param(60, 24 * 60, 45, 60, id="also by an attempt to come"),
        pytest.param(90, 100, None, 55, id="while an attempt can be started"),
        pytest.param(90, 100, 85, 85, id="or by the one that is open"),
    ],
)
def test_the_last_moment_to_pay(
    hold: int, pay_within: int, deadline: int | None, pay_by: int
) -> None:
    order = PendingOrderFactory()
    Order.objects.update(
        hold_until=PLACED_AT + timedelta(minutes=hold),
        pay_until=PLACED_AT + timedelta(minutes=pay_within),
    )
    if deadline:
        ends_at = PLACED_AT + timedelta(minutes=deadline)
        try_to_pay(order, PaymentAttempt.State.OPEN, ends_at)

    (standing,) = standings(Order.objects.all(), SOON)

    assert standing.pay_by == PLACED_AT + timedelta(minutes=pay_by)


@pytest.mark.parametrize(
    ("happens", "headline", "words"),
    [
        (leave, "The time to pay is over", "Should a payment arrive after all, it counts"),
        (let_bank_work, "Your payment is on its way", "three to six working days"),
        (pay, "Thank you for your order", "They go to Ada Reader in Berlin, Germany."),
        (ask, "We are looking into your payment", "please do not pay again"),
        (cancel, "This order was canceled", "It was not paid in time"),
        (replace, "This order was canceled", "the newer order took the place of this one"),
    ],
)
def test_the_page_says_what_has_become_of_the_order_and_what_comes_next(
    happens: Any, headline: str, words: str
) -> None:
    order = PendingOrderFactory()
    happens(order)

    page = unescape(Client().get(links.path(order)).content.decode())

    assert re.findall(r"<h1[^>]*>(.+?)</h1>", page) == [headline]
    assert words in page
    assert "now</button>" not in page


def test_a_waiting_order_names_its_deadline_and_a_declined_card(sandbox: Any) -> None:
    order = support.checkout(support.cart_with(VariantFactory())).order
    services.note(order=order, reason=Reason.FAILED_CARD, cause="evt_1", at=support.stripe_now())

    page = Client().get(links.path(order)).content.decode()

    assert re.findall(r"<h1[^>]*>(.+?)</h1>", page) == ["Your card was not accepted"]
    assert re.search(r"for another 59\s+minutes, until <time", page.replace("\xa0", " "))
    assert f"{order.hold_until:%H:%M} UTC</time>" in page


def test_who_is_back_from_paying_is_not_asked_to_pay_again(sandbox: Any) -> None:
    order = support.checkout(support.cart_with(VariantFactory())).order
    order.attempts.update(reconcile_queued_at=support.stripe_now())

    page = Client().get(links.path(order)).content.decode()

    assert re.findall(r"<h1[^>]*>(.+?)</h1>", page) == ["Confirming your payment"]
    assert "now</button>" not in page


def test_a_confirmation_that_went_out_is_said_so() -> None:
    order = PendingOrderFactory()
    pay(order)
    before = Client().get(links.path(order)).content.decode()

    order.mails.update(sent_at=SOON)

    assert "A confirmation is on its way to reader@example.com." in before
    after = Client().get(links.path(order)).content.decode()
    assert "We have sent a confirmation to reader@example.com." in after


def test_the_story_is_told_as_it_happened_in_whatever_order_stripe_was_heard(
    sandbox: Any,
) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory()))
    sandbox.pay(attempt.url, card="4000000000000002")
    sandbox.post("clock", advance=60)
    sandbox.pay(attempt.url)
    by_type = {event["type"]: event for event in sandbox.events()}
    for heard in ("checkout.session.completed", "payment_intent.payment_failed"):
        support.deliver(by_type[heard])
    support.run_jobs()

    told = story(attempt.order)

    rows = list(attempt.order.events.values_list("reason", flat=True))
    assert rows == ["placed", "capture", "failed_card"]
    assert [entry.words for entry in told] == ["Order placed", "Card declined", "Payment received"]
    created = [by_type[kind]["created"] for kind in sorted(by_type) if kind.endswith("_failed")]
    assert told[1].at.timestamp() == created[0]


def test_moves_are_told_in_the_order_in_which_they_were_made() -> None:
    order = PendingOrderFactory()
    cancel(order)
    # The worker's clock may be behind.
    services.mark_paid(order=order, reason=Reason.LATE_CAPTURE, cause="cs_1", at=SOON)

    told = story(order)

    assert [entry.reason for entry in told] == ["placed", "expiry", "late_capture"]
    assert [entry.at for entry in told] == [PLACED_AT, LATER, LATER]


def test_the_list_names_the_first_title_and_offers_to_pay_where_that_can_be_done(
    sandbox: Any,
) -> None:
    user = UserFactory()
    variants = VariantFactory.create_batch(3, product__title="Emma")
    waiting = support.checkout(
        support.cart_with(*variants, user=user), buyer=support.a_buyer(user=user)
    ).order
    over = PendingOrderFactory(user=user)
    client = Client()
    client.force_login(user)

    page = client.get("/orders/").content.decode()

    assert "Emma, Paperback and 2 more</a>" in page
    assert page.count("now<span") == 1
    assert f"/orders/{waiting.number}/{links.sign(waiting.number)}/pay/" in page
    assert f"/orders/{over.number}/{links.sign(over.number)}/pay/" not in page


def test_a_long_list_has_pages_in_its_address() -> None:
    user = UserFactory()
    for _ in range(21):
        PendingOrderFactory(user=user)
    client = Client()
    client.force_login(user)

    first = client.get("/orders/").content.decode()
    second = client.get("/orders/?page=2").content.decode()

    assert [page.count('<li class="order-card">') for page in (first, second)] == [20, 1]
    assert 'href="?page=2"' in first
