"""Packing slips and invoices, as pages to print; one order or many, each on a sheet of its own."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from orders.models import Order, OrderLine, Status
from payments.models import LedgerEntry

# More would be read, and printed, for minutes.
MOST = 200


@dataclass(frozen=True)
class Line:
    """What of an order's line is packed now, of how many."""

    line: OrderLine
    units: int


@dataclass(frozen=True)
class Sheet:
    """What a packing slip or an invoice says of one order; amounts in minor units of it."""

    order: Order
    lines: list[Line]
    paid_at: datetime | None
    received_minor: int
    given_back_minor: int


def sheets(orders: QuerySet[Order]) -> list[Sheet]:
    """Read the sheets of orders, in the order of placing; the queries do not grow with them."""
    wanted = orders.order_by("placed_at", "pk").prefetch_related(
        "lines", "events", "ledger", "fulfillments__lines", "refunds__lines"
    )
    return [_sheet(order) for order in wanted[:MOST]]


def _sheet(order: Order) -> Sheet:
    lines = [Line(line, _left(order, line)) for line in order.lines.all()]
    if not any(row.units for row in lines):
        # All is out: the slip tells what was in the order.
        lines = [Line(row.line, row.line.quantity) for row in lines]
    moves = [event for event in order.events.all() if event.to_status == Status.PAID]
    return Sheet(
        order=order,
        lines=[row for row in lines if row.units],
        paid_at=moves[0].happened_at if moves else None,
        received_minor=_sum(order, {"capture"}, by_hand=1),
        given_back_minor=-_sum(order, {"refund", "refund_reversal"}, by_hand=-1),
    )


def _left(order: Order, line: OrderLine) -> int:
    """Return the units of a line that are neither handed over nor refunded instead."""
    out = _units(order.fulfillments.all(), line)
    standing = [r for r in order.refunds.all() if r.state not in {"failed", "canceled"}]
    unsent = sum(
        row.quantity - row.handed_over
        for refund in standing
        for row in refund.lines.all()
        if row.line_id == line.pk
    )
    return max(line.quantity - out - unsent, 0)


def _units(parcels: Iterable[Any], line: OrderLine) -> int:
    rows = (row for parcel in parcels for row in parcel.lines.all())
    return sum(row.quantity for row in rows if row.line_id == line.pk)


def _sum(order: Order, kinds: set[str], *, by_hand: int) -> int:
    """Return the sum of entries of these kinds, and of manual ones with the sign of `by_hand`."""
    return sum(
        entry.amount_minor
        for entry in order.ledger.all()
        if entry.currency == order.currency
        and (
            entry.kind in kinds
            or (entry.kind == LedgerEntry.Kind.MANUAL and entry.amount_minor * by_hand > 0)
        )
    )


def packing_slips(request: HttpRequest, orders: QuerySet[Order]) -> HttpResponse:
    """Show what is packed for each of the orders, without prices."""
    return _answer(request, orders, "packing_slip.html", "Packing slip")


def invoices(request: HttpRequest, orders: QuerySet[Order]) -> HttpResponse:
    """Show what each of the orders cost, and what was paid of it."""
    return _answer(request, orders, "invoice.html", "Invoice")


def _answer(
    request: HttpRequest, orders: QuerySet[Order], template: str, title: str
) -> HttpResponse:
    shown = sheets(orders)
    numbers = shown[0].order.number if len(shown) == 1 else f"{len(shown)} orders"
    context = {
        "title": f"{title}: {numbers}",
        "sheets": shown,
        "seller": settings.SHOP_ADDRESS,
        "tax_id": settings.SHOP_TAX_ID,
    }
    return TemplateResponse(request, f"admin/payments/{template}", context)
