"""What is done to many orders at once, from their list."""

from typing import Any, cast
from uuid import UUID, uuid4, uuid5

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.widgets import UnfoldBooleanWidget

from accounts.models import User
from orders.models import Order
from payments.admin import paper
from payments.services import fulfilling
from shop.clock import now

# A list has fewer rows, and each order is a transaction of its own.
_MOST = 100


class HandOverAllForm(forms.Form):
    """Whether the buyers are told; all that is left of each order is handed over."""

    key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)
    is_told = forms.BooleanField(
        label="Tell the buyers by mail", required=False, initial=True, widget=UnfoldBooleanWidget
    )


class BulkDeeds:
    """Actions of the list of orders."""

    actions: tuple[str, ...] = ("hand_over_selected", "print_packing_slips", "print_invoices")

    @admin.action(description="Hand over all that is left", permissions=["fulfill"])
    def hand_over_selected(
        self, request: HttpRequest, queryset: QuerySet[Order]
    ) -> HttpResponse | None:
        """Ask first; then hand over order by order, and say which could not be."""
        orders = list(queryset.order_by("placed_at", "pk")[:_MOST])
        form = HandOverAllForm(request.POST if "confirmed" in request.POST else None)
        if form.is_valid():
            self._hand_over(request, orders, form.cleaned_data)
            return None
        site: Any = self.admin_site  # type: ignore[attr-defined]
        chosen = ("action", "select_across", "_selected_action")
        context = site.each_context(request) | {
            "title": "Hand over all that is left",
            "opts": Order._meta,
            "orders": [(order, _why_not(order)) for order in orders],
            "form": form,
            "chosen": [(name, value) for name in chosen for value in request.POST.getlist(name)],
        }
        return TemplateResponse(request, "admin/payments/hand_over_selected.html", context)

    def _hand_over(self, request: HttpRequest, orders: list[Order], asked: dict[str, Any]) -> None:
        by, key = cast(User, request.user).pk, cast(UUID, asked["key"])
        done = 0
        for order in orders:
            left = {pk: n for pk, n in fulfilling.left_to_hand_over(order).items() if n}
            try:
                fulfilling.hand_over(
                    order_id=order.pk,
                    quantities=left,
                    by=by,
                    at=now(),
                    # Sent twice, no order is handed over twice.
                    key=uuid5(key, order.number),
                    is_told=asked["is_told"],
                )
            except fulfilling.CannotHandOver as error:
                messages.warning(request, f"{order.number}: {error}")
            else:
                done += 1
        messages.success(request, f"{done} of {len(orders)} orders are handed over.")

    @admin.action(description="Print packing slips", permissions=["view"])
    def print_packing_slips(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponse:
        return paper.packing_slips(request, queryset)

    @admin.action(description="Print invoices", permissions=["see_money"])
    def print_invoices(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponse:
        return paper.invoices(request, queryset)


def _why_not(order: Order) -> str:
    """Return why an order cannot be handed over, if so; doing it decides anew."""
    left = {pk: units for pk, units in fulfilling.left_to_hand_over(order).items() if units}
    try:
        fulfilling.check_hand_over(order=order, quantities=left)
    except fulfilling.CannotHandOver as error:
        return str(error)
    return ""
