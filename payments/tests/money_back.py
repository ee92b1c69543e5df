"""What tests of money that goes back share: a paid order, a refund of it, Stripe's news of both."""

from typing import Any

import pytest

from orders.models import Order
from payments import gateway
from payments.models import PaymentAttempt, Refund
from payments.services import attempts, refunds
from payments.tests import support
from shop.models import Variant
from shop.tests.factories import VariantFactory


def paid_order(sandbox: Any, *variants: Variant, quantity: int = 1, **form: str) -> Order:
    """Return an order that was placed and paid, its jobs done."""
    attempt = support.checkout(
        support.cart_with(*variants or [VariantFactory()], quantity=quantity)
    )
    sandbox.pay(attempt.url, **form)
    attempts.reconcile(attempt=attempt, at=support.stripe_now())
    support.run_jobs()
    return support.reread(attempt.order)


def learn_fee(sandbox: Any, order: Order) -> None:
    """Let Stripe know the fee of the order's payment, and the shop hear of it."""
    sandbox.post("clock", advance=10)
    attempts.reconcile(attempt=order.attempts.get(state="succeeded"), at=support.stripe_now())
    support.run_jobs()


def charge_of(order: Order) -> str:
    return order.ledger.get(kind="capture").charge_id


def intent_of(order: Order) -> str:
    attempt: PaymentAttempt = order.attempts.get(state="succeeded")
    return attempt.intent_id or ""


def ask(order: Order, amount_minor: int, **how: Any) -> Refund:
    """Ask for some of the order's only payment back, as staff do."""
    asked: dict[str, Any] = {"why": Refund.Why.REQUESTED, "by": 7, "at": support.stripe_now()}
    asked |= {"charge_id": charge_of(order)} | how
    return refunds.ask(order_id=order.pk, amount_minor=amount_minor, **asked)


def refunded(order: Order, amount_minor: int, **how: Any) -> Refund:
    """Ask for a refund, and have it sent."""
    refund = ask(order, amount_minor, **how)
    support.run_jobs()
    refund.refresh_from_db()
    return refund


def unanswered(
    sandbox: Any, order: Order, amount_minor: int, *, fault: str = "drop_answer", **how: Any
) -> Refund:
    """Ask for a refund, and send it without getting Stripe's answer."""
    refund = ask(order, amount_minor, **how)
    sandbox.fault(kind=fault, path="/v1/refunds", method="POST", times=1)
    with pytest.raises(gateway.Unreachable):
        refunds.send(refund_id=refund.pk, at=support.stripe_now())
    refund.refresh_from_db()
    return refund


def decide(sandbox: Any, refund: Refund, outcome: str, **how: Any) -> None:
    """Let Stripe decide a refund, like "failed", and hear of it."""
    sandbox.decide_refund(refund.stripe_id, outcome, **how)
    support.hear_all(sandbox)
    refund.refresh_from_db()


def money(order: Order) -> list[tuple[str, int]]:
    """Return the order's books without its fees: kind and amount, oldest first."""
    entries = order.ledger.exclude(kind="fee").order_by("pk")
    return list(entries.values_list("kind", "amount_minor"))


def story(order: Order) -> list[str]:
    return list(order.events.values_list("reason", flat=True))


def mails(order: Order) -> list[str]:
    return list(order.mails.values_list("kind", flat=True))
