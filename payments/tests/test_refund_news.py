"""What Stripe says of refunds, in whatever order and however often: books, stock, order, mail."""

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orders.models import Order, Review, Status
from payments import gateway
from payments.models import Refund
from payments.services import fulfilling, refund_amounts, refunds
from payments.services.refund_news import UnbookedPayment, follow
from payments.tests import support
from payments.tests.money_back import (
    ask,
    charge_of,
    decide,
    intent_of,
    mails,
    money,
    paid_order,
    refunded,
    story,
    unanswered,
)
from shop.services import adjust
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db


def pending_refund(sandbox: Any, order: Order, amount_minor: int, **how: Any) -> Refund:
    sandbox.fault(kind="refund_pending", path=charge_of(order), times=1)
    refund = refunded(order, amount_minor, **how)
    assert refund.state == "pending"
    return refund


def hear_of(order: Order, *made: gateway.Refund, cause: str = "evt_1") -> None:
    """Hear of refunds in these states, whatever Stripe would say of them now."""
    follow(order_id=order.pk, made=made, cause=cause, at=support.stripe_now())


def test_a_refund_that_waits_moves_the_order_when_it_succeeds(sandbox: Any) -> None:
    order = paid_order(sandbox)

    refund = pending_refund(sandbox, order, order.total_minor)

    assert support.reread(order).status == Status.PAID
    assert money(order) == [("capture", order.total_minor)]
    assert mails(order) == ["confirmation", "refund"]
    assert refund_amounts.refundable_minor(order=order, charge_id=charge_of(order)) == 0

    decide(sandbox, refund, "requires_action")
    assert refund.state == "requires_action"
    decide(sandbox, refund, "succeeded")

    assert (refund.state, support.reread(order).status) == ("succeeded", Status.REFUNDED)
    assert money(order)[1:] == [("refund", -order.total_minor)]
    assert mails(order) == ["confirmation", "refund"]


@pytest.mark.parametrize("end", ["failed", "canceled"])
def test_a_refund_that_never_succeeded_leaves_the_books_alone(sandbox: Any, end: str) -> None:
    variant = VariantFactory(on_hand=1)
    order = paid_order(sandbox, variant)
    line = order.lines.get()
    refund = pending_refund(sandbox, order, 4_00, quantities={line.pk: 1}, restock=True)

    decide(sandbox, refund, end, reason="insufficient_funds")

    variant.refresh_from_db()
    reason = "insufficient_funds" if end == "failed" else ""
    assert (refund.state, refund.failure) == (end, reason)
    assert support.reread(order).status == Status.PAID
    assert money(order) == [("capture", order.total_minor)]
    assert story(order)[2:] == ["refund_asked", "refund_failed", "review_opened"]
    assert mails(order) == ["confirmation", "refund", "refund_failed"]
    assert variant.on_hand == 0
    assert fulfilling.left_to_hand_over(order) == {line.pk: 1}
    assert [review.cause for review in order.reviews.open()] == [str(refund.key)]


def test_a_refund_that_fails_after_it_succeeded_brings_order_and_units_back(sandbox: Any) -> None:
    variant = VariantFactory(on_hand=1)
    order = paid_order(sandbox, variant)
    units = {order.lines.get().pk: 1}
    refund = refunded(order, order.total_minor, quantities=units, restock=True)
    variant.refresh_from_db()
    assert (support.reread(order).status, variant.on_hand) == (Status.REFUNDED, 1)

    decide(sandbox, refund, "failed", reason="lost_or_stolen_card")

    order.refresh_from_db()
    variant.refresh_from_db()
    assert (refund.state, refund.failure) == ("failed", "lost_or_stolen_card")
    assert (order.status, variant.on_hand, variant.reserved) == (Status.PAID, 0, 0)
    total = order.total_minor
    assert money(order) == [("capture", total), ("refund", -total), ("refund_reversal", total)]
    assert story(order)[-3:] == ["refunded", "refund_failed", "review_opened"]
    assert mails(order) == ["confirmation", "refund", "refund_failed"]
    assert order.reviews.get().cause == str(refund.key)
    assert refund_amounts.refundable_minor(order=order, charge_id=charge_of(order)) == total


def test_an_order_that_was_handed_over_is_so_again_when_its_refund_fails(sandbox: Any) -> None:
    order = paid_order(sandbox)
    units = {order.lines.get().pk: 1}
    fulfilling.hand_over(order_id=order.pk, quantities=units, by=7, at=support.stripe_now())
    refund = refunded(order, order.total_minor, quantities=units)
    assert support.reread(order).status == Status.REFUNDED

    decide(sandbox, refund, "failed")

    assert support.reread(order).status == Status.FULFILLED
    assert order.reviews.get().cause == str(refund.key)


def test_units_that_are_gone_when_a_refund_fails_are_asked_about(sandbox: Any) -> None:
    variant = VariantFactory(on_hand=1)
    order = paid_order(sandbox, variant)
    units = {order.lines.get().pk: 1}
    refund = refunded(order, order.total_minor, quantities=units, restock=True)
    adjust(variant_id=variant.pk, difference=-1, reason="sold", at=support.stripe_now())

    decide(sandbox, refund, "failed")

    review = order.reviews.get()
    assert (review.reason, review.cause) == (Review.Reason.STOCK, str(refund.key))
    assert support.reread(order).status == Status.PAID
    assert money(order)[-1] == ("refund_reversal", order.total_minor)


def test_an_order_finished_by_a_refund_that_fails_owes_units_again(sandbox: Any) -> None:
    one, other = VariantFactory(), VariantFactory()
    order = paid_order(sandbox, one, other)
    kept, returned = order.lines.all()
    at = support.stripe_now()
    fulfilling.hand_over(order_id=order.pk, quantities={kept.pk: 1}, by=7, at=at)
    refund = refunded(order, 5_00, quantities={returned.pk: 1})
    assert support.reread(order).status == Status.FULFILLED

    decide(sandbox, refund, "failed")

    review = order.reviews.get()
    assert (review.reason, review.cause) == (Review.Reason.REFUND, str(refund.key))


def test_a_refund_made_in_the_dashboard_is_booked_once(sandbox: Any) -> None:
    order = paid_order(sandbox)

    made = sandbox.refund_in_dashboard(intent_of(order), amount=2_00)
    support.hear_all(sandbox)
    support.hear_all(sandbox)

    refund = order.refunds.get()
    assert (refund.source, refund.state, refund.stripe_id) == ("dashboard", "succeeded", made["id"])
    assert (refund.amount_minor, refund.by_user_id) == (2_00, None)
    assert money(order)[1:] == [("refund", -2_00)]
    assert mails(order) == ["confirmation", "refund"]
    sandbox.refund_in_dashboard(intent_of(order))
    support.hear_all(sandbox)
    assert support.reread(order).status == Status.REFUNDED
    assert money(order)[2:] == [("refund", 2_00 - order.total_minor)]


def test_an_answer_that_was_lost_is_adopted_from_the_event(sandbox: Any) -> None:
    order = paid_order(sandbox)
    unanswered(sandbox, order, 2_00)

    support.hear(reversed(sandbox.events()), but=("mirror_event", "send_refund"))

    refund = Refund.objects.get()
    assert (refund.source, refund.state) == ("staff", "succeeded")
    support.run_jobs()
    assert len(support.stripe_get("refunds")["data"]) == 1
    assert money(order)[1:] == [("refund", -2_00)]


def test_refunds_are_found_by_their_charge_though_its_attempt_names_another_intent(
    sandbox: Any,
) -> None:
    order = paid_order(sandbox)
    made = sandbox.refund_in_dashboard(intent_of(order), amount=2_00)
    order.attempts.update(intent_id="pi_of_something_else")

    refunds.sync(order=order, charge_id=charge_of(order), at=support.stripe_now())

    assert order.refunds.get().stripe_id == made["id"]
    assert money(order)[1:] == [("refund", -2_00)]


def test_a_refund_of_a_payment_that_is_not_booked_waits_for_it(sandbox: Any) -> None:
    order, other = paid_order(sandbox), paid_order(sandbox)
    sandbox.refund_in_dashboard(intent_of(other))
    made = gateway.refunds_of_intent(intent_of(other))

    with pytest.raises(UnbookedPayment):
        hear_of(order, *made)

    assert Refund.objects.count() == 0


@pytest.mark.parametrize("status", ["reversed", ""])
def test_a_state_that_is_not_known_moves_nothing_and_holds_up_no_other_refund(
    sandbox: Any, caplog: pytest.LogCaptureFixture, status: str
) -> None:
    order = paid_order(sandbox)
    for amount in (1_00, 2_00):
        sandbox.refund_in_dashboard(intent_of(order), amount=amount)
    first, second = gateway.refunds_of_intent(intent_of(order))

    hear_of(order, replace(first, status=status), second)

    states = order.refunds.values_list("stripe_id", "state")
    assert list(states) == [(first.id, "created"), (second.id, "succeeded")]
    assert money(order)[1:] == [("refund", -2_00)]
    assert f"refund {first.id} is {status!r}, which is not known" in caplog.messages
    hear_of(order, first, cause="evt_2")
    assert money(order)[2:] == [("refund", -1_00)]


def test_a_refund_in_a_state_that_is_not_known_is_not_made_again(sandbox: Any) -> None:
    order = paid_order(sandbox)
    refund = ask(order, 2_00)
    made = gateway.create_refund(
        params=refunds._params(refund), idempotency_key="as if Stripe had forgotten ours"
    )
    hear_of(order, replace(made, status="reversed"))

    support.run_jobs()

    refund.refresh_from_db()
    assert (refund.state, refund.stripe_id) == ("created", made.id)
    assert len(support.stripe_get("refunds")["data"]) == 1


def test_movements_that_are_told_after_the_end_are_booked_once(sandbox: Any) -> None:
    order = paid_order(sandbox)
    refund = pending_refund(sandbox, order, 2_00)
    for outcome in ("succeeded", "failed"):
        sandbox.decide_refund(refund.stripe_id, outcome)
    (failed,) = gateway.refunds_of_intent(refund.intent_id)
    assert failed.moved
    assert failed.moved_back
    hear_of(order, replace(failed, moved=None, moved_back=None))
    assert money(order)[1:] == []
    told = story(order), mails(order)

    for _ in range(2):
        hear_of(order, failed, cause="evt_2")

    assert money(order)[1:] == [("refund", -2_00), ("refund_reversal", 2_00)]
    assert (story(order), mails(order)) == told


def test_the_fee_of_a_refund_is_booked_when_it_is_told(sandbox: Any) -> None:
    order = paid_order(sandbox)
    sandbox.refund_in_dashboard(intent_of(order), amount=2_00)
    (made,) = gateway.refunds_of_intent(intent_of(order))
    assert made.moved
    moved = replace(made.moved, fee=gateway.Amount(amount=25, currency="EUR"))

    hear_of(order, replace(made, moved=None))
    for _ in range(2):
        hear_of(order, replace(made, moved=moved), cause="evt_2")

    assert money(order)[1:] == [("refund", -2_00)]
    fees = order.ledger.filter(kind="fee", stripe_id=moved.id)
    assert list(fees.values_list("amount_minor", flat=True)) == [-25]
    assert story(order).count("partly_refunded") == 1


def readings(sandbox: Any, order: Order) -> list[gateway.Refund]:
    """Return what Stripe said of a refund while it waited, when it was made, when it failed."""
    refund = pending_refund(sandbox, order, order.total_minor)
    said = [gateway.refunds_of_intent(refund.intent_id)[0]]
    for outcome in ("succeeded", "failed"):
        sandbox.decide_refund(refund.stripe_id, outcome)
        said += gateway.refunds_of_intent(refund.intent_id)
    return said


@pytest.mark.parametrize("sequence", list(permutations(range(3))), ids=str)
def test_readings_in_any_order_end_alike(sandbox: Any, sequence: tuple[int, ...]) -> None:
    order = paid_order(sandbox)
    said = readings(sandbox, order)

    for number in sequence * 2:
        hear_of(order, said[number])

    total = order.total_minor
    assert order.refunds.get().state == "failed"
    assert support.reread(order).status == Status.PAID
    assert money(order) == [("capture", total), ("refund", -total), ("refund_reversal", total)]
    assert mails(order) == ["confirmation", "refund", "refund_failed"]


@hypothesis_settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_events_of_refunds_repeated_and_in_any_order_end_alike(
    sandbox: Any, data: st.DataObject
) -> None:
    sandbox.post("reset")
    variant = VariantFactory(on_hand=4)
    order = paid_order(sandbox, variant, quantity=2)
    line = order.lines.get()
    failing = ask(order, 5_00, quantities={line.pk: 1}, restock=True)
    sandbox.refund_in_dashboard(intent_of(order), amount=1_00)
    support.run_jobs()
    failing.refresh_from_db()
    sandbox.decide_refund(failing.stripe_id, "failed")
    # What Stripe tells seconds later is told by now, however slow this machine is.
    sandbox.post("clock", advance=10)
    events = sandbox.events()

    for event in data.draw(st.permutations(events + events)):
        support.deliver(event)
        if data.draw(st.booleans()):
            support.run_jobs()
    support.run_jobs()

    variant.refresh_from_db()
    assert sorted(order.refunds.values_list("state", "amount_minor")) == [
        ("failed", 5_00),
        ("succeeded", 1_00),
    ]
    assert sorted(money(order)) == sorted(
        [
            ("capture", order.total_minor),
            ("refund", -1_00),
            ("refund", -5_00),
            ("refund_reversal", 5_00),
        ]
    )
    assert (variant.on_hand, support.reread(order).status) == (2, Status.PAID)
