"""Giving money back: a row and its key first, then Stripe, then what became of it.

A refund is asked for under its order's lock, where it counts at once against what is left of its
charge; a job sends it. Whatever Stripe says of refunds, its dashboard's among them, ends in
`follow`. Amounts are minor units of the charge's currency.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from structlog.contextvars import bind_contextvars

from orders import services as orders
from orders.models import Order, OrderMail, Reason, Review
from payments import gateway
from payments.models import LedgerEntry, Refund, RefundLine
from payments.queue import enqueue
from payments.services import disputes, fulfilling, ledger
from shop import money
from shop.faults import fault_point
from shop.services import InsufficientStock

State = Refund.State
Kind = LedgerEntry.Kind

# Stripe keeps an idempotency key for at least a day, but a refund this old is looked for in
# Stripe's list before it is asked for again.
REPEAT_WITHIN = timedelta(minutes=10)
# Which state may follow which; any other reading is older than what we know.
_NEXT: dict[str, frozenset[str]] = {
    State.CREATED: frozenset(
        {State.PENDING, State.REQUIRES_ACTION, State.SUCCEEDED, State.FAILED, State.CANCELED}
    ),
    State.PENDING: frozenset(
        {State.REQUIRES_ACTION, State.SUCCEEDED, State.FAILED, State.CANCELED}
    ),
    State.REQUIRES_ACTION: frozenset(
        {State.PENDING, State.SUCCEEDED, State.FAILED, State.CANCELED}
    ),
    State.SUCCEEDED: frozenset({State.FAILED, State.CANCELED}),
    State.FAILED: frozenset(),
    State.CANCELED: frozenset(),
}


class CannotRefund(Exception):
    """Nothing was asked for; `str(error)` says why in staff's words."""


def refundable_minor(*, order: Order, charge_id: str) -> int:
    """Return what is left of a charge to give back: neither refunded, nor being so, nor disputed.

    Exact only under the order's lock.
    """
    captured = _sum(order.ledger.filter(kind=Kind.CAPTURE, charge_id=charge_id))
    refunded = _sum(order.refunds.standing().filter(charge_id=charge_id))
    withheld = disputes.withheld_minor(order=order, charge_id=charge_id)
    return max(captured - refunded - withheld, 0)


def _sum(rows: Any) -> int:
    total: int | None = rows.aggregate(total=Sum("amount_minor"))["total"]
    return total or 0


@transaction.atomic
def ask(
    *,
    order_id: int,
    charge_id: str,
    amount_minor: int,
    why: Refund.Why,
    by: int,
    at: datetime,
    quantities: Mapping[int, int] | None = None,
    restock: bool = False,
    note: str = "",
) -> Refund:
    """Ask for some or all of a charge back, as the user with id `by`; a job tells Stripe.

    `quantities` are units by order line id that the refund is for; with `restock` they go back on
    the shelf once it succeeds. Raises CannotRefund, and then nothing was written.
    """
    order = orders.lock(order_id)
    capture = order.ledger.filter(kind=Kind.CAPTURE, charge_id=charge_id).first()
    if capture is None:
        raise CannotRefund("This order has no such payment.")
    left = refundable_minor(order=order, charge_id=charge_id)
    if not 0 < amount_minor <= left:
        most = money.format_minor(left, capture.currency)
        raise CannotRefund(f"Of this payment {most} can still be refunded.")
    _check_units(order, quantities or {})
    return _create(
        order=order,
        charge_id=charge_id,
        intent_id=(capture.attempt and capture.attempt.intent_id) or "",
        amount_minor=amount_minor,
        currency=capture.currency,
        source=Refund.Source.STAFF,
        why=why,
        quantities=quantities or {},
        at=at,
        by=by,
        is_restocked=restock,
        note=note,
    )


def _check_units(order: Order, quantities: Mapping[int, int]) -> None:
    lines = {line.pk: line for line in order.lines.all()}
    taken = refunded_quantities(order)
    for line_id, quantity in quantities.items():
        line = lines.get(line_id)
        if line is None:
            raise CannotRefund("This order has no such line.")
        left = line.quantity - taken.get(line_id, 0)
        if not 0 < quantity <= left:
            raise CannotRefund(f"Of “{line.title}” {left} can still be refunded.")


def refunded_quantities(order: Order) -> dict[int, int]:
    """Return the units by line id that standing refunds are for."""
    rows = RefundLine.objects.filter(refund__in=order.refunds.standing())
    sums = rows.order_by().values("line_id").annotate(units=Sum("quantity"))
    return {row["line_id"]: row["units"] for row in sums}


def give_back(
    *, order: Order, charge: gateway.Charge, intent_id: str, why: Refund.Why, at: datetime
) -> None:
    """Refund a payment that the order cannot keep; where a dispute forbids that, ask a person.

    The order is locked, the charge booked.
    """
    left = refundable_minor(order=order, charge_id=charge.id)
    if left < charge.amount_minor:
        _open_review(order, charge.id, "The payment is disputed, or partly refunded already.", at)
    if left:
        _create(
            order=order,
            charge_id=charge.id,
            intent_id=intent_id,
            amount_minor=left,
            currency=charge.currency,
            source=Refund.Source.AUTOMATIC,
            why=why,
            quantities={},
            at=at,
        )


def _create(
    *,
    order: Order,
    source: Refund.Source,
    quantities: Mapping[int, int],
    at: datetime,
    by: int | None = None,
    **fields: Any,
) -> Refund:
    refund = Refund.objects.create(
        order=order, source=source, by_user_id=by, created_at=at, **fields
    )
    RefundLine.objects.bulk_create(
        RefundLine(refund=refund, line_id=line_id, quantity=quantity)
        for line_id, quantity in quantities.items()
    )
    orders.note(order=order, reason=Reason.REFUND_ASKED, cause=str(refund.key), at=at, by=by)
    enqueue("send_refund", refund_id=refund.pk)
    return refund


def send(*, refund_id: int, at: datetime) -> None:
    """Have Stripe make a refund that was asked for; safe to repeat, also after a lost answer.

    Raises the gateway's errors that pass; a refusal is final, and noted on the row.
    """
    refund = Refund.objects.select_related("order").get(pk=refund_id)
    bind_contextvars(order_number=refund.order.number, refund_id=refund_id)
    if refund.state != State.CREATED:
        return
    if at - refund.created_at > REPEAT_WITHIN:
        sync(order=refund.order, intent_id=refund.intent_id, at=at)
        refund.refresh_from_db()
        if refund.state != State.CREATED:
            return
    fault_point("refunds:before-stripe")
    try:
        made = gateway.create_refund(params=_params(refund), idempotency_key=refund.idempotency_key)
    except gateway.ReplayedFailure:
        # Stripe keeps giving that answer under this key. Whether it was done, its list tells.
        sync(order=refund.order, intent_id=refund.intent_id, at=at)
        _replace(refund, at)
        return
    except gateway.Refused:
        sync(order=refund.order, intent_id=refund.intent_id, at=at)
        _refused(refund, at)
        return
    fault_point("refunds:after-stripe")
    follow(order_id=refund.order_id, made=[made], cause=made.id, at=at)


def _params(refund: Refund) -> dict[str, Any]:
    """Return what Stripe is asked for; the same for every try.

    Source: https://docs.stripe.com/api/refunds/create
    """
    params: dict[str, Any] = {
        "charge": refund.charge_id,
        "amount": money.to_stripe(refund.amount_minor, refund.currency),
        "metadata": {"app": settings.STRIPE_APP_TAG, "refund": str(refund.key)},
    }
    if refund.why in {Refund.Why.REQUESTED, Refund.Why.DUPLICATE, Refund.Why.FRAUDULENT}:
        params["reason"] = refund.why
    return params


def sync(*, order: Order, intent_id: str, at: datetime) -> None:
    """Read all refunds of an intent at Stripe, and follow them."""
    made = gateway.refunds_of_intent(intent_id)
    follow(order_id=order.pk, made=made, cause=intent_id, at=at)


@transaction.atomic(durable=True)
def _refused(refund: Refund, at: datetime) -> None:
    """Stripe will not make it: less is left than we thought, or the charge is disputed."""
    order = orders.lock(refund.order_id)
    refund.refresh_from_db()
    if refund.state == State.CREATED:
        refund.failure = "refused"
        _end_badly(order, refund, State.FAILED, str(refund.key), at)


@transaction.atomic(durable=True)
def _replace(refund: Refund, at: datetime) -> None:
    """Ask anew, under another key, for a refund that Stripe's list does not know."""
    order = orders.lock(refund.order_id)
    refund.refresh_from_db()
    if refund.state != State.CREATED:
        return
    refund.state, refund.failure = State.FAILED, "replaced"
    refund.save(update_fields=["state", "failure"])
    _create(
        order=order,
        charge_id=refund.charge_id,
        intent_id=refund.intent_id,
        amount_minor=refund.amount_minor,
        currency=refund.currency,
        source=Refund.Source(refund.source),
        why=refund.why,
        note=refund.note,
        is_restocked=refund.is_restocked,
        quantities={row.line_id: row.quantity for row in refund.lines.all()},
        at=at,
        by=refund.by_user_id,
    )


@transaction.atomic
def follow(*, order_id: int, made: Iterable[gateway.Refund], cause: str, at: datetime) -> None:
    """Bring our refunds to what these readings say, those of Stripe's dashboard too.

    The payments they belong to are booked. Safe to repeat, and in any order: a reading that is
    older than what is known changes nothing.
    """
    order = orders.lock(order_id)
    for reading in made:
        _follow_one(order, reading, cause, at)
    fault_point("refunds:before-commit")


def _follow_one(order: Order, reading: gateway.Refund, cause: str, at: datetime) -> None:
    refund = _row_of(order, reading, at)
    # What Stripe was not known to have made may turn up after all, in whatever state.
    may_become = _NEXT[State.CREATED if refund.stripe_id is None else refund.state]
    refund.asked_at = at
    refund.stripe_id = reading.id
    if reading.status in may_become:
        was = refund.state
        if reading.status in {State.FAILED, State.CANCELED}:
            refund.failure = reading.failure
            _end_badly(order, refund, State(reading.status), cause, at, reading)
        else:
            refund.state = reading.status
            refund.save()
            if refund.state == State.SUCCEEDED:
                _succeeded(order, refund, reading, cause, at)
            if was == State.CREATED:
                _tell_buyer(order, refund, OrderMail.Kind.REFUND, at)
    refund.save()


def _row_of(order: Order, reading: gateway.Refund, at: datetime) -> Refund:
    """Return the row of a refund, made now for one that was made in Stripe's dashboard."""
    known = order.refunds.filter(stripe_id=reading.id).first()
    if known:
        return known
    named = reading.metadata.get("refund", "")
    if reading.metadata.get("app") == settings.STRIPE_APP_TAG and _is_uuid(named):
        ours = order.refunds.filter(key=named, stripe_id=None).first()
        if ours:
            return ours
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


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _succeeded(
    order: Order, refund: Refund, reading: gateway.Refund, cause: str, at: datetime
) -> None:
    _book(order, refund, reading, at)
    if refund.is_restocked:
        orders.take_back(order=order, quantities=_units(refund), at=at)
    is_all = _is_all_given_back(order)
    orders.money_went_back(order=order, is_all=is_all, cause=cause, at=at)
    if not is_all:
        fulfilling.finish(order=order, cause=cause, at=at)
    _answer_reviews(order, refund.charge_id, at)
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


def _book_back(order: Order, refund: Refund, reading: gateway.Refund, at: datetime) -> None:
    moved = reading.moved_back
    ledger.book(
        order=order,
        kind=Kind.REFUND_REVERSAL,
        stripe_id=reading.id,
        charge_id=refund.charge_id,
        amount_minor=refund.amount_minor,
        currency=refund.currency,
        occurred_at=moved.moved_at if moved else at,
        at=at,
    )
    if moved:
        ledger.book_fee(order=order, moved=moved, charge_id=refund.charge_id, at=at)


def _end_badly(
    order: Order,
    refund: Refund,
    state: Refund.State,
    cause: str,
    at: datetime,
    reading: gateway.Refund | None = None,
) -> None:
    """A refund came to nothing; if it had succeeded before, the money is ours again."""
    had_succeeded = refund.state == State.SUCCEEDED
    refund.state = state
    refund.save()
    if reading and (had_succeeded or reading.moved_back):
        # Stripe takes the money of some refunds when they are made: it went, and it came again.
        _book(order, refund, reading, at)
        _book_back(order, refund, reading, at)
    orders.refund_failed(order=order, is_all_back=_is_all_given_back(order), cause=cause, at=at)
    if had_succeeded and refund.is_restocked:
        _take_again(order, refund, at)
    is_owed = (
        refund.source == Refund.Source.AUTOMATIC
        or refund.why == Refund.Why.REVIEW
        or order.is_canceled
    )
    if is_owed and _kept_minor(order, refund.charge_id):
        detail = f"A refund failed ({refund.failure or state})."
        _open_review(order, str(refund.key), detail, at)
    if had_succeeded:
        _tell_buyer(order, refund, OrderMail.Kind.REFUND_FAILED, at)


def _kept_minor(order: Order, charge_id: str) -> int:
    """Return what of a charge no refund gives back, disputed or not."""
    captured = _sum(order.ledger.filter(kind=Kind.CAPTURE, charge_id=charge_id))
    return captured - _sum(order.refunds.standing().filter(charge_id=charge_id))


def _answer_reviews(order: Order, charge_id: str, at: datetime) -> None:
    """Resolve the questions about a payment that is given back in full."""
    booked = order.ledger.filter(charge_id=charge_id)
    if _sum(booked.received()) + _sum(booked.given_back()) > 0:
        return
    for review in order.reviews.open().filter(cause=charge_id):
        orders.resolve_review(
            order=order, review=review, resolution=Review.Resolution.REFUNDED, at=at
        )


def _take_again(order: Order, refund: Refund, at: datetime) -> None:
    try:
        orders.take_again(order=order, quantities=_units(refund), at=at)
    except InsufficientStock:
        orders.open_review(
            order=order,
            reason=Review.Reason.STOCK,
            cause=str(refund.key),
            detail="A refund failed after its units were back on the shelf, and they are gone.",
            at=at,
        )


def _units(refund: Refund) -> dict[int, int]:
    """Return the units by variant id that the refund is for."""
    lines = refund.lines.select_related("line")
    return {row.line.variant_id: row.quantity for row in lines}


def _is_all_given_back(order: Order) -> bool:
    return all(
        order.ledger.received().total_minor(currency)
        + order.ledger.given_back().total_minor(currency)
        <= 0
        for currency in order.ledger.order_by().values_list("currency", flat=True).distinct()
    )


def _open_review(order: Order, cause: str, detail: str, at: datetime) -> None:
    orders.open_review(order=order, reason=Review.Reason.REFUND, cause=cause, detail=detail, at=at)


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
