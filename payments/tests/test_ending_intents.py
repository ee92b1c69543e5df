"""An intent is ended by us alone: at its deadline, with its hold, or for the other flow."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from procrastinate.contrib.django.models import ProcrastinateJob

from orders.models import Order, Status
from payments import gateway
from payments.models import PaymentAttempt
from payments.services import attempts, holds, settling
from payments.services.attempts import NotPayable, open_attempt
from payments.tests import support
from payments.tests.intents import (
    DEBIT,
    UNPAID,
    Kind,
    after_hold,
    at_stripe,
    confirm,
    facts,
    opened,
)
from shop.models import Variant

pytestmark = pytest.mark.django_db


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
