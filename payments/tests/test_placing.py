"""One cart, one order, one session: however often, from wherever, and whatever changed since."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import override_settings

from accounts.tests.factories import UserFactory
from cart.models import CartLine
from cart.quotes import quote
from orders.models import Order, Reason, Status
from payments.models import PaymentAttempt
from payments.services import placing
from payments.services.attempts import NotPayable, open_attempt
from payments.tests import support
from shop.models import StockMovement
from shop.services import InsufficientStock
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db


def test_placing_again_returns_the_same_order_and_the_same_session(sandbox: Any) -> None:
    cart = support.cart_with(VariantFactory())

    first = support.checkout(cart)
    second = support.checkout(cart)

    assert (first.pk, first.url) == (second.pk, second.url)
    assert Order.objects.count() == 1
    assert len(sandbox_sessions(sandbox)) == 1


def test_placing_leaves_the_cart_as_it_is(sandbox: Any) -> None:
    cart = support.cart_with(VariantFactory(), quantity=2)

    support.checkout(cart)

    assert list(cart.lines.values_list("quantity", flat=True)) == [2]


@pytest.mark.parametrize("change", ["quantity", "price", "e-mail", "address", "sign-in"])
def test_whatever_changed_replaces_the_order_and_ends_its_session(
    sandbox: Any, change: str
) -> None:
    variant = VariantFactory(price_minor=1_000, on_hand=5)
    cart = support.cart_with(variant)
    old = support.checkout(cart)
    buyer = support.a_buyer()
    if change == "quantity":
        cart.lines.update(quantity=2)
    elif change == "price":
        type(variant).objects.update(price_minor=1_100)
    elif change == "e-mail":
        buyer = support.a_buyer(email="other@example.com")
    elif change == "address":
        buyer.address["city"] = "Hamburg"
    else:
        buyer = support.a_buyer(user=UserFactory())

    new = support.checkout(cart, buyer=buyer)

    assert new.order_id != old.order_id
    assert support.reread(old.order).status == Status.CANCELED
    assert support.last_event(old.order).reason == Reason.REPLACEMENT
    old.refresh_from_db()
    assert (old.state, old.closed_as) == ("closed", "superseded")
    assert {s["id"]: s["status"] for s in sandbox_sessions(sandbox)} == {
        old.session_id: "expired",
        new.session_id: "open",
    }
    variant.refresh_from_db()
    assert variant.reserved == (2 if change == "quantity" else 1)


def test_a_price_that_rose_after_the_page_was_shown_places_nothing(sandbox: Any) -> None:
    variant = VariantFactory(price_minor=1_000)
    cart = support.cart_with(variant)
    shown = quote(cart).fingerprint
    type(variant).objects.update(price_minor=1_001)

    with pytest.raises(placing.CartChanged) as refusal:
        placing.start_checkout(
            cart=cart, buyer=support.a_buyer(), fingerprint=shown, at=support.stripe_now()
        )

    assert refusal.value.quote.total_minor == 1_001 + 490
    assert Order.objects.count() == 0
    assert StockMovement.objects.filter(kind="reserved").count() == 0
    assert sandbox_sessions(sandbox) == []


def test_an_empty_cart_places_nothing(sandbox: Any) -> None:
    with pytest.raises(placing.CannotPlace, match="empty"):
        support.checkout(support.cart_with())

    assert Order.objects.count() == 0


def test_a_variant_taken_off_sale_places_nothing(sandbox: Any) -> None:
    variant = VariantFactory()
    cart = support.cart_with(variant, VariantFactory())
    type(variant).objects.filter(pk=variant.pk).update(is_active=False)

    with pytest.raises(placing.CartChanged):
        support.checkout(cart)

    assert Order.objects.count() == 0


@override_settings(SHIPPING_FLAT_MINOR=0)
@pytest.mark.parametrize("total_minor", [1, 49])
def test_a_total_below_the_minimum_of_stripe_is_refused(sandbox: Any, total_minor: int) -> None:
    cart = support.cart_with(VariantFactory(price_minor=total_minor))

    with pytest.raises(placing.CannotPlace):
        support.checkout(cart)

    assert Order.objects.count() == 0
    assert sandbox_sessions(sandbox) == []


@override_settings(SHIPPING_FLAT_MINOR=0)
def test_a_total_at_the_minimum_of_stripe_can_be_paid(sandbox: Any) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory(price_minor=50)))

    assert sandbox.pay(attempt.url).status_code == 303
    support.hear(sandbox.events())
    assert support.reread(attempt.order).status == Status.PAID


def test_a_total_above_the_maximum_of_stripe_is_refused(sandbox: Any) -> None:
    most = VariantFactory(price_minor=999_999_99)
    more = VariantFactory(price_minor=1_000_000_00)

    assert support.checkout(support.cart_with(most)).state == PaymentAttempt.State.OPEN
    with pytest.raises(placing.CannotPlace, match="The most that can be paid at once is €999,999"):
        support.checkout(support.cart_with(more))

    assert Order.objects.count() == 1


def test_more_lines_than_stripe_takes_are_refused(sandbox: Any) -> None:
    variants = [VariantFactory() for _ in range(101)]

    assert support.checkout(support.cart_with(*variants[1:])).state == PaymentAttempt.State.OPEN
    with pytest.raises(placing.CannotPlace, match="100 different editions"):
        support.checkout(support.cart_with(*variants))

    assert Order.objects.count() == 1


@override_settings(SHOP_CURRENCY="JPY", SHIPPING_FLAT_MINOR=300, SHIPPING_FREE_FROM_MINOR=9_000)
def test_a_currency_without_decimals_is_paid_to_the_unit(sandbox: Any) -> None:
    cart = support.cart_with(VariantFactory(price_minor=1_234), quantity=2)

    attempt = support.checkout(cart)
    sandbox.pay(attempt.url)
    support.hear(sandbox.events())

    order = support.reread(attempt.order)
    assert (order.status, order.total_minor, order.currency) == (Status.PAID, 2_768, "JPY")
    capture = order.ledger.get(kind="capture")
    assert (capture.amount_minor, capture.currency) == (2_768, "JPY")
    assert sandbox_sessions(sandbox)[0]["amount_total"] == 2_768


def test_too_little_stock_keeps_the_old_order(sandbox: Any) -> None:
    variant = VariantFactory(on_hand=2)
    cart = support.cart_with(variant)
    old = support.checkout(cart)
    cart.lines.update(quantity=3)

    with pytest.raises(InsufficientStock) as refusal:
        support.checkout(cart)

    assert [(s.wanted, s.free) for s in refusal.value.shortages] == [(3, 2)]
    assert support.reread(old.order).status == Status.PENDING
    variant.refresh_from_db()
    assert variant.reserved == 1


def test_an_order_paid_meanwhile_is_shown_instead_of_a_second_one(sandbox: Any) -> None:
    variant = VariantFactory(on_hand=5)
    cart = support.cart_with(variant)
    old = support.checkout(cart)
    cart.lines.update(quantity=2)
    sandbox.pay(old.url)

    with pytest.raises(placing.AlreadyPaid) as outcome:
        support.checkout(cart)

    assert outcome.value.order.pk == old.order_id
    assert support.reread(old.order).status == Status.PAID
    assert Order.objects.count() == 1


def test_what_was_added_to_the_cart_after_placing_stays_when_the_order_is_paid(
    sandbox: Any,
) -> None:
    bought, added = VariantFactory(), VariantFactory()
    cart = support.cart_with(bought)
    attempt = support.checkout(cart)
    CartLine.objects.create(
        cart=cart,
        variant=added,
        quantity=1,
        seen_price_minor=added.price_minor,
        added_at=support.stripe_now(),
    )
    cart.lines.filter(variant=bought).update(quantity=3)

    sandbox.pay(attempt.url)
    support.hear(sandbox.events())

    assert dict(cart.lines.values_list("variant", "quantity")) == {bought.pk: 2, added.pk: 1}


def test_a_second_tab_cannot_order_again_what_is_paid_but_not_yet_out_of_the_cart(
    sandbox: Any,
) -> None:
    cart = support.cart_with(VariantFactory())
    attempt = support.checkout(cart)
    sandbox.pay(attempt.url)
    support.hear(sandbox.events(), but=("mirror_event", "empty_cart"))

    with pytest.raises(placing.AlreadyPaid) as refusal:
        support.checkout(cart)

    assert refusal.value.order == Order.objects.get()


def test_an_expired_session_makes_room_for_a_new_one_of_the_same_order(sandbox: Any) -> None:
    at = support.stripe_now()
    first = support.checkout(support.cart_with(VariantFactory()), at=at)
    sandbox.post("clock", advance=46 * 60)

    second = open_attempt(order_id=first.order_id, at=at + timedelta(minutes=46))

    first.refresh_from_db()
    assert (first.state, first.closed_as) == ("closed", "expired")
    assert second.state == PaymentAttempt.State.OPEN
    assert second.session_id != first.session_id
    order = support.reread(first.order)
    assert order.hold_until == second.deadline_at + timedelta(minutes=5)


def test_no_attempt_starts_when_the_hold_is_over(sandbox: Any) -> None:
    at = support.stripe_now()
    first = support.checkout(support.cart_with(VariantFactory()), at=at)
    sandbox.post("clock", advance=61 * 60)

    with pytest.raises(NotPayable):
        open_attempt(order_id=first.order_id, at=at + timedelta(minutes=61))

    assert PaymentAttempt.objects.count() == 1


@override_settings(PENDING_LIMIT_PER_BUYER=2)
def test_a_buyer_cannot_hold_the_shop_by_orders_that_he_does_not_pay(sandbox: Any) -> None:
    for _ in range(2):
        support.checkout(support.cart_with(VariantFactory()))

    with pytest.raises(placing.CannotPlace, match="too many unpaid orders"):
        support.checkout(support.cart_with(VariantFactory()), buyer=support.a_buyer())

    assert Order.objects.count() == 2


@override_settings(PENDING_LIMIT_PER_BUYER=1)
def test_an_order_that_is_being_replaced_does_not_count_as_unpaid(sandbox: Any) -> None:
    cart = support.cart_with(VariantFactory())
    support.checkout(cart)
    cart.lines.update(quantity=2)

    support.checkout(cart)

    assert sorted(Order.objects.values_list("status", flat=True)) == ["canceled", "pending"]


@override_settings(PENDING_LIMIT_PER_ADDRESS=1)
def test_one_address_cannot_hold_the_shop_under_many_names(sandbox: Any) -> None:
    support.checkout(support.cart_with(VariantFactory()))

    with pytest.raises(placing.CannotPlace, match="too many unpaid orders"):
        support.checkout(
            support.cart_with(VariantFactory()), buyer=support.a_buyer(email="new@example.com")
        )

    assert Order.objects.count() == 1


def sandbox_sessions(sandbox: Any) -> list[dict[str, Any]]:
    """Return every session that Stripe knows, newest first."""
    sessions: list[dict[str, Any]] = support.stripe_get("checkout/sessions?limit=100")["data"]
    return sessions
