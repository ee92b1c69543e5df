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
from payments.models import InboxEvent, LedgerEntry, PaymentAttempt
from payments.services import canceling
from payments.services.attempts import open_attempt
from payments.tests import support
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
