"""What no webhook brought is found, by asking Stripe; and asking again changes nothing."""

from collections import Counter
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import requests
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import override_settings

from cart.models import Cart
from orders.models import Order, Reason, Status
from payments import gateway, tasks
from payments.models import Checkpoint, Dispute, InboxEvent, LedgerEntry, PaymentAttempt, Refund
from payments.services import canceling, reconciliation
from payments.services.attempts import open_attempt
from payments.services.news import HANDLED
from payments.tests import money_back, support
from payments.tests.snapshots import ASKED, everything
from shop.clock import now
from shop.models import Variant
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db

DECLINED = "4000000000000002"


def reconcile() -> str:
    """Run the command and the jobs it queues; returns what it printed."""
    out = StringIO()
    call_command("reconcile", stdout=out, stderr=StringIO())
    support.run_jobs()
    return out.getvalue()


def bought(variant: Variant, number: int, kind: str = "checkout") -> PaymentAttempt:
    """Return the attempt of another buyer's order."""
    cart: Cart = support.cart_with(variant)
    attempt = support.checkout(cart, buyer=support.a_buyer(email=f"{number}@example.com"))
    if kind == "intent":
        attempt = open_attempt(order_id=attempt.order_id, at=now(), kind=PaymentAttempt.Kind.INTENT)
    return attempt


def debit(sandbox: Any, attempt: PaymentAttempt, outcome: str) -> None:
    sandbox.pay(attempt.url, method="bank_debit")
    intent = support.stripe_get(f"checkout/sessions/{attempt.session_id}")["payment_intent"]
    if outcome:
        sandbox.post(f"bank_debits/{intent}", outcome=outcome)


def confirm(attempt: PaymentAttempt, method: str) -> None:
    """Confirm an intent as the buyer's app does; a decline is an answer like any other."""
    answer = requests.post(
        f"{settings.STRIPE_API_HOST}/v1/payment_intents/{attempt.intent_id}/confirm",
        data={"payment_method": method},
        headers={"Authorization": f"Bearer {settings.STRIPE_SECRET_KEY}"},
        timeout=10,
    )
    assert answer.status_code in {200, 402}, answer.text


PURCHASES: dict[str, tuple[int, str]] = {
    # what the buyer did: how often, and what the order is in the end
    "paid": (30, "paid"),
    "declined, then paid": (12, "paid"),
    "declined": (10, "canceled"),
    "left": (10, "canceled"),
    "debit paid": (10, "paid"),
    "debit failed": (6, "pending"),
    "debit on its way": (4, "pending"),
    "app paid": (8, "paid"),
    "app declined": (4, "canceled"),
    "canceled": (6, "canceled"),
}


def buy(sandbox: Any, variant: Variant, number: int, what: str) -> Order:
    kind = "intent" if what.startswith("app") else "checkout"
    attempt = bought(variant, number, kind)
    match what:
        case "paid":
            sandbox.pay(attempt.url)
        case "declined, then paid":
            sandbox.pay(attempt.url, card=DECLINED)
            sandbox.pay(attempt.url)
        case "declined":
            sandbox.pay(attempt.url, card=DECLINED)
        case "debit paid":
            debit(sandbox, attempt, "succeeded")
        case "debit failed":
            debit(sandbox, attempt, "failed")
        case "debit on its way":
            debit(sandbox, attempt, "")
        case "app paid":
            confirm(attempt, "pm_card_visa")
        case "app declined":
            confirm(attempt, "pm_card_visa_chargeDeclined")
        case "canceled":
            canceling.cancel(order_id=attempt.order_id, reason=Reason.BUYER, at=now())
    return attempt.order


@override_settings(PENDING_LIMIT_PER_ADDRESS=1000, PAYMENT_METHODS=["card", "sepa_debit"])
def test_a_hundred_purchases_without_a_webhook_are_all_set_right_by_one_run(sandbox: Any) -> None:
    variant = VariantFactory(on_hand=100)
    wanted = [what for what, (times, _) in PURCHASES.items() for _ in range(times)]
    placed = {buy(sandbox, variant, number, what).pk: what for number, what in enumerate(wanted)}
    assert len(placed) == 100
    assert set(Order.objects.values_list("status", flat=True)) == {"pending", "canceled"}
    assert InboxEvent.objects.count() == LedgerEntry.objects.count() == 0
    sandbox.post("clock", advance=7200)
    reconcile()

    orders = {order.pk: order for order in Order.objects.all()}
    outcomes = Counter((placed[pk], order.status) for pk, order in orders.items())
    assert outcomes == {(what, status): times for what, (times, status) in PURCHASES.items()}
    captured = LedgerEntry.objects.filter(kind="capture")
    assert sorted((entry.order_id, entry.amount_minor) for entry in captured) == sorted(
        (order.pk, order.total_minor) for order in orders.values() if order.status == Status.PAID
    )
    assert LedgerEntry.objects.filter(kind="fee").count() == 60
    variant.refresh_from_db()
    assert (variant.on_hand, variant.reserved) == (40, 10)
    assert Counter(PaymentAttempt.objects.live().values_list("state", flat=True)) == {
        "processing": 4
    }
    assert set(InboxEvent.objects.values_list("source", "state")) == {("reconcile", "done")}

    before = everything(but=ASKED)
    sandbox.post("clock", advance=3700)
    again = reconcile()

    assert everything(but=ASKED) == before
    assert "attempts: 4, 0 without an answer" in again


def by_the_clock() -> None:
    """Let the clock's jobs queue their questions, and the worker ask them."""
    tasks.ask_after_attempts.func(0)
    tasks.ask_after_refunds.func(0)
    tasks.ask_after_disputes.func(0)
    tasks.read_events.func(0)
    tasks.requeue_stranded_events.func(0)
    tasks.end_overdue_holds.func(0)
    support.run_jobs()


def test_a_question_that_stripe_does_not_answer_waits_for_the_next_round(sandbox: Any) -> None:
    order = money_back.paid_order(sandbox)
    made = sandbox.dispute(money_back.intent_of(order))
    reconcile()
    sandbox.move_dispute(made["id"], "submit")
    sandbox.fault(kind="refuse", times=None)

    by_the_clock()

    assert Dispute.objects.get().status == "needs_response"
    sandbox.clear_faults()
    tasks.ask_after_disputes.func(0)
    support.run_jobs()
    assert Dispute.objects.get().status == "under_review"
    # With a queueing lock, a retry would find the next round in its place, and stay undone.
    for ask in (tasks.ask_after_attempt, tasks.ask_after_refund, tasks.ask_after_dispute):
        assert ask.retry_strategy is None


def test_the_clock_finds_by_itself_what_no_webhook_brought(sandbox: Any) -> None:
    paid, left = (support.checkout(support.cart_with(VariantFactory())) for _ in range(2))
    sandbox.pay(paid.url)

    by_the_clock()
    assert support.reread(paid.order).status == Status.PAID, "by the list of events"
    assert support.reread(left.order).status == Status.PENDING
    sandbox.post("clock", advance=3700)
    by_the_clock()

    assert support.reread(left.order).status == Status.CANCELED
    assert PaymentAttempt.objects.get(pk=left.pk).state == "closed"


def test_attempts_are_asked_after_one_by_one_and_not_too_often(sandbox: Any) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory()))
    at = attempt.created_at
    minutes = timedelta(minutes=1)

    def due(after: timedelta) -> list[PaymentAttempt]:
        return list(reconciliation.attempts_due(at + after))

    assert (due(9 * minutes), due(10 * minutes)) == ([], [attempt])
    reconciliation.ask_after_attempt(attempt_id=attempt.pk, at=at + 10 * minutes)
    assert (due(19 * minutes), due(20 * minutes)) == ([], [attempt])
    again = at + 11 * minutes
    assert list(reconciliation.attempts_due(again, unless_asked_since=again)) == [attempt]
    sandbox.pay(attempt.url, method="bank_debit")
    reconciliation.ask_after_attempt(attempt_id=attempt.pk, at=at + 20 * minutes)
    assert (due(79 * minutes), due(80 * minutes)) == ([], [attempt])


def test_where_stripe_is_away_the_next_round_asks_again(sandbox: Any) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory()))
    sandbox.pay(attempt.url)
    sandbox.post("clock", advance=660)
    sandbox.fault(kind="refuse", times=None)

    by_the_clock()

    attempt.refresh_from_db()
    assert (attempt.state, InboxEvent.objects.count(), Checkpoint.objects.count()) == ("open", 0, 0)
    assert attempt.reconciled_at is not None
    with pytest.raises(CommandError, match=r"did not list its events"):
        reconcile()
    sandbox.clear_faults()
    sandbox.post("clock", advance=660)
    by_the_clock()
    assert support.reread(attempt.order).status == Status.PAID


def test_one_that_cannot_be_asked_after_keeps_nobody_from_the_others(sandbox: Any) -> None:
    bad, good = (support.checkout(support.cart_with(VariantFactory())) for _ in range(2))
    sandbox.pay(good.url)
    sandbox.post("clock", advance=660)
    sandbox.fault(kind="refuse", path=f"/v1/checkout/sessions/{bad.session_id}", times=None)

    with pytest.raises(CommandError, match=r"^1 could not be asked after"):
        reconcile()

    assert support.reread(good.order).status == Status.PAID
    assert support.reread(bad.order).status == Status.PENDING


def test_stripe_lists_all_types_that_are_handled_at_once() -> None:
    assert len(HANDLED) <= 20


def test_the_list_of_events_is_read_from_an_hour_before_the_last_checkpoint(sandbox: Any) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory()))
    sandbox.pay(attempt.url)
    # By now Stripe knows its fee, and tells it by a third event.
    sandbox.post("clock", advance=10)
    at = now()
    later = at + timedelta(minutes=10)

    first = reconciliation.read_events(at=at)
    again = reconciliation.read_events(at=later)

    assert (first.since, first.events, first.new) == (at - timedelta(days=3), 3, 3)
    assert (again.since, again.events, again.new) == (at - timedelta(hours=1), 3, 0)
    reconciliation.read_events(at=at)
    assert Checkpoint.objects.get().reached_at == later, "it never goes back"


def test_a_checkpoint_of_long_ago_reaches_as_far_as_stripes_list_and_says_so(
    sandbox: Any, caplog: Any
) -> None:
    at = now()
    Checkpoint.objects.create(name="events", reached_at=at - timedelta(days=40))

    listed = reconciliation.read_events(at=at)

    assert listed.since == at - timedelta(days=30)
    assert "Stripe no longer lists its events between" in caplog.text


def test_the_checkpoint_stays_when_a_page_could_not_be_read(sandbox: Any) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory()))
    for _ in range(101):
        sandbox.pay(attempt.url, card=DECLINED)

    with pytest.raises(gateway.Unreachable):
        reconciliation.read_events(
            at=now(), tell=lambda _: sandbox.fault(kind="refuse", path="/v1/events")
        )

    assert (InboxEvent.objects.count(), Checkpoint.objects.count()) == (100, 0)
    again = reconciliation.read_events(at=now())
    assert (again.events, again.new, Checkpoint.objects.count()) == (101, 1, 1)


def test_a_refund_whose_news_never_came_is_followed_every_hour(sandbox: Any) -> None:
    order = money_back.paid_order(sandbox)
    sandbox.fault(kind="refund_pending", path=money_back.charge_of(order))
    refund = money_back.refunded(order, 100)
    assert refund.state == "pending"
    sandbox.decide_refund(refund.stripe_id or "", "succeeded")

    def due(after: timedelta) -> list[Refund]:
        return list(reconciliation.refunds_due((refund.asked_at or now()) + after))

    assert (due(timedelta(minutes=59)), due(timedelta(minutes=61))) == ([], [refund])
    reconciliation.ask_after_refund(refund_id=refund.pk, at=now())

    refund.refresh_from_db()
    assert refund.state == "succeeded"
    assert ("refund", -100) in money_back.money(order)
    assert due(timedelta(days=1)) == []


def test_a_refund_that_was_never_sent_is_sent_once(sandbox: Any) -> None:
    order = money_back.paid_order(sandbox)
    refund = money_back.ask(order, 100)
    at = refund.created_at + timedelta(minutes=11)

    for _ in range(2):
        reconciliation.ask_after_refund(refund_id=refund.pk, at=at)

    refund.refresh_from_db()
    assert refund.state == "succeeded"
    assert [made["amount"] for made in support.stripe_get("refunds")["data"]] == [100]


def test_a_dispute_whose_end_nobody_told_is_followed(sandbox: Any) -> None:
    order = money_back.paid_order(sandbox)
    made = sandbox.dispute(money_back.intent_of(order))
    support.hear_all(sandbox)
    assert Dispute.objects.get().status == "needs_response"
    sandbox.move_dispute(made["id"], "lose")

    by_the_clock()

    assert Dispute.objects.get().status == "lost"
