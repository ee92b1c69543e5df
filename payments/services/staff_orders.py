"""Orders that staff place for somebody: by phone, at the counter."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from cart.quotes import quote_of
from orders import services as orders
from orders.models import Order, OrderMail, Reason
from orders.services import Buyer, ByStaff
from orders.staff_services import write_note
from payments.models import LedgerEntry
from payments.services import manual, placing
from payments.services.placing import CannotPlace

# So long after it was sent a form is known again.
_REMEMBERED = timedelta(days=1)


def place(
    *,
    buyer: Buyer,
    quantities: Mapping[int, int],
    by: int,
    at: datetime,
    key: UUID,
    means: LedgerEntry.Means | None = None,
    note: str = "",
) -> Order:
    """Place an order of units by variant id, as the user with id `by`.

    The buyer gets a mail with the way to pay it; with `means` he has paid already, and the money is
    booked. `note` is for staff. `key` is the form's: sent again it goes on where it
    was broken off. Raises CannotPlace and InsufficientStock, and then nothing was written.
    """
    order = _place(buyer, quantities, by, at, key, note=note, is_paid=means is not None)
    if means and order.is_pending:
        entry = manual.Entry(
            amount_minor=order.total_minor,
            currency=order.currency,
            form_key=key,
            means=means,
        )
        manual.book(order_id=order.pk, entry=entry, by=by, at=at)
        order.refresh_from_db()
    return order


@transaction.atomic
def _place(
    buyer: Buyer,
    quantities: Mapping[int, int],
    by: int,
    at: datetime,
    key: UUID,
    *,
    note: str,
    is_paid: bool,
) -> Order:
    placing.lock_keys(buyer)
    fingerprint = f"staff {key}"
    lately = Order.objects.filter(placed_at__gte=at - _REMEMBERED)
    if before := lately.filter(fingerprint=fingerprint).first():
        return before
    current = quote_of(quantities)
    if current.problems or len(current.lines) != len(quantities):
        raise CannotPlace(" ".join(current.problems) or "Some of this is not for sale any more.")
    if not current.lines:
        raise CannotPlace("Choose what is ordered.")
    placing.check_figures(current)
    staff = ByStaff(by, fingerprint)
    order = orders.place(cart=None, buyer=buyer, quote=current, at=at, staff=staff)
    if note:
        write_note(order_id=order.pk, text=note, by=by, at=at)
    if order.total_minor == 0:
        orders.mark_paid(order=order, reason=Reason.ZERO, cause="", at=at, by=by)
    elif not is_paid:
        kind = OrderMail.Kind.PAYMENT_LINK
        orders.owe_mail(order=order, kind=kind, cause="placed", at=at)
    return order
