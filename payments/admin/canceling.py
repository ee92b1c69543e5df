"""Canceling an order that waits for its money, for a reason that its buyer reads."""

from typing import cast

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.models import User
from orders.models import Order, Reason
from payments import gateway
from payments.services import canceling
from payments.services.settling import StaleRead
from shop.clock import now
from shop.dialogs import dialog, reload, row_or_404


class CancelForm(BaseDialogForm):  # type: ignore[misc]  # Unfold has no types
    note = forms.CharField(
        label="Why",
        max_length=200,
        help_text="The buyer reads it in his mail: a whole sentence or two.",
        widget=UnfoldAdminTextInputWidget,
    )


class CancelsOrders:
    """The button of an order's page, for who may change orders."""

    def has_cancel_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("orders.change_order")

    @dialog(
        label="Cancel the order",
        icon="block",
        text="For an order that is not paid. Its payment is closed at Stripe, its units are free "
        "again, and the buyer is told why by mail.",
        permission="cancel",
        form=CancelForm,
    )
    def cancel(self, request: HttpRequest, form: CancelForm, object_id: str) -> HttpResponse:
        order: Order = row_or_404(self, request, object_id)
        try:
            canceling.cancel(
                order_id=order.pk,
                reason=Reason.STAFF,
                by=cast(User, request.user).pk,
                note=form.cleaned_data["note"],
                at=now(),
            )
        except canceling.CannotCancel as error:
            messages.error(request, str(error))
        except (gateway.GatewayError, StaleRead):
            messages.error(
                request, "Stripe does not answer. Nothing was changed: try again in a moment."
            )
        else:
            messages.success(request, "The order is canceled, and the buyer is told.")
        return reload(order)
