"""Staff, and clients that pay by intents: they call the services, in a process that may die.

python -m chaos.staff SEED
"""

import random
import sys
import time
from collections.abc import Callable
from uuid import uuid4

import django
import requests

django.setup()

from django.conf import settings  # noqa: E402 - only now can models be imported
from django.db import OperationalError  # noqa: E402

from orders.models import Order, Reason, Review, Status  # noqa: E402
from payments import gateway  # noqa: E402
from payments.models import Dispute, LedgerEntry, PaymentAttempt, Refund  # noqa: E402
from payments.services import (  # noqa: E402
    attempts,
    canceling,
    fulfilling,
    manual,
    reconciliation,
    refund_amounts,
    refunds,
    reviews,
    settling,
)
from shop.clock import now  # noqa: E402
from shop.services import InsufficientStock  # noqa: E402

_STEP_SECONDS = 0.2
_BY = 1
_METHODS = (*["pm_card_visa"] * 3, "pm_card_visa_chargeDeclined", *["pm_success_de"] * 2)
# What the services answer when a thing cannot be done just now.
_REFUSALS = (
    attempts.NotPayable,
    canceling.CannotCancel,
    fulfilling.CannotHandOver,
    fulfilling.CannotPutBack,
    manual.CannotBook,
    refunds.CannotRefund,
    reviews.CannotAccept,
    InsufficientStock,
    settling.StaleRead,
    gateway.GatewayError,
    requests.RequestException,
    OperationalError,
)


def main(seed: str) -> None:
    # Another life, other deeds: it is started anew after each death.
    dice = random.Random(f"{seed}-staff-{time.time_ns()}")
    deeds: tuple[Callable[[random.Random], None], ...] = (
        pay_by_intent,
        pay_by_intent,
        hand_over,
        hand_over,
        refund,
        answer,
        cancel,
        pay_by_hand,
        put_back,
        read_events,
    )
    while True:
        time.sleep(_STEP_SECONDS)
        try:
            dice.choice(deeds)(dice)
        except _REFUSALS:
            continue


def any_order(dice: random.Random, status: Status) -> Order | None:
    found = list(Order.objects.filter(status=status).order_by("-pk")[:60])
    return dice.choice(found) if found else None


def pay_by_intent(dice: random.Random) -> None:
    """What an app does: it asks the shop for an intent, and confirms it at Stripe."""
    order = any_order(dice, Status.PENDING)
    if order is None:
        return
    attempt = attempts.open_attempt(order_id=order.pk, kind=PaymentAttempt.Kind.INTENT, at=now())
    whim = dice.random()
    if whim < 0.1:
        # The buyer prefers Stripe's own page after all.
        attempts.open_attempt(order_id=order.pk, kind=PaymentAttempt.Kind.CHECKOUT, at=now())
    elif whim < 0.2:
        canceling.cancel(order_id=order.pk, reason=Reason.BUYER, at=now())
    elif whim < 0.9:
        requests.post(
            f"{settings.STRIPE_API_HOST}/v1/payment_intents/{attempt.intent_id}/confirm",
            data={
                "client_secret": attempt.client_secret,
                "payment_method": dice.choice(_METHODS),
                "return_url": settings.SITE_URL,
            },
            headers={"Authorization": f"Bearer {settings.STRIPE_PUBLISHABLE_KEY}"},
            timeout=20,
        )


def hand_over(dice: random.Random) -> None:
    order = any_order(dice, Status.PAID)
    if order is None:
        return
    left = {pk: units for pk, units in fulfilling.left_to_hand_over(order).items() if units}
    fulfilling.hand_over(order_id=order.pk, quantities=left, by=_BY, at=now())


def refund(dice: random.Random) -> None:
    order = any_order(dice, dice.choice((Status.PAID, Status.FULFILLED)))
    if order is None:
        return
    capture = order.ledger.filter(kind=LedgerEntry.Kind.CAPTURE).first()
    if capture is None:
        return
    left = refund_amounts.refundable_minor(order=order, charge_id=capture.charge_id)
    line = order.lines.first()
    how = dice.choice(("all", "some", "by line"))
    refunds.ask(
        order_id=order.pk,
        charge_id=capture.charge_id,
        amount_minor={"all": left, "some": max(left // 3, 1), "by line": min(left, 500)}[how],
        why=Refund.Why.REQUESTED,
        quantities={line.pk: 1} if line and how == "by line" else {},
        restock=how == "by line",
        key=uuid4(),
        by=_BY,
        at=now(),
    )


def answer(dice: random.Random) -> None:
    """Answer one of the open reviews; one in three is left to lie."""
    found = list(Review.objects.open().order_by("pk")[:20])
    if not found:
        return
    review = dice.choice(found)
    if dice.random() < 0.5:
        reviews.accept(review_id=review.pk, by=_BY, at=now())
    else:
        reviews.refund(review_id=review.pk, by=_BY, at=now())


def cancel(dice: random.Random) -> None:
    order = any_order(dice, Status.PENDING)
    if order and dice.random() < 0.3:
        canceling.cancel(order_id=order.pk, reason=Reason.STAFF, by=_BY, note="Sold out.", at=now())


def pay_by_hand(dice: random.Random) -> None:
    order = any_order(dice, Status.PENDING)
    if order and dice.random() < 0.2:
        entry = manual.Entry(
            amount_minor=order.total_minor, currency=order.currency, form_key=uuid4()
        )
        manual.book(order_id=order.pk, entry=entry, by=_BY, at=now())


def put_back(dice: random.Random) -> None:
    """Put the goods of an order back whose money a bank kept."""
    lost = Dispute.objects.filter(status=Dispute.Status.LOST, order__status=Status.PAID)
    found = list(lost.order_by("-pk")[:20])
    if found:
        fulfilling.put_back(order_id=dice.choice(found).order_id, by=_BY, at=now())


def read_events(dice: random.Random) -> None:
    """Look for events that no webhook brought, as the worker does every few minutes."""
    if dice.random() < 0.05:
        reconciliation.read_events(at=now())


if __name__ == "__main__":
    main(sys.argv[1])
