"""Giving money back: a row and its key first, then Stripe, then what became of it.

A refund is asked for under its order's lock, where it counts at once against what is left of its
charge; a job sends it. Amounts are minor units of the charge's currency.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from structlog.contextvars import bind_contextvars

from orders import services as orders
from orders.models import Order, Reason, Review, Status
from payments import gateway
from payments.models import LedgerEntry, Refund, RefundLine
from payments.queue import enqueue
from payments.services import disputes, fulfilling, refund_amounts, refund_news, sums
from shop import money
from shop.faults import fault_point

State = Refund.State

# Stripe keeps an idempotency key for at least a day, but a refund this old is looked for in
# Stripe's list before it is asked for again.
REPEAT_WITHIN = timedelta(minutes=10)


class CannotRefund(Exception):
    """Nothing was asked for; `str(error)` says why in staff's words."""


class NeedsSecondPerson(CannotRefund):
    """It is above the limit, and nobody has approved it."""


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
    handed_over: Mapping[int, int] | None = None,
    restock: bool = False,
    note: str = "",
    key: UUID | None = None,
    review: Review | None = None,
    is_approved: bool = False,
) -> Refund:
    """Ask for some or all of a charge back, as the user with id `by`; a job tells Stripe.

    `quantities` are units by order line id that the refund is for, and `handed_over` how many of
    them had left the house: where it is silent, those that had not go first. With `restock` they go
    back on the shelf once it succeeds. `key` is the form's: asking again under it returns the same
    refund. `review` is the question that it answers.
    Raises CannotRefund, and NeedsSecondPerson above the limit unless it `is_approved`; then nothing
    was written.
    """
    order = orders.lock(order_id)
    key = key or uuid4()
    if asked_before := Refund.objects.filter(key=key).first():
        if (asked_before.charge_id, asked_before.amount_minor) != (charge_id, amount_minor):
            raise CannotRefund("This form was sent before. Please open it again.")
        return asked_before
    quantities = quantities or {}
    handed_over = refund_amounts.unsent_first(order=order, quantities=quantities) | dict(
        handed_over or {}
    )
    capture = check(
        order=order,
        charge_id=charge_id,
        amount_minor=amount_minor,
        quantities=quantities,
        handed_over=handed_over,
        restock=restock,
        review=review,
    )
    if not is_approved and refund_amounts.needs_second_person(
        order=order, amount_minor=amount_minor, currency=capture.currency
    ):
        raise NeedsSecondPerson("So much is given back only with a second person's approval.")
    return _create(
        order=order,
        key=key,
        charge_id=charge_id,
        intent_id=(capture.attempt and capture.attempt.intent_id) or "",
        amount_minor=amount_minor,
        currency=capture.currency,
        source=Refund.Source.STAFF,
        why=why,
        quantities=quantities,
        handed_over=handed_over,
        at=at,
        by=by,
        is_restocked=restock and bool(quantities),
        note=note,
        review=review,
    )


def check(
    *,
    order: Order,
    charge_id: str,
    amount_minor: int,
    quantities: Mapping[int, int],
    handed_over: Mapping[int, int],
    restock: bool,
    review: Review | None = None,
) -> LedgerEntry:
    """Return the capture of a charge of which `ask` would ask for so much; raises CannotRefund."""
    capture = refund_amounts.capture_of(order, charge_id)
    if capture is None:
        raise CannotRefund("This order has no such payment.")
    left = refund_amounts.refundable_minor(order=order, charge_id=charge_id)
    if not 0 < amount_minor <= left:
        is_disputed = sums.withheld_minor(order=order, charge_id=charge_id) > 0
        raise CannotRefund(_what_is_left(capture, left, is_disputed=is_disputed))
    _check_units(order, quantities, handed_over)
    _check_shelf(order, quantities, restock=restock, review=review)
    return capture


def _what_is_left(capture: LedgerEntry, left: int, *, is_disputed: bool) -> str:
    if is_disputed:
        return "This payment is disputed: the bank decides what becomes of the money."
    if not left:
        return "All of this payment was given back already, or is on its way back."
    most = money.format_minor(left, capture.currency)
    return f"Of this payment {most} can still be refunded."


def _check_units(
    order: Order, quantities: Mapping[int, int], handed_over: Mapping[int, int]
) -> None:
    if quantities and order.status not in {Status.PAID, Status.FULFILLED}:
        raise CannotRefund(
            f"This order is {order.get_status_display()}: it has no units to refund."
        )
    lines = {line.pk: line for line in order.lines.all()}
    taken = sums.refunded_quantities(order)
    all_unsent = fulfilling.left_to_hand_over(order)
    for line_id, quantity in quantities.items():
        line = lines.get(line_id)
        if line is None:
            raise CannotRefund("This order has no such line.")
        left = line.quantity - taken[line_id]
        if not 0 < quantity <= left:
            raise CannotRefund(f"Of “{line.title}” {left} can still be refunded.")
        unsent, out = all_unsent[line_id], handed_over[line_id]
        if not max(quantity - unsent, 0) <= out <= min(quantity, left - unsent):
            raise CannotRefund(
                f"Of “{line.title}” {left - unsent} can be refunded that had been handed over, and "
                f"{unsent} that had not."
            )


def _check_shelf(
    order: Order, quantities: Mapping[int, int], *, restock: bool, review: Review | None
) -> None:
    """Refuse to put units back that were, and to refund units while some are being looked for."""
    if restock and orders.was_put_back(order):
        raise CannotRefund(
            "Its units are on the shelf already: refund it without putting any back."
        )
    is_answer = review is not None and review.reason == Review.Reason.STOCK
    missing = order.reviews.open().filter(reason=Review.Reason.STOCK)
    if quantities and not is_answer and missing.exists():
        raise CannotRefund("Units of this order are missing: answer that review first.")


def give_back(
    *, order: Order, charge: gateway.Charge, intent_id: str, why: Refund.Why, at: datetime
) -> None:
    """Refund a payment that the order cannot keep. The order is locked, the charge just booked.

    Should Stripe refuse, for a dispute say, a person is asked.
    """
    _create(
        order=order,
        charge_id=charge.id,
        intent_id=intent_id,
        amount_minor=charge.amount_minor,
        currency=charge.currency,
        source=Refund.Source.AUTOMATIC,
        why=why,
        quantities={},
        handed_over={},
        at=at,
    )


def _ask_again(
    *, order: Order, refund: Refund, at: datetime, amount_minor: int, by: int | None
) -> Refund:
    """Ask anew, under another key, for a refund that came to nothing; the order is locked."""
    return _create(
        order=order,
        charge_id=refund.charge_id,
        intent_id=refund.intent_id,
        amount_minor=amount_minor,
        currency=refund.currency,
        source=Refund.Source(refund.source),
        why=refund.why,
        note=refund.note,
        is_restocked=refund.is_restocked,
        review=refund.review,
        quantities={row.line_id: row.quantity for row in refund.lines.all()},
        handed_over={row.line_id: row.handed_over for row in refund.lines.all()},
        at=at,
        by=by,
    )


def _create(
    *,
    order: Order,
    source: Refund.Source,
    quantities: Mapping[int, int],
    handed_over: Mapping[int, int],
    at: datetime,
    by: int | None = None,
    **fields: Any,
) -> Refund:
    refund = Refund.objects.create(
        order=order, source=source, by_user_id=by, created_at=at, **fields
    )
    RefundLine.objects.bulk_create(
        RefundLine(
            refund=refund, line_id=line_id, quantity=quantity, handed_over=handed_over[line_id]
        )
        for line_id, quantity in quantities.items()
    )
    orders.note(order=order, reason=Reason.REFUND_ASKED, cause=str(refund.key), at=at, by=by)
    enqueue("send_refund", refund_id=refund.pk)
    return refund


def send(*, refund_id: int, at: datetime) -> None:
    """Have Stripe make a refund that was asked for; safe to repeat, also after a lost answer.

    Raises the gateway's errors that pass, and refund_news.UnbookedPayment, which passes too. A
    refusal is final, and noted on the row.
    """
    refund = Refund.objects.select_related("order").get(pk=refund_id)
    bind_contextvars(order_number=refund.order.number, refund_id=refund_id)
    is_old = at - refund.created_at > REPEAT_WITHIN
    if refund.state == State.CREATED and is_old:
        sync(order=refund.order, charge_id=refund.charge_id, at=at)
        refund.refresh_from_db()
    if refund.state != State.CREATED or refund.stripe_id is not None:
        return
    fault_point("refunds:before-stripe")
    try:
        made = gateway.create_refund(params=_params(refund), idempotency_key=refund.idempotency_key)
    except gateway.ReplayedFailure:
        # Stripe keeps giving that answer under this key. Whether it was done, its list tells; by
        # then nothing of the first request can still be under way.
        if not is_old:
            raise
        _replace(refund, at)
    except gateway.Refused as refusal:
        # Less is left than we thought, or a dispute forbids it: what is true is read again.
        sync(order=refund.order, charge_id=refund.charge_id, at=at)
        found = gateway.disputes_of_charge(refund.charge_id)
        disputes.follow(order_id=refund.order_id, made=found, cause=str(refund.key), at=at)
        _refused(refund, str(refusal), at)
    else:
        fault_point("refunds:after-stripe")
        refund_news.follow(order_id=refund.order_id, made=[made], cause=made.id, at=at)


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


def sync(*, order: Order, charge_id: str, at: datetime) -> None:
    """Read all refunds of a charge at Stripe, and follow them.

    Not of the intent that the refund's row names: a charge may be of another than its attempt's.
    """
    made = gateway.refunds_of_charge(charge_id)
    refund_news.follow(order_id=order.pk, made=made, cause=charge_id, at=at)


@transaction.atomic(durable=True)
def _refused(refund: Refund, why: str, at: datetime) -> None:
    """Note that Stripe will not make it; one of ours then asks for the rest, if less is left."""
    order = orders.lock(refund.order_id)
    refund.refresh_from_db()
    if refund.state != State.CREATED:
        return
    refund.state, refund.failure = State.FAILED, why
    refund.save(update_fields=["state", "failure"])
    left = refund_amounts.refundable_minor(order=order, charge_id=refund.charge_id)
    if refund.source == Refund.Source.AUTOMATIC and 0 < left < refund.amount_minor:
        _ask_again(order=order, refund=refund, amount_minor=left, at=at, by=None)
    else:
        refund_news.failed(order=order, refund=refund, cause=str(refund.key), at=at)
    fault_point("refunds:refusal-noted")


@transaction.atomic(durable=True)
def _replace(refund: Refund, at: datetime) -> None:
    """Ask anew for a refund that Stripe's list does not know."""
    order = orders.lock(refund.order_id)
    refund.refresh_from_db()
    if refund.state != State.CREATED:
        return
    refund.state, refund.failure = State.FAILED, "replaced"
    refund.save(update_fields=["state", "failure"])
    _ask_again(
        order=order,
        refund=refund,
        amount_minor=refund.amount_minor,
        at=at,
        by=refund.by_user_id,
    )
    fault_point("refunds:replaced")


@transaction.atomic
def call_off(*, order_id: int, by: int, at: datetime) -> None:
    """Call off an order that cost nothing: its units go back on the shelf, the buyer is told.

    Raises CannotRefund, and then nothing was written.
    """
    order = orders.lock(order_id)
    check_call_off(order)
    orders.call_off(order=order, by=by, at=at)


def check_call_off(order: Order) -> None:
    """Raise CannotRefund unless the order may be called off."""
    if order.total_minor > 0 or order.ledger.exists():
        raise CannotRefund("Money was paid for this order: refund it instead.")
    if order.status != Status.PAID:
        raise CannotRefund(f"This order is {order.get_status_display()}.")
    if orders.handed_over(order):
        raise CannotRefund("Some of this order was handed over already.")
