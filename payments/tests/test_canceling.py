"""Calling an unpaid order off: Stripe first, and a payment that is faster wins."""

import re
from html import unescape
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.tests.factories import UserFactory, a_clerk
from orders import links
from orders import services as orders
from orders.models import Order, OrderEvent, Reason, Review, Status
from orders.tests.factories import PLACED_AT, PendingOrderFactory
from payments import gateway
from payments.models import PaymentAttempt
from payments.services import canceling
from payments.tests import support
from payments.tests.browsing import signed
from payments.tests.deeds import do, order_page
from payments.tests.deeds import page_of as deed_of
from shop.models import StockMovement
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db


def an_attempt() -> PaymentAttempt:
    return support.checkout(support.cart_with(VariantFactory(on_hand=2)))


def cancel(order: Order, reason: Reason = Reason.BUYER, **fields: Any) -> Order:
    return canceling.cancel(order_id=order.pk, reason=reason, at=support.stripe_now(), **fields)


def page_of(order: Order) -> str:
    return unescape(Client().get(links.path(order)).content.decode())


def written() -> tuple[int, int]:
    """Return how much of a story and of movements there is: a refusal adds nothing."""
    return OrderEvent.objects.count(), StockMovement.objects.count()


def test_the_attempt_is_closed_at_stripe_and_the_units_are_free(sandbox: Any) -> None:
    attempt = an_attempt()

    canceled = cancel(attempt.order, by=7)

    attempt.refresh_from_db()
    last = support.last_event(attempt.order)
    variant = attempt.order.lines.get().variant
    assert canceled.status == support.reread(attempt.order).status == Status.CANCELED
    assert (last.reason, last.cause, last.by_user_id) == (Reason.BUYER, "7", 7)
    assert (attempt.state, attempt.closed_as) == ("closed", "canceled")
    assert support.stripe_get(f"checkout/sessions/{attempt.session_id}")["status"] == "expired"
    assert (variant.on_hand, variant.reserved) == (2, 0)
    assert attempt.order.cart is not None
    assert attempt.order.cart.lines.count() == 1


def test_an_order_that_stripe_has_not_heard_of_is_canceled_too(sandbox: Any) -> None:
    order = PendingOrderFactory()

    assert cancel(order).status == Status.CANCELED


def test_a_payment_that_is_faster_wins(sandbox: Any) -> None:
    attempt = an_attempt()
    sandbox.pay(attempt.url)

    with pytest.raises(canceling.CannotCancel, match="payment has arrived") as refusal:
        cancel(attempt.order)

    assert refusal.value.order.status == support.reread(attempt.order).status == Status.PAID
    assert attempt.order.mails.filter(kind="canceled").count() == 0


def test_a_payment_made_while_stripe_is_asked_to_end_it_wins(sandbox: Any) -> None:
    attempt = an_attempt()
    sandbox.fault(kind="pay_at_expire", path="/v1/checkout/sessions")

    with pytest.raises(canceling.CannotCancel, match="payment has arrived"):
        cancel(attempt.order)

    assert support.reread(attempt.order).status == Status.PAID


@pytest.mark.parametrize("is_known", [True, False], ids=["known here", "not known here yet"])
def test_money_on_its_way_cannot_be_called_back(sandbox: Any, is_known: bool) -> None:
    attempt = an_attempt()
    sandbox.pay(attempt.url, method="bank_debit")
    if is_known:
        support.hear(sandbox.events())

    with pytest.raises(canceling.CannotCancel, match="cannot be called back"):
        cancel(attempt.order)

    attempt.refresh_from_db()
    assert attempt.state == "processing"
    assert support.reread(attempt.order).status == Status.PENDING


def test_an_order_with_an_open_question_waits_for_its_answer() -> None:
    order = PendingOrderFactory()
    orders.open_review(
        order=order, reason=Review.Reason.MISMATCH, cause="ch_1", detail="", at=PLACED_AT
    )
    before = written()

    with pytest.raises(canceling.CannotCancel, match="looked into"):
        cancel(order)

    assert (support.reread(order).status, written()) == (Status.PENDING, before)


def test_an_order_is_canceled_once(sandbox: Any) -> None:
    order = PendingOrderFactory()
    cancel(order)
    before = written()

    with pytest.raises(canceling.CannotCancel, match="canceled already"):
        cancel(order)

    assert (written(), order.mails.count()) == (before, 1)


def test_while_stripe_is_away_nothing_changes(sandbox: Any) -> None:
    attempt = an_attempt()
    sandbox.fault(kind="refuse", times=None)
    before = written()

    with pytest.raises(gateway.Unreachable):
        cancel(attempt.order)

    attempt.refresh_from_db()
    assert (attempt.state, written()) == ("open", before)
    assert support.reread(attempt.order).status == Status.PENDING


def test_the_order_page_leads_to_the_question_and_one_click_answers_it(sandbox: Any) -> None:
    order = an_attempt().order
    path = signed("cancel", order)

    assert f'href="{path}"' in page_of(order)
    asked = Client().get(path)
    assert (asked.status_code, support.reread(order).status) == (200, Status.PENDING)
    assert "Cancel this order?" in asked.content.decode()
    answer = Client().post(path)

    assert (answer.status_code, answer["Location"]) == (303, links.path(order))
    page = page_of(order)
    assert re.findall(r"<h1[^>]*>(.+?)</h1>", page) == ["This order was canceled"]
    assert "You canceled it" in page
    assert f'href="{path}"' not in page


def test_the_story_names_the_user_who_canceled(sandbox: Any) -> None:
    user = UserFactory()
    order = PendingOrderFactory(user=user)
    client = Client()
    client.force_login(user)

    client.post(signed("cancel", order))

    assert support.last_event(order).by_user_id == user.pk


def test_a_buyer_whose_payment_was_faster_reads_so(sandbox: Any) -> None:
    attempt = an_attempt()
    sandbox.pay(attempt.url)

    answer = Client().post(signed("cancel", attempt.order), follow=True)

    page = unescape(answer.content.decode())
    assert answer.redirect_chain == [(links.path(attempt.order), 303)]
    assert "The payment has arrived, so the order is not canceled." in page
    assert "Thank you for your order" in page


def test_a_settled_order_is_not_asked_about() -> None:
    order = PendingOrderFactory()
    orders.mark_paid(order=order, reason=Reason.CAPTURE, cause="evt_1", at=PLACED_AT)

    answer = Client().get(signed("cancel", order))

    assert (answer.status_code, answer["Location"]) == (303, links.path(order))


@pytest.mark.parametrize(
    ("kind", "status"), [("refuse", 503), ("error_before", 503), ("rate_limit", 429)]
)
def test_while_stripe_does_not_answer_the_page_says_that_nothing_has_changed(
    sandbox: Any, kind: str, status: int
) -> None:
    attempt = an_attempt()
    sandbox.fault(kind=kind, times=None)

    answer = Client().post(signed("cancel", attempt.order))

    assert (answer.status_code, answer["Retry-After"]) == (status, "30")
    page = answer.content.decode()
    assert "The order is not canceled yet" in page
    assert f'href="{links.path(attempt.order)}"' in page
    assert support.reread(attempt.order).status == Status.PENDING


def test_canceling_needs_its_token_and_a_signed_link(sandbox: Any) -> None:
    order, other = PendingOrderFactory(), PendingOrderFactory()
    wrong = reverse("payments:cancel", args=[order.number, links.sign(other.number)])

    assert Client(enforce_csrf_checks=True).post(signed("cancel", order)).status_code == 403
    assert Client().post(wrong).status_code == 404
    assert Client().get(wrong).status_code == 404

    assert support.reread(order).status == Status.PENDING


def cancel_as(user: User, order: Order, **typed: str) -> Any:
    """Cancel by the order's page in the admin; return what that says then."""
    client = Client()
    client.force_login(user)
    answer = do(client, deed_of(order, "cancel"), **typed)
    return unescape((client.get(order_page(order)) if answer.status_code == 302 else answer).text)


def test_staff_cancel_for_a_reason_that_the_buyer_reads(sandbox: Any, boss: User) -> None:
    attempt = an_attempt()

    page = cancel_as(boss, attempt.order, note="It is out of print, <sorry>.")
    support.run_jobs()

    last = support.last_event(attempt.order)
    assert "The order is canceled, and the buyer is told." in page
    assert (last.to_status, last.reason, last.by_user_id) == ("canceled", Reason.STAFF, boss.pk)
    assert "It is out of print, <sorry>. You owe nothing" in str(mail.outbox[0].body)
    assert "we had to cancel it. It is out of print, <sorry>." in page_of(attempt.order)


def test_staff_have_to_say_why(boss: User) -> None:
    order = PendingOrderFactory()

    cancel_as(boss, order, note="  ")

    assert support.reread(order).status == Status.PENDING


def test_staff_read_why_an_order_stays(sandbox: Any, boss: User) -> None:
    paid, waiting = an_attempt(), an_attempt()
    sandbox.pay(paid.url)

    assert "The payment has arrived" in cancel_as(boss, paid.order, note="Sold.")
    sandbox.fault(kind="refuse", times=None)
    assert "nothing was done" in cancel_as(boss, waiting.order, note="Sold.")

    assert support.reread(paid.order).status == Status.PAID
    assert support.reread(waiting.order).status == Status.PENDING


def test_who_may_only_look_cancels_nothing() -> None:
    order, client = PendingOrderFactory(), Client()
    client.force_login(a_clerk("view_.*"))
    button = deed_of(order, "cancel")

    assert client.get(button).status_code == 403
    assert client.post(button, {"note": "Sold.", "confirmed": "1"}).status_code == 403

    assert button not in client.get(order_page(order)).text
    assert support.reread(order).status == Status.PENDING
