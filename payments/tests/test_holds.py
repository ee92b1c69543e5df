"""An order that is not paid in time gives its units back, once Stripe can take no money for it."""

from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest

from orders.models import Order, Reason, Status
from orders.tests.factories import PendingOrderFactory
from payments import gateway
from payments.models import LIVE_STATES, PaymentAttempt
from payments.services import holds
from payments.services.attempts import open_attempt
from payments.tasks import end_overdue_holds
from payments.tests import support
from shop.clock import now
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db


def overdue_attempt(sandbox: Any) -> tuple[PaymentAttempt, datetime]:
    """Return an open attempt and a moment after its order's hold; Stripe's clock stays."""
    at = support.stripe_now()
    attempt = support.checkout(support.cart_with(VariantFactory(on_hand=2)), at=at)
    return attempt, at + timedelta(minutes=61)


def test_an_overdue_order_is_canceled_and_its_units_are_free(sandbox: Any) -> None:
    attempt, late = overdue_attempt(sandbox)

    assert holds.expire(order_id=attempt.order_id, at=late) is True

    order = support.reread(attempt.order)
    attempt.refresh_from_db()
    variant = order.lines.get().variant
    assert (order.status, support.last_event(order).reason) == (Status.CANCELED, Reason.EXPIRY)
    assert (attempt.state, attempt.closed_as) == ("closed", "expired")
    assert (variant.on_hand, variant.reserved) == (2, 0)
    assert support.stripe_get(f"checkout/sessions/{attempt.session_id}")["status"] == "expired"


def test_an_order_in_time_is_left_alone(sandbox: Any) -> None:
    attempt, late = overdue_attempt(sandbox)

    assert list(holds.overdue(late - timedelta(minutes=2))) == []
    assert holds.overdue(late).get() == attempt.order


def test_a_payment_faster_than_the_end_of_the_hold_wins(sandbox: Any) -> None:
    attempt, late = overdue_attempt(sandbox)
    sandbox.pay(attempt.url)

    assert holds.expire(order_id=attempt.order_id, at=late) is False

    assert support.reread(attempt.order).status == Status.PAID


def test_while_stripe_is_away_the_units_stay_held(sandbox: Any) -> None:
    attempt, late = overdue_attempt(sandbox)
    sandbox.fault(kind="refuse", times=None)

    with pytest.raises(gateway.Unreachable):
        holds.expire(order_id=attempt.order_id, at=late)

    attempt.refresh_from_db()
    assert (attempt.state, attempt.close_failed_at) == ("open", late)
    assert support.reread(attempt.order).status == Status.PENDING


def test_the_job_leaves_an_order_to_the_next_round_while_stripe_is_away(sandbox: Any) -> None:
    attempt, _late = overdue_attempt(sandbox)
    sandbox.post("clock", advance=61 * 60)
    sandbox.fault(kind="refuse", times=None)

    end_overdue_holds.func(0)
    support.run_jobs()
    sandbox.clear_faults()
    end_overdue_holds.func(60)
    support.run_jobs()

    assert support.reread(attempt.order).status == Status.CANCELED


def test_the_round_queues_each_overdue_order_once(sandbox: Any) -> None:
    attempt, _late = overdue_attempt(sandbox)
    sandbox.post("clock", advance=61 * 60)

    end_overdue_holds.func(0)
    end_overdue_holds.func(60)
    support.run_jobs()

    assert support.reread(attempt.order).status == Status.CANCELED


def test_a_buyer_who_starts_again_is_given_the_time_of_his_new_session(sandbox: Any) -> None:
    attempt, late = overdue_attempt(sandbox)
    almost = late - timedelta(minutes=3)
    PaymentAttempt.objects.update(state="closed", closed_as="failed")
    again = support.checkout(attempt.order.cart, at=almost)  # type: ignore[arg-type]

    assert again.order_id == attempt.order_id
    assert holds.expire(order_id=attempt.order_id, at=late) is False
    assert support.reread(attempt.order).status == Status.PENDING
    again.refresh_from_db()
    assert again.state == "open"
    assert support.stripe_get(f"checkout/sessions/{again.session_id}")["status"] == "open"


def test_after_a_day_without_a_worker_one_round_ends_every_overdue_order(
    sandbox: Any, settings: Any
) -> None:
    settings.PENDING_LIMIT_PER_BUYER = settings.PENDING_LIMIT_PER_ADDRESS = 100
    variant = VariantFactory(on_hand=30)
    at = support.stripe_now()
    backlog = [PendingOrderFactory(quantities={variant: 1}, at=at) for _ in range(30)]
    for order, kind in zip(backlog, [None, "checkout", "intent"] * 10, strict=True):
        if kind:
            open_attempt(order_id=order.pk, at=at, kind=PaymentAttempt.Kind(kind))
    sandbox.post("clock", advance=24 * 60 * 60)

    end_overdue_holds.func(0)
    support.run_jobs()

    assert not Order.objects.exclude(status=Status.CANCELED).exists()
    assert not PaymentAttempt.objects.live().exists()
    variant.refresh_from_db()
    assert (variant.on_hand, variant.reserved) == (30, 0)
    left = support.stripe_get("payment_intents?limit=100")["data"]
    assert {intent["status"] for intent in left} == {"canceled"}


# What may be known here of a payment, and what may be true of it at Stripe.
KNOWN = ("created", "open")
TRUE = {
    "checkout": ("never made", "open", "declined", "paid", "unpaid", "failed", "expired", "gone"),
    "intent": ("never made", "open", "declined", "paid", "unpaid", "failed", "canceled", "gone"),
}
LIVES = [
    life
    for kind, truths in TRUE.items()
    for life in product([kind], KNOWN, truths)
    if life[1:] != ("open", "never made")
]


@pytest.mark.parametrize(("kind", "known", "true"), LIVES)
def test_no_order_waits_for_ever_whatever_became_of_its_payment(
    sandbox: Any, kind: str, known: str, true: str
) -> None:
    order = an_order_whose_payment_is(sandbox, kind, known, true)

    sandbox.fault(kind="refuse", times=None)
    a_round_at_the_end_of_the_hold(sandbox, order)
    while_away = standing(order)
    sandbox.clear_faults()
    a_round_at_the_end_of_the_hold(sandbox, order)
    first = standing(order)
    if true == "unpaid":
        sandbox.post(f"bank_debits/{PaymentAttempt.objects.get().intent_id}", outcome="failed")
        support.hear(sandbox.events())
    if true == "gone":
        # Until then the key may be the wrong one.
        sandbox.post("clock", advance=24 * 60 * 60)
    a_round_at_the_end_of_the_hold(sandbox, order)

    assert while_away == (Status.PENDING, known)
    assert first == {
        "paid": (Status.PAID, "succeeded"),
        "unpaid": (Status.PENDING, "processing"),
        "failed": (Status.PENDING, "closed"),
        "gone": (Status.PENDING, "open") if known == "open" else (Status.CANCELED, "closed"),
    }.get(true, (Status.CANCELED, "closed"))
    end = Status.PAID if true == "paid" else Status.CANCELED
    assert standing(order)[0] == end
    assert not order.attempts.filter(state__in=LIVE_STATES).exists()
    assert holds.overdue(support.stripe_now() + timedelta(days=30)).count() == 0


def an_order_whose_payment_is(sandbox: Any, kind: str, known: str, true: str) -> Order:
    """Return an order with an attempt of which we know one thing, and Stripe another."""
    at = support.stripe_now()
    order = PendingOrderFactory(at=at)
    path = {"checkout": "/v1/checkout/sessions", "intent": "/v1/payment_intents"}[kind]
    if known == "created":
        fault = "refuse" if true in {"never made", "gone"} else "drop_answer"
        sandbox.fault(kind=fault, method="POST", path=path, times=1)
        with pytest.raises(gateway.Unreachable):
            open_attempt(order_id=order.pk, at=at, kind=PaymentAttempt.Kind(kind))
    else:
        open_attempt(order_id=order.pk, at=at, kind=PaymentAttempt.Kind(kind))
    if true == "gone":
        sandbox.post("reset")
    elif true not in {"never made", "open"}:
        bring_about(sandbox, kind, true)
    return order


def bring_about(sandbox: Any, kind: str, true: str) -> None:
    """Do to the one payment that Stripe has what its buyer, his bank or the clock does."""
    if kind == "checkout":
        (session,) = support.stripe_get("checkout/sessions")["data"]
        if true == "expired":
            support.stripe_post(f"checkout/sessions/{session['id']}/expire")
            return
        card = "4000000000000002" if true == "declined" else "4242424242424242"
        method = "bank_debit" if true in {"unpaid", "failed"} else "card"
        sandbox.pay(session["url"], card=card, method=method)
    else:
        (intent,) = support.stripe_get("payment_intents")["data"]
        if true == "canceled":
            support.stripe_post(f"payment_intents/{intent['id']}/cancel")
            return
        methods = {"declined": "pm_card_visa_chargeDeclined", "paid": "pm_card_visa"}
        support.confirm_intent(
            intent["id"], intent["client_secret"], methods.get(true, "pm_success_de")
        )
    if true == "failed":
        (intent,) = support.stripe_get("payment_intents")["data"]
        sandbox.post(f"bank_debits/{intent['id']}", outcome="failed")


def a_round_at_the_end_of_the_hold(sandbox: Any, order: Order) -> None:
    """Run the minute's job after the order's hold is over."""
    past = support.reread(order).hold_until - now() + timedelta(minutes=1)
    sandbox.post("clock", advance=max(0, round(past.total_seconds())))
    end_overdue_holds.func(0)
    support.run_jobs()


def standing(order: Order) -> tuple[str, str]:
    """Return the status of the order and the state of its attempt."""
    return support.reread(order).status, order.attempts.get().state
