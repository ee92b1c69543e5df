"""What has not come to its end, in figures."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from orders import services as orders
from orders.models import Order, Review
from orders.tests.factories import PLACED_AT, PendingOrderFactory
from payments.models import InboxEvent, Refund
from payments.queue import enqueue
from payments.services import counters
from payments.services.counters import Waiting
from payments.tests import support

pytestmark = pytest.mark.django_db

AT = PLACED_AT + timedelta(hours=5)


def test_nothing_unfinished_is_told_as_zeros(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(7):
        counted = counters.count(at=AT)

    assert counted == counters.Counters(
        inbox={"received": Waiting(), "retrying": Waiting(), "failed": Waiting()},
        queues={},
        reviews=Waiting(),
        disputes=Waiting(),
        lost_with_goods=Waiting(),
        refunds={"created": Waiting(), "pending": Waiting(), "requires_action": Waiting()},
        attempts={"created": Waiting(), "open": Waiting(), "processing": Waiting()},
    )


def events(*states: str) -> None:
    """Store an event for each state, an hour apart."""
    for number, state in enumerate(states):
        InboxEvent.objects.create(
            event_id=f"evt_{number}",
            type="charge.updated",
            livemode=False,
            source="webhook",
            state=state,
            received_at=PLACED_AT + timedelta(hours=number),
        )


def refunds(order: Order, *states: str) -> None:
    """Store a refund for each state, an hour apart."""
    for number, state in enumerate(states):
        Refund.objects.create(
            order=order,
            charge_id="ch_1",
            intent_id="pi_1",
            amount_minor=1,
            currency="EUR",
            source="staff",
            why="other",
            state=state,
            stripe_id=f"re_{number}",
            created_at=PLACED_AT + timedelta(hours=number),
        )


def test_what_waits_is_counted_with_the_age_of_the_oldest() -> None:
    order = PendingOrderFactory()
    events("received", "failed", "failed", "done", "ignored")
    refunds(order, "created", "pending", "pending", "succeeded", "failed")
    for status in ("needs_response", "warning_under_review", "won"):
        support.dispute_row(order, status, status=status, opened_at=PLACED_AT)
    support.attempt_row(order, state="processing")
    orders.open_review(
        order=order, reason=Review.Reason.MISMATCH, cause="ch_1", detail="", at=PLACED_AT
    )
    enqueue("close_attempts", order_id=order.pk)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_events SET at = now() - interval '1 hour'")

    counted = counters.count(at=AT)

    hours = timedelta(hours=1)
    assert counted.inbox == {
        "received": Waiting(1, 5 * hours),
        "retrying": Waiting(),
        "failed": Waiting(2, 4 * hours),
    }
    assert counted.refunds == {
        "created": Waiting(1, 5 * hours),
        "pending": Waiting(2, 4 * hours),
        "requires_action": Waiting(),
    }
    assert counted.attempts["processing"] == Waiting(1, 5 * hours)
    assert counted.reviews == Waiting(1, 5 * hours)
    assert counted.disputes == Waiting(2, 5 * hours)
    assert counted.queues == {"default": Waiting(2, hours), "mail": Waiting(1, hours)}
