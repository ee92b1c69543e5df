"""The second flow: the buyer pays a PaymentIntent in a client of his own, and all else is alike."""

import json
import logging
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests
from django.conf import settings as shop_settings
from django.db import transaction
from django.test import Client
from django.urls import reverse
from procrastinate.contrib.django.models import ProcrastinateJob

from orders import services as orders
from orders.models import Order, OrderMail, Reason, Review, Status
from orders.tests.factories import PendingOrderFactory
from payments import gateway
from payments.models import InboxEvent, LedgerEntry, PaymentAttempt, Refund
from payments.services import attempts, holds, settling
from payments.services.attempts import NotPayable, open_attempt
from payments.tests import support
from shop.models import Variant
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db

Kind = PaymentAttempt.Kind
GOOD = "pm_card_visa"
DECLINED = "pm_card_visa_chargeDeclined"
ASKING = "pm_card_threeDSecure2Required"
DEBIT = "pm_success_de"
UNPAID = "requires_payment_method"


@pytest.fixture
def variant() -> Variant:
    variant: Variant = VariantFactory(on_hand=2, price_minor=2_000)
    return variant


@pytest.fixture
def order(sandbox: Any, variant: Variant) -> Order:
    return PendingOrderFactory(quantities={variant: 1}, at=support.stripe_now())


@pytest.fixture
def attempt(order: Order) -> PaymentAttempt:
    return opened(order)


def opened(order: Order, kind: PaymentAttempt.Kind = Kind.INTENT) -> PaymentAttempt:
    return open_attempt(order_id=order.pk, at=order.placed_at, kind=kind)


def confirm(attempt: PaymentAttempt, method: str = GOOD) -> Any:
    return support.confirm_intent(attempt.intent_id or "", attempt.client_secret, method)


def answer_bank(asked: Any, said: str) -> None:
    url = asked["next_action"]["redirect_to_url"]["url"]
    requests.post(url, {"answer": said}, allow_redirects=False, timeout=10)


def at_stripe(attempt: PaymentAttempt) -> str:
    status: str = support.stripe_get(f"payment_intents/{attempt.intent_id}")["status"]
    return status


def hear(events: Sequence[dict[str, Any]]) -> None:
    for event in events:
        assert support.deliver(event) == 200
    support.run_jobs()


def after_hold(attempt: PaymentAttempt) -> datetime:
    return support.reread(attempt.order).hold_until + timedelta(seconds=1)


def facts(attempt: PaymentAttempt) -> tuple[str, str, str, int]:
    """Return the states of attempt and order, how the attempt closed, and the sum captured."""
    attempt.refresh_from_db()
    captured = attempt.order.ledger.filter(kind="capture").total_minor(attempt.currency)
    return attempt.state, attempt.closed_as, support.reread(attempt.order).status, captured


def reasons(order: Order) -> list[str]:
    return [event.reason for event in order.events.all()]


def test_an_intent_is_made_for_the_orders_total_and_its_secret_kept(
    order: Order, attempt: PaymentAttempt
) -> None:
    made = support.stripe_get(f"payment_intents/{attempt.intent_id}")

    assert (attempt.kind, attempt.state, attempt.session_id, attempt.url) == (
        "intent",
        "open",
        None,
        "",
    )
    assert attempt.client_secret == made["client_secret"] != ""
    assert (made["amount"], made["currency"]) == (order.total_minor, "eur") == (2_490, "eur")
    assert made["payment_method_types"] == shop_settings.PAYMENT_METHODS == ["card", "sepa_debit"]
    assert made["metadata"] == {
        "app": shop_settings.STRIPE_APP_TAG,
        "order": order.number,
        "attempt": str(attempt.key),
    }
    order.refresh_from_db()
    assert attempt.deadline_at == order.placed_at + shop_settings.SESSION_LASTS
    assert order.hold_until >= attempt.deadline_at + shop_settings.CLOCK_MARGIN


def test_asking_again_returns_the_same_intent(order: Order, attempt: PaymentAttempt) -> None:
    again = opened(order)

    assert (again.pk, again.client_secret) == (attempt.pk, attempt.client_secret)
    assert len(support.stripe_get("payment_intents")["data"]) == 1


@pytest.mark.parametrize("seed", range(4))
def test_its_events_pay_the_order_once_in_any_order_and_repeated(
    sandbox: Any, attempt: PaymentAttempt, variant: Variant, seed: int
) -> None:
    confirm(attempt, DECLINED)
    answer_bank(confirm(attempt, ASKING), "fail")
    answer_bank(confirm(attempt, ASKING), "complete")
    sandbox.post("clock", advance=10)
    events = sandbox.events() * 2
    random.Random(seed).shuffle(events)

    hear(events)

    assert facts(attempt) == ("succeeded", "", "paid", 2_490)
    variant.refresh_from_db()
    assert (variant.on_hand, variant.reserved) == (1, 0)
    assert sorted(reasons(attempt.order)) == ["capture", "failed_card", "failed_card", "placed"]
    assert [entry.kind for entry in attempt.order.ledger.order_by("kind")] == ["capture", "fee"]
    assert set(InboxEvent.objects.values_list("state", flat=True)) == {"done", "ignored"}


def test_a_declined_card_is_an_entry_in_the_story_and_the_intent_stays_open(
    sandbox: Any, attempt: PaymentAttempt
) -> None:
    assert confirm(attempt, DECLINED)["error"]["code"] == "card_declined"

    hear(sandbox.events())

    assert facts(attempt) == ("open", "", "pending", 0)
    assert reasons(attempt.order) == ["placed", "failed_card"]
    again = opened(attempt.order)
    assert again.client_secret == attempt.client_secret


def test_while_the_bank_asks_the_attempt_is_open_and_nothing_more(
    sandbox: Any, attempt: PaymentAttempt
) -> None:
    assert confirm(attempt, ASKING)["status"] == "requires_action"

    hear(sandbox.events())

    assert facts(attempt) == ("open", "", "pending", 0)
    assert reasons(attempt.order) == ["placed"]
    asked = InboxEvent.objects.get(type="payment_intent.requires_action")
    assert asked.state == InboxEvent.State.DONE


def test_a_bank_debit_is_waited_for_and_then_pays(sandbox: Any, attempt: PaymentAttempt) -> None:
    confirm(attempt, DEBIT)
    hear(sandbox.events())
    waiting = facts(attempt)
    sandbox.post(f"bank_debits/{attempt.intent_id}", outcome="succeeded")

    hear(sandbox.events())

    assert waiting == ("processing", "", "pending", 0)
    assert facts(attempt) == ("succeeded", "", "paid", 2_490)
    assert reasons(attempt.order) == ["placed", "processing", "capture"]
    assert support.reread(attempt.order).cart_emptied_at is not None


@pytest.mark.parametrize("told", ["as it happens", "afterwards", "afterwards, backwards"])
def test_a_bank_debit_that_fails_ends_the_intent_and_leaves_a_day_to_pay(
    sandbox: Any, attempt: PaymentAttempt, told: str
) -> None:
    confirm(attempt, DEBIT)
    if told == "as it happens":
        hear(sandbox.events()[::-1])
    sandbox.post(f"bank_debits/{attempt.intent_id}", outcome="failed")
    before = support.stripe_now()

    hear(sandbox.events()[:: 1 if told == "afterwards, backwards" else -1])
    hear(sandbox.events())

    assert facts(attempt) == ("closed", "failed", "pending", 0)
    assert at_stripe(attempt) == "canceled"
    order = support.reread(attempt.order)
    assert order.hold_until >= before + shop_settings.PAY_WITHIN
    assert reasons(order)[-1] == Reason.PAYMENT_FAILED
    assert order.mails.filter(kind=OrderMail.Kind.PAYMENT_FAILED).count() == 1
    again = open_attempt(order_id=order.pk, at=support.stripe_now(), kind=Kind.INTENT)
    assert again.intent_id != attempt.intent_id


def test_a_card_that_follows_a_failed_debit_on_the_same_intent_pays(
    sandbox: Any, attempt: PaymentAttempt
) -> None:
    confirm(attempt, DEBIT)
    hear(sandbox.events())
    sandbox.post(f"bank_debits/{attempt.intent_id}", outcome="failed")
    confirm(attempt, GOOD)

    hear(sandbox.events())

    assert facts(attempt) == ("succeeded", "", "paid", 2_490)


def test_a_question_after_a_failed_debit_does_not_leave_the_order_waiting_for_the_bank(
    sandbox: Any, attempt: PaymentAttempt
) -> None:
    confirm(attempt, DEBIT)
    hear(sandbox.events())
    sandbox.post(f"bank_debits/{attempt.intent_id}", outcome="failed")
    confirm(attempt, ASKING)

    attempts.reconcile(attempt=attempt, at=support.stripe_now())
    support.run_jobs()

    assert facts(attempt) == ("closed", "failed", "pending", 0)
    assert at_stripe(attempt) == "canceled"


def test_an_intent_canceled_at_stripe_makes_room_for_another(
    sandbox: Any, attempt: PaymentAttempt
) -> None:
    support.stripe_post(f"payment_intents/{attempt.intent_id}/cancel")

    hear(sandbox.events())
    again = opened(attempt.order)

    assert facts(attempt) == ("closed", "canceled", "pending", 0)
    assert (again.state, again.intent_id == attempt.intent_id) == ("open", False)


def test_a_second_charge_on_the_intent_is_booked_and_given_back(
    sandbox: Any, attempt: PaymentAttempt
) -> None:
    sandbox.fault(kind="second_charge", times=1)
    confirm(attempt)

    hear(sandbox.events())
    hear(sandbox.events())

    first, second = LedgerEntry.objects.filter(kind="capture")
    refund = Refund.objects.get()
    assert facts(attempt) == ("succeeded", "", "paid", 2 * 2_490)
    assert (refund.charge_id, refund.amount_minor, refund.why, refund.state) == (
        second.stripe_id,
        2_490,
        "duplicate",
        "succeeded",
    )
    refunded = [
        support.stripe_get(f"charges/{entry.stripe_id}")["amount_refunded"]
        for entry in (first, second)
    ]
    assert refunded == [0, 2_490]


@pytest.mark.parametrize(
    ("fault", "detail"),
    [
        (
            {"kind": "wrong_amount", "by": -100},
            "payment amount: asked 2490, got 2390; amount: asked 2490, got 2390",
        ),
        (
            {"kind": "wrong_currency", "currency": "usd"},
            "payment currency: asked EUR, got USD; currency: asked EUR, got USD",
        ),
    ],
)
def test_money_other_than_asked_is_booked_and_put_to_review(
    sandbox: Any, attempt: PaymentAttempt, fault: dict[str, Any], detail: str
) -> None:
    sandbox.fault(**fault, times=1)
    confirm(attempt)

    hear(sandbox.events())

    capture = LedgerEntry.objects.get(kind="capture")
    review = Review.objects.get()
    order = support.reread(attempt.order)
    assert (order.status, review.reason, review.cause, review.detail) == (
        Status.PENDING,
        Review.Reason.MISMATCH,
        capture.stripe_id,
        detail,
    )
    assert order.mails.get(kind=OrderMail.Kind.IN_REVIEW).cause == capture.stripe_id
    with pytest.raises(NotPayable):
        opened(order)


@pytest.mark.parametrize(
    "changes",
    [{"livemode": True}, {"metadata": {"order": "ANOTHER"}}, {"id": "pi_another"}],
)
def test_a_paid_intent_with_another_fact_than_asked_is_put_to_review(
    attempt: PaymentAttempt, changes: dict[str, Any]
) -> None:
    confirm(attempt)
    read = gateway.retrieve_intent(attempt.intent_id or "")
    told = changes | {"metadata": read.metadata | changes.get("metadata", {})}

    settling.settle(payment=replace(read, **told), cause="evt_1", at=support.stripe_now())

    assert facts(attempt) == ("succeeded", "", "pending", 2_490)
    assert [review.reason for review in Review.objects.all()] == ["mismatch"]


def test_another_intent_with_the_attempts_tags_moves_nothing_until_it_is_paid(
    attempt: PaymentAttempt,
) -> None:
    read = gateway.retrieve_intent(attempt.intent_id or "")

    for status in ("canceled", "processing", "requires_payment_method"):
        settling.settle(
            payment=replace(read, id="pi_another", status=status),
            cause="evt_1",
            at=support.stripe_now(),
        )

    assert facts(attempt) == ("open", "", "pending", 0)
    assert reasons(attempt.order) == ["placed"]


def test_a_reading_of_the_other_kind_is_none_of_the_attempts(order: Order) -> None:
    page = gateway.retrieve_session(opened(order, Kind.CHECKOUT).session_id or "")
    intent = opened(order)
    read = gateway.retrieve_intent(intent.intent_id or "")

    for stranger in (
        replace(page, metadata=read.metadata),
        replace(read, metadata=page.metadata),
    ):
        with pytest.raises(settling.UnknownAttempt):
            settling.settle(payment=stranger, cause="evt_1", at=support.stripe_now())

    assert facts(intent) == ("open", "", "pending", 0)


@pytest.mark.parametrize(
    ("first", "second", "left"),
    [
        pytest.param(Kind.CHECKOUT, Kind.INTENT, ("expired", UNPAID), id="to intent"),
        pytest.param(Kind.INTENT, Kind.CHECKOUT, ("open", "canceled"), id="to checkout"),
    ],
)
def test_the_other_flow_ends_the_first_at_stripe(
    order: Order, first: PaymentAttempt.Kind, second: PaymentAttempt.Kind, left: tuple[str, str]
) -> None:
    old = opened(order, first)

    new = opened(order, second)

    assert facts(old)[:2] == ("closed", "superseded")
    assert (new.kind, new.state) == (second, "open")
    (session,) = support.stripe_get("checkout/sessions")["data"]
    (intent,) = support.stripe_get("payment_intents")["data"]
    assert (session["status"], intent["status"]) == left


@pytest.mark.parametrize("kind", [Kind.CHECKOUT, Kind.INTENT])
@pytest.mark.parametrize("when", ["before", "at the same time"])
def test_a_payment_faster_than_the_change_of_flow_wins(
    sandbox: Any, order: Order, kind: PaymentAttempt.Kind, when: str
) -> None:
    old = opened(order, kind)
    if when == "at the same time":
        sandbox.fault(kind="pay_at_expire", times=1)
    elif kind == Kind.INTENT:
        confirm(old)
    else:
        sandbox.pay(old.url)

    with pytest.raises(NotPayable) as refused:
        opened(order, Kind.INTENT if kind == Kind.CHECKOUT else Kind.CHECKOUT)

    assert refused.value.order.status == Status.PAID
    assert facts(old) == ("succeeded", "", "paid", 2_490)
    assert PaymentAttempt.objects.count() == 1


def test_money_on_its_way_bars_the_other_flow(order: Order, attempt: PaymentAttempt) -> None:
    confirm(attempt, DEBIT)

    with pytest.raises(NotPayable, match="money is on its way"):
        opened(order, Kind.CHECKOUT)

    assert facts(attempt) == ("processing", "", "pending", 0)
    assert at_stripe(attempt) == "processing"


def test_an_intent_past_its_deadline_is_canceled_and_replaced(
    order: Order, attempt: PaymentAttempt
) -> None:
    order.refresh_from_db()
    late = attempt.deadline_at + timedelta(seconds=1)

    new = open_attempt(order_id=order.pk, at=late, kind=Kind.INTENT)

    assert facts(attempt) == ("closed", "expired", "pending", 0)
    assert (at_stripe(attempt), at_stripe(new)) == ("canceled", UNPAID)


def test_an_intent_is_canceled_at_its_deadline_though_the_hold_goes_on(
    order: Order, attempt: PaymentAttempt
) -> None:
    attempts.reconcile(attempt=attempt, at=attempt.deadline_at - timedelta(seconds=1))
    assert facts(attempt) == ("open", "", "pending", 0)

    attempts.reconcile(attempt=attempt, at=attempt.deadline_at)

    assert facts(attempt) == ("closed", "expired", "pending", 0)
    assert at_stripe(attempt) == "canceled"


def test_the_end_of_the_hold_cancels_the_intent(attempt: PaymentAttempt, variant: Variant) -> None:
    assert holds.expire(order_id=attempt.order_id, at=after_hold(attempt)) is True

    assert facts(attempt) == ("closed", "expired", "canceled", 0)
    assert at_stripe(attempt) == "canceled"
    variant.refresh_from_db()
    assert (variant.on_hand, variant.reserved) == (2, 0)


def test_a_payment_at_the_end_of_the_hold_wins(sandbox: Any, attempt: PaymentAttempt) -> None:
    sandbox.fault(kind="pay_at_expire", times=1)

    assert holds.expire(order_id=attempt.order_id, at=after_hold(attempt)) is False

    assert facts(attempt) == ("succeeded", "", "paid", 2_490)


def test_a_debit_begun_at_the_end_of_the_hold_is_waited_for(
    sandbox: Any, attempt: PaymentAttempt
) -> None:
    confirm(attempt, DEBIT)

    assert holds.expire(order_id=attempt.order_id, at=after_hold(attempt)) is False

    assert facts(attempt) == ("processing", "", "pending", 0)
    assert not holds.overdue(after_hold(attempt)).exists()


def test_an_end_that_is_refused_though_all_looks_open_is_asked_for_again(
    sandbox: Any, attempt: PaymentAttempt
) -> None:
    confirm(attempt)
    sandbox.fault(kind="stale_read", path="/v1/payment_intents", times=1)
    late = after_hold(attempt)

    with pytest.raises(settling.StaleRead):
        holds.expire(order_id=attempt.order_id, at=late)
    attempt.refresh_from_db()
    assert (attempt.state, attempt.close_failed_at) == ("open", late)
    assert holds.expire(order_id=attempt.order_id, at=late) is False

    assert facts(attempt) == ("succeeded", "", "paid", 2_490)


def test_a_stale_reading_moves_nothing_backwards(attempt: PaymentAttempt) -> None:
    early = gateway.retrieve_intent(attempt.intent_id or "")
    confirm(attempt)
    attempts.reconcile(attempt=attempt, at=support.stripe_now())
    before = list(attempt.order.events.values())

    for status in ("requires_payment_method", "requires_action", "processing", "canceled"):
        settling.settle(
            payment=replace(early, status=status), cause="evt_1", at=support.stripe_now()
        )

    assert facts(attempt) == ("succeeded", "", "paid", 2_490)
    assert list(attempt.order.events.values()) == before
    assert list(ProcrastinateJob.objects.filter(task_name__endswith="end_attempt")) == []


def test_money_that_is_paid_but_whose_charge_is_not_told_yet_is_read_again(
    attempt: PaymentAttempt,
) -> None:
    confirm(attempt)
    read = gateway.retrieve_intent(attempt.intent_id or "")

    with pytest.raises(settling.StaleRead):
        settling.settle(payment=replace(read, charges=()), cause="evt_1", at=support.stripe_now())

    assert facts(attempt) == ("open", "", "pending", 0)


def test_a_payment_of_an_order_that_expired_meanwhile_takes_its_units_again(
    sandbox: Any, attempt: PaymentAttempt, variant: Variant
) -> None:
    confirm(attempt)
    with transaction.atomic():
        orders.cancel(order=attempt.order, reason=Reason.EXPIRY, cause="", at=support.stripe_now())

    hear(sandbox.events())

    assert facts(attempt) == ("succeeded", "", "paid", 2_490)
    assert reasons(attempt.order) == ["placed", "expiry", "late_capture"]
    variant.refresh_from_db()
    assert (variant.on_hand, variant.reserved) == (1, 0)


def test_the_main_road_takes_few_calls_to_stripe(
    sandbox: Any, order: Order, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="stripe")
    attempt = opened(order)
    opened(order)
    asked = support.stripe_calls(caplog)
    confirm(attempt)
    sandbox.post("clock", advance=10)
    caplog.clear()

    hear(sandbox.events()[::-1])

    intent = f"/v1/payment_intents/{attempt.intent_id}"
    assert asked == ["POST /v1/payment_intents"]
    # Of the intent that succeeded, and of the charge whose fee is known.
    assert support.stripe_calls(caplog) == [f"GET {intent}", "GET /v1/charges"] * 2


def test_the_secret_is_for_the_buyer_alone(
    sandbox: Any, order: Order, caplog: pytest.LogCaptureFixture, admin_client: Client
) -> None:
    caplog.set_level(logging.INFO)
    attempt = opened(order)
    confirm(attempt)
    hear(sandbox.events())

    read = gateway.retrieve_intent(attempt.intent_id or "")
    event = InboxEvent.objects.get(type="payment_intent.succeeded")
    shown = [
        admin_client.get(reverse(f"admin:payments_{page}_change", args=[pk])).content.decode()
        for page, pk in (("inboxevent", event.pk), ("paymentattempt", attempt.pk))
    ]
    told = [caplog.text, str(attempt), repr(attempt), repr(read), *shown]
    assert attempt.client_secret in json.dumps(event.payload)
    assert [text for text in told if attempt.client_secret in text] == []
    assert [str(attempt.intent_id) in page for page in shown] == [True, True]
