"""Stripe slow, down, or silent after it did what was asked: nothing is lost, nothing doubled."""

from datetime import timedelta
from typing import Any

import pytest

from orders.models import Order, Status
from payments import gateway
from payments.models import PaymentAttempt
from payments.services import attempts
from payments.services.attempts import open_attempt
from payments.tests import support
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db

CREATE = {"method": "POST", "path": "/v1/checkout/sessions"}


def sessions() -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = support.stripe_get("checkout/sessions?limit=100")["data"]
    return listed


def checkout_fails(sandbox: Any, **fault: Any) -> Order:
    """Check out while Stripe fails; return the order that stands all the same."""
    sandbox.fault(**CREATE, **fault)
    with pytest.raises(gateway.Unreachable):
        support.checkout(support.cart_with(VariantFactory()))
    return Order.objects.get()


@pytest.mark.parametrize("kind", ["drop_answer", "refuse"])
def test_a_lost_answer_is_asked_for_again_under_the_same_key(sandbox: Any, kind: str) -> None:
    order = checkout_fails(sandbox, kind=kind, times=1)
    lost = PaymentAttempt.objects.get()
    assert (order.status, lost.state, lost.session_id) == (Status.PENDING, "created", None)

    attempt = open_attempt(order_id=order.pk, at=support.stripe_now())

    assert (attempt.pk, attempt.state) == (lost.pk, "open")
    assert [s["id"] for s in sessions()] == [attempt.session_id]


def test_a_replayed_failure_is_looked_up_and_its_session_adopted(sandbox: Any) -> None:
    order = checkout_fails(sandbox, kind="error_after", times=1)

    attempt = open_attempt(order_id=order.pk, at=support.stripe_now())

    assert PaymentAttempt.objects.count() == 1
    assert [s["id"] for s in sessions()] == [attempt.session_id]
    sandbox.pay(attempt.url)
    for event in sandbox.events():
        support.deliver(event)
    support.run_jobs()
    assert support.reread(order).status == Status.PAID


def test_a_replayed_failure_without_a_session_makes_room_for_a_new_attempt(sandbox: Any) -> None:
    order = checkout_fails(sandbox, kind="error_before", times=1)

    attempt = open_attempt(order_id=order.pk, at=support.stripe_now())

    first, second = PaymentAttempt.objects.order_by("pk")
    assert (first.state, first.closed_as, second.pk) == ("closed", "failed", attempt.pk)
    assert [s["id"] for s in sessions()] == [second.session_id]


def test_an_answer_lost_long_ago_is_looked_up_instead_of_asked_for_again(sandbox: Any) -> None:
    order = checkout_fails(sandbox, kind="drop_answer", times=1)
    sandbox.post("clock", advance=660)

    attempt = open_attempt(order_id=order.pk, at=support.stripe_now() + timedelta(seconds=660))

    assert PaymentAttempt.objects.count() == 1
    assert [s["id"] for s in sessions()] == [attempt.session_id]


def test_an_attempt_that_never_reached_stripe_is_closed_and_another_made(sandbox: Any) -> None:
    order = checkout_fails(sandbox, kind="refuse", times=1)
    sandbox.post("clock", advance=660)

    attempt = open_attempt(order_id=order.pk, at=support.stripe_now() + timedelta(seconds=660))

    first, second = PaymentAttempt.objects.order_by("pk")
    assert (first.state, first.closed_as) == ("closed", "failed")
    assert (second.pk, second.state) == (attempt.pk, "open")
    assert [s["id"] for s in sessions()] == [second.session_id]


def test_a_paid_session_whose_answer_was_lost_is_adopted_by_its_event(sandbox: Any) -> None:
    order = checkout_fails(sandbox, kind="drop_answer", times=1)
    sandbox.pay(sessions()[0]["url"])

    for event in sandbox.events():
        support.deliver(event)
    support.run_jobs()

    attempt = PaymentAttempt.objects.get()
    assert support.reread(order).status == Status.PAID
    assert (attempt.state, attempt.session_id) == ("succeeded", sessions()[0]["id"])
    assert order.ledger.filter(kind="capture").count() == 1


def test_an_answer_for_an_attempt_closed_meanwhile_ends_its_session(sandbox: Any) -> None:
    order = checkout_fails(sandbox, kind="drop_answer", times=1)
    PaymentAttempt.objects.update(state="closed", closed_as="superseded")
    attempt = PaymentAttempt.objects.get()

    with pytest.raises(attempts.NotPayable):
        attempts._ask(attempt, support.stripe_now())
    support.run_jobs()

    attempt.refresh_from_db()
    assert (attempt.state, attempt.session_id) == ("closed", sessions()[0]["id"])
    assert sessions()[0]["status"] == "expired"
    assert support.reread(order).status == Status.PENDING


def test_too_many_requests_is_said_as_such(sandbox: Any) -> None:
    sandbox.fault(**CREATE, kind="rate_limit", times=1)

    with pytest.raises(gateway.Busy):
        support.checkout(support.cart_with(VariantFactory()))

    assert Order.objects.get().status == Status.PENDING
    assert sessions() == []


def test_a_key_in_use_waits_for_the_other_request_and_then_gives_up(
    sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "_KEY_IN_USE_SECONDS", 0.1)
    monkeypatch.setattr(attempts, "_KEY_IN_USE_STEP", 0.01)

    order = checkout_fails(sandbox, kind="conflict", times=1)

    assert PaymentAttempt.objects.get().state == "created"
    assert open_attempt(order_id=order.pk, at=support.stripe_now()).state == "open"


def test_a_session_completed_while_we_end_it_is_settled_instead(sandbox: Any) -> None:
    at = support.stripe_now()
    attempt = support.checkout(support.cart_with(VariantFactory()), at=at)
    sandbox.pay(attempt.url)

    attempts.close_at_stripe(attempt=attempt, closed_as=attempt.ClosedAs.EXPIRED, at=at)

    attempt.refresh_from_db()
    assert attempt.state == "succeeded"
    assert support.reread(attempt.order).status == Status.PAID


def test_a_session_that_stripe_no_longer_knows_makes_room_for_another(sandbox: Any) -> None:
    at = support.stripe_now()
    gone = support.checkout(support.cart_with(VariantFactory()), at=at)
    sandbox.post("reset")

    attempts.reconcile(attempt=gone, at=at)
    attempt = open_attempt(order_id=gone.order_id, at=at)

    gone.refresh_from_db()
    assert (gone.state, gone.closed_as) == ("closed", "expired")
    assert [s["id"] for s in sessions()] == [attempt.session_id]


def test_a_session_that_stripe_no_longer_knows_counts_as_ended(sandbox: Any) -> None:
    at = support.stripe_now()
    gone = support.checkout(support.cart_with(VariantFactory()), at=at)
    sandbox.post("reset")

    attempts.close_at_stripe(attempt=gone, closed_as=gone.ClosedAs.SUPERSEDED, at=at)

    gone.refresh_from_db()
    assert (gone.state, gone.closed_as) == ("closed", "superseded")


def test_a_close_that_did_not_reach_stripe_leaves_all_as_it_was(sandbox: Any) -> None:
    at = support.stripe_now()
    attempt = support.checkout(support.cart_with(VariantFactory()), at=at)
    sandbox.fault(kind="refuse", method="POST", path="/v1/checkout/sessions", times=None)

    with pytest.raises(gateway.Unreachable):
        attempts.close_at_stripe(attempt=attempt, closed_as=attempt.ClosedAs.EXPIRED, at=at)

    attempt.refresh_from_db()
    assert (attempt.state, attempt.close_failed_at) == ("open", at)
    assert sessions()[0]["status"] == "open"
