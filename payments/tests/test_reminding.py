"""A buyer whose card was declined is reminded once, while his order can still be paid."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail

from orders import links
from orders import services as orders
from orders.models import Order, OrderMail, Reason, Review
from orders.tests.factories import PLACED_AT, PendingOrderFactory
from payments.services import reminding
from payments.tasks import remind_of_declined_cards
from payments.tests import support
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db
DECLINED_AT = PLACED_AT + timedelta(minutes=5)
DUE_AT = DECLINED_AT + timedelta(minutes=10)


def declined_order(*, at: datetime = DECLINED_AT) -> Order:
    order = PendingOrderFactory()
    decline(order, at=at)
    return order


def decline(order: Order, *, at: datetime) -> None:
    orders.note(order=order, reason=Reason.FAILED_CARD, cause="evt_1", at=at)


def reminded() -> list[Order]:
    return [mail.order for mail in OrderMail.objects.filter(kind="reminder")]


def test_the_reminder_comes_once_ten_minutes_after_the_card_was_declined() -> None:
    order = declined_order()
    PendingOrderFactory(client_ip="192.0.2.9")

    rounds = [
        reminding.remind_all(at)
        for at in (DUE_AT - timedelta(seconds=1), DUE_AT, DUE_AT + timedelta(minutes=1))
    ]

    assert rounds == [0, 1, 0]
    assert reminded() == [order]


def try_again(order: Order) -> None:
    decline(order, at=DUE_AT - timedelta(minutes=1))


def pay(order: Order) -> None:
    orders.mark_paid(order=order, reason=Reason.CAPTURE, cause="evt_2", at=DUE_AT)


def cancel(order: Order) -> None:
    orders.cancel(order=order, reason=Reason.BUYER, cause="", at=DUE_AT)


def ask(order: Order) -> None:
    orders.open_review(
        order=order, reason=Review.Reason.MISMATCH, cause="ch_1", detail="", at=DUE_AT
    )


def let_the_time_pass(order: Order) -> None:
    order.hold_until = DUE_AT
    order.save()


def fail_a_bank_debit(order: Order) -> None:
    orders.owe_mail(order=order, kind=OrderMail.Kind.PAYMENT_FAILED, cause="key", at=DUE_AT)


def let_the_bank_work(order: Order) -> None:
    _attempt(order, "processing")


def come_back(order: Order) -> None:
    _attempt(order, "open", reconcile_queued_at=DUE_AT)


def _attempt(order: Order, state: str, **fields: Any) -> None:
    url = "https://stripe.example/"
    support.attempt_row(order, state=state, session_id="cs_1", url=url, **fields)


@pytest.mark.parametrize(
    "happens",
    [
        try_again,
        pay,
        cancel,
        ask,
        let_the_time_pass,
        fail_a_bank_debit,
        let_the_bank_work,
        come_back,
    ],
)
def test_nobody_is_reminded_of_what_is_settled_or_under_way(happens: Any) -> None:
    happens(declined_order())

    assert reminding.remind_all(DUE_AT) == 0

    assert reminded() == []


def test_the_job_mails_the_link_by_which_the_order_is_paid(sandbox: Any) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory()))
    sandbox.pay(attempt.url, card="4000000000000002")
    support.hear(sandbox.events())
    sandbox.post("clock", advance=11 * 60)

    remind_of_declined_cards.func(0)
    remind_of_declined_cards.func(60)
    support.run_jobs()

    (sent,) = mail.outbox
    assert sent.subject == f"Order {attempt.order.number} still waits for your payment"
    assert links.url(attempt.order) in sent.body
