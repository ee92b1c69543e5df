"""Canceling an order that waits for its money, for a reason that its buyer reads."""

from datetime import datetime

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminTextInputWidget

from orders.models import Reason
from payments.admin.deeds import Deed
from payments.services import canceling


class CancelForm(Deed):
    title, verb = "Cancel", "Cancel the order"

    note = forms.CharField(
        label="Why",
        max_length=200,
        help_text="The buyer reads it in his mail: a whole sentence or two.",
        widget=UnfoldAdminTextInputWidget,
    )

    def clean(self) -> None:
        try:
            canceling.check(self.order)
        except canceling.CannotCancel as error:
            raise ValidationError(str(error)) from error

    def consequences(self) -> list[str]:
        return [
            "Its payment is closed at Stripe; if the buyer is faster, the order stays.",
            "Its units are free again.",
            f"A mail tells the buyer: “{self.cleaned_data['note']}”",
        ]

    def act(self, *, by: int, at: datetime) -> str:
        canceling.cancel(
            order_id=self.order.pk,
            reason=Reason.STAFF,
            by=by,
            note=self.cleaned_data["note"],
            at=at,
        )
        return "The order is canceled, and the buyer is told."
