"""What Stripe says of a payment becomes ledger, attempt, order and story.

Facts come from objects read again at Stripe, never from an event's payload, so it does not matter
how often or in which order events arrive: a read that would move a row backwards changes nothing.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from uuid import UUID

from django.conf import settings
from django.db import transaction
from structlog.contextvars import bind_contextvars

from orders import services as orders
from orders.carts import is_followed
from orders.models import Order, OrderMail, Reason, Review
from payments.gateway import Charge, Intent, Session
from payments.models import PaymentAttempt, Refund
from payments.queue import enqueue
from payments.services import ledger, refunds, sums
from shop import money
from shop.faults import fault_point
from shop.services import InsufficientStock

State = PaymentAttempt.State
ClosedAs = PaymentAttempt.ClosedAs
Kind = PaymentAttempt.Kind

# So often a payment that failed days later gives its buyer another day: not for ever, as each holds
# units that others would buy.
_ANOTHER_DAY = 3

# What Stripe knows a payment by: its own page, or an intent alone.
Payment = Session | Intent


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


class _Outcome(Enum):
    """What a reading says of an attempt."""

    PAYABLE = auto()
    ON_ITS_WAY = auto()
    FAILED = auto()
    OVER = auto()
    PAID = auto()


def require_ours(metadata: dict[str, str]) -> None:
    """Raise Foreign unless the metadata carries this shop's tag."""
    if metadata.get("app") != settings.STRIPE_APP_TAG:
        raise Foreign(metadata.get("app", "no tag"))


def attempt_of(payment: Payment) -> PaymentAttempt:
    """Return the attempt that the payment's metadata names; raises Foreign, UnknownAttempt."""
    require_ours(payment.metadata)
    named = payment.metadata.get("attempt", "")
    try:
        return PaymentAttempt.objects.get(key=UUID(named))
    except (ValueError, PaymentAttempt.DoesNotExist):
        raise UnknownAttempt(f"{payment.id} names attempt {named!r}") from None


@transaction.atomic
def settle(*, payment: Payment, cause: str, at: datetime) -> Settled:
    """Bring attempt, ledger and order to what this reading of their payment says.

    `cause` is the id of the event, or of the payment when nobody told us. Safe to repeat.
    Raises Foreign, UnknownAttempt, StaleRead.
    """
    attempt = attempt_of(payment)
    # The order's lock makes all that is said of one order take turns; only now is the attempt read.
    order = orders.lock(attempt.order_id)
    bind_contextvars(order_number=order.number, payment_attempt_id=attempt.pk)
    attempt.refresh_from_db()
    if attempt.kind != (Kind.CHECKOUT if isinstance(payment, Session) else Kind.INTENT):
        raise UnknownAttempt(f"{payment.id} names {attempt.key}, which asked for no such thing")
    _adopt(attempt, payment)
    outcome = _outcome(payment)
    if payment.id != attempt.stripe_id and outcome != _Outcome.PAID:
        # Not what the attempt asked for; only its money is of interest.
        return Settled(order, attempt)
    match outcome:
        case _Outcome.PAYABLE:
            _open(attempt, payment)
        case _Outcome.OVER if attempt.state != State.PROCESSING:
            over = ClosedAs.EXPIRED if isinstance(payment, Session) else ClosedAs.CANCELED
            close(attempt, over)
            _answer_unpaid_review(order, payment, at)
        case _Outcome.OVER | _Outcome.FAILED:
            _payment_failed(order, attempt, payment, cause, at)
        case _Outcome.ON_ITS_WAY:
            _on_its_way(order, attempt, payment, cause, at)
        case _Outcome.PAID:
            _paid(order, attempt, payment, cause, at)
    fault_point("settling:before-commit")
    return Settled(order, attempt)


def is_payable(payment: Payment) -> bool:
    """Tell whether the buyer may still pay by it."""
    if isinstance(payment, Session):
        return payment.status == "open"
    return payment.status not in {"processing", "succeeded", "canceled"}


def has_failed(payment: Payment) -> bool:
    """Tell whether money was on its way by it, and does not come."""
    return _outcome(payment) == _Outcome.FAILED


def close(attempt: PaymentAttempt, closed_as: ClosedAs) -> None:
    """Note that nothing can be paid by this attempt any more; a final state stays as it is."""
    if attempt.is_live:
        attempt.state, attempt.closed_as = State.CLOSED, closed_as
        attempt.save(update_fields=["state", "closed_as"])


def _outcome(payment: Payment) -> _Outcome:
    if isinstance(payment, Session):
        return _outcome_of_session(payment)
    match payment.status:
        case "succeeded":
            return _Outcome.PAID
        case "processing":
            return _Outcome.ON_ITS_WAY
        case _ if payment.has_failed_debit:
            # A declined card leaves the intent to the next one. What failed days later starts anew.
            return _Outcome.FAILED
        case "canceled":
            return _Outcome.OVER
        case _:
            return _Outcome.PAYABLE


def _outcome_of_session(session: Session) -> _Outcome:
    match session.status, session.payment_status:
        case "open", _:
            return _Outcome.PAYABLE
        case "expired", _:
            return _Outcome.OVER
        case "complete", "unpaid":
            # Judged by its intent: on its way, or failed.
            status = session.intent.status if session.intent else ""
            has_failed = status in {"requires_payment_method", "canceled"}
            return _Outcome.FAILED if has_failed else _Outcome.ON_ITS_WAY
        case _:
            return _Outcome.PAID


def _adopt(attempt: PaymentAttempt, payment: Payment) -> None:
    known = attempt.session_id, attempt.intent_id
    if isinstance(payment, Session):
        attempt.session_id = attempt.session_id or payment.id
        intent = payment.intent
    else:
        intent = payment
    if intent:
        attempt.intent_id = attempt.intent_id or intent.id
    if (attempt.session_id, attempt.intent_id) != known:
        attempt.save(update_fields=["session_id", "intent_id"])


def _open(attempt: PaymentAttempt, payment: Payment) -> None:
    if attempt.state == State.CREATED:
        attempt.state = State.OPEN
        if isinstance(payment, Session):
            attempt.url = payment.url
        else:
            attempt.client_secret = payment.client_secret
        attempt.save(update_fields=["state", "url", "client_secret"])
    elif attempt.state == State.CLOSED:
        # We gave it up, yet it can still be paid: it is ended at Stripe.
        enqueue("end_attempt", attempt_id=attempt.pk)


def _on_its_way(
    order: Order, attempt: PaymentAttempt, payment: Payment, cause: str, at: datetime
) -> None:
    if attempt.state in {State.CREATED, State.OPEN}:
        attempt.state = State.PROCESSING
        attempt.save(update_fields=["state"])
        orders.note(order=order, reason=Reason.PROCESSING, cause=cause, at=at)
        orders.let_cart_go(order=order, at=at)
        orders.owe_mail(order=order, kind=OrderMail.Kind.PROCESSING, cause=str(attempt.key), at=at)
    elif attempt.state == State.CLOSED and attempt.closed_as != ClosedAs.FAILED:
        orders.open_review(
            order=order,
            reason=Review.Reason.UNPAID,
            cause=payment.id,
            detail="The payment was closed here, yet the buyer completed it. Money is on its way.",
            at=at,
        )
        enqueue("close_attempts", order_id=order.pk)


def _payment_failed(
    order: Order, attempt: PaymentAttempt, payment: Payment, cause: str, at: datetime
) -> None:
    if attempt.state == State.SUCCEEDED or attempt.closed_as == ClosedAs.FAILED:
        return
    attempt.state, attempt.closed_as = State.CLOSED, ClosedAs.FAILED
    attempt.save(update_fields=["state", "closed_as"])
    orders.note(order=order, reason=Reason.PAYMENT_FAILED, cause=cause, at=at)
    if order.is_pending:
        _give_another_day(order, attempt, at)
    if is_payable(payment):
        # An intent whose bank debit failed takes another; ours starts anew instead.
        enqueue("end_attempt", attempt_id=attempt.pk)
    _answer_unpaid_review(order, payment, at)


def _give_another_day(order: Order, attempt: PaymentAttempt, at: datetime) -> None:
    """Let the buyer pay in another way: he did not linger, the bank did."""
    failed = order.events.filter(reason=Reason.PAYMENT_FAILED).count()
    until = at + settings.PAY_WITHIN if failed <= _ANOTHER_DAY else at
    orders.extend(order=order, hold_until=until, pay_until=until)
    # Whose time is over hears within a minute that the order is canceled.
    if order.pay_by > at:
        orders.owe_mail(
            order=order, kind=OrderMail.Kind.PAYMENT_FAILED, cause=str(attempt.key), at=at
        )


def _paid(
    order: Order, attempt: PaymentAttempt, payment: Payment, cause: str, at: datetime
) -> None:
    if not payment.charges:
        if isinstance(payment, Session) and payment.payment_status == "no_payment_required":
            raise UnknownAttempt(f"{payment.id} asks for nothing, as no session of ours does")
        raise StaleRead(f"{payment.id} is paid, its charge not known yet")
    for charge in payment.charges:
        try:
            is_new = ledger.book_capture(order=order, attempt=attempt, charge=charge, at=at)
        except (money.UnsupportedCurrency, money.InexactAmount):
            _ask_about_uncounted(order, attempt, payment, charge, at)
            continue
        if not is_new:
            continue
        has_money = order.ledger.received().exclude(stripe_id=charge.id).exists()
        fault_point("settling:money-booked")
        attempt.state, attempt.closed_as = State.SUCCEEDED, ""
        attempt.save(update_fields=["state", "closed_as"])
        _answer_unpaid_review(order, payment, at)
        _apply_capture(order, attempt, payment, charge, has_money, cause, at)
        enqueue("close_attempts", order_id=order.pk)


def _ask_about_uncounted(
    order: Order, attempt: PaymentAttempt, payment: Payment, charge: Charge, at: datetime
) -> None:
    """Ask a person about money that the books cannot hold, and take no other meanwhile."""
    problems = mismatches(attempt, order, payment, charge)
    close(attempt, ClosedAs.FAILED)
    _answer_unpaid_review(order, payment, at)
    orders.open_review(
        order=order,
        reason=Review.Reason.MISMATCH,
        cause=charge.id,
        detail=f"Nothing is booked: this shop cannot count the {charge.amount} {charge.currency}, "
        f"as Stripe counts them, that {charge.id} took. Give them back in Stripe's dashboard and "
        "accept this review: an order that waits for payment is canceled then. Or keep them, and "
        f"settle by hand with the order's total. {'; '.join(problems)}.",
        at=at,
    )
    enqueue("close_attempts", order_id=order.pk)


def _apply_capture(
    order: Order,
    attempt: PaymentAttempt,
    payment: Payment,
    charge: Charge,
    has_money: bool,
    cause: str,
    at: datetime,
) -> None:
    """Move the order by new money, give it back, or ask a person.

    The cases are the design's table of money that arrives.
    """
    if problems := mismatches(attempt, order, payment, charge):
        orders.note(order=order, reason=Reason.MONEY_BOOKED, cause=cause, at=at)
        orders.open_review(
            order=order,
            reason=Review.Reason.MISMATCH,
            cause=charge.id,
            detail="; ".join(problems),
            at=at,
        )
        return
    why = _why_not_kept(order, charge, has_money, cause, at)
    if why:
        orders.note(order=order, reason=Reason.MONEY_BOOKED, cause=cause, at=at)
        refunds.give_back(
            order=order, charge=charge, intent_id=attempt.intent_id or "", why=why, at=at
        )


def _why_not_kept(
    order: Order, charge: Charge, has_money: bool, cause: str, at: datetime
) -> Refund.Why | None:
    """Make the order paid by its money, or return why that money goes back."""
    if has_money or not (order.is_pending or order.is_canceled):
        others = sums.kept(order)
        others[charge.currency] -= charge.amount_minor
        return Refund.Why.DUPLICATE if sums.is_any(others) else Refund.Why.LATE
    if order.is_pending:
        orders.mark_paid(order=order, reason=Reason.CAPTURE, cause=cause, at=at)
        return None
    if not orders.is_expired(order) or is_followed(order):
        return Refund.Why.LATE
    try:
        orders.mark_paid(order=order, reason=Reason.LATE_CAPTURE, cause=cause, at=at)
    except InsufficientStock:
        return Refund.Why.LATE
    return None


def mismatches(
    attempt: PaymentAttempt, order: Order, payment: Payment, charge: Charge
) -> list[str]:
    """Return in words every fact of a paid payment that is not as the attempt asked.

    Amounts are as Stripe counts them: it may have taken what we cannot count.
    """
    amount = money.to_stripe(attempt.amount_minor, attempt.currency)
    asked_and_got: dict[str, tuple[object, object]] = {
        "live mode": (settings.STRIPE_LIVE_MODE, payment.livemode),
        "payment currency": (attempt.currency, payment.currency),
        "payment amount": (amount, payment.amount),
        "currency": (attempt.currency, charge.currency),
        "amount": (amount, charge.amount),
    }
    if isinstance(payment, Session):
        asked_and_got |= {
            "session": (attempt.session_id, payment.id),
            "intent": (attempt.intent_id, payment.intent and payment.intent.id),
            "reference": (order.number, payment.reference),
            "mode": ("payment", payment.mode),
            "payment status": ("paid", payment.payment_status),
        }
    else:
        asked_and_got |= {
            "intent": (attempt.intent_id, payment.id),
            "reference": (order.number, payment.metadata.get("order")),
        }
    return [
        f"{fact}: asked {asked}, got {got}"
        for fact, (asked, got) in asked_and_got.items()
        if asked != got
    ]


def _answer_unpaid_review(order: Order, payment: Payment, at: datetime) -> None:
    """What became of money on its way answers the review that asked about it."""
    review = order.reviews.open().filter(reason=Review.Reason.UNPAID, cause=payment.id).first()
    if review:
        orders.resolve_review(
            order=order, review=review, resolution=Review.Resolution.ANSWERED, at=at
        )
