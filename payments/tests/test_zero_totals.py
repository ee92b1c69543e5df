"""An order that costs nothing is paid as it is placed: no session, no money, the same path."""

from typing import Any

import pytest
from django.core import mail
from django.test import override_settings

from cart.models import Cart
from cart.quotes import quote
from orders import links
from orders.models import Order, Status
from payments.models import LedgerEntry, PaymentAttempt
from payments.services import placing
from payments.tests import support
from payments.tests.browsing import checkout_form, visitor
from shop.models import Variant
from shop.tests.factories import VariantFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("free_shipping")]


@pytest.fixture
def free_shipping() -> Any:
    with override_settings(SHIPPING_FLAT_MINOR=0):
        yield


def a_gift(on_hand: int = 3) -> Variant:
    gift: Variant = VariantFactory(price_minor=0, on_hand=on_hand)
    return gift


def start(cart: Cart, fingerprint: str = "") -> placing.Started:
    return placing.start_checkout(
        cart=cart,
        buyer=support.a_buyer(),
        fingerprint=fingerprint or quote(cart).fingerprint,
        at=support.stripe_now(),
    )


def order_gift(cart: Cart) -> Any:
    client = visitor(cart)
    form = checkout_form(client)
    return client, form, client.post("/checkout/", form)


def test_it_is_paid_at_once_and_stripe_is_not_asked(sandbox: Any) -> None:
    gift = a_gift()
    cart = support.cart_with(gift, quantity=2)
    sandbox.fault(kind="refuse", times=None)

    started = start(cart)
    support.run_jobs()

    order = support.reread(started.order)
    gift.refresh_from_db()
    assert started.attempt is None
    assert (order.status, order.total_minor) == (Status.PAID, 0)
    assert [(e.from_status, e.to_status, e.reason) for e in order.events.all()] == [
        ("", "pending", "placed"),
        ("pending", "paid", "zero"),
    ]
    assert (gift.on_hand, gift.reserved) == (1, 0)
    assert list(order.mails.values_list("kind", flat=True)) == ["confirmation"]
    assert "There is nothing to pay for order" in str(mail.outbox[0].body)
    assert cart.lines.count() == 0
    assert (PaymentAttempt.objects.count(), LedgerEntry.objects.count()) == (0, 0)


def test_the_page_leads_to_the_order_which_says_that_there_is_nothing_to_pay() -> None:
    cart = support.cart_with(a_gift())
    client, _form, answer = order_gift(cart)

    order = Order.objects.get()
    assert (answer.status_code, answer["Location"]) == (303, links.path(order))
    page = client.get(answer["Location"]).content.decode()
    assert "There is nothing to pay." in page
    assert "Nothing to pay" in page
    assert "now</button>" not in page


def test_the_checkout_page_does_not_ask_for_a_payment() -> None:
    client = visitor(support.cart_with(a_gift()))

    page = client.get("/checkout/").content.decode()

    assert "Order, free of charge</button>" in page
    assert "own page" not in page


def test_a_form_sent_twice_places_one_order_and_leads_to_it_both_times() -> None:
    gift = a_gift()
    client, form, first = order_gift(support.cart_with(gift))

    before_the_cart_is_emptied = client.post("/checkout/", form)
    support.run_jobs()
    afterwards = client.post("/checkout/", form)

    order = Order.objects.get()
    for answer in (first, before_the_cart_is_emptied, afterwards):
        assert (answer.status_code, answer["Location"]) == (303, links.path(order))
    gift.refresh_from_db()
    assert (gift.on_hand, gift.reserved) == (2, 0)


def test_another_form_on_an_empty_cart_is_not_led_to_an_old_order() -> None:
    cart = support.cart_with(a_gift())
    start(cart)

    with pytest.raises(placing.CannotPlace, match="empty"):
        start(cart, fingerprint="of something else")


def test_an_order_that_waits_for_money_is_replaced_by_the_free_one(sandbox: Any) -> None:
    paid_for = VariantFactory(price_minor=12_00)
    cart = support.cart_with(paid_for)
    old = support.checkout(cart)
    type(paid_for).objects.update(price_minor=0)

    started = start(cart)

    old.refresh_from_db()
    assert (old.state, old.closed_as) == ("closed", "superseded")
    assert support.reread(old.order).status == Status.CANCELED
    assert support.reread(started.order).status == Status.PAID
    assert support.stripe_get(f"checkout/sessions/{old.session_id}")["status"] == "expired"
