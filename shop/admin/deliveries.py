"""Goods that came in: a delivery with all its lines, booked at once."""

from datetime import datetime
from typing import Any
from uuid import uuid4

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from shop import services
from shop.admin.two_steps import ManyRowsForm
from shop.deliveries import UnfitLines, read_lines


class DeliveryForm(ManyRowsForm):
    """A delivery; its movements carry its reference, and its key: sent twice, it is booked once."""

    headers = ("SKU", "title", "delivered", "on hand now", "on hand then")

    key = forms.UUIDField(initial=uuid4, widget=forms.HiddenInput)
    reference = forms.CharField(
        label="Delivery note",
        max_length=200,
        help_text="Its number, or what else says later where these goods came from.",
        widget=UnfoldAdminTextInputWidget,
    )
    lines = forms.CharField(
        label="Goods",
        help_text="A line each: SKU;quantity. Lines may be pasted from a spreadsheet, or scanned: "
        "a SKU alone counts as one unit.",
        widget=UnfoldAdminTextareaWidget,
    )

    def clean_lines(self) -> str:
        text: str = self.cleaned_data["lines"]
        try:
            self.delivered = read_lines(text)
        except UnfitLines as error:
            raise ValidationError(error.problems) from error
        return text

    def rows(self) -> list[list[Any]]:
        return [
            [
                line.variant.sku,
                f"{line.variant.product.title}, {line.variant.title}",
                f"+{line.quantity}",
                line.variant.on_hand,
                line.variant.on_hand + line.quantity,
            ]
            for line in self.delivered
        ]

    def summary(self) -> str:
        units = sum(line.quantity for line in self.delivered)
        return f"Received with {self.cleaned_data['reference']}: {units} in all."

    def act(self, *, by: int, at: datetime) -> str:
        moved = services.receive_all(
            quantities={line.variant.pk: line.quantity for line in self.delivered},
            reference=self.cleaned_data["reference"],
            at=at,
            moved_by_id=by,
            form_key=self.cleaned_data["key"],
        )
        if not moved:
            return "This form was sent before. Nothing was moved a second time."
        booked = sum(line.quantity for line in self.delivered if line.variant.pk in moved)
        before = len(self.delivered) - len(moved)
        kept = f" SKUs that this form had booked before, and not again: {before}." if before else ""
        return f"Units received: {booked}.{kept}"
