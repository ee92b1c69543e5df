"""Counting stock on a sheet: downloaded from the list, filled in, and entered again."""

from datetime import datetime
from typing import Any
from uuid import uuid4

from django import forms
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponseBase
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminFileFieldWidget

from shop import count_sheets, csv_files, services
from shop.admin.two_steps import ManyRowsForm, Refused
from shop.clock import now
from shop.csv_cells import decoded
from shop.deliveries import UnfitLines
from shop.models import Variant

_MOST_BYTES = 5_000_000


def download(request: HttpRequest, model_admin: ModelAdmin) -> HttpResponseBase:
    """Send a sheet of the variants that the list shows for the same query, as they are read."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    shown = model_admin.get_changelist_instance(request).get_queryset(request)
    variants = shown.order_by("sku").iterator(chunk_size=csv_files.ROWS_AT_ONCE)
    name = f"count-{now():%Y-%m-%d}.csv"
    return csv_files.download(name, count_sheets.COLUMNS, count_sheets.lines(variants, uuid4()))


class CountForm(ManyRowsForm):
    """A sheet that was filled in; what differs is carried to the second step as text."""

    headers = ("SKU", "title", "on hand on the sheet", "counted", "difference", "on hand then")

    file = forms.FileField(
        label="Count sheet",
        required=False,
        help_text="As CSV, with its columns as they were. Leave empty what was not counted.",
        widget=UnfoldAdminFileFieldWidget,
    )
    text = forms.CharField(required=False, strip=False, widget=forms.HiddenInput)

    def clean_file(self) -> "UploadedFile[bytes] | None":
        file: UploadedFile[bytes] | None = self.cleaned_data["file"]
        if file and (file.size or 0) > _MOST_BYTES:
            raise ValidationError("This file is larger than 5 MB.")
        return file

    def clean(self) -> None:
        if self.errors:
            return
        file: UploadedFile[bytes] | None = self.cleaned_data["file"]
        text = decoded(file.read()) if file else self.cleaned_data["text"]
        if not text:
            raise ValidationError({"file": "Choose a file."})
        try:
            self.count = count_sheets.read(text)
        except UnfitLines as error:
            raise ValidationError({"file": error.problems}) from error
        if not self.count.differing:
            before = self.count.entered_before
            words = "All of this was entered before." if before else "Every count is right."
            raise ValidationError({"file": f"{words} There is nothing to enter."})

    def carried(self) -> dict[str, str]:
        return {"text": self.count.text()}

    def rows(self) -> list[list[Any]]:
        return [
            [
                row.variant.sku,
                f"{row.variant.product.title}, {row.variant.title}",
                row.was_on_hand,
                row.counted,
                f"{row.difference:+}",
                row.variant.on_hand + row.difference,
            ]
            for row in self.count.differing
        ]

    def summary(self) -> str:
        before = self.count.entered_before
        left_out = f" Entered before, and left out: {before}." if before else ""
        return (
            f"Counts that differ: {len(self.count.differing)}. What was sold or received since the "
            f"sheet was made is kept.{left_out}"
        )

    def act(self, *, by: int, at: datetime) -> str:
        try:
            moved = services.adjust_all(
                differences={row.variant.pk: row.difference for row in self.count.differing},
                reason=f"count {at:%Y-%m-%d}",
                at=at,
                moved_by_id=by,
                form_key=self.count.sheet,
            )
        except services.InsufficientStock as error:
            short = Variant.objects.filter(pk__in=[s.variant_id for s in error.shortages])
            skus = ", ".join(short.values_list("sku", flat=True))
            raise Refused(
                f"Nothing was entered: orders hold more than is left of {skus}."
            ) from error
        return f"Counts entered: {len(moved)}."
