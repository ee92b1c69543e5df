"""Imports of products: a file is sent in, looked over, and imported when somebody says so."""

from typing import Any, cast
from uuid import uuid4

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path, reverse
from unfold.widgets import UnfoldAdminFileFieldWidget

from accounts.models import User
from backoffice.imports import columns, files, runs
from backoffice.models import ImportRow, ImportRun
from payments.admin import display
from shop import csv_files
from shop.clock import now
from shop.dialogs import page, row_or_404
from shop.read_only import ReadOnlyAdmin

_ROWS_SHOWN = 50
_PROBLEMS_SHOWN = 200
_COLORS: dict[str, str] = {
    ImportRun.State.CHECKING: "info",
    ImportRun.State.CHECKED: "warning",
    ImportRun.State.IMPORTING: "info",
    ImportRun.State.DONE: "success",
    ImportRun.State.DISCARDED: "default",
}


class UploadForm(forms.Form):
    """A file, and a key: sent twice, it is one import."""

    key = forms.UUIDField(initial=uuid4, widget=forms.HiddenInput)
    file = forms.FileField(
        help_text="CSV or XLSX, with the names of the columns in the first row.",
        widget=UnfoldAdminFileFieldWidget,
    )


@admin.register(ImportRun)
class ImportRunAdmin(ReadOnlyAdmin):
    list_display = ("file_name", "standing", "row_count", "by", "uploaded_at")
    list_filter = ("state",)
    list_per_page = 50
    actions_list = ("new_import",)
    actions_detail = ("start", "discard")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ImportRun]:
        imports: QuerySet[ImportRun] = super().get_queryset(request)
        return imports.annotate(by_email=display.email_of("by_user_id"))

    @display.badge(colors=_COLORS, description="state", ordering="state")
    def standing(self, run: ImportRun) -> tuple[str, str]:
        return run.state, run.get_state_display()

    @admin.display(description="by")
    def by(self, run: ImportRun) -> str:
        return getattr(run, "by_email", None) or f"user {run.by_user_id}"

    def has_importing_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("shop.import_product")

    @page(label="New import", icon="upload_file", permissions=["importing"])
    def new_import(self, request: HttpRequest) -> HttpResponse:
        form = UploadForm(request.POST or None, request.FILES or None)
        if form.is_valid():
            file = form.cleaned_data["file"]
            try:
                run = runs.upload(
                    name=file.name,
                    # One byte more shows that it is too large; the rest need not be read.
                    content=file.read(files.MOST_BYTES + 1),
                    key=form.cleaned_data["key"],
                    by=cast(User, request.user).pk,
                    at=now(),
                )
            except files.UnfitFile as error:
                form.add_error("file", str(error))
            else:
                return HttpResponseRedirect(_address(run))
        context = self.admin_site.each_context(request) | {
            "title": "New import",
            "opts": self.opts,
            "form": form,
            "columns": columns.COLUMNS,
            "most_rows": files.MOST_ROWS,
            "back": reverse("admin:backoffice_importrun_changelist"),
        }
        status = 422 if form.is_bound and form.errors else 200
        template = "admin/backoffice/new_import.html"
        return TemplateResponse(request, template, context, status=status)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show how far an import is, and what it does; it is changed by the buttons alone."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        run: Any = row_or_404(self, request, object_id)
        rows = run.rows.all()
        fit = rows.filter(state__in=[ImportRow.State.FIT, ImportRow.State.DONE])
        left_out = rows.filter(state=ImportRow.State.LEFT_OUT)
        counts = _counts(rows)
        context = self.admin_site.each_context(request) | {
            "title": f"Import of {run.file_name}",
            "opts": self.opts,
            "original": run,
            "run": run,
            "by": self.by(run),
            "color": _COLORS[run.state],
            "is_running": run.state in ImportRun.RUNNING,
            "done": _done(run),
            "counts": counts,
            "more_left_out": max(counts["left_out"] - _PROBLEMS_SHOWN, 0),
            "left_out": left_out[:_PROBLEMS_SHOWN],
            "page": Paginator(fit, _ROWS_SHOWN).get_page(request.GET.get("page")),
            "may_decide": run.state == ImportRun.State.CHECKED
            and self.has_importing_permission(request),
        }
        return TemplateResponse(request, "admin/backoffice/import.html", context)

    @page(label="Import", icon="check", permissions=["importing"])
    def start(self, request: HttpRequest, object_id: str) -> HttpResponse:
        run = row_or_404(self, request, object_id)
        if request.method == "POST" and not runs.start(
            run_id=run.pk, by=cast(User, request.user).pk
        ):
            messages.info(request, "This was begun before, and is done once.")
        return HttpResponseRedirect(_address(run))

    @page(label="Discard", icon="delete", permissions=["importing"])
    def discard(self, request: HttpRequest, object_id: str) -> HttpResponse:
        run = row_or_404(self, request, object_id)
        if request.method == "POST" and runs.discard(run_id=run.pk):
            messages.success(request, "The file was discarded. Nothing of it was imported.")
        return HttpResponseRedirect(_address(run))

    def get_urls(self) -> list[Any]:
        way = path(
            "<path:object_id>/left-out.csv",
            self.admin_site.admin_view(self.download_left_out),
            name="backoffice_importrun_left_out",
        )
        return [way, *super().get_urls()]

    def download_left_out(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Send the rows with problems as a file that can be mended and imported again."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        run: ImportRun = row_or_404(self, request, object_id)
        names = [*(name for name in run.columns if name != columns.PROBLEM), columns.PROBLEM]
        left_out = run.rows.filter(state=ImportRow.State.LEFT_OUT)
        file = f"import-{run.pk}-left-out.csv"
        return csv_files.download(file, names, (_mendable(run, row, names) for row in left_out))


def _mendable(run: ImportRun, row: ImportRow, names: list[str]) -> list[str]:
    cells = dict(zip(run.columns, row.cells, strict=True))
    cells[columns.PROBLEM] = " ".join(row.problems)
    return [cells[name] for name in names]


def _address(run: ImportRun) -> str:
    return reverse("admin:backoffice_importrun_change", args=[run.pk])


def _done(run: ImportRun) -> int:
    """Return how many rows the job at work has behind it."""
    is_look = run.state == ImportRun.State.CHECKING
    due = ImportRow.State.WAITING if is_look else ImportRow.State.FIT
    return run.row_count - run.rows.filter(state=due).count()


def _counts(rows: QuerySet[ImportRow]) -> dict[str, int]:
    """Return how many rows there are of each kind."""
    state = ImportRow.State
    fit = Q(state__in=[state.FIT, state.DONE])
    return rows.aggregate(
        fit=Count("pk", filter=fit),
        done=Count("pk", filter=Q(state=state.DONE)),
        products=Count("pk", filter=fit & Q(adds="product")),
        variants=Count("pk", filter=fit & ~Q(adds="")),
        changed=Count("pk", filter=fit & Q(adds="")),
        same=Count("pk", filter=Q(state=state.SAME)),
        left_out=Count("pk", filter=Q(state=state.LEFT_OUT)),
    )
