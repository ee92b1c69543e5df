"""Every change of an order: placing, its moves, its story, its reviews.

Functions that take an `order` expect it locked by `lock` in the caller's transaction. Amounts are
minor units of the order's currency.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Sum

from accounts.models import User
from cart.models import Cart
from cart.quotes import Quote
from orders import moves, tasks
from orders.models import (
    Fulfillment,
    FulfillmentLine,
    Order,
    OrderEvent,
    OrderLine,
    OrderMail,
    Reason,
    Review,
    Status,
)
from orders.parcels import Parcel
from shop import services as stock

# Read over the phone without a doubt: no 0 and O, no 1 and I.
_NUMBER_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_NUMBER_LENGTH = 10


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who places an order, and where it goes; `address` has the fields of the checkout form."""

    user: User | None
    email: str
    address: dict[str, str]
    locale: str
    client_ip: str | None


@dataclass(frozen=True, slots=True)
class ByStaff:
    """Who places an order for somebody else: a user's id, and what the form is known again by."""

    by: int
    fingerprint: str


def lock(order_id: int) -> Order:
    """Return the order, locked until the transaction ends; raises Order.DoesNotExist."""
    return Order.objects.select_for_update(no_key=True).get(pk=order_id)


@transaction.atomic
def place(
    *, cart: Cart | None, buyer: Buyer, quote: Quote, at: datetime, staff: ByStaff | None = None
) -> Order:
    """Freeze the quote into a pending order and hold its units.

    The cart is locked by the caller; an order that `staff` place for somebody has none, and is held
    as long as it can be paid. Raises InsufficientStock, and then nothing was written.
    """
    order = Order.objects.create(
        number=_new_number(),
        user=buyer.user,
        email=buyer.email,
        locale=buyer.locale,
        currency=quote.currency,
        subtotal_minor=quote.subtotal_minor,
        shipping_minor=quote.shipping_minor,
        total_minor=quote.total_minor,
        shipping_address=buyer.address,
        client_ip=buyer.client_ip,
        cart=cart,
        fingerprint=staff.fingerprint if staff else quote.fingerprint,
        placed_by=Order.PlacedBy.STAFF if staff else Order.PlacedBy.BUYER,
        placed_at=at,
        hold_until=at + (settings.STAFF_PAY_WITHIN if staff else settings.HOLD),
        pay_until=at + (settings.STAFF_PAY_WITHIN if staff else settings.PAY_WITHIN),
    )
    OrderLine.objects.bulk_create(
        OrderLine(
            order=order,
            variant=line.variant,
            title=f"{line.variant.product.title}, {line.variant.title}",
            sku=line.variant.sku,
            quantity=line.quantity,
            unit_price_minor=line.unit_price_minor,
        )
        for line in quote.lines
    )
    stock.reserve(quantities=quote.quantities, reference=order.number, at=at)
    by = staff.by if staff else (buyer.user.pk if buyer.user else None)
    _tell(order, "", Reason.PLACED, cause="", by=by, at=at)
    return order


def mark_paid(
    *, order: Order, reason: Reason, cause: str, at: datetime, by: int | None = None
) -> None:
    """Move a pending or canceled order to paid: its units are sold, a confirmation is owed.

    Raises ForbiddenMove, and InsufficientStock when a canceled order's units are gone; then nothing
    was written.
    """
    moves.check(order.status, Status.PAID, reason)
    quantities = _quantities(order)
    with transaction.atomic():
        if order.is_canceled:
            stock.reserve(quantities=quantities, reference=order.number, at=at)
        stock.sell(quantities=quantities, reference=order.number, at=at)
        _move(order, Status.PAID, reason, cause=cause, by=by, at=at)
        let_cart_go(order=order, at=at)
        owe_mail(order=order, kind=OrderMail.Kind.CONFIRMATION, cause="paid", at=at)


def cancel(
    *,
    order: Order,
    reason: Reason,
    cause: str,
    at: datetime,
    by: int | None = None,
    note: str = "",
) -> None:
    """Cancel a pending order and give its units back; raises ForbiddenMove.

    The caller has made sure that Stripe can no longer take money for it. The buyer is told, with
    `note` in staff's words, unless a newer order of his takes its place.
    """
    with transaction.atomic():
        _move(order, Status.CANCELED, reason, cause=cause, by=by, at=at)
        order.cancel_note = note
        order.save(update_fields=["cancel_note"])
        stock.release(quantities=_quantities(order), reference=order.number, at=at)
        if reason != Reason.REPLACEMENT:
            kind = OrderMail.Kind.CANCELED
            owe_mail(order=order, kind=kind, cause=reason, at=at, facts={"reason": reason})


def hand_over(
    *,
    order: Order,
    quantities: Mapping[int, int],
    by: int,
    at: datetime,
    key: UUID | None = None,
    parcel: Parcel | None = None,
    is_told: bool = False,
) -> Fulfillment:
    """Note that units, by line id, left the house; the caller has checked that they may.

    With `is_told` a mail tells the buyer what is on its way, and how to follow it.
    """
    parcel = parcel or Parcel()
    fulfillment = Fulfillment.objects.create(
        order=order,
        by_user_id=by,
        handed_over_at=at,
        key=key,
        carrier=parcel.carrier,
        tracking_number=parcel.tracking_number,
        tracking_url=parcel.tracking_url,
    )
    FulfillmentLine.objects.bulk_create(
        FulfillmentLine(fulfillment=fulfillment, line_id=line_id, quantity=quantity)
        for line_id, quantity in quantities.items()
    )
    note(order=order, reason=Reason.HANDED_OVER, cause=str(fulfillment.pk), at=at, by=by)
    if is_told:
        owe_mail(
            order=order,
            kind=OrderMail.Kind.SENT,
            cause=str(fulfillment.pk),
            facts={"fulfillment": fulfillment.pk},
            at=at,
        )
    return fulfillment


def handed_over(order: Order) -> dict[int, int]:
    """Return the units by line id that left the house."""
    rows = FulfillmentLine.objects.filter(fulfillment__order=order).order_by()
    sums = rows.values("line_id").annotate(units=Sum("quantity"))
    return {row["line_id"]: row["units"] for row in sums}


def fulfill(*, order: Order, cause: str, at: datetime, by: int | None = None) -> None:
    """Move a paid order of which all is out to fulfilled; raises ForbiddenMove."""
    _move(order, Status.FULFILLED, Reason.FULFILLED, cause=cause, by=by, at=at)


def put_back(
    *, order: Order, quantities: Mapping[int, int], cause: str, by: int, at: datetime
) -> None:
    """Move a paid order to fulfilled: units, by line id, that stayed here are for sale again."""
    _move(order, Status.FULFILLED, Reason.PUT_BACK, cause=cause, by=by, at=at)
    variants = dict(order.lines.values_list("pk", "variant_id"))
    units = {variants[pk]: quantity for pk, quantity in quantities.items()}
    stock.take_back(quantities=units, reference=order.number, at=at)


def was_put_back(order: Order) -> bool:
    """Tell whether what of the order stayed in the house is for sale again."""
    return order.events.filter(reason=Reason.PUT_BACK).exists()


def money_went_back(
    *, order: Order, is_all: bool, cause: str, at: datetime, by: int | None = None
) -> None:
    """Note that money was given back; all of it moves a paid order to refunded."""
    if is_all and order.is_paid:
        _move(order, Status.REFUNDED, Reason.REFUNDED, cause=cause, by=by, at=at)
    else:
        reason = Reason.REFUNDED if is_all else Reason.PARTLY_REFUNDED
        note(order=order, reason=reason, cause=cause, at=at, by=by)


def call_off(*, order: Order, by: int, at: datetime) -> None:
    """Move a paid order that cost nothing to refunded: its units go back, the buyer is told."""
    _move(order, Status.REFUNDED, Reason.REFUNDED, cause=str(by), by=by, at=at)
    stock.take_back(quantities=_quantities(order), reference=order.number, at=at)
    owe_mail(order=order, kind=OrderMail.Kind.CANCELED, cause="called off", at=at)


def refund_failed(
    *, order: Order, is_all_back: bool, cause: str, at: datetime, by: int | None = None
) -> None:
    """Note that a refund failed; a refunded order whose money is ours again is as it was before."""
    if order.status == Status.REFUNDED and not is_all_back:
        before = order.events.filter(to_status=Status.REFUNDED).exclude(from_status=Status.REFUNDED)
        last = before.order_by("-pk")[0]
        _move(order, Status(last.from_status), Reason.REFUND_FAILED, cause=cause, by=by, at=at)
    else:
        note(order=order, reason=Reason.REFUND_FAILED, cause=cause, at=at, by=by)


def take_again(*, order: Order, quantities: Mapping[int, int], at: datetime) -> None:
    """Take units off the shelf again, as their refund failed; raises InsufficientStock."""
    with transaction.atomic():
        stock.reserve(quantities=quantities, reference=order.number, at=at)
        stock.sell(quantities=quantities, reference=order.number, at=at)


def is_expired(order: Order) -> bool:
    """Tell whether the order was canceled because it was not paid in time."""
    last = (
        order.events.filter(to_status=Status.CANCELED).exclude(from_status=Status.CANCELED).last()
    )
    return order.is_canceled and last is not None and last.reason == Reason.EXPIRY


def note(*, order: Order, reason: Reason, cause: str, at: datetime, by: int | None = None) -> None:
    """Add an entry to the order's story that is no move."""
    _tell(order, order.status, reason, cause=cause, by=by, at=at)


def let_cart_go(*, order: Order, at: datetime) -> None:
    """Note that what was bought is to leave the cart, and queue the job that takes it out."""
    if order.cart_id is not None and order.cart_due_at is None:
        order.cart_due_at = at
        order.save(update_fields=["cart_due_at"])
        tasks.empty_cart.defer(cart_id=order.cart_id)


def extend(*, order: Order, hold_until: datetime, pay_until: datetime | None = None) -> None:
    """Put an order's deadlines off to at least these moments; never brings one forward."""
    order.hold_until = max(order.hold_until, hold_until)
    order.pay_until = max(order.pay_until, pay_until or order.pay_until)
    order.save(update_fields=["hold_until", "pay_until"])


def owe_mail(
    *,
    order: Order,
    kind: OrderMail.Kind,
    cause: str,
    at: datetime,
    facts: dict[str, str | int] | None = None,
) -> OrderMail:
    """Owe a mail, once per kind and cause; a job sends it after the commit.

    `facts` are what its template needs beside the order.
    """
    mail, is_new = OrderMail.objects.get_or_create(
        order=order, kind=kind, cause=cause, defaults={"due_at": at, "facts": facts or {}}
    )
    if is_new:
        tasks.send_mail.defer(mail_id=mail.pk)
    return mail


def open_review(
    *,
    order: Order,
    reason: Review.Reason,
    cause: str,
    detail: str,
    at: datetime,
    is_told: bool = False,
) -> Review:
    """Ask a person about the order, once per reason and cause.

    A pending order's cart is let go, so that the buyer can shop on. He is told that his money waits
    for a person, unless with `is_told` he knows what there is to know.
    """
    review, is_new = Review.objects.get_or_create(
        order=order, reason=reason, cause=cause, defaults={"detail": detail, "opened_at": at}
    )
    if is_new:
        note(order=order, reason=Reason.REVIEW_OPENED, cause=cause, at=at)
        if order.is_pending:
            let_cart_go(order=order, at=at)
        if not is_told:
            owe_mail(order=order, kind=OrderMail.Kind.IN_REVIEW, cause=cause, at=at)
    return review


def resolve_review(
    *,
    order: Order,
    review: Review,
    resolution: Review.Resolution,
    at: datetime,
    by: int | None = None,
) -> None:
    """Close an open review of this order."""
    review.resolution = resolution
    review.resolved_at = at
    review.resolved_by_id = by
    review.save(update_fields=["resolution", "resolved_at", "resolved_by_id"])
    note(order=order, reason=Reason.REVIEW_RESOLVED, cause=review.cause, at=at, by=by)


def reopen_review(*, order: Order, review: Review, at: datetime) -> None:
    """Ask a question anew, as its answer came to nothing."""
    review.resolution, review.resolved_at, review.resolved_by_id = "", None, None
    review.save(update_fields=["resolution", "resolved_at", "resolved_by_id"])
    note(order=order, reason=Reason.REVIEW_OPENED, cause=review.cause, at=at)


def _quantities(order: Order) -> dict[int, int]:
    return {line.variant_id: line.quantity for line in order.lines.all()}


def _move(
    order: Order, to_status: Status, reason: Reason, *, cause: str, by: int | None, at: datetime
) -> None:
    moves.check(order.status, to_status, reason)
    from_status, order.status = order.status, to_status
    order.save(update_fields=["status"])
    _tell(order, from_status, reason, cause=cause, by=by, at=at)


def _tell(
    order: Order, from_status: str, reason: Reason, *, cause: str, by: int | None, at: datetime
) -> None:
    OrderEvent.objects.create(
        order=order,
        from_status=from_status,
        to_status=order.status,
        reason=reason,
        cause=cause,
        by_user_id=by,
        happened_at=at,
    )


def _new_number() -> str:
    return "".join(secrets.choice(_NUMBER_ALPHABET) for _ in range(_NUMBER_LENGTH))
