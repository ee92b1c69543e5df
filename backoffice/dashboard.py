"""The admin's front page: the day's work, what the days came to, and whether the machinery runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from backoffice import figures, waiting
from backoffice.figures import Figures
from backoffice.models import DayFigures, TopProduct
from payments import queue_health
from payments.services import counters
from shop.clock import now
from shop.money import format_minor

_NAMES = {1: "Today", 7: "7 days", 30: "30 days", 90: "90 days"}
_BEFORE = {1: "yesterday", 7: "the 7 days before", 30: "the 30 days before", 90: "the 90 before"}


@dataclass(frozen=True)
class Tile:
    """A figure of the chosen days with that of the days before, and the list behind it."""

    title: str
    value: str
    before: str
    change: str
    address: str
    note: str = ""


@dataclass(frozen=True)
class Bar:
    """A day in the chart; its place and size are per mille of the chart's."""

    day: date
    revenue: str
    orders: int
    x: float
    width: float
    height: int

    @property
    def y(self) -> int:
        return 1000 - self.height


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add to the front page, as Unfold's callback, what this user may look at."""
    at = now()
    sees_money = request.user.has_perm("payments.view_ledgerentry")
    shown = {
        "title": "Front page",
        "tasks": waiting.tasks(request.user, at),
        "machinery": _machinery() if request.user.has_perm("payments.view_inboxevent") else None,
        "is_test_mode": not settings.STRIPE_LIVE_MODE,
        "at": at,
    }
    if sees_money:
        shown |= _money(_days(request), at)
    return context | shown


def environment(request: HttpRequest) -> list[str] | None:
    """Return the word beside the title of each page while no real money moves, for Unfold."""
    return None if settings.STRIPE_LIVE_MODE else ["Test mode: no real money", "warning"]


def _days(request: HttpRequest) -> int:
    asked = request.GET.get("days", "")
    return int(asked) if asked in {str(days) for days in figures.RANGES} else 7


def _money(days: int, at: datetime) -> dict[str, Any]:
    today = at.date()
    first = today - timedelta(days=days - 1)
    rows = figures.kept(at=at)
    present = figures.between(rows, first, today)
    before = figures.between(rows, first - timedelta(days=days), first - timedelta(days=1))
    return {
        "ranges": [(number, _NAMES[number], number == days) for number in figures.RANGES],
        "range_name": _NAMES[days],
        "before_name": _BEFORE[days],
        "tiles": _tiles(present, before, first, today),
        "bars": _bars(rows, max(days, 7), today),
        "top": TopProduct.objects.filter(days=days).select_related("product"),
        "currency": settings.SHOP_CURRENCY,
        # Until the job has run, days that are over look empty.
        "is_counting": len(rows) <= figures.KEPT_DAYS,
    }


def _tiles(present: Figures, before: Figures, first: date, last: date) -> list[Tile]:
    books = reverse("admin:payments_ledgerentry_days") + f"?first={first}&last={last}"
    orders = _list_of("orders_order", "placed_at", first, last)
    refunds = _list_of("payments_refund", "created_at", first, last)
    return [
        _tile(
            "Revenue", present.revenue_minor, before.revenue_minor, books, "received less refunds"
        ),
        _tile("Average order", present.average_minor, before.average_minor, orders),
        Tile(
            "Orders",
            f"{present.orders}",
            f"{before.orders}",
            _change(present.orders, before.orders),
            orders,
            f"{present.paid} of them paid",
        ),
        Tile(
            "Conversion",
            _share(present.cart_paid, present.carts),
            _share(before.cart_paid, before.carts),
            "",
            orders,
            f"{present.carts} carts, {present.cart_orders} ordered, {present.cart_paid} paid",
        ),
        _tile("Refunds", present.refunded_minor, before.refunded_minor, refunds),
    ]


def _list_of(page: str, moment: str, first: date, last: date) -> str:
    """Return the address of a list of the rows from `first` to `last`, as its filter has it."""
    start, end = (f"{day} 00:00:00+00:00" for day in (first, last + timedelta(days=1)))
    query = urlencode({f"{moment}__gte": start, f"{moment}__lt": end})
    return f"{reverse(f'admin:{page}_changelist')}?{query}"


def _tile(title: str, value_minor: int, before_minor: int, address: str, note: str = "") -> Tile:
    value = format_minor(value_minor, settings.SHOP_CURRENCY)
    before = format_minor(before_minor, settings.SHOP_CURRENCY)
    return Tile(title, value, before, _change(value_minor, before_minor), address, note)


def _change(value: int, before: int) -> str:
    """Return by how much a figure grew, like "+12 %"; empty where there was none before."""
    return f"{(value - before) / before:+.0%}" if before > 0 else ""


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "none"


def _bars(rows: Sequence[DayFigures], days: int, today: date) -> list[Bar]:
    """Return the revenue of the last `days` days as bars, the highest as high as the chart."""
    some = [row for row in rows if row.day > today - timedelta(days=days)]
    revenues = [max(row.captured_minor - row.refunded_minor, 0) for row in some]
    highest = max(revenues, default=0) or 1
    return [
        Bar(
            day=row.day,
            revenue=format_minor(row.captured_minor - row.refunded_minor, settings.SHOP_CURRENCY),
            orders=row.orders,
            x=number * 1000 / len(some),
            width=800 / len(some),
            height=revenue * 1000 // highest,
        )
        for number, (row, revenue) in enumerate(zip(some, revenues, strict=True))
    ]


def _machinery() -> dict[str, Any]:
    return {
        "has_worker": queue_health.has_worker(),
        "queues": sorted(counters.queues().items()),
        "behind": queue_health.behind(),
    }
