"""What Stripe says of refunds, its dashboard's among them, becomes row, ledger, stock and order."""

import logging
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from orders import services as orders
from orders.models import Order, OrderMail, Reason, Review
from payments import gateway
from payments.models import LedgerEntry, Refund, RefundLine
from payments.services import fulfilling, ledger, resolving, sums
from shop import services as stock
from shop.faults import fault_point
from shop.services import InsufficientStock

logger = logging.getLogger(__name__)

State = Refund.State
Kind = LedgerEntry.Kind

_BAD_ENDS = {State.FAILED, State.CANCELED}
_ENDS = {State.SUCCEEDED} | _BAD_ENDS
# Which state may follow which; any other reading is older than what we know.
_NEXT: dict[str, set[State]] = {
    State.CREATED: {State.PENDING, State.REQUIRES_ACTION} | _ENDS,
    State.PENDING: {State.REQUIRES_ACTION} | _ENDS,
    State.REQUIRES_ACTION: {State.PENDING} | _ENDS,
    State.SUCCEEDED: _BAD_ENDS,
    State.FAILED: set(),
    State.CANCELED: set(),
}


class UnbookedPayment(Exception):
    """A refund of a payment that the books do not have yet: once they do, asking again helps."""


@transaction.atomic
def follow(*, order_id: int, made: Iterable[gateway.Refund], cause: str, at: datetime) -> None:
    """Bring our refunds to what these readings say, those of Stripe's dashboard too.

    Safe to repeat, and in any order: a reading that is older than what is known changes nothing.
    Raises UnbookedPayment, and then nothing was written.
    """
    order = orders.lock(order_id)
    units = RefundLine.objects.filter(refund__order=order, refund__is_restocked=True)
    # All at once: refund by refund they would be locked in no certain order.
    stock.lock(units.values_list("line__variant_id", flat=True))
    for reading in made:
        # What was never booked does not go back in the books either.
        if not sums.is_uncounted(order=order, charge_id=reading.charge_id):
            _follow_one(order, reading, cause, at)
    fault_point("refunds:before-commit")


def _follow_one(order: Order, reading: gateway.Refund, cause: str, at: datetime) -> None:
    refund = _row_of(order, reading, at)
    if reading.status not in _NEXT[State.CREATED]:
        # Nothing is guessed, and the other refunds go on. Known by its id it is not made again.
        logger.error("refund %s is %r, which is not known", reading.id, reading.status)
        refund.stripe_id = reading.id
        refund.save(update_fields=["stripe_id"])
        return
    state = State(reading.status)
    # What Stripe was not known to have made may turn up after all, in whatever state.
    was = State.CREATED if refund.stripe_id is None else State(refund.state)
    if state == was:
        _book_late(order, refund, reading, at)
    if state not in _NEXT[was]:
        return
    refund.state, refund.stripe_id = state, reading.id
    refund.failure, refund.asked_at = reading.failure, at
    refund.save(update_fields=["state", "stripe_id", "failure", "asked_at"])
    if refund.state == State.SUCCEEDED:
        _succeeded(order, refund, reading, cause, at)
    elif refund.state in _BAD_ENDS:
        _came_to_nothing(order, refund, was, reading, cause, at)
    if was == State.CREATED and refund.state not in _BAD_ENDS:
        _tell_buyer(order, refund, OrderMail.Kind.REFUND, at)


def _row_of(order: Order, reading: gateway.Refund, at: datetime) -> Refund:
    """Return the row of a refund, made now for one that was made in Stripe's dashboard."""
    known = order.refunds.filter(stripe_id=reading.id).first() or _lost(order, reading)
    if known:
        return known
    if not order.ledger.capture_of(reading.charge_id).exists():
        raise UnbookedPayment(f"{reading.id} is of {reading.charge_id}")
    refund = Refund.objects.create(
        order=order,
        charge_id=reading.charge_id,
        intent_id=reading.intent_id,
        amount_minor=reading.amount_minor,
        currency=reading.currency,
        source=Refund.Source.DASHBOARD,
        why=Refund.Why.OTHER,
        created_at=reading.made_at,
    )
    orders.note(order=order, reason=Reason.REFUND_ASKED, cause=reading.id, at=at)
    return refund


def _lost(order: Order, reading: gateway.Refund) -> Refund | None:
    """Return the refund that we asked for and got no answer about, by what Stripe kept of it."""
    if reading.metadata.get("app") != settings.STRIPE_APP_TAG:
        return None
    try:
        key = UUID(reading.metadata.get("refund", ""))
    except ValueError:
        return None
    return order.refunds.filter(key=key, stripe_id=None).first()


def _succeeded(
    order: Order, refund: Refund, reading: gateway.Refund, cause: str, at: datetime
) -> None:
    _book(order, refund, reading, at)
    if refund.is_restocked:
        stock.take_back(quantities=units(refund), reference=order.number, at=at)
    is_all = not sums.is_any(sums.booked(order))
    by = refund.by_user_id
    orders.money_went_back(order=order, is_all=is_all, cause=cause, at=at, by=by)
    fulfilling.finish(order=order, cause=cause, at=at, by=by)
    _answer_reviews(order, refund, at)
    fault_point("refunds:money-booked")


def _book(order: Order, refund: Refund, reading: gateway.Refund, at: datetime) -> None:
    ledger.book(
        order=order,
        kind=Kind.REFUND,
        stripe_id=reading.id,
        charge_id=refund.charge_id,
        amount_minor=-refund.amount_minor,
        currency=refund.currency,
        occurred_at=reading.moved.moved_at if reading.moved else reading.made_at,
        at=at,
    )
    if reading.moved:
        ledger.book_fee(order=order, moved=reading.moved, charge_id=refund.charge_id, at=at)


def _book_late(order: Order, refund: Refund, reading: gateway.Refund, at: datetime) -> None:
    """Book what moved, and its fee, where Stripe told of the state before it told of the money."""
    if refund.state == State.SUCCEEDED:
        _book(order, refund, reading, at)
    elif refund.state in _BAD_ENDS and reading.moved_back:
        _book_back(order, refund, reading, at)


def _book_back(order: Order, refund: Refund, reading: gateway.Refund, at: datetime) -> None:
    """Book a refund that moved money, and the money that came back."""
    _book(order, refund, reading, at)
    ledger.book(
        order=order,
        kind=Kind.REFUND_REVERSAL,
        stripe_id=reading.id,
        charge_id=refund.charge_id,
        amount_minor=refund.amount_minor,
        currency=refund.currency,
        occurred_at=reading.moved_back.moved_at if reading.moved_back else at,
        at=at,
    )


def _came_to_nothing(
    order: Order, refund: Refund, was: State, reading: gateway.Refund, cause: str, at: datetime
) -> None:
    """Undo what a refund did; one that we never saw succeed may have moved money all the same."""
    if was == State.SUCCEEDED or reading.moved_back:
        _book_back(order, refund, reading, at)
    if was == State.SUCCEEDED and refund.is_restocked:
        _take_again(order, refund, at)
    if was != State.CREATED:
        _tell_buyer(order, refund, OrderMail.Kind.REFUND_FAILED, at)
    failed(order=order, refund=refund, cause=cause, at=at)


def failed(*, order: Order, refund: Refund, cause: str, at: datetime) -> None:
    """Tell the order's story that a refund came to nothing, and ask a person what now.

    Nobody is asked twice, nor about money that went back in another way.
    """
    is_all_back = not sums.is_any(sums.booked(order))
    orders.refund_failed(order=order, is_all_back=is_all_back, cause=cause, at=at)
    if not is_all_back:
        _ask_for_units_again(order, at)
    is_kept = sums.unrefunded_minor(order=order, charge_id=refund.charge_id) > 0
    if is_kept and not _is_asked(order, refund):
        told = order.mails.filter(kind=OrderMail.Kind.REFUND_FAILED, cause=str(refund.key))
        orders.open_review(
            order=order,
            reason=Review.Reason.REFUND,
            cause=str(refund.key),
            detail=f"A refund came to nothing: {refund.failure or refund.state}.",
            at=at,
            is_told=refund.source != Refund.Source.AUTOMATIC or told.exists(),
        )


def _ask_for_units_again(order: Order, at: datetime) -> None:
    """Reopen the questions about missing units that a refund had answered, if none of it stands."""
    standing = Refund.objects.filter(review=OuterRef("pk")).exclude(state__in=_BAD_ENDS)
    answered = order.reviews.filter(
        reason=Review.Reason.STOCK, resolution=Review.Resolution.REFUNDED
    )
    for review in answered.exclude(Exists(standing)):
        orders.reopen_review(order=order, review=review, at=at)


def _is_asked(order: Order, refund: Refund) -> bool:
    """Tell whether a person is asked already about this refund, or about all of its charge."""
    names_it = Q(cause__in=[refund.charge_id, str(refund.key)]) | Q(refunds=refund)
    return order.reviews.open().filter(names_it).exists()


def reviews_about(order: Order, charge_id: str) -> QuerySet[Review]:
    """Return the open reviews that name a charge, or a refund of it."""
    keys = order.refunds.filter(charge_id=charge_id).values_list("key", flat=True)
    return order.reviews.open().filter(cause__in=[charge_id, *map(str, keys)])


def _answer_reviews(order: Order, refund: Refund, at: datetime) -> None:
    """Close the question that it was asked for, and all of a charge of which nothing is left."""
    given_back = order.ledger.filter(charge_id=refund.charge_id).given_back()
    moved = order.ledger.capture_of(refund.charge_id) | given_back
    left = moved.total_minor(refund.currency)
    for review in reviews_about(order, refund.charge_id):
        if left > 0 and review.pk != refund.review_id:
            continue
        try:
            with transaction.atomic():
                resolving.resolve(
                    order=order,
                    review=review,
                    resolution=Review.Resolution.REFUNDED,
                    at=at,
                    by=refund.by_user_id,
                )
        except InsufficientStock:
            # Other money of this canceled order was accepted, and its units are gone since: the
            # question stays, and a person decides anew.
            continue


def _take_again(order: Order, refund: Refund, at: datetime) -> None:
    try:
        orders.take_again(order=order, quantities=units(refund), at=at)
    except InsufficientStock:
        orders.open_review(
            order=order,
            reason=Review.Reason.STOCK,
            cause=str(refund.key),
            detail="A refund failed after its units were back on the shelf, and they are gone.",
            at=at,
            is_told=True,
        )


def units(refund: Refund) -> dict[int, int]:
    """Return the units by variant id that the refund is for."""
    lines = refund.lines.select_related("line")
    return {row.line.variant_id: row.quantity for row in lines}


def _tell_buyer(order: Order, refund: Refund, kind: OrderMail.Kind, at: datetime) -> None:
    orders.owe_mail(
        order=order,
        kind=kind,
        cause=str(refund.key),
        at=at,
        facts={
            "amount_minor": refund.amount_minor,
            "currency": refund.currency,
            "why": refund.why,
        },
    )
