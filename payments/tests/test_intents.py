"""The second flow: the buyer pays a PaymentIntent in a client of his own, and all else is alike."""

import json
import logging
import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as shop_settings
from django.db import transaction
from django.test import Client
from django.urls import reverse

from orders import services as orders
from orders.models import Order, OrderMail, Reason, Review, Status
from payments import gateway
from payments.models import InboxEvent, LedgerEntry, PaymentAttempt, Refund
from payments.services import attempts, settling
from payments.services.attempts import NotPayable, open_attempt
from payments.tests import support
from payments.tests.intents import (
    ASKING,
    DEBIT,
    DECLINED,
    GOOD,
    Kind,
    answer_bank,
    at_stripe,
    confirm,
    facts,
    opened,
    reasons,
)
from shop.models import Variant

pytestmark = pytest.mark.django_db


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

    support.hear(events)

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

    support.hear(sandbox.events())

    assert facts(attempt) == ("open", "", "pending", 0)
    assert reasons(attempt.order) == ["placed", "failed_card"]
    again = opened(attempt.order)
    assert again.client_secret == attempt.client_secret


def test_while_the_bank_asks_the_attempt_is_open_and_nothing_more(
    sandbox: Any, attempt: PaymentAttempt
) -> None:
    assert confirm(attempt, ASKING)["status"] == "requires_action"

    support.hear(sandbox.events())

    assert facts(attempt) == ("open", "", "pending", 0)
    assert reasons(attempt.order) == ["placed"]
    asked = InboxEvent.objects.get(type="payment_intent.requires_action")
    assert asked.state == InboxEvent.State.DONE


def test_a_bank_debit_is_waited_for_and_then_pays(sandbox: Any, attempt: PaymentAttempt) -> None:
    confirm(attempt, DEBIT)
    support.hear(sandbox.events())
    waiting = facts(attempt)
    sandbox.post(f"bank_debits/{attempt.intent_id}", outcome="succeeded")

    support.hear(sandbox.events())

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
        support.hear(sandbox.events()[::-1])
    sandbox.post(f"bank_debits/{attempt.intent_id}", outcome="failed")
    before = support.stripe_now()

    support.hear(sandbox.events()[:: 1 if told == "afterwards, backwards" else -1])
    support.hear(sandbox.events())

    assert facts(attempt) == ("closed", "failed", "pending", 0)
    assert at_stripe(attempt) == "canceled"
    order = support.reread(attempt.order)
    assert order.hold_until >= before + shop_settings.PAY_WITHIN
    assert reasons(order)[-1] == Reason.PAYMENT_FAILED
    assert order.mails.filter(kind=OrderMail.Kind.PAYMENT_FAILED).count() == 1
    again = open_attempt(order_id=order.pk, at=support.stripe_now(), kind=Kind.INTENT)
    assert again.intent_id != attempt.intent_id


def test_a_bank_debit_that_is_canceled_at_stripe_has_failed(
    sandbox: Any, attempt: PaymentAttempt
) -> None:
    confirm(attempt, DEBIT)
    support.hear(sandbox.events())
    intent = gateway.retrieve_intent(attempt.intent_id or "")
    at = support.stripe_now() + timedelta(days=3)

    for _ in range(2):
        settling.settle(payment=replace(intent, status="canceled"), cause="evt_1", at=at)

    order = support.reread(attempt.order)
    assert facts(attempt) == ("closed", "failed", "pending", 0)
    assert (order.hold_until, order.pay_until) == (at + shop_settings.PAY_WITHIN,) * 2
    assert reasons(order) == ["placed", "processing", "payment_failed"]
    assert order.mails.filter(kind=OrderMail.Kind.PAYMENT_FAILED).count() == 1


def test_a_debit_of_a_closed_intent_that_is_canceled_answers_what_was_asked_about_it(
    sandbox: Any, attempt: PaymentAttempt
) -> None:
    attempt.state, attempt.closed_as = "closed", "superseded"
    attempt.save()
    confirm(attempt, DEBIT)
    support.hear(sandbox.events())
    asked = Review.objects.get()
    intent = gateway.retrieve_intent(attempt.intent_id or "")

    settling.settle(
        payment=replace(intent, status="canceled"), cause="evt_1", at=support.stripe_now()
    )

    asked.refresh_from_db()
    assert (asked.reason, asked.cause) == (Review.Reason.UNPAID, attempt.intent_id)
    assert asked.resolution == Review.Resolution.ANSWERED
    assert facts(attempt) == ("closed", "superseded", "pending", 0)


def test_a_card_that_follows_a_failed_debit_on_the_same_intent_pays(
    sandbox: Any, attempt: PaymentAttempt
) -> None:
    confirm(attempt, DEBIT)
    support.hear(sandbox.events())
    sandbox.post(f"bank_debits/{attempt.intent_id}", outcome="failed")
    confirm(attempt, GOOD)

    support.hear(sandbox.events())

    assert facts(attempt) == ("succeeded", "", "paid", 2_490)


def test_a_question_after_a_failed_debit_does_not_leave_the_order_waiting_for_the_bank(
    sandbox: Any, attempt: PaymentAttempt
) -> None:
    confirm(attempt, DEBIT)
    support.hear(sandbox.events())
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

    support.hear(sandbox.events())
    again = opened(attempt.order)

    assert facts(attempt) == ("closed", "canceled", "pending", 0)
    assert (again.state, again.intent_id == attempt.intent_id) == ("open", False)


def test_a_second_charge_on_the_intent_is_booked_and_given_back(
    sandbox: Any, attempt: PaymentAttempt
) -> None:
    sandbox.fault(kind="second_charge", times=1)
    confirm(attempt)

    support.hear(sandbox.events())
    support.hear(sandbox.events())

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

    support.hear(sandbox.events())

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


def test_a_payment_of_an_order_that_expired_meanwhile_takes_its_units_again(
    sandbox: Any, attempt: PaymentAttempt, variant: Variant
) -> None:
    confirm(attempt)
    with transaction.atomic():
        orders.cancel(order=attempt.order, reason=Reason.EXPIRY, cause="", at=support.stripe_now())

    support.hear(sandbox.events())

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

    support.hear(sandbox.events()[::-1])

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
    support.hear(sandbox.events())

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
