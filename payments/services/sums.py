"""What an order's money comes to, per charge and in all; exact only under the order's lock.

Amounts are minor units of the charge's currency.
"""

from collections import Counter
from typing import Any

from django.db.models import F, QuerySet, Sum

from orders.models import Order, Review
from payments.models import Dispute, LedgerEntry, Refund, RefundLine


def unrefunded_minor(*, order: Order, charge_id: str) -> int:
    """Return what of a charge no refund gives back, disputed or not."""
    standing = order.refunds.standing().filter(charge_id=charge_id)
    return total_minor(order.ledger.capture_of(charge_id)) - total_minor(standing)


def withheld_minor(*, order: Order, charge_id: str) -> int:
    """Return what a bank has, or may yet take, of a charge: no refund may spend it.

    An open dispute counts before its money moves, a won one until its money is back.
    """
    claimed = total_minor(Dispute.objects.withholding().filter(order=order, charge_id=charge_id))
    taken = -total_minor(order.ledger.filter(charge_id=charge_id).disputed())
    return max(claimed, taken)


def is_uncounted(*, order: Order, charge_id: str) -> bool:
    """Tell whether a charge took what we cannot count: a review names it, the books do not."""
    asked = order.reviews.filter(reason=Review.Reason.MISMATCH, cause=charge_id)
    return asked.exists() and not order.ledger.capture_of(charge_id).exists()


def undisputed(order: Order) -> Counter[str]:
    """Return by currency what is kept, less what banks withhold of it."""
    in_all = kept(order)
    captures = order.ledger.filter(kind=LedgerEntry.Kind.CAPTURE)
    for charge_id, currency in captures.values_list("stripe_id", "currency"):
        in_all[currency] -= withheld_minor(order=order, charge_id=charge_id or "")
    return in_all


def kept(order: Order) -> Counter[str]:
    """Return by currency what was received and neither went back nor is on its way back."""
    in_all = booked(order)
    for refund in order.refunds.unfinished():
        in_all[refund.currency] -= refund.amount_minor
    return in_all


def booked(order: Order) -> Counter[str]:
    """Return by currency what was received less what went back, as the ledger says."""
    moved = (order.ledger.received() | order.ledger.given_back()).order_by().values("currency")
    return Counter({row["currency"]: row["sum"] for row in moved.annotate(sum=Sum("amount_minor"))})


def is_any(amounts: Counter[str]) -> bool:
    """Tell whether there is money in some currency."""
    return any(amount_minor > 0 for amount_minor in amounts.values())


def refunded_quantities(order: Order) -> Counter[int]:
    """Return the units by line id that refunds are for, whether they went back or are about to."""
    return _by_line(order.refunds.standing(), Sum("quantity"))


def unsent_quantities(order: Order, *, are_done: bool = False) -> Counter[int]:
    """Return the units by line id that are refunded instead of being handed over.

    With `are_done` only those whose money went back.
    """
    refunds = order.refunds.standing()
    if are_done:
        refunds = refunds.filter(state=Refund.State.SUCCEEDED)
    return _by_line(refunds, Sum(F("quantity") - F("handed_over")))


def _by_line(refunds: QuerySet[Refund], units: Sum) -> Counter[int]:
    rows = RefundLine.objects.filter(refund__in=refunds).order_by()
    sums = rows.values("line_id").annotate(units=units)
    return Counter({row["line_id"]: row["units"] for row in sums})


def total_minor(rows: Any) -> int:
    """Return the sum of rows with an `amount_minor`."""
    total: int | None = rows.aggregate(total=Sum("amount_minor"))["total"]
    return total or 0
