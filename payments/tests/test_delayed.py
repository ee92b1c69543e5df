"""Payment methods that take days: switched on by a setting, told well at every step."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client, override_settings

from orders import links
from orders import services as orders
from orders.models import Order, Reason, Status
from payments.models import PaymentAttempt
from payments.services import attempts, settling
from payments.services.holds import expire
from payments.story import story
from payments.tests import support
from payments.tests.browsing import signed
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db


def a_debit(sandbox: Any) -> PaymentAttempt:
    """Return an attempt that its buyer completed by bank debit."""
    attempt = support.checkout(support.cart_with(VariantFactory(price_minor=8_00)))
    sandbox.pay(attempt.url, method="bank_debit")
    support.hear_all(sandbox)
    attempt.refresh_from_db()
    return attempt


def told(order: Order) -> list[str]:
    return [entry.words for entry in story(order)]


@pytest.mark.parametrize("methods", [["card"], ["card", "sepa_debit"]])
def test_stripe_is_asked_for_the_methods_of_the_setting(sandbox: Any, methods: list[str]) -> None:
    with override_settings(PAYMENT_METHODS=methods):
        attempt = support.checkout(support.cart_with(VariantFactory()))

    session = support.stripe_get(f"checkout/sessions/{attempt.session_id}")
    assert session["payment_method_types"] == methods
    answer = sandbox.pay(attempt.url, method="bank_debit")
    assert answer.status_code == (303 if "sepa_debit" in methods else 422)


def test_while_the_bank_works_the_buyer_knows_what_comes_next(sandbox: Any) -> None:
    attempt = a_debit(sandbox)

    order = support.reread(attempt.order)
    page = support.text_of_page(order)
    assert (order.status, attempt.state) == (Status.PENDING, "processing")
    assert told(order) == ["Order placed", "Payment on its way from your bank"]
    assert "Your payment is on its way" in page
    assert "Your bank has been asked for €12.90. That usually takes three to six working" in page
    assert "The money arrives: we write to reader@example.com, and pack your books." in page
    assert "Should your bank not pay, we write too" in page
    assert "Cancel this order" not in page
    assert [sent.subject for sent in mail.outbox] == [
        f"Your payment for order {order.number} is on its way"
    ]


def test_whoever_comes_back_from_a_debit_is_led_to_the_page_that_says_so(sandbox: Any) -> None:
    order = a_debit(sandbox).order
    path = signed("success", order)

    answer = Client().get(path)

    assert (answer.status_code, answer["Location"]) == (303, links.path(order))


def test_when_the_money_has_arrived_the_order_is_confirmed(sandbox: Any) -> None:
    attempt = a_debit(sandbox)

    sandbox.post(f"bank_debits/{attempt.intent_id}", outcome="succeeded")
    support.hear_all(sandbox)

    order = support.reread(attempt.order)
    assert order.status == Status.PAID
    assert told(order)[-1] == "Payment received"
    assert "Thank you for your order" in support.text_of_page(order)
    assert [sent.subject for sent in mail.outbox][1:] == [
        f"Your order {order.number} at Quire & Quill is paid"
    ]


def test_when_the_bank_refuses_the_buyer_is_told_how_and_until_when_to_pay_again(
    sandbox: Any,
) -> None:
    attempt = a_debit(sandbox)

    sandbox.post(f"bank_debits/{attempt.intent_id}", outcome="failed")
    support.hear_all(sandbox)

    order = support.reread(attempt.order)
    page, sent = support.text_of_page(order), mail.outbox[1]
    until = f"{order.pay_by:%-d %B, %H:%M} UTC"
    assert order.status == Status.PENDING
    assert order.pay_by - support.stripe_now() > timedelta(hours=23)
    assert told(order)[-1] == "Your bank did not make the payment"
    assert "Your payment did not go through" in page
    assert f"until {until}" in page
    assert sent.subject == f"Your payment for order {order.number} did not go through"
    assert f"until {until}" in str(sent.body)
    assert links.url(order) in str(sent.body)


def test_after_a_refused_debit_the_link_of_the_mail_leads_to_another_payment(sandbox: Any) -> None:
    attempt = a_debit(sandbox)
    sandbox.post(f"bank_debits/{attempt.intent_id}", outcome="failed")
    support.hear_all(sandbox)
    (link,) = re.findall(r"http://testserver(/orders/\S+)", str(mail.outbox[1].body))
    (pay,) = re.findall(r'action="([^"]+/pay/)"', Client().get(link).content.decode())

    answer = Client().post(pay)

    again = attempt.order.attempts.order_by("pk")[1]
    assert (answer.status_code, answer["Location"]) == (303, again.url)
    assert again.url != attempt.url
    sandbox.pay(again.url)
    support.hear_all(sandbox)
    assert support.reread(attempt.order).status == Status.PAID
    assert [e.to_status for e in attempt.order.events.all()].count("paid") == 1


def test_a_second_try_by_debit_has_mails_of_its_own(sandbox: Any) -> None:
    attempt = a_debit(sandbox)
    sandbox.post(f"bank_debits/{attempt.intent_id}", outcome="failed")
    support.hear_all(sandbox)
    order = attempt.order
    pay = signed("pay", order)

    sandbox.pay(Client().post(pay)["Location"], method="bank_debit")
    support.hear_all(sandbox)

    kinds = list(order.mails.values_list("kind", flat=True))
    assert kinds == ["processing", "payment_failed", "processing"]


def test_the_books_are_kept_for_three_failed_debits_and_no_longer(sandbox: Any) -> None:
    order = support.checkout(support.cart_with(VariantFactory())).order
    opened_at = support.stripe_now()
    given = []

    for days in (8, 16, 24, 32):
        attempt = attempts.open_attempt(order_id=order.pk, at=opened_at)
        sandbox.pay(attempt.url, method="bank_debit")
        settling.settle(payment=attempts.read(attempt), cause="evt_1", at=opened_at)
        attempt.refresh_from_db()
        sandbox.post(f"bank_debits/{attempt.intent_id}", outcome="failed")
        at = opened_at + timedelta(days=days)
        settling.settle(payment=attempts.read(attempt), cause="evt_2", at=at)
        order.refresh_from_db()
        given.append((order.hold_until - at, order.pay_until - at))

    # The last is told by the mail that the order is canceled.
    assert given == [(timedelta(days=1),) * 2] * 3 + [(timedelta(),) * 2]
    assert list(order.mails.values_list("kind", flat=True)) == [
        "processing",
        "payment_failed",
    ] * 3 + ["processing"]
    assert not expire(order_id=order.pk, at=at)
    assert expire(order_id=order.pk, at=at + timedelta(seconds=1))
    assert support.reread(order).status == Status.CANCELED


def test_a_fourth_failed_debit_leaves_what_time_there_was(sandbox: Any) -> None:
    attempt = a_debit(sandbox)
    order, at = support.reread(attempt.order), support.stripe_now()
    for _ in range(3):
        orders.note(order=order, reason=Reason.PAYMENT_FAILED, cause="evt_1", at=at)
    before = order.hold_until, order.pay_until

    sandbox.post(f"bank_debits/{attempt.intent_id}", outcome="failed")
    support.hear_all(sandbox)

    order.refresh_from_db()
    assert (order.hold_until, order.pay_until) == before
    assert f"until {order.pay_by:%-d %B, %H:%M} UTC" in str(mail.outbox[-1].body)
