"""Exports: what a list of the admin shows, as a file, however long the list is."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ERROR_FLAG
from django.contrib.auth import get_user_model
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from structlog.contextvars import get_contextvars

from shop import csv_files
from shop.clock import now

Row = TypeVar("Row", bound=Model)

logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Sheet:
    """A kind of file: its name, its columns, and what stands in them for the rows of a list."""

    name: str
    header: Sequence[str]
    rows: Callable[[Any], Iterable[Iterable[Any]]]


class ExportsList:
    """A list whose buttons named in `exports` go on with the filters and the search it shows."""

    exports: tuple[str, ...] = ()

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        shown: Any = super().changelist_view(request, extra_context)  # type: ignore[misc]
        context = getattr(shown, "context_data", None) or {}
        opts: Any = self.opts  # type: ignore[attr-defined]
        pages = {reverse(f"admin:{opts.app_label}_{opts.model_name}_{n}") for n in self.exports}
        for button in context.get("actions_list", ()):
            if button["path"] in pages:
                button["path"] += context["cl"].get_query_string().rstrip("?")
        answer: HttpResponse = shown
        return answer

    def export_listed(self, request: HttpRequest, sheet: Sheet) -> HttpResponseBase:
        """Send what the list shows for the same query."""
        admin: Any = self
        try:
            found = admin.get_changelist_instance(request)
        except IncorrectLookupParameters:
            page = reverse(f"admin:{admin.opts.app_label}_{admin.opts.model_name}_changelist")
            return HttpResponseRedirect(f"{page}?{ERROR_FLAG}=1")
        by = [*sorted(found.get_filters_params()), *(["search"] if found.query else [])]
        return export(request, sheet, found.get_queryset(request), by=", ".join(by))


def export(
    request: HttpRequest, sheet: Sheet, rows: QuerySet[Any], *, by: str, period: str = ""
) -> HttpResponseBase:
    """Send the rows as a file, and keep who took it: in his own history, and in the log.

    `by` names how they were chosen. What was typed into a search is kept nowhere: it may be
    somebody's name. The file's name tells the minute, or the period that it is about.
    """
    name = f"{sheet.name}-{period or format(now(), '%Y-%m-%d-%H%M')}.csv"
    user: Any = request.user
    people: Any = get_user_model().objects.filter(pk=user.pk)
    chosen = f"by {by}" if by else "all there are"
    LogEntry.objects.log_actions(user.pk, people, CHANGE, f"Exported {name} ({chosen})")
    # The file is sent when the request is over for the log, so its lines are told all they need.
    log = logger.bind(**get_contextvars() | {"user_id": user.pk, "file": name, "by": by})
    log.info("export begun")
    return csv_files.download(name, sheet.header, _counted(sheet.rows(rows), log))


def in_portions(rows: QuerySet[Row]) -> Iterator[Row]:
    """Yield rows by their keys, the oldest first.

    Each portion is a short query of its own, where one cursor for all would have the database keep
    all of it, or a transaction open for as long as somebody downloads (docs/adr/0042).
    """
    size, rows = csv_files.ROWS_AT_ONCE, rows.order_by("pk")
    portion = list(rows[:size])
    while portion:
        yield from portion
        if len(portion) < size:
            return
        portion = list(rows.filter(pk__gt=portion[-1].pk)[:size])


def _counted(rows: Iterable[Iterable[Any]], log: Any) -> Iterator[Iterable[Any]]:
    count = 0
    for row in rows:
        count += 1
        yield row
    log.info("export finished", rows=count)
