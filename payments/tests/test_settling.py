"""Money that arrives is always recorded, whatever the order's state; then the order follows."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.test import override_settings
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orders import services as orders
from orders.models import Order, Reason, Review, Status
from payments import gateway
from payments.models import InboxEvent, LedgerEntry, PaymentAttempt, Refund
from payments.services import holds, settling
from payments.services.attempts import NotPayable, open_attempt
from payments.tests import support
from shop.models import StockMovement
from shop.services import adjust
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db


def paid_behind_our_back(sandbox: Any, attempt: PaymentAttempt, order: Order) -> None:
    """Let the buyer pay a session whose order we canceled without Stripe's knowledge."""
    orders.cancel(order=order, reason=Reason.EXPIRY, cause="", at=support.stripe_now())
    attempt.state, attempt.closed_as = "closed", "expired"
    attempt.save()
    support.pay_and_hear(sandbox, attempt)


def test_the_fee_is_booked_when_stripe_knows_it(sandbox: Any) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory(price_minor=2_000)))
    sandbox.pay(attempt.url)
    support.hear_all(sandbox)
    sandbox.post("clock", advance=10)

    support.hear_all(sandbox)

    fee = LedgerEntry.objects.get(kind="fee")
    charge = LedgerEntry.objects.get(kind="capture")
    moved = support.stripe_get(f"charges/{charge.stripe_id}")["balance_transaction"]
    assert fee.stripe_id == moved
    assert fee.amount_minor == -support.stripe_get(f"balance_transactions/{moved}")["fee"] < 0


@pytest.mark.parametrize(("amount", "currency"), [(30, "AED"), (30, "ISK")])
def test_a_fee_that_we_cannot_count_holds_nothing_up(
    sandbox: Any, amount: int, currency: str
) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory()))
    sandbox.pay(attempt.url)
    read = gateway.retrieve_session(attempt.session_id or "")
    assert read.intent is not None
    moved = gateway.BalanceTransaction(
        id="txn_1",
        amount=1000,
        currency="EUR",
        fee=gateway.Amount(amount=amount, currency=currency),
        moved_at=support.stripe_now(),
    )
    charge = replace(read.charges[0], moved=moved)

    settling.settle(
        payment=replace(read, intent=replace(read.intent, charges=(charge,))),
        cause="evt_1",
        at=support.stripe_now(),
    )

    assert support.reread(attempt.order).status == Status.PAID
    assert [entry.kind for entry in LedgerEntry.objects.all()] == ["capture"]


def test_a_declined_card_is_an_entry_in_the_story_and_the_buyer_may_try_again(
    sandbox: Any,
) -> None:
    variant = VariantFactory(on_hand=1)
    cart = support.cart_with(variant)
    attempt = support.checkout(cart)

    support.pay_and_hear(sandbox, attempt, card="4000000000000002")

    order = support.reread(attempt.order)
    variant.refresh_from_db()
    attempt.refresh_from_db()
    assert (order.status, attempt.state, variant.reserved) == (Status.PENDING, "open", 1)
    assert cart.lines.count() == 1
    last = support.last_event(order)
    assert (last.reason, last.from_status, last.to_status) == ("failed_card", "pending", "pending")
    assert last.cause.startswith("evt_")

    support.pay_and_hear(sandbox, attempt)

    assert support.reread(order).status == Status.PAID
    assert LedgerEntry.objects.filter(kind="capture").count() == 1


def test_a_late_payment_of_an_expired_order_takes_the_stock_again(sandbox: Any) -> None:
    variant = VariantFactory(on_hand=1)
    attempt = support.checkout(support.cart_with(variant))

    paid_behind_our_back(sandbox, attempt, attempt.order)

    order = support.reread(attempt.order)
    variant.refresh_from_db()
    attempt.refresh_from_db()
    assert (order.status, attempt.state) == (Status.PAID, "succeeded")
    assert support.last_event(order).reason == Reason.LATE_CAPTURE
    assert (variant.on_hand, variant.reserved) == (0, 0)
    assert list(order.mails.values_list("kind", flat=True)) == ["canceled", "confirmation"]


def went_back(order: Order, why: Refund.Why) -> bool:
    """Tell whether one payment of the order was given back by the shop itself, nobody asked."""
    refund = order.refunds.get()
    capture = order.ledger.filter(kind="capture").order_by("pk").reverse()[0]
    (at_stripe,) = support.stripe_get(f"refunds?charge={capture.stripe_id}")["data"]
    booked = order.ledger.get(kind="refund")
    assert (refund.source, refund.why, refund.state) == ("automatic", why, "succeeded")
    assert (refund.charge_id, refund.amount_minor) == (capture.stripe_id, capture.amount_minor)
    assert (at_stripe["id"], at_stripe["amount"]) == (refund.stripe_id, capture.amount_minor)
    assert (booked.stripe_id, booked.amount_minor) == (refund.stripe_id, -capture.amount_minor)
    assert order.mails.get(kind="refund").facts["why"] == why
    return not order.reviews.exists()


def test_a_late_payment_without_stock_is_booked_and_given_back(sandbox: Any) -> None:
    variant = VariantFactory(on_hand=1)
    attempt = support.checkout(support.cart_with(variant))
    order = attempt.order
    orders.cancel(order=order, reason=Reason.EXPIRY, cause="", at=support.stripe_now())
    attempt.state, attempt.closed_as = "closed", "expired"
    attempt.save()
    adjust(variant_id=variant.pk, difference=-1, reason="lost", at=support.stripe_now())

    support.pay_and_hear(sandbox, attempt)

    order = support.reread(order)
    assert order.status == Status.CANCELED
    assert went_back(order, Refund.Why.LATE)
    assert order.ledger.get(kind="capture").amount_minor == order.total_minor
    reasons = [event.reason for event in order.events.all()]
    assert reasons == ["placed", "expiry", "money_booked", "refund_asked", "refunded"]
    variant.refresh_from_db()
    assert (variant.on_hand, variant.reserved) == (0, 0)
    assert not order.mails.filter(kind="confirmation").exists()


@pytest.mark.parametrize("reason", [Reason.BUYER, Reason.REPLACEMENT, Reason.STAFF])
def test_a_late_payment_of_an_order_canceled_on_purpose_is_given_back(
    sandbox: Any, reason: Reason
) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory()))
    orders.cancel(order=attempt.order, reason=reason, cause="", at=support.stripe_now())

    support.pay_and_hear(sandbox, attempt)

    assert support.reread(attempt.order).status == Status.CANCELED
    assert went_back(attempt.order, Refund.Why.LATE)


def test_a_late_payment_after_a_later_order_from_the_same_cart_is_given_back(
    sandbox: Any,
) -> None:
    cart = support.cart_with(VariantFactory(on_hand=5))
    attempt = support.checkout(cart)
    orders.cancel(order=attempt.order, reason=Reason.EXPIRY, cause="", at=support.stripe_now())
    support.checkout(cart)

    support.pay_and_hear(sandbox, attempt)

    assert support.reread(attempt.order).status == Status.CANCELED
    assert went_back(attempt.order, Refund.Why.LATE)


def test_a_late_payment_is_given_back_while_a_later_order_waits_for_the_bank(
    sandbox: Any,
) -> None:
    cart = support.cart_with(VariantFactory(on_hand=5))
    late = support.checkout(cart)
    orders.cancel(order=late.order, reason=Reason.EXPIRY, cause="", at=support.stripe_now())
    support.pay_and_hear(sandbox, support.checkout(cart), method="bank_debit")

    support.pay_and_hear(sandbox, late)

    assert support.reread(late.order).status == Status.CANCELED
    assert went_back(late.order, Refund.Why.LATE)


def test_a_second_payment_is_booked_and_given_back(sandbox: Any) -> None:
    at = support.stripe_now()
    first = support.checkout(support.cart_with(VariantFactory()), at=at)
    # The first session is given up here, but not at Stripe: as after a lost answer.
    PaymentAttempt.objects.filter(pk=first.pk).update(state="closed", closed_as="superseded")
    second = open_attempt(order_id=first.order_id, at=at)

    sandbox.pay(second.url)
    sandbox.pay(first.url)
    support.hear_all(sandbox)

    order = support.reread(first.order)
    assert order.status == Status.PAID
    assert order.ledger.received().total_minor("EUR") == 2 * order.total_minor
    assert went_back(order, Refund.Why.DUPLICATE)
    assert set(order.attempts.values_list("state", flat=True)) == {"succeeded"}
    assert order.events.filter(to_status="paid", from_status="pending").count() == 1


def test_a_wrong_amount_is_booked_and_the_order_waits_for_a_person(sandbox: Any) -> None:
    variant = VariantFactory()
    attempt = support.checkout(support.cart_with(variant))
    PaymentAttempt.objects.update(amount_minor=attempt.amount_minor + 1)

    support.pay_and_hear(sandbox, attempt)

    order = support.reread(attempt.order)
    review = order.reviews.get()
    assert order.status == Status.PENDING
    assert review.reason == Review.Reason.MISMATCH
    assert f"amount: asked {attempt.amount_minor + 1}, got {attempt.amount_minor}" in review.detail
    assert order.ledger.received().total_minor("EUR") == attempt.amount_minor
    assert [e.reason for e in order.events.all()] == ["placed", "money_booked", "review_opened"]
    variant.refresh_from_db()
    assert variant.reserved == 1
    with pytest.raises(NotPayable):
        open_attempt(order_id=order.pk, at=support.stripe_now())
    assert list(holds.overdue(support.stripe_now() + timedelta(days=3))) == []


@override_settings(STRIPE_APP_TAG="another-shop")
def test_a_payment_of_another_site_on_the_same_account_is_ignored(sandbox: Any) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory()))
    sandbox.pay(attempt.url)

    with override_settings(STRIPE_APP_TAG="shop"):
        support.hear_all(sandbox)

    assert set(InboxEvent.objects.values_list("state", flat=True)) == {"ignored"}
    assert LedgerEntry.objects.count() == 0
    assert support.reread(attempt.order).status == Status.PENDING


def test_our_tag_with_an_unknown_attempt_is_said_and_changes_nothing(sandbox: Any) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory()))
    sandbox.pay(attempt.url)
    session = gateway.retrieve_session(attempt.session_id or "")
    PaymentAttempt.objects.all().delete()

    with pytest.raises(settling.UnknownAttempt):
        settling.settle(payment=session, cause="evt_1", at=support.stripe_now())

    assert LedgerEntry.objects.count() == 0
    assert support.reread(attempt.order).status == Status.PENDING


@hypothesis_settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_events_repeated_and_in_any_order_end_alike(sandbox: Any, data: st.DataObject) -> None:
    variant = VariantFactory(on_hand=2)
    attempt = support.checkout(support.cart_with(variant))
    sandbox.pay(attempt.url, card="4000000000009995")
    sandbox.pay(attempt.url)
    sandbox.post("clock", advance=10)
    ours = [e for e in sandbox.events() if of_attempt(e, attempt)]
    deliveries = data.draw(st.permutations(ours + ours))

    for event in deliveries:
        support.deliver(event)
        if data.draw(st.booleans()):
            support.run_jobs()
    support.run_jobs()

    order = support.reread(attempt.order)
    variant.refresh_from_db()
    assert (order.status, variant.on_hand, variant.reserved) == (Status.PAID, 1, 0)
    assert sorted(order.ledger.values_list("kind", flat=True)) == ["capture", "fee"]
    assert order.ledger.received().total_minor("EUR") == order.total_minor
    assert order.events.filter(from_status="pending", to_status="paid").count() == 1
    assert order.events.filter(reason="failed_card").count() == 1
    chain = list(order.events.values_list("from_status", "to_status"))
    assert all(a[1] == b[0] for a, b in pairwise(chain))
    assert StockMovement.objects.filter(variant=variant).count() == 3


def of_attempt(event: dict[str, Any], attempt: PaymentAttempt) -> bool:
    found = event["data"]["object"]
    session = support.stripe_get(f"checkout/sessions/{attempt.session_id}")
    names = {session["id"], session["payment_intent"]}
    return found["id"] in names or found.get("payment_intent") in names
