"""What tests of intents share: one is opened, confirmed as the buyer's client does, and told of."""

from datetime import datetime, timedelta
from typing import Any

import requests

from orders.models import Order
from payments.models import PaymentAttempt
from payments.services.attempts import open_attempt
from payments.tests import support

Kind = PaymentAttempt.Kind
GOOD = "pm_card_visa"
DECLINED = "pm_card_visa_chargeDeclined"
ASKING = "pm_card_threeDSecure2Required"
DEBIT = "pm_success_de"
UNPAID = "requires_payment_method"


def opened(order: Order, kind: PaymentAttempt.Kind = Kind.INTENT) -> PaymentAttempt:
    return open_attempt(order_id=order.pk, at=order.placed_at, kind=kind)


def confirm(attempt: PaymentAttempt, method: str = GOOD) -> Any:
    return support.confirm_intent(attempt.intent_id or "", attempt.client_secret, method)


def answer_bank(asked: Any, said: str) -> None:
    url = asked["next_action"]["redirect_to_url"]["url"]
    requests.post(url, {"answer": said}, allow_redirects=False, timeout=10)


def at_stripe(attempt: PaymentAttempt) -> str:
    status: str = support.stripe_get(f"payment_intents/{attempt.intent_id}")["status"]
    return status


def after_hold(attempt: PaymentAttempt) -> datetime:
    return support.reread(attempt.order).hold_until + timedelta(seconds=1)


def facts(attempt: PaymentAttempt) -> tuple[str, str, str, int]:
    """Return the states of attempt and order, how the attempt closed, and the sum captured."""
    attempt.refresh_from_db()
    captured = attempt.order.ledger.filter(kind="capture").total_minor(attempt.currency)
    return attempt.state, attempt.closed_as, support.reread(attempt.order).status, captured


def reasons(order: Order) -> list[str]:
    return [event.reason for event in order.events.all()]
