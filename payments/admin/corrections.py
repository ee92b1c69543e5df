"""What staff put right about an order, and write on it: address, mails, notes."""

from datetime import datetime
from typing import Any, cast

from django import forms
from unfold.widgets import (
    INPUT_CLASSES,
    SELECT_CLASSES,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
)

from orders import staff_services
from orders.models import Order, OrderMail
from payments.admin.deeds import Deed
from payments.forms import AddressForm


class ChangeAddressForm(AddressForm, Deed):
    title, verb = "Change the address", "Change it"

    def __init__(self, order: Order, data: Any = None) -> None:
        super().__init__(order, data)
        self.initial |= order.shipping_address
        for field in self.fields.values():
            is_choice = isinstance(field, forms.ChoiceField)
            classes = SELECT_CLASSES if is_choice else INPUT_CLASSES
            # It is the buyer's address, not one that the browser knows.
            field.widget.attrs |= {"class": " ".join(classes), "autocomplete": "off"}

    def consequences(self) -> list[str]:
        parts = [self.address()[name] for name in AddressForm.base_fields]
        return [
            f"The order goes to: {', '.join(part for part in parts if part)}.",
            "What was paid for shipping stays as it is, and nobody is told.",
        ]

    def act(self, *, by: int, at: datetime) -> str:
        staff_services.change_address(order_id=self.order.pk, address=self.address(), by=by, at=at)
        return "The address is changed."


class SendAgainForm(Deed):
    title, verb = "Send a mail again", "Send it again"

    mail = forms.ChoiceField(widget=UnfoldAdminSelectWidget)

    def __init__(self, order: Order, data: Any = None) -> None:
        super().__init__(order, data)
        sent = order.mails.filter(sent_at__isnull=False)
        self.mails = {str(mail.pk): mail for mail in sent}
        named = [
            (pk, f"{mail.get_kind_display()}, sent {mail.sent_at:%-d %B %Y, %H:%M} UTC")
            for pk, mail in self.mails.items()
        ]
        cast(forms.ChoiceField, self.fields["mail"]).choices = named

    def was_sent(self) -> bool:
        return self.order.mails.filter(cause=f"again {self.sent_key()}").exists()

    def consequences(self) -> list[str]:
        mail = self.mails[self.cleaned_data["mail"]]
        to = "the shop's own address" if mail.kind in OrderMail.TO_STAFF else self.order.email
        return [
            f"“{mail.get_kind_display()}” goes to {to} once more, in the words of today: it says "
            "how the order stands now."
        ]

    def act(self, *, by: int, at: datetime) -> str:
        staff_services.send_again(
            mail_id=int(self.cleaned_data["mail"]), key=self.cleaned_data["key"], by=by, at=at
        )
        return "The mail goes out in a moment."


class NoteForm(forms.Form):
    """A note for colleagues; it needs no second look, and sent twice it is one."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    text = forms.CharField(
        label="Note for staff",
        max_length=2000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        error_messages={"required": "Write something first."},
    )
