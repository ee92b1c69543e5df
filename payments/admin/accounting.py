"""The books by day, and as a file for the accountant. A day is one of UTC, as at Stripe."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.core.validators import MaxValueValidator, MinValueValidator
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin
from unfold.widgets import BASE_INPUT_CLASSES

from payments.models import LedgerEntry
from payments.models.ledger import LedgerQuerySet
from shop import csv_files
from shop.clock import now
from shop.exports import Sheet, export, in_portions
from shop.money import format_any

EXPORT = "payments.export_ledgerentry"
_DAYS_PER_PAGE = 31
_EARLIEST, _LATEST = date(2000, 1, 1), date(2999, 12, 31)
_SUMS = {
    "captured": "captured",
    "given_back": "given back",
    "disputed": "disputed",
    "fees": "fees",
    "net": "net at Stripe",
    "manual": "entered by hand",
}
# An accountant's program is told once what is where: a new column goes to the end.
_COLUMNS = (
    "day",
    "time_utc",
    "order",
    "kind",
    "amount",
    "amount_minor",
    "currency",
    "stripe_id",
    "charge",
    "session",
    "intent",
)
_READ = (
    "kind",
    "amount_minor",
    "currency",
    "stripe_id",
    "charge_id",
    "occurred_at",
    "order__number",
    "attempt__session_id",
    "attempt__intent_id",
)


class _Day(forms.DateField):
    widget = forms.DateInput(
        format="%Y-%m-%d", attrs={"type": "date", "class": " ".join(BASE_INPUT_CLASSES)}
    )
    default_validators = [MinValueValidator(_EARLIEST), MaxValueValidator(_LATEST)]


class Range(forms.Form):
    """From which day to which, both included; this month so far unless told otherwise."""

    first = _Day(label="From")
    last = _Day(label="To")

    def __init__(self, request: HttpRequest) -> None:
        today = now().date()
        month = {"first": today.replace(day=1).isoformat(), "last": today.isoformat()}
        super().__init__(month | request.GET.dict())

    def clean(self) -> None:
        first, last = self.cleaned_data.get("first"), self.cleaned_data.get("last")
        if first and last and last < first:
            self.add_error("last", "The last day is before the first.")

    @property
    def entries(self) -> Any:
        return LedgerEntry.objects.between(self.cleaned_data["first"], self.cleaned_data["last"])


def by_day(request: HttpRequest, model_admin: ModelAdmin) -> HttpResponse:
    """Show the sums of each day and currency, and of all days asked for."""
    _require_view(request, model_admin)
    asked = Range(request)
    context = model_admin.admin_site.each_context(request) | {
        "title": "Books by day",
        "form": asked,
        "may_export": request.user.has_perm(EXPORT),
    }
    if asked.is_valid():
        first, last = asked.cleaned_data["first"], asked.cleaned_data["last"]
        # Days are counted, not rows: a page reads its own days alone, however long the range is.
        pages = Paginator(range((last - first).days + 1), _DAYS_PER_PAGE)
        page = pages.get_page(request.GET.get("p"))
        days = [last - timedelta(days=number) for number in page.object_list]
        shown = LedgerEntry.objects.between(days[-1], days[0]).sums_by_day()
        context |= {
            "page": page,
            "range": f"first={first}&last={last}",
            "totals": sums_table(asked.entries.sums()),
            "days": _table(["day"], [[f"{row['day']}", *_amounts(row)] for row in shown]),
        }
    status = 200 if asked.is_valid() else 422
    return TemplateResponse(request, "admin/payments/books_by_day.html", context, status=status)


def export_days(request: HttpRequest, model_admin: ModelAdmin) -> HttpResponseBase:
    """Send the entries of the days asked for, in the order in which money moved."""
    _require_view(request, model_admin)
    if not request.user.has_perm(EXPORT):
        raise PermissionDenied
    asked = Range(request)
    if not asked.is_valid():
        return by_day(request, model_admin)
    first, last = asked.cleaned_data["first"], asked.cleaned_data["last"]
    return export(request, _BY_DAY, asked.entries, by="days", period=f"{first}-{last}")


def sums_table(sums: Any) -> dict[str, Any]:
    """Return a table, in Unfold's form, of sums per currency."""
    return _table([], [_amounts(row) for row in sums])


def _table(by: list[str], rows: list[list[str]]) -> dict[str, Any]:
    return {"headers": [*by, "currency", *_SUMS.values()], "rows": rows}


def _amounts(row: dict[str, Any]) -> list[str]:
    currency = row["currency"]
    return [currency, *(format_any(row[name], currency) for name in _SUMS)]


def _require_view(request: HttpRequest, model_admin: ModelAdmin) -> None:
    if not model_admin.has_view_permission(request):
        raise PermissionDenied


def _rows_by_day(entries: LedgerQuerySet) -> Iterator[list[Any]]:
    """Read them at once: they have no index by the moment that they count by."""
    dated = _read(entries).order_by("moved_at", "pk")
    return map(_row, dated.iterator(chunk_size=csv_files.ROWS_AT_ONCE))


def _rows_as_booked(entries: LedgerQuerySet) -> Iterator[list[Any]]:
    return map(_row, in_portions(_read(entries.dated())))


_BY_DAY = Sheet("ledger", _COLUMNS, _rows_by_day)
LISTED = Sheet("ledger", _COLUMNS, _rows_as_booked)


def _read(entries: LedgerQuerySet) -> Any:
    return entries.select_related("order", "attempt").only(*_READ)


def _row(entry: Any) -> list[Any]:
    attempt = entry.attempt
    return [
        f"{entry.moved_at:%Y-%m-%d}",
        f"{entry.moved_at:%H:%M:%S}",
        entry.order.number,
        entry.kind,
        csv_files.amount(entry.amount_minor, entry.currency),
        entry.amount_minor,
        entry.currency,
        entry.stripe_id,
        entry.charge_id,
        attempt and attempt.session_id,
        attempt and attempt.intent_id,
    ]
