"""The audit log: who of the staff changed which row, when, from where, and what it was before."""

import json
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db.models import Model, Q, QuerySet
from django.db.models.functions import Lower
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator, capfirst
from unfold.paginator import InfinitePaginator

from accounts.models import User
from backoffice.audited import AUDITED
from backoffice.models import AuditEntry
from payments.admin import display
from shop.read_only import ReadOnlyAdmin

PERSONAL = "backoffice.view_auditpersonal"
_COLORS = {"insert": "success", "update": "info", "delete": "danger"}
_LONGEST_LIST = 80


class KindFilter(admin.SimpleListFilter):
    """Changes by what was changed; asking the table which kinds there are would read all of it."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        models = (one.model.lower() for one in AUDITED)
        return sorted(((name, capfirst(_kind(name))) for name in models), key=lambda kind: kind[1])

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[AuditEntry]
    ) -> QuerySet[AuditEntry]:
        return queryset.filter(model=self.value()) if self.value() else queryset


class RowFilter(admin.SimpleListFilter):
    """Changes of one row and of its parts, like "shop.product:5"; only links to it ask for it."""

    title = "row"
    parameter_name = "row"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        asked = request.GET.get(self.parameter_name, "")
        model, _, row_id = asked.partition(":")
        return [(asked, f"{capfirst(_kind(model))} {row_id}")] if asked else []

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[AuditEntry]:
        model, _, row_id = (self.value() or "").partition(":")
        changes: QuerySet[AuditEntry] = queryset.about(model, [row_id]) if model else queryset
        return changes


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ("when", "who", "what", "done", "differs", "how")
    list_filter = (RowFilter, KindFilter, "action", "at")
    sortable_by = ("when",)
    search_fields = ("row_id",)
    search_help_text = "Name or id of a row, a colleague's e-mail address, or a request's id."
    # To count a million rows takes longer than to show a page of them.
    paginator = InfinitePaginator
    fields = (
        ("when", "who"),
        ("what", "whole"),
        ("action", "address"),
        "how",
        "request_id",
        "comparison",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEntry]:
        entries: QuerySet[AuditEntry] = super().get_queryset(request)
        return entries.annotate(by_email=display.email_of("by_user_id"))

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> AuditEntry | None:
        entry: AuditEntry | None = super().get_object(request, object_id, from_field)
        if entry is not None:
            # Kept with the row: what shows a field is not told who looks.
            may_see = request.user.has_perm(PERSONAL)
            setattr(entry, "is_personal_shown", may_see)  # noqa: B010 - no field of its own
        return entry

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditEntry], search_term: str
    ) -> tuple[QuerySet[AuditEntry], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        if "@" in term:
            # Found first, by the index: a join would look at every entry.
            users = User.objects.alias(lower=Lower("email")).filter(lower=term.lower())
            return queryset.filter(by_user_id__in=list(users.values_list("pk", flat=True))), False
        return queryset.filter(Q(row_id=term) | Q(row_name=term) | Q(request_id=term)), False

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        # What never changes has no history.
        context = (extra_context or {}) | {"show_history": False}
        shown: HttpResponse = super().change_view(request, object_id, form_url, context)
        return shown

    @admin.display(ordering="at")
    def when(self, entry: AuditEntry) -> str:
        return when(entry)

    def who(self, entry: AuditEntry) -> str:
        return who(entry)

    def what(self, entry: AuditEntry) -> SafeString | str:
        return what(entry)

    @admin.display(description="part of", empty_value="-")
    def whole(self, entry: AuditEntry) -> SafeString | str:
        return _row(entry.part_of, entry.part_of_id) if entry.part_of else ""

    @display.badge(colors=_COLORS, description="action")
    def done(self, entry: AuditEntry) -> tuple[str, str]:
        return entry.action, entry.get_action_display()

    @admin.display(description="columns")
    def differs(self, entry: AuditEntry) -> str:
        return differs(entry)

    @admin.display(description="from where")
    def address(self, entry: AuditEntry) -> str:
        if not getattr(entry, "is_personal_shown", False):
            return "personal: not shown to you"
        origin = getattr(entry, "origin", None)
        return origin.address if origin else "none, or erased"

    @admin.display(description="before and after")
    def comparison(self, entry: AuditEntry) -> SafeString:
        is_shown = getattr(entry, "is_personal_shown", False)
        rows = [
            [column.replace("_", " "), *(_value(side) for side in sides)]
            for column, *sides in _compared(entry, is_shown)
        ]
        table = {"headers": ["column", "before", "after"], "rows": rows}
        return render_to_string("unfold/components/table.html", {"table": table})


def when(entry: AuditEntry) -> str:
    """Return the second in which it happened."""
    return f"{entry.at:%Y-%m-%d %H:%M:%S} UTC"


def who(entry: AuditEntry) -> str:
    """Name who did it; needs `by_email` of the entry's own query."""
    return getattr(entry, "by_email", None) or f"user {entry.by_user_id}"


def what(entry: AuditEntry) -> SafeString | str:
    """Name the row, with a link to its page where there is one."""
    is_gone = entry.action == AuditEntry.Action.DELETE
    return _row(entry.model, entry.row_id, entry.row_name, is_gone=is_gone)


def differs(entry: AuditEntry) -> str:
    """Name the columns that differ, as far as they fit on a line."""
    text = ", ".join(column.replace("_", " ") for column in entry.columns)
    return Truncator(text).chars(_LONGEST_LIST)


def _row(label: str, row_id: str, name: str = "", *, is_gone: bool = False) -> SafeString | str:
    text = f"{_kind(label)} {name or row_id}"
    model = _model(label)
    if is_gone or model is None or not admin.site.is_registered(model):
        return text
    page = f"{model._meta.app_label}_{model._meta.model_name}_change"
    return display.link(page, text, row_id)


def _model(label: str) -> type[Model] | None:
    """Return the model of a label; None where it is none any more."""
    try:
        return apps.get_model(label)
    except (LookupError, ValueError):
        return None


def _kind(label: str) -> str:
    model = _model(label)
    return str(model._meta.verbose_name) if model else label


def _compared(entry: AuditEntry, is_personal_shown: bool) -> Iterator[tuple[str, Any, Any]]:
    """Return column, before and after of all that differs; words where a value is not kept."""
    values = getattr(entry, "personal_values", None) if entry.personal else None
    before, after = dict(entry.before), dict(entry.after)
    if values and is_personal_shown:
        before |= values.before
        after |= values.after
    for column in entry.columns:
        if column in entry.secret:
            yield column, "secret: never kept", "secret: never kept"
        elif column in entry.personal and not is_personal_shown:
            yield column, "personal: not shown to you", "personal: not shown to you"
        elif column in entry.personal and values is None:
            yield column, "personal: erased", "personal: erased"
        else:
            yield column, before.get(column, _NOT_THERE), after.get(column, _NOT_THERE)


# Of a row that was added or deleted.
_NOT_THERE = object()


def _value(value: Any) -> SafeString | str:
    """Return a value of a column as people read it."""
    if value is _NOT_THERE:
        return ""
    if value is None or value == "":
        return "(empty)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict | list):
        value = json.dumps(value, indent=2, ensure_ascii=False)
    return format_html(
        '<span style="white-space: pre-wrap; overflow-wrap: anywhere">{}</span>', value
    )
