"""Money that moved outside of Stripe, entered by staff: signed, and booked once per form."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from orders import services as orders
from orders.models import Order, Reason, Review, Status
from orders.staff_services import write_note
from payments.models import LedgerEntry, PaymentAttempt
from payments.services import attempts, resolving, sums
from shop import money
from shop.faults import fault_point

# Closed once; a second and third round are for a buyer who starts to pay at this very moment.
_ROUNDS = 3


class CannotBook(Exception):
    """Nothing was booked; `str(error)` says why in staff's words."""


class _StillPayable(Exception):
    """The buyer started to pay after all was closed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What staff enter: money received is above zero, money given back below; in minor units.

    `form_key` makes sending the form twice book once. `note` says why, for staff. `review_id` is
    the review that it settles.
    """

    amount_minor: int
    currency: str
    form_key: UUID
    review_id: int | None = None
    means: LedgerEntry.Means = LedgerEntry.Means.OTHER
    note: str = ""


def book(*, order_id: int, entry: Entry, by: int, at: datetime) -> LedgerEntry:
    """Book what the user with id `by` enters; the order's status follows. Safe to repeat.

    Above zero it pays a pending order, whose payments are closed at Stripe first: one that was
    faster wins. Raises CannotBook, and InsufficientStock when a canceled order's units are gone;
    then nothing was booked. Raises the gateway's errors, after which trying again is safe.
    """
    order = Order.objects.get(pk=order_id)
    if not LedgerEntry.objects.filter(form_key=entry.form_key).exists():
        check(order, entry)
    for _ in range(_ROUNDS):
        if order.is_pending:
            attempts.close_all(
                order_id=order_id, closed_as=PaymentAttempt.ClosedAs.SUPERSEDED, at=at
            )
            fault_point("manual:attempts-closed")
        try:
            return _book(order_id, entry, by, at)
        except _StillPayable:
            continue
    raise CannotBook("The buyer is about to pay at this moment. Please look at the order again.")


@transaction.atomic(durable=True)
def _book(order_id: int, entry: Entry, by: int, at: datetime) -> LedgerEntry:
    order = orders.lock(order_id)
    if booked := LedgerEntry.objects.filter(form_key=entry.form_key).first():
        same = (booked.order_id, booked.amount_minor, booked.currency)
        if same != (order.pk, entry.amount_minor, entry.currency):
            raise CannotBook("This form was sent before. Please open it again.")
        return booked
    check(order, entry)
    if order.is_pending and order.attempts.live().exists():
        raise _StillPayable
    review = order.reviews.open().filter(pk=entry.review_id or 0).first()
    is_payment = order.is_pending and review is None
    booked = LedgerEntry.objects.create(
        order=order,
        attempt=_attempt(order, entry, at) if is_payment else None,
        kind=LedgerEntry.Kind.MANUAL,
        amount_minor=entry.amount_minor,
        currency=entry.currency,
        form_key=entry.form_key,
        means=entry.means,
        occurred_at=at,
        booked_at=at,
    )
    if entry.note:
        write_note(order_id=order.pk, text=entry.note, by=by, at=at)
    if is_payment:
        cause = str(entry.form_key)
        orders.mark_paid(order=order, reason=Reason.MANUAL, cause=cause, at=at, by=by)
    else:
        _follow(order, entry, review, by, at)
    fault_point("manual:before-commit")
    return booked


def _attempt(order: Order, entry: Entry, at: datetime) -> PaymentAttempt:
    """Return the try to pay that staff's word stands for."""
    return PaymentAttempt.objects.create(
        key=entry.form_key,
        order=order,
        kind=PaymentAttempt.Kind.MANUAL,
        state=PaymentAttempt.State.SUCCEEDED,
        params={},
        amount_minor=entry.amount_minor,
        currency=entry.currency,
        created_at=at,
        deadline_at=at,
    )


def _follow(order: Order, entry: Entry, review: Review | None, by: int, at: datetime) -> None:
    """Bring the order to what its money says now, and answer the review that the entry settles."""
    cause = str(entry.form_key)
    is_all_back = not sums.is_any(sums.booked(order))
    if entry.amount_minor < 0:
        orders.money_went_back(order=order, is_all=is_all_back, cause=cause, at=at, by=by)
    elif order.status == Status.REFUNDED:
        orders.refund_failed(order=order, is_all_back=is_all_back, cause=cause, at=at, by=by)
    else:
        orders.note(order=order, reason=Reason.MONEY_BOOKED, cause=cause, at=at, by=by)
    if review:
        manual = Review.Resolution.MANUAL
        resolving.resolve(order=order, review=review, resolution=manual, at=at, by=by)
    elif order.is_canceled and not is_all_back:
        orders.open_review(
            order=order,
            reason=Review.Reason.REFUND,
            cause=cause,
            detail="Money that was entered as given back was not.",
            at=at,
        )


def check(order: Order, entry: Entry) -> None:
    """Raise CannotBook unless the entry fits the order's money and status."""
    reviews = order.reviews.open()
    if entry.review_id and not reviews.filter(pk=entry.review_id).exists():
        raise CannotBook("This review is resolved already.")
    if order.is_pending and not entry.review_id and reviews.exists():
        raise CannotBook("A review of this order is open: enter it there.")
    if order.is_pending and order.attempts.filter(state=PaymentAttempt.State.PROCESSING).exists():
        raise CannotBook("Money for this order is on its way. Its outcome decides first.")
    if order.is_pending or (order.is_canceled and entry.review_id):
        _check_settles(order, entry)
    else:
        _check_sum(order, entry)


def _check_settles(order: Order, entry: Entry) -> None:
    """An order that waits is settled by an entry after which all of it is paid, or nothing kept."""
    kept = sums.kept(order)
    kept[entry.currency] += entry.amount_minor
    is_paid = entry.amount_minor > 0 and kept[order.currency] == order.total_minor
    is_given_back = entry.amount_minor < 0 and kept[entry.currency] == 0
    if not (is_paid or is_given_back):
        total = money.format_minor(order.total_minor, order.currency)
        raise CannotBook(
            f"Only what makes up the order's total of {total} can be entered, or all that it has."
        )


def _check_sum(order: Order, entry: Entry) -> None:
    """Of other orders only money that is kept goes back, and only such entries are corrected."""
    by_hand = order.ledger.filter(kind=LedgerEntry.Kind.MANUAL, attempt=None)
    if entry.amount_minor < 0:
        most = sums.kept(order)[entry.currency]
    else:
        most = -by_hand.total_minor(entry.currency)
    if not 0 < abs(entry.amount_minor) <= most:
        amount = money.format_minor(max(most, 0), entry.currency)
        raise CannotBook(
            f"This order is {order.get_status_display()}, and {amount} is kept of it."
            if entry.amount_minor < 0
            else f"This order is {order.get_status_display()}: of what was entered as given back, "
            f"{amount} can be entered as received again."
        )
