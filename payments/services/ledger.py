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

    `occurred_at` is when the money moved by Stripe's clock; of a capture, when it was charged.
    Without an attempt it belongs to that of its charge.
    """
    _entry, is_new = LedgerEntry.objects.get_or_create(
        kind=kind,
        stripe_id=stripe_id,
        defaults={
            "order": order,
            "attempt": attempt or _attempt_of(charge_id),
            "charge_id": charge_id,
            "amount_minor": amount_minor,
            "currency": currency,
            "occurred_at": occurred_at,
            "booked_at": at,
        },
    )
    return is_new


def _attempt_of(charge_id: str) -> PaymentAttempt | None:
    capture = LedgerEntry.objects.capture_of(charge_id)
    return PaymentAttempt.objects.filter(ledger__in=capture).first()


def book_capture(*, order: Order, attempt: PaymentAttempt, charge: Charge, at: datetime) -> bool:
    """Book a charge that captured money, and its fee if Stripe knows it already; tell if it is new.

    The fee of a charge that was booked before is booked now, one of zero too: it tells the day that
    both count to.
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
        _book_fee(order=order, attempt=attempt, moved=charge.moved, charge_id=charge.id, at=at)
    return is_new


def book_fee(*, order: Order, moved: BalanceTransaction, charge_id: str, at: datetime) -> None:
    """Book what Stripe keeps of a refund's or a dispute's movement, which mostly is nothing.

    It never holds up what the movement itself means.
    """
    if moved.fee.amount:
        _book_fee(order=order, attempt=None, moved=moved, charge_id=charge_id, at=at)


def _book_fee(
    *,
    order: Order,
    attempt: PaymentAttempt | None,
    moved: BalanceTransaction,
    charge_id: str,
    at: datetime,
) -> None:
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
