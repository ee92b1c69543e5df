"""Stripe slow, down, or silent after it did what was asked: nothing is lost, nothing doubled."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orders.models import Order, Status
from orders.tests.factories import PendingOrderFactory
from payments import gateway, tasks
from payments.models import PaymentAttempt
from payments.services import attempts, holds
from payments.services.attempts import open_attempt
from payments.tests import support

pytestmark = pytest.mark.django_db

Kind = PaymentAttempt.Kind


@dataclass(frozen=True)
class Flow:
    """One of the two ways to pay, and where Stripe keeps it."""

    kind: PaymentAttempt.Kind
    path: str

    def open(self, order: Order, *, later: float = 0) -> PaymentAttempt:
        at = support.stripe_now() + timedelta(seconds=later)
        return open_attempt(order_id=order.pk, at=at, kind=self.kind)

    def at_stripe(self) -> list[dict[str, Any]]:
        """Return all that Stripe has of this kind, newest first."""
        listed: list[dict[str, Any]] = support.stripe_get(f"{self.path}?limit=100")["data"]
        return listed

    def ids(self) -> list[str]:
        return [found["id"] for found in self.at_stripe()]

    def pay(self, sandbox: Any) -> None:
        """Pay the one that Stripe has."""
        (found,) = self.at_stripe()
        if self.kind == Kind.CHECKOUT:
            sandbox.pay(found["url"])
        else:
            support.confirm_intent(found["id"], found["client_secret"])


@pytest.fixture(
    params=[Flow(Kind.CHECKOUT, "checkout/sessions"), Flow(Kind.INTENT, "payment_intents")],
    ids=["checkout", "intent"],
)
def flow(sandbox: Any, request: pytest.FixtureRequest) -> Flow:
    flow: Flow = request.param
    return flow


@pytest.fixture
def order(sandbox: Any) -> Order:
    return PendingOrderFactory(at=support.stripe_now())


def start_fails(sandbox: Any, flow: Flow, order: Order, **fault: Any) -> PaymentAttempt:
    """Ask for a payment while Stripe fails; return the attempt that stands all the same."""
    sandbox.fault(method="POST", path=f"/v1/{flow.path}", **fault)
    with pytest.raises(gateway.Unreachable):
        flow.open(order)
    return PaymentAttempt.objects.get()


@pytest.mark.parametrize("kind", ["drop_answer", "cut", "refuse"])
def test_a_lost_answer_is_asked_for_again_under_the_same_key(
    sandbox: Any, flow: Flow, order: Order, kind: str
) -> None:
    lost = start_fails(sandbox, flow, order, kind=kind, times=1)
    assert (support.reread(order).status, lost.state, lost.stripe_id) == (
        Status.PENDING,
        "created",
        None,
    )

    attempt = flow.open(order)

    assert (attempt.pk, attempt.state) == (lost.pk, "open")
    assert flow.ids() == [attempt.stripe_id]


def test_a_replayed_failure_is_looked_up_and_what_it_made_adopted(
    sandbox: Any, flow: Flow, order: Order
) -> None:
    start_fails(sandbox, flow, order, kind="error_after", times=1)

    attempt = flow.open(order)

    assert PaymentAttempt.objects.count() == 1
    assert flow.ids() == [attempt.stripe_id]
    flow.pay(sandbox)
    support.hear(sandbox.events())
    assert support.reread(order).status == Status.PAID


def test_a_replayed_failure_that_made_nothing_makes_room_for_a_new_attempt(
    sandbox: Any, flow: Flow, order: Order
) -> None:
    start_fails(sandbox, flow, order, kind="error_before", times=1)

    attempt = flow.open(order)

    first, second = PaymentAttempt.objects.order_by("pk")
    assert (first.state, first.closed_as, second.pk) == ("closed", "failed", attempt.pk)
    assert flow.ids() == [second.stripe_id]


def test_an_answer_lost_long_ago_is_looked_up_instead_of_asked_for_again(
    sandbox: Any, flow: Flow, order: Order
) -> None:
    start_fails(sandbox, flow, order, kind="drop_answer", times=1)
    sandbox.post("clock", advance=660)

    attempt = flow.open(order, later=660)

    assert PaymentAttempt.objects.count() == 1
    assert flow.ids() == [attempt.stripe_id]


def test_an_attempt_that_never_reached_stripe_is_closed_and_another_made(
    sandbox: Any, flow: Flow, order: Order
) -> None:
    start_fails(sandbox, flow, order, kind="refuse", times=1)
    sandbox.post("clock", advance=660)

    attempt = flow.open(order, later=660)

    first, second = PaymentAttempt.objects.order_by("pk")
    assert (first.state, first.closed_as) == ("closed", "failed")
    assert (second.pk, second.state) == (attempt.pk, "open")
    assert flow.ids() == [second.stripe_id]


def test_a_payment_whose_answer_was_lost_is_adopted_by_its_event(
    sandbox: Any, flow: Flow, order: Order
) -> None:
    start_fails(sandbox, flow, order, kind="drop_answer", times=1)
    flow.pay(sandbox)

    support.hear(sandbox.events())

    attempt = PaymentAttempt.objects.get()
    assert support.reread(order).status == Status.PAID
    assert (attempt.state, flow.ids()) == ("succeeded", [attempt.stripe_id])
    assert order.ledger.filter(kind="capture").count() == 1


def test_an_answer_for_an_attempt_closed_meanwhile_is_stored_and_ended_at_stripe(
    sandbox: Any, flow: Flow, order: Order
) -> None:
    attempt = start_fails(sandbox, flow, order, kind="drop_answer", times=1)
    attempt.state, attempt.closed_as = "closed", "superseded"
    attempt.save()

    with pytest.raises(attempts.NotPayable):
        attempts._ask(attempt, support.stripe_now())
    support.run_jobs()

    attempt.refresh_from_db()
    (made,) = flow.at_stripe()
    assert (attempt.state, attempt.stripe_id) == ("closed", made["id"])
    assert made["status"] in {"expired", "canceled"}
    assert support.reread(order).status == Status.PENDING


def test_what_a_lost_answer_made_is_looked_for_among_those_of_its_time(
    sandbox: Any, flow: Flow, order: Order
) -> None:
    attempt = flow.open(order)
    search = gateway.intent_of_attempt if flow.kind == Kind.INTENT else gateway.session_of_attempt
    made_at, second = datetime.fromtimestamp(flow.at_stripe()[0]["created"], UTC), timedelta(0, 1)

    found = search(str(attempt.key), since=made_at, until=made_at)
    too_early = search(str(attempt.key), since=made_at - second, until=made_at - second)
    too_late = search(str(attempt.key), since=made_at + second, until=made_at + second)

    assert found is not None
    assert (found.id, too_early, too_late) == (attempt.stripe_id, None, None)


def test_a_session_whose_end_version_0_2_0_queued_is_ended(sandbox: Any, order: Order) -> None:
    attempt = open_attempt(order_id=order.pk, at=support.stripe_now())
    PaymentAttempt.objects.update(state="closed", closed_as="superseded")

    tasks.end_session.func(attempt.session_id or "")

    (made,) = support.stripe_get("checkout/sessions")["data"]
    assert (made["id"], made["status"]) == (attempt.session_id, "expired")


def test_the_other_flow_ends_what_a_lost_answer_made(sandbox: Any, order: Order) -> None:
    intent = Flow(Kind.INTENT, "payment_intents")
    lost = start_fails(sandbox, intent, order, kind="drop_answer", times=1)

    attempt = open_attempt(order_id=order.pk, at=support.stripe_now())

    lost.refresh_from_db()
    (made,) = intent.at_stripe()
    assert (lost.state, lost.closed_as, lost.intent_id) == ("closed", "superseded", made["id"])
    assert (made["status"], attempt.kind) == ("canceled", "checkout")


def test_too_many_requests_is_said_as_such(sandbox: Any, flow: Flow, order: Order) -> None:
    sandbox.fault(method="POST", path=f"/v1/{flow.path}", kind="rate_limit", times=1)

    with pytest.raises(gateway.Busy):
        flow.open(order)

    assert support.reread(order).status == Status.PENDING
    assert flow.ids() == []


def test_a_key_in_use_waits_for_the_other_request_and_then_gives_up(
    sandbox: Any, flow: Flow, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "_KEY_IN_USE_SECONDS", 0.1)
    monkeypatch.setattr(attempts, "_KEY_IN_USE_STEP", 0.01)

    attempt = start_fails(sandbox, flow, order, kind="conflict", times=1)

    assert attempt.state == "created"
    assert flow.open(order).state == "open"


def test_what_was_paid_while_we_end_it_is_settled_instead(
    sandbox: Any, flow: Flow, order: Order
) -> None:
    attempt = flow.open(order)
    flow.pay(sandbox)

    attempts.close_at_stripe(
        attempt=attempt, closed_as=attempt.ClosedAs.EXPIRED, at=support.stripe_now()
    )

    attempt.refresh_from_db()
    assert attempt.state == "succeeded"
    assert support.reread(order).status == Status.PAID


def test_what_stripe_forgot_makes_room_for_another(sandbox: Any, flow: Flow, order: Order) -> None:
    gone = flow.open(order)
    sandbox.post("reset")

    attempts.reconcile(attempt=gone, at=gone.deadline_at + timedelta(days=1, seconds=1))
    attempt = flow.open(order)

    gone.refresh_from_db()
    assert (gone.state, gone.closed_as) == ("closed", "expired")
    assert flow.ids() == [attempt.stripe_id]


def test_what_stripe_forgot_counts_as_ended(sandbox: Any, flow: Flow, order: Order) -> None:
    gone = flow.open(order)
    sandbox.post("reset")
    at = gone.deadline_at + timedelta(days=1, seconds=1)

    attempts.close_at_stripe(attempt=gone, closed_as=gone.ClosedAs.EXPIRED, at=at)

    gone.refresh_from_db()
    assert (gone.state, gone.closed_as) == ("closed", "expired")


@pytest.mark.parametrize(
    ("state", "after_deadline"),
    [
        ("open", timedelta(minutes=-1)),
        ("open", timedelta(days=1)),
        ("processing", timedelta(days=30)),
    ],
)
def test_a_key_that_knows_none_of_our_payments_closes_none(
    sandbox: Any, flow: Flow, order: Order, state: str, after_deadline: timedelta
) -> None:
    attempt = flow.open(order)
    attempt.state = state
    attempt.save()
    sandbox.post("reset")
    at = attempt.deadline_at + after_deadline

    with pytest.raises(gateway.NotAvailable, match=attempt.stripe_id):
        attempts.reconcile(attempt=attempt, at=at)
    with pytest.raises(gateway.NotAvailable, match=attempt.stripe_id):
        attempts.end(attempt=attempt, at=at)

    attempt.refresh_from_db()
    assert (attempt.state, attempt.closed_as) == (state, "")


def test_an_order_outlives_its_hold_while_the_key_is_wrong(
    sandbox: Any, flow: Flow, order: Order
) -> None:
    attempt = flow.open(order)
    sandbox.post("reset")
    at = support.reread(order).hold_until + timedelta(seconds=1)

    with pytest.raises(gateway.NotAvailable):
        holds.expire(order_id=order.pk, at=at)

    attempt.refresh_from_db()
    assert (attempt.state, attempt.close_failed_at) == ("open", at)
    assert support.reread(order).status == Status.PENDING


def test_a_close_that_did_not_reach_stripe_leaves_all_as_it_was(
    sandbox: Any, flow: Flow, order: Order
) -> None:
    at = support.stripe_now()
    attempt = flow.open(order)
    sandbox.fault(kind="refuse", method="POST", path=f"/v1/{flow.path}", times=None)

    with pytest.raises(gateway.Unreachable):
        attempts.close_at_stripe(attempt=attempt, closed_as=attempt.ClosedAs.EXPIRED, at=at)

    attempt.refresh_from_db()
    assert (attempt.state, attempt.close_failed_at) == ("open", at)
    assert flow.at_stripe()[0]["status"] in {"open", "requires_payment_method"}


def test_a_session_past_its_deadline_is_only_read(
    sandbox: Any, order: Order, caplog: pytest.LogCaptureFixture
) -> None:
    attempt = open_attempt(order_id=order.pk, at=support.stripe_now())
    sandbox.post("clock", advance=46 * 60)
    caplog.set_level(logging.INFO, logger="stripe")

    attempts.close_at_stripe(
        attempt=attempt,
        closed_as=attempt.ClosedAs.CANCELED,
        at=attempt.deadline_at + timedelta(seconds=1),
    )

    attempt.refresh_from_db()
    assert (attempt.state, attempt.closed_as) == ("closed", "expired")
    assert support.stripe_calls(caplog) == [f"GET /v1/checkout/sessions/{attempt.session_id}"]
