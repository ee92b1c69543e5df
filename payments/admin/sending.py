"""Handing goods over, noting that they arrived, and putting back what a bank was paid for."""

from datetime import datetime
from typing import Any, cast

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from orders import staff_services
from orders.models import Fulfillment, Order
from orders.parcels import Parcel
from payments.admin.deeds import Deed, Plain
from payments.services import fulfilling


class HandOverForm(Deed):
    """Which units leave the house, by whom they are carried, and whether the buyer is told."""

    title, verb = "Hand over", "Hand it over"

    carrier = forms.ChoiceField(required=False, widget=UnfoldAdminSelectWidget)
    tracking_number = forms.CharField(
        required=False, max_length=64, widget=UnfoldAdminTextInputWidget
    )
    is_told = forms.BooleanField(
        label="Tell the buyer by mail", required=False, initial=True, widget=UnfoldBooleanWidget
    )

    def __init__(self, order: Order, data: Any = None) -> None:
        super().__init__(order, data)
        left = fulfilling.left_to_hand_over(order)
        self.lines = {line: left[line.pk] for line in order.lines.all() if left[line.pk]}
        for line, units in self.lines.items():
            self.fields[f"units_{line.pk}"] = forms.IntegerField(
                label=f"Units of {line.title}",
                help_text=f"{units} of {line.quantity} are left to be handed over.",
                required=False,
                min_value=0,
                max_value=units,
                initial=units,
                widget=UnfoldAdminIntegerFieldWidget,
            )
        carriers = [("", "No carrier"), *((name, name) for name in settings.CARRIERS)]
        cast(forms.ChoiceField, self.fields["carrier"]).choices = carriers
        self.order_fields(["key", *(f"units_{line.pk}" for line in self.lines)])

    def was_sent(self) -> bool:
        key = self.sent_key()
        return key is not None and Fulfillment.objects.filter(key=key).exists()

    def clean(self) -> None:
        if self.errors:
            return
        asked = {line.pk: self.cleaned_data[f"units_{line.pk}"] or 0 for line in self.lines}
        self.quantities = {pk: units for pk, units in asked.items() if units}
        self.parcel = Parcel(self.cleaned_data["carrier"], self.cleaned_data["tracking_number"])
        if self.lines and not self.quantities:
            raise ValidationError("Enter how many units are handed over.")
        try:
            fulfilling.check_hand_over(order=self.order, quantities=self.quantities)
        except fulfilling.CannotHandOver as error:
            raise ValidationError(str(error)) from error

    def consequences(self) -> list[str]:
        units = [
            f"{self.quantities[line.pk]} x {line.title}"
            for line in self.lines
            if line.pk in self.quantities
        ]
        is_last = all(self.quantities.get(line.pk) == left for line, left in self.lines.items())
        after = "the order is fulfilled." if is_last else "the rest is still to be handed over."
        return [f"Handed over: {', '.join(units)}; {after}", *self._told()]

    def _told(self) -> list[str]:
        parcel = self.parcel
        way = " ".join(part for part in (parcel.carrier, parcel.tracking_number) if part)
        if not self.cleaned_data["is_told"]:
            return ["The buyer is not told by mail."]
        with_link = ", with a link to follow it" if parcel.tracking_url else ""
        return [f"A mail tells the buyer{f' ({way}{with_link})' if way else ''}."]

    def act(self, *, by: int, at: datetime) -> str:
        fulfilling.hand_over(
            order_id=self.order.pk,
            quantities=self.quantities,
            parcel=self.parcel,
            is_told=self.cleaned_data["is_told"],
            key=self.cleaned_data["key"],
            by=by,
            at=at,
        )
        return f"{sum(self.quantities.values())} units are handed over."


class DeliveredForm(Deed):
    """Which of the parcels on their way has arrived."""

    title, verb = "Mark as delivered", "It has arrived"

    parcel = forms.ChoiceField(widget=UnfoldAdminSelectWidget)

    def __init__(self, order: Order, data: Any = None) -> None:
        super().__init__(order, data)
        self.parcels = {str(parcel.pk): parcel for parcel in on_their_way(order)}
        named = [(pk, parcel_in_words(parcel)) for pk, parcel in self.parcels.items()]
        cast(forms.ChoiceField, self.fields["parcel"]).choices = named

    def consequences(self) -> list[str]:
        parcel = self.parcels[self.cleaned_data["parcel"]]
        return [f"{parcel_in_words(parcel)} counts as delivered. Nobody is told."]

    def act(self, *, by: int, at: datetime) -> str:
        pk = int(self.cleaned_data["parcel"])
        staff_services.mark_delivered(fulfillment_id=pk, by=by, at=at)
        return "It is marked as delivered."


def on_their_way(order: Order) -> list[Fulfillment]:
    """Return what was handed over and is not known to have arrived."""
    return list(order.fulfillments.filter(delivered_at=None).prefetch_related("lines__line"))


def parcel_in_words(parcel: Fulfillment) -> str:
    """Return when something was handed over, by whom it is carried, and what is in it."""
    parts = [
        f"{parcel.handed_over_at:%-d %B %Y}",
        f"{parcel.carrier} {parcel.tracking_number}".strip(),
        ", ".join(f"{row.quantity} x {row.line.sku}" for row in parcel.lines.all()),
    ]
    return ": ".join(part for part in parts if part)


class PutBackForm(Plain):
    """The goods of an order whose money a bank kept, back to the shelf."""

    title, verb = "Put the goods back", "Put them back"

    def clean(self) -> None:
        try:
            self.left = fulfilling.check_put_back(self.order)
        except fulfilling.CannotPutBack as error:
            raise ValidationError(str(error)) from error

    def consequences(self) -> list[str]:
        units = [
            f"{self.left[line.pk]} x {line.title}"
            for line in self.order.lines.all()
            if line.pk in self.left
        ]
        return [
            f"For sale again: {', '.join(units)}.",
            "The order counts as fulfilled, and no more of it is sent.",
            "Its money stays as it is: what the bank left of it is given back apart from this.",
        ]

    def act(self, *, by: int, at: datetime) -> str:
        fulfilling.put_back(order_id=self.order.pk, by=by, at=at)
        return "The goods are back on the shelf."
