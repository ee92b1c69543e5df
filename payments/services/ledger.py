"""Booking money that moved: once per kind and Stripe object, under the order's lock."""

import logging
from datetime import datetime

from orders.models import Order
from payments.gateway import BalanceTransaction, Charge
from payments.models import LedgerEntry, PaymentAttempt
from shop import money

logger = logging.getLogger(__name__)

Kind = LedgerEntry.Kind


def book(
    *,
    order: Order,
    kind: LedgerEntry.Kind,
    stripe_id: str,
    charge_id: str,
    amount_minor: int,
    currency: str,
    occurred_at: datetime,
    at: datetime,
    attempt: PaymentAttempt | None = None,
) -> bool:
    """Book signed minor units, once per kind and Stripe object; return whether that was now.

    `occurred_at` is when the money moved by Stripe's clock, the day that it counts to.
    """
    _entry, is_new = LedgerEntry.objects.get_or_create(
        kind=kind,
        stripe_id=stripe_id,
        defaults={
            "order": order,
            "attempt": attempt,
            "charge_id": charge_id,
            "amount_minor": amount_minor,
            "currency": currency,
            "occurred_at": occurred_at,
            "booked_at": at,
        },
    )
    return is_new


def book_capture(*, order: Order, attempt: PaymentAttempt, charge: Charge, at: datetime) -> bool:
    """Book a charge that captured money, and its fee if Stripe knows it already; tell if it is new.

    The fee of a charge that was booked before is booked now.
    """
    is_new = book(
        order=order,
        attempt=attempt,
        kind=Kind.CAPTURE,
        stripe_id=charge.id,
        charge_id=charge.id,
        amount_minor=charge.amount_minor,
        currency=charge.currency,
        occurred_at=charge.charged_at,
        at=at,
    )
    if charge.moved:
        book_fee(order=order, attempt=attempt, moved=charge.moved, charge_id=charge.id, at=at)
    return is_new


def book_fee(
    *,
    order: Order,
    moved: BalanceTransaction,
    charge_id: str,
    at: datetime,
    attempt: PaymentAttempt | None = None,
) -> None:
    """Book what Stripe keeps of a movement; it never holds up what the movement itself means."""
    try:
        amount_minor = -moved.fee.amount_minor
    except (money.UnsupportedCurrency, money.InexactAmount):
        # One that we cannot count stays unknown.
        logger.exception("fee %s is not booked", moved.id)
        return
    book(
        order=order,
        attempt=attempt,
        kind=Kind.FEE,
        stripe_id=moved.id,
        charge_id=charge_id,
        amount_minor=amount_minor,
        currency=moved.fee.currency,
        occurred_at=moved.moved_at,
        at=at,
    )
