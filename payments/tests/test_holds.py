"""An order that is not paid in time gives its units back, once Stripe can take no money for it."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from orders.models import Reason, Status
from payments import gateway
from payments.models import PaymentAttempt
from payments.services import holds
from payments.tasks import end_overdue_holds
from payments.tests import support
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
