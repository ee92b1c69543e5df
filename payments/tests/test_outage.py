"""Stripe away for an hour, then for three days: nothing is given up, all is settled afterwards."""

import random
from collections import Counter
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.test import Client

from orders.models import Order, Status
from payments import gateway, tasks
from payments.models import Checkpoint, InboxEvent, PaymentAttempt, Refund
from payments.retries import seconds_until_retry
from payments.services import inbox, refunds
from payments.tests import money_back, support
from payments.tests.browsing import order_by_form, signed, title_of, visitor
from payments.tests.snapshots import ASKED, everything
from shop.clock import now
from shop.tests.factories import VariantFactory

# What runs here is measured elsewhere.
pytestmark = [pytest.mark.django_db, pytest.mark.no_cover]

HOUR, THREE_DAYS = timedelta(hours=1), timedelta(days=3)


def rounds() -> None:
    """Let the clock's jobs run once, and what they queue."""
    tasks.ask_after_attempts.func(0)
    tasks.ask_after_refunds.func(0)
    tasks.read_events.func(0)
    tasks.end_overdue_holds.func(0)
    support.run_jobs(but=PATIENT)


# These wait and try again by themselves; `tried_for` does it in their place.
PATIENT = ("mirror_event", "process_event", "send_refund")


def tried_for(outage: timedelta, row: InboxEvent, refund: Refund) -> int:
    """Try event and refund as the worker does while Stripe is away; return how often it did.

    The waits are counted, not waited for. Beyond the first hour one try in fifty is really made:
    the others differ by their number alone.
    """
    waited, tries = timedelta(), 0
    while waited < outage:
        if tries < 20 or tries % 50 == 0:
            with pytest.raises(gateway.Unreachable) as away:
                inbox.process(inbox_id=row.pk, at=now())
            inbox.record_failure(inbox_id=row.pk, error=away.value, earlier_tries=tries)
            with pytest.raises(gateway.Unreachable):
                refunds.send(refund_id=refund.pk, at=now())
        seconds = seconds_until_retry(away.value, tries)
        assert seconds is not None, f"given up after {waited}"
        assert seconds <= 300
        waited, tries = waited + timedelta(seconds=seconds), tries + 1
    return tries


def pressed(buyer: Client, *, pay: Order, cancel: Order) -> list[tuple[int, str]]:
    """Press what a buyer can; return of each page its status and its heading."""
    answers = [
        order_by_form(buyer),
        Client().post(signed("pay", pay)),
        Client().post(signed("cancel", cancel)),
    ]
    return [(answer.status_code, title_of(answer)) for answer in answers]


AWAY = [
    (503, "The payment service does not answer"),
    (503, "The payment service does not answer"),
    (503, "The order is not canceled yet"),
]


@pytest.mark.parametrize(("outage", "tries"), [(HOUR, 17), (THREE_DAYS, 869)])
def test_nothing_is_lost_while_stripe_is_away(
    sandbox: Any, monkeypatch: pytest.MonkeyPatch, outage: timedelta, tries: int
) -> None:
    monkeypatch.setattr(random, "uniform", lambda _shortest, longest: longest)
    refunded = money_back.paid_order(sandbox)
    rounds()
    told, untold, left, unanswered = (
        support.checkout(support.cart_with(VariantFactory(on_hand=1))) for _ in range(4)
    )
    sandbox.pay(told.url)
    (completed,) = [e for e in sandbox.events() if e["data"]["object"]["id"] == told.session_id]
    support.deliver(completed)
    sandbox.pay(untold.url)
    PaymentAttempt.objects.filter(pk=unanswered.pk).update(session_id=None, state="created")
    checkpoint = Checkpoint.objects.get().reached_at
    patient = visitor(support.cart_with(VariantFactory(on_hand=1)))
    press = partial(pressed, patient, pay=unanswered.order, cancel=left.order)
    sandbox.fault(kind="refuse", times=None)
    assert press() == AWAY
    refund = money_back.ask(refunded, 100)
    row = InboxEvent.objects.get(event_id=completed["id"])

    assert tried_for(outage, row, refund) == tries
    sandbox.post("clock", advance=int(outage.total_seconds()) + 900)
    rounds()
    assert press() == AWAY

    row.refresh_from_db()
    refund.refresh_from_db()
    assert (row.state, refund.state) == ("retrying", "created")
    assert row.last_error == "Unreachable: APIConnectionError"
    assert Checkpoint.objects.get().reached_at == checkpoint
    pending = Order.objects.filter(status=Status.PENDING)
    assert pending.count() == 5
    assert all(line.variant.reserved == 1 for order in pending for line in order.lines.all())

    sandbox.clear_faults()
    sandbox.pay(order_by_form(patient)["Location"])
    sandbox.post("clock", advance=3700)
    for _ in range(2):
        rounds()
        support.run_jobs()

    refund.refresh_from_db()
    row.refresh_from_db()
    expected = {told: "paid", untold: "paid", left: "canceled", unanswered: "canceled"}
    assert {attempt: support.reread(attempt.order).status for attempt in expected} == expected
    statuses = Order.objects.values_list("status", flat=True)
    assert Counter(statuses) == {"paid": 4, "canceled": 3}
    assert (row.state, refund.state) == ("done", "succeeded")
    assert [made["amount"] for made in support.stripe_get("refunds")["data"]] == [100]
    assert set(InboxEvent.objects.values_list("state", flat=True)) == {"done"}
    assert not PaymentAttempt.objects.live().exists()
    before = everything(but=ASKED)
    rounds()
    support.run_jobs()
    assert everything(but=ASKED) == before
