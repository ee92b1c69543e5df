"""What a bank questions or takes back, whatever the order in which we hear of it."""

from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from django.core import mail
from django.db import transaction
from django.urls import reverse

from orders.models import Order, OrderMail, Reason, Status
from payments import gateway
from payments.models import Dispute, InboxEvent, LedgerEntry
from payments.services import disputes, fulfilling, refund_amounts, refunds
from payments.tests import money_back, support
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db

PRICE, TOTAL = 60_00, 60_00  # shipping is free from 50.00 on


@pytest.fixture
def order(sandbox: Any) -> Order:
    """A paid order, all that Stripe had to tell about it heard, its fee too."""
    order = money_back.paid_order(sandbox, VariantFactory(price_minor=PRICE))
    sandbox.post("clock", advance=10)
    support.hear_all(sandbox)
    assert order.ledger.count() == 2
    mail.outbox.clear()
    return order


def _entries(order: Order) -> list[tuple[str, int]]:
    """Return what was booked after the payment and its fee."""
    return list(order.ledger.values_list("kind", "amount_minor"))[2:]


def _read(order: Order) -> gateway.Dispute:
    (reading,) = gateway.disputes_of_intent(money_back.intent_of(order))
    return reading


def _follow(order: Order, *made: gateway.Dispute) -> None:
    disputes.follow(order_id=order.pk, made=made, cause="evt_1", at=support.stripe_now())


def _left(order: Order) -> int:
    return refund_amounts.refundable_minor(order=order, charge_id=money_back.charge_of(order))


def test_a_dispute_is_booked_told_and_holds_the_goods(order: Order, sandbox: Any) -> None:
    made = sandbox.dispute(money_back.intent_of(order), reason="product_not_received")

    support.hear_all(sandbox)

    dispute = Dispute.objects.get()
    assert (dispute.stripe_id, dispute.status) == (made["id"], "needs_response")
    assert (dispute.amount_minor, dispute.currency) == (TOTAL, "EUR")
    assert (dispute.reason, dispute.closed_at) == ("product_not_received", None)
    assert dispute.due_at is not None
    assert dispute.due_at.timestamp() == made["evidence_details"]["due_by"]
    assert _entries(order) == [("dispute", -TOTAL), ("fee", -15_00)]
    (movement,) = made["balance_transactions"]
    booked = order.ledger.get(kind="dispute")
    assert (booked.stripe_id, booked.occurred_at.timestamp()) == (
        movement["id"],
        movement["created"],
    )
    assert booked.attempt == order.attempts.get()
    assert support.reread(order).status == Status.PAID
    assert order.events.filter(reason=Reason.DISPUTED).count() == 1
    line = order.lines.get()
    with pytest.raises(fulfilling.CannotHandOver):
        fulfilling.hand_over(
            order_id=order.pk, quantities={line.pk: 1}, by=7, at=support.stripe_now()
        )


def test_staff_are_told_once_with_deadline_and_link(order: Order, sandbox: Any) -> None:
    made = sandbox.dispute(money_back.intent_of(order))
    support.hear_all(sandbox)
    sandbox.move_dispute(made["id"], "submit")
    sandbox.move_dispute(made["id"], "lose")
    support.hear_all(sandbox)

    (sent,) = mail.outbox
    due_at = Dispute.objects.get().due_at
    assert due_at is not None
    deadline = f"{due_at:%-d %B %Y, 23:59} UTC"
    page = reverse("admin:payments_dispute_change", args=[Dispute.objects.get().pk])
    assert sent.to == ["staff@example.com"]
    assert sent.subject == f"Disputed: order {order.number}, answer by {deadline}"
    assert isinstance(sent, mail.EmailMultiAlternatives)
    for body in (sent.body, str(sent.alternatives[0][0])):
        for told in ("€60.00", "fraudulent", deadline, f"http://testserver{page}", order.number):
            assert told in body


def test_nobody_is_mailed_without_an_address(order: Order, sandbox: Any, settings: Any) -> None:
    settings.STAFF_EMAIL = ""
    sandbox.dispute(money_back.intent_of(order))

    support.hear_all(sandbox)

    assert (Dispute.objects.count(), mail.outbox) == (1, [])
    assert not order.mails.filter(kind=OrderMail.Kind.DISPUTE).exists()


def test_an_inquiry_moves_no_money_until_the_bank_insists(order: Order, sandbox: Any) -> None:
    made = sandbox.dispute(money_back.intent_of(order), inquiry=True)
    support.hear_all(sandbox)
    assert (Dispute.objects.get().status, _entries(order)) == ("warning_needs_response", [])
    assert _left(order) == TOTAL
    money_back.refunded(order, 10_00)

    sandbox.move_dispute(made["id"], "escalate")
    support.hear_all(sandbox)

    dispute = Dispute.objects.get()
    assert (dispute.status, dispute.amount_minor) == ("needs_response", 50_00)
    assert _entries(order) == [("refund", -10_00), ("dispute", -50_00), ("fee", -15_00)]
    assert _left(order) == 0
    subjects = [sent.subject.partition(",")[0] for sent in mail.outbox if "staff" in sent.to[0]]
    assert subjects == [
        f"A bank asks about order {order.number}",
        f"Disputed: order {order.number}",
    ]


def test_an_inquiry_that_is_dropped_lets_the_goods_go(order: Order, sandbox: Any) -> None:
    made = sandbox.dispute(money_back.intent_of(order), inquiry=True)
    sandbox.move_dispute(made["id"], "close")

    support.hear_all(sandbox)

    dispute = Dispute.objects.get()
    assert (dispute.status, dispute.is_open, _entries(order)) == ("warning_closed", False, [])
    assert dispute.closed_at is not None
    line = order.lines.get()
    fulfilling.hand_over(order_id=order.pk, quantities={line.pk: 1}, by=7, at=support.stripe_now())
    assert support.reread(order).status == Status.FULFILLED


def test_only_what_no_bank_claims_can_be_refunded(order: Order, sandbox: Any) -> None:
    money_back.refunded(order, 5_00)
    made = sandbox.dispute(money_back.intent_of(order), amount=20_00, withdraw=False)
    support.hear_all(sandbox)
    assert _left(order) == 35_00
    with pytest.raises(refunds.CannotRefund):
        money_back.ask(order, 35_01)

    sandbox.move_dispute(made["id"], "withdraw")
    support.hear_all(sandbox)
    assert _left(order) == 35_00
    # Won, and the money not back yet; then it is.
    _follow(order, replace(_read(order), status="won"))
    assert (Dispute.objects.get().status, _left(order)) == ("won", 35_00)
    sandbox.move_dispute(made["id"], "win")
    support.hear_all(sandbox)

    assert _left(order) == 55_00
    assert _entries(order) == [
        ("refund", -5_00),
        ("dispute", -20_00),
        ("fee", -15_00),
        ("dispute_reversal", 20_00),
    ]


def test_what_is_lost_stays_the_banks(order: Order, sandbox: Any) -> None:
    made = sandbox.dispute(money_back.intent_of(order), amount=20_00)
    sandbox.move_dispute(made["id"], "lose")

    support.hear_all(sandbox)

    dispute = Dispute.objects.get()
    assert (dispute.status, dispute.is_open, _left(order)) == ("lost", False, 40_00)
    assert support.last_event(order).reason in {Reason.DISPUTED, Reason.DISPUTE_CLOSED}


def test_one_that_was_prevented_withholds_what_was_taken(order: Order, sandbox: Any) -> None:
    sandbox.dispute(money_back.intent_of(order), amount=20_00)
    taken = replace(_read(order), status="prevented")

    _follow(order, replace(taken, movements=()))
    assert (Dispute.objects.get().is_open, _left(order)) == (False, TOTAL)
    _follow(order, taken)

    assert (Dispute.objects.get().status, _left(order)) == ("prevented", 40_00)


def test_a_movement_of_nothing_books_no_more_than_its_fee(order: Order, sandbox: Any) -> None:
    sandbox.dispute(money_back.intent_of(order))
    reading = _read(order)
    (taken,) = reading.movements
    only_fee = replace(taken, id="txn_fee", amount=0)

    for _ in range(2):
        _follow(order, replace(reading, movements=(taken, only_fee)))

    assert _entries(order) == [("dispute", -TOTAL), ("fee", -15_00), ("fee", -15_00)]


def test_events_in_reverse_and_twice_end_as_in_order(order: Order, sandbox: Any) -> None:
    made = sandbox.dispute(money_back.intent_of(order), withdraw=False)
    for action in ("withdraw", "submit", "win"):
        sandbox.move_dispute(made["id"], action)
    told = [event for event in sandbox.events() if event["type"].startswith("charge.dispute.")]
    assert len(told) == 6

    for event in [*told, *reversed(told)]:
        assert support.deliver(event) == 200
        support.run_jobs()

    assert InboxEvent.objects.filter(type__startswith="charge.dispute.", state="done").count() == 6
    assert Dispute.objects.get().status == "won"
    assert _entries(order) == [("dispute", -TOTAL), ("fee", -15_00), ("dispute_reversal", TOTAL)]
    assert order.mails.filter(kind=OrderMail.Kind.DISPUTE).count() == 1
    assert order.events.filter(reason=Reason.DISPUTED).count() == 1


@pytest.mark.parametrize(
    ("how", "actions"),
    [
        ({"withdraw": False}, ("withdraw", "submit", "win")),
        ({"inquiry": True}, ("submit", "escalate", "lose")),
        ({}, ("submit", "reinstate", "win")),
    ],
)
def test_readings_in_any_order_end_as_the_last_one(
    how: dict[str, bool], actions: tuple[str, ...], order: Order, sandbox: Any
) -> None:
    made = sandbox.dispute(money_back.intent_of(order), **how)
    readings = [_read(order)]
    for action in actions:
        sandbox.move_dispute(made["id"], action)
        readings.append(_read(order))
    _assert_any_order_ends_alike(order, readings)


def test_a_bank_that_changes_its_mind_is_believed_by_its_money(order: Order, sandbox: Any) -> None:
    made = sandbox.dispute(money_back.intent_of(order))
    sandbox.move_dispute(made["id"], "lose")
    lost = _read(order)
    sandbox.move_dispute(made["id"], "reinstate")
    won = replace(_read(order), status="won")
    taken, given = won.movements
    again = replace(taken, id="txn_again", moved_at=given.moved_at + timedelta(days=1))
    _assert_any_order_ends_alike(order, [lost, won])
    _assert_any_order_ends_alike(
        order, [lost, won, replace(won, status="lost", movements=(taken, given, again))]
    )


def _assert_any_order_ends_alike(order: Order, readings: list[gateway.Dispute]) -> None:
    for heard in permutations(readings):
        with transaction.atomic():
            _follow(order, *heard, *heard[:1])
            dispute = Dispute.objects.get()
            end = readings[-1]
            assert (dispute.status, dispute.amount_minor) == (end.status, end.amount_minor)
            assert dispute.is_open == (dispute.closed_at is None)
            booked = LedgerEntry.objects.disputed().values_list("stripe_id", flat=True)
            assert set(booked) == {movement.id for movement in end.movements}
            transaction.set_rollback(True)
