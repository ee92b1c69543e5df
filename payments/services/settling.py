"""What Stripe says of a session becomes ledger, attempt, order and story.

Facts come from objects read again at Stripe, never from an event's payload, so it does not matter
how often or in which order events arrive: a read that would move a row backwards changes nothing.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from structlog.contextvars import bind_contextvars

from orders import services as orders
from orders.carts import is_followed
from orders.models import Order, Reason, Review
from payments.gateway import Charge, Session
from payments.models import LedgerEntry, PaymentAttempt
from payments.queue import enqueue
from shop import money
from shop.faults import fault_point
from shop.services import InsufficientStock

logger = logging.getLogger(__name__)

State = PaymentAttempt.State
ClosedAs = PaymentAttempt.ClosedAs


class Foreign(Exception):
    """The object carries no tag of ours: another site's payment on the same account."""


class UnknownAttempt(Exception):
    """Our tag, but no such attempt: a restored backup, say. The money must be booked by hand."""


class StaleRead(Exception):
    """Stripe's answer is older than what we were told; asking again later helps."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The order and the attempt as they stand after settling."""

    order: Order
    attempt: PaymentAttempt


def require_ours(metadata: dict[str, str]) -> None:
    """Raise Foreign unless the metadata carries this shop's tag."""
    if metadata.get("app") != settings.STRIPE_APP_TAG:
        raise Foreign(metadata.get("app", "no tag"))


@transaction.atomic
def settle(*, session: Session, cause: str, at: datetime) -> Settled:
    """Bring attempt, ledger and order to what this reading of their session says.

    `cause` is the id of the event, or of the session when nobody told us. Safe to repeat.
    Raises Foreign, UnknownAttempt, StaleRead.
    """
    require_ours(session.metadata)
    attempt = _attempt_of(session)
    # The order's lock makes all that is said of one order take turns; only now is the attempt read.
    order = orders.lock(attempt.order_id)
    bind_contextvars(order_number=order.number, payment_attempt_id=attempt.pk)
    attempt.refresh_from_db()
    _adopt(attempt, session)
    match session.status, session.payment_status:
        case "open", _:
            _open(attempt, session)
        case "expired", _:
            close(attempt, ClosedAs.EXPIRED)
        case "complete", "unpaid":
            _unpaid(order, attempt, session, cause, at)
        case _:
            _paid(order, attempt, session, cause, at)
    fault_point("settling:before-commit")
    return Settled(order, attempt)


def _attempt_of(session: Session) -> PaymentAttempt:
    named = session.metadata.get("attempt", "")
    try:
        return PaymentAttempt.objects.get(key=UUID(named))
    except (ValueError, PaymentAttempt.DoesNotExist):
        raise UnknownAttempt(f"{session.id} names attempt {named!r}") from None


def close(attempt: PaymentAttempt, closed_as: ClosedAs) -> None:
    """Note that nothing can be paid by this attempt any more; a final state stays as it is."""
    if attempt.is_live:
        attempt.state, attempt.closed_as = State.CLOSED, closed_as
        attempt.save(update_fields=["state", "closed_as"])


def _adopt(attempt: PaymentAttempt, session: Session) -> None:
    attempt.session_id = attempt.session_id or session.id
    if session.intent:
        attempt.intent_id = attempt.intent_id or session.intent.id
    attempt.save(update_fields=["session_id", "intent_id"])


def _open(attempt: PaymentAttempt, session: Session) -> None:
    if attempt.state == State.CREATED:
        attempt.state, attempt.url = State.OPEN, session.url
        attempt.save(update_fields=["state", "url"])
    elif attempt.state == State.CLOSED:
        # We gave it up, yet it can still be paid: it is ended at Stripe.
        enqueue("end_session", session_id=session.id)


def _unpaid(
    order: Order, attempt: PaymentAttempt, session: Session, cause: str, at: datetime
) -> None:
    """A completed session without money yet is judged by its intent: on its way, or failed."""
    has_failed = session.intent is not None and session.intent.status in {
        "requires_payment_method",
        "canceled",
    }
    if has_failed:
        _payment_failed(order, attempt, session, cause, at)
    elif attempt.state in {State.CREATED, State.OPEN}:
        attempt.state = State.PROCESSING
        attempt.save(update_fields=["state"])
        orders.note(order=order, reason=Reason.PROCESSING, cause=cause, at=at)
        orders.let_cart_go(order=order, at=at)
    elif attempt.state == State.CLOSED and attempt.closed_as != ClosedAs.FAILED:
        orders.open_review(
            order=order,
            reason=Review.Reason.UNPAID,
            cause=session.id,
            detail="The session was closed here, yet the buyer completed it. Money is on its way.",
            at=at,
        )
        enqueue("close_attempts", order_id=order.pk)


def _payment_failed(
    order: Order, attempt: PaymentAttempt, session: Session, cause: str, at: datetime
) -> None:
    if attempt.state == State.SUCCEEDED or attempt.closed_as == ClosedAs.FAILED:
        return
    attempt.state, attempt.closed_as = State.CLOSED, ClosedAs.FAILED
    attempt.save(update_fields=["state", "closed_as"])
    orders.note(order=order, reason=Reason.PAYMENT_FAILED, cause=cause, at=at)
    if order.is_pending:
        # The buyer did not linger; the bank did. He gets a day to pay in another way.
        orders.extend(
            order=order, hold_until=at + settings.PAY_WITHIN, pay_until=at + settings.PAY_WITHIN
        )
    _answer_unpaid_review(order, session, at)


def _paid(
    order: Order, attempt: PaymentAttempt, session: Session, cause: str, at: datetime
) -> None:
    charge = session.intent and session.intent.charge
    if not charge:
        if session.payment_status == "no_payment_required":
            raise UnknownAttempt(f"{session.id} asks for nothing, as no session of ours does")
        raise StaleRead(f"{session.id} is paid, its charge not known yet")
    has_money = order.ledger.received().exclude(stripe_id=charge.id).exists()
    _entry, is_new = LedgerEntry.objects.get_or_create(
        kind=LedgerEntry.Kind.CAPTURE,
        stripe_id=charge.id,
        defaults={
            "order": order,
            "attempt": attempt,
            "amount_minor": charge.amount_minor,
            "currency": charge.currency,
            "booked_at": at,
        },
    )
    _book_fee(order, attempt, charge, at)
    if not is_new:
        return
    fault_point("settling:money-booked")
    attempt.state, attempt.closed_as = State.SUCCEEDED, ""
    attempt.save(update_fields=["state", "closed_as"])
    _answer_unpaid_review(order, session, at)
    question = _apply_capture(order, attempt, session, charge, has_money, cause, at)
    if question:
        reason, detail = question
        orders.note(order=order, reason=Reason.MONEY_BOOKED, cause=cause, at=at)
        orders.open_review(order=order, reason=reason, cause=charge.id, detail=detail, at=at)
    enqueue("close_attempts", order_id=order.pk)


def _apply_capture(
    order: Order,
    attempt: PaymentAttempt,
    session: Session,
    charge: Charge,
    has_money: bool,
    cause: str,
    at: datetime,
) -> tuple[Review.Reason, str] | None:
    """Move the order by new money, or return the question that a person must answer.

    The cases are the design's table of money that arrives.
    """
    if problems := mismatches(attempt, order, session, charge):
        return Review.Reason.MISMATCH, "; ".join(problems)
    if has_money or not (order.is_pending or order.is_canceled):
        return Review.Reason.SECOND, "The order had its money already."
    if order.is_pending:
        orders.mark_paid(order=order, reason=Reason.CAPTURE, cause=cause, at=at)
        return None
    if not orders.is_expired(order):
        return Review.Reason.LATE, "The order had been canceled, not by expiry."
    if is_followed(order):
        return Review.Reason.LATE, "A later order was placed from the same cart."
    try:
        orders.mark_paid(order=order, reason=Reason.LATE_CAPTURE, cause=cause, at=at)
    except InsufficientStock:
        return Review.Reason.LATE, "The order had expired, and its units are sold or held."
    return None


def mismatches(
    attempt: PaymentAttempt, order: Order, session: Session, charge: Charge
) -> list[str]:
    """Return in words every fact of a paid session that is not as the attempt asked."""
    asked_and_got = {
        "live mode": (settings.STRIPE_LIVE_MODE, session.livemode),
        "session": (attempt.session_id, session.id),
        "intent": (attempt.intent_id, session.intent and session.intent.id),
        "reference": (order.number, session.reference),
        "mode": ("payment", session.mode),
        "payment status": ("paid", session.payment_status),
        "session currency": (attempt.currency, session.currency),
        "session amount": (attempt.amount_minor, session.amount_minor),
        "currency": (attempt.currency, charge.currency),
        "amount": (attempt.amount_minor, charge.amount_minor),
    }
    return [
        f"{fact}: asked {asked}, got {got}"
        for fact, (asked, got) in asked_and_got.items()
        if asked != got
    ]


def _book_fee(order: Order, attempt: PaymentAttempt, charge: Charge, at: datetime) -> None:
    if charge.fee:
        try:
            amount_minor = -charge.fee.amount_minor
        except (money.UnsupportedCurrency, money.InexactAmount):
            # A fee never holds up settling. One that we cannot count stays unknown.
            logger.exception("fee %s is not booked", charge.fee.balance_transaction_id)
            return
        LedgerEntry.objects.get_or_create(
            kind=LedgerEntry.Kind.FEE,
            stripe_id=charge.fee.balance_transaction_id,
            defaults={
                "order": order,
                "attempt": attempt,
                "amount_minor": amount_minor,
                "currency": charge.fee.currency,
                "booked_at": at,
            },
        )


def _answer_unpaid_review(order: Order, session: Session, at: datetime) -> None:
    """What became of money on its way answers the review that asked about it."""
    review = order.reviews.open().filter(reason=Review.Reason.UNPAID, cause=session.id).first()
    if review:
        orders.resolve_review(
            order=order, review=review, resolution=Review.Resolution.ANSWERED, at=at
        )
