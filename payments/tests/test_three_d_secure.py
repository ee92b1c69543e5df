"""While the buyer's bank asks, an order is just open; the answer settles it once."""

from typing import Any
from urllib.parse import urljoin

import pytest
import requests
from django.conf import settings

from orders.models import Reason, Status
from payments import gateway
from payments.models import InboxEvent, LedgerEntry, PaymentAttempt
from payments.services import attempts, holds
from payments.tests import support
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db

ASKING = "4000000000003220"


@pytest.fixture
def attempt(sandbox: Any) -> PaymentAttempt:
    return support.checkout(support.cart_with(VariantFactory(on_hand=5)))


@pytest.fixture
def question(sandbox: Any, attempt: PaymentAttempt) -> str:
    """The page on which the bank asks."""
    sent: requests.Response = sandbox.pay(attempt.url, card=ASKING)
    return urljoin(attempt.url, sent.headers["Location"])


def answer(question: str, said: str) -> int:
    return requests.post(question, {"answer": said}, allow_redirects=False, timeout=10).status_code


def facts(attempt: PaymentAttempt) -> tuple[str, str, int]:
    """Return the states of attempt and order, and the number of captures."""
    attempt.refresh_from_db()
    captures = attempt.order.ledger.filter(kind=LedgerEntry.Kind.CAPTURE).count()
    return attempt.state, support.reread(attempt.order).status, captures


def test_a_question_under_way_is_an_open_attempt_and_nothing_more(
    sandbox: Any, attempt: PaymentAttempt, question: str
) -> None:
    support.hear(sandbox.events())
    attempts.reconcile(attempt=attempt, at=support.stripe_now())

    session = gateway.retrieve_session(attempt.session_id or "")
    assert session.intent is not None
    assert (session.status, session.payment_status) == ("open", "unpaid")
    assert (session.intent.status, session.charges) == ("requires_action", ())
    assert facts(attempt) == ("open", Status.PENDING, 0)
    asked = InboxEvent.objects.get(type="payment_intent.requires_action")
    assert asked.state == InboxEvent.State.DONE
    again = attempts.open_attempt(order_id=attempt.order_id, at=support.stripe_now())
    assert (again.pk, again.url) == (attempt.pk, attempt.url)


def test_a_confirmed_payment_is_booked_once(
    sandbox: Any, attempt: PaymentAttempt, question: str
) -> None:
    assert [answer(question, "complete") for _ in range(2)] == [303, 409]

    support.hear(sandbox.events())
    support.hear(sandbox.events())

    assert facts(attempt) == ("succeeded", Status.PAID, 1)
    capture = attempt.order.ledger.get(kind=LedgerEntry.Kind.CAPTURE)
    assert capture.amount_minor == attempt.amount_minor


def test_a_refused_confirmation_leaves_the_order_open_for_another_card(
    sandbox: Any, attempt: PaymentAttempt, question: str
) -> None:
    assert answer(question, "fail") == 303
    support.hear(sandbox.events())
    failed = facts(attempt)
    noted = attempt.order.events.filter(reason=Reason.FAILED_CARD).count()

    assert sandbox.pay(attempt.url).status_code == 303
    support.hear(sandbox.events())

    assert (failed, noted) == (("open", Status.PENDING, 0), 1)
    assert facts(attempt) == ("succeeded", Status.PAID, 1)


def test_an_order_that_ends_during_the_question_cannot_be_paid_any_more(
    sandbox: Any, attempt: PaymentAttempt, question: str
) -> None:
    later = attempt.order.hold_until + settings.CLOCK_MARGIN
    assert holds.expire(order_id=attempt.order_id, at=later) is True

    assert answer(question, "complete") == 410
    support.hear(sandbox.events())

    assert facts(attempt) == ("closed", Status.CANCELED, 0)


def test_an_answer_that_is_quicker_than_the_end_of_the_order_wins(
    sandbox: Any, attempt: PaymentAttempt, question: str
) -> None:
    assert answer(question, "complete") == 303

    later = attempt.order.hold_until + settings.CLOCK_MARGIN
    assert holds.expire(order_id=attempt.order_id, at=later) is False

    assert facts(attempt) == ("succeeded", Status.PAID, 1)
