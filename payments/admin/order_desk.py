"""The order desk: the list of orders, and everything about one of them on one page."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import uuid4

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.timesince import timesince
from django.views.decorators.http import require_POST
from unfold.paginator import InfinitePaginator

from accounts.models import User
from orders import links, staff_services
from orders.models import Fulfillment, Order, Status
from payments.admin import (
    accounting,
    display,
    disputes,
    order_filters,
    order_reading,
    order_search,
    paper,
)
from payments.admin.bulk import BulkDeeds
from payments.admin.closing import CancelForm
from payments.admin.corrections import ChangeAddressForm, NoteForm, SendAgainForm
from payments.admin.deeds import order_page
from payments.admin.money_deeds import CallOffForm, ManualForm, RefundForm
from payments.admin.new_order import new_order
from payments.admin.order_export import OrderExports
from payments.admin.sending import DeliveredForm, HandOverForm, PutBackForm
from payments.models import LedgerEntry, PaymentAttempt, Refund, RefundRequest
from payments.views import SeeOther
from shop.clock import now
from shop.dialogs import page, row_or_404
from shop.money import format_any
from shop.read_only import ReadOnlyAdmin

_COLORS: dict[str, str] = {
    Status.PENDING: "info",
    Status.PAID: "primary",
    Status.FULFILLED: "success",
    Status.CANCELED: "default",
    Status.REFUNDED: "warning",
}


@dataclass(frozen=True)
class Button:
    """A way to a deed's page."""

    label: str
    address: str


class Deeds:
    """What can be done to an order: each a page that says what it will do, by who may do it.

    Permissions are named by methods: one named itself is looked up by Unfold's system check, which
    must not need a database.
    """

    def has_change_order_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("orders.change_order")

    def has_fulfill_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("orders.fulfill_order")

    def has_give_back_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("payments.add_refund")

    def has_see_money_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("payments.view_ledgerentry")

    def has_book_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("payments.add_ledgerentry")

    @page(label="Hand over", icon="local_shipping", permissions=["fulfill"])
    def hand_over(self, request: HttpRequest, object_id: str) -> HttpResponse:
        order = self._order(request, object_id)
        return order_page(self, request, HandOverForm(order, request.POST or None))

    @page(label="Mark as delivered", icon="where_to_vote", permissions=["fulfill"])
    def delivered(self, request: HttpRequest, object_id: str) -> HttpResponse:
        order = self._order(request, object_id)
        return order_page(self, request, DeliveredForm(order, request.POST or None))

    @page(label="Refund", icon="undo", permissions=["give_back"])
    def refund(self, request: HttpRequest, object_id: str) -> HttpResponse:
        order = self._order(request, object_id)
        form_class = RefundForm if order.total_minor else CallOffForm
        form = form_class(order, request.POST or None)
        if isinstance(form, RefundForm) and not form.captures:
            messages.error(request, "Nothing was paid for this order by Stripe.")
            return HttpResponseRedirect(reverse("admin:orders_order_change", args=[order.pk]))
        return order_page(self, request, form)

    @page(label="Cancel", icon="block", permissions=["change_order"])
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        order = self._order(request, object_id)
        return order_page(self, request, CancelForm(order, request.POST or None))

    @page(label="Put the goods back", icon="shelves", permissions=["fulfill"])
    def put_back(self, request: HttpRequest, object_id: str) -> HttpResponse:
        order = self._order(request, object_id)
        return order_page(self, request, PutBackForm(order, request.POST or None))

    @page(label="Change the address", icon="home_pin", permissions=["change_order"])
    def address(self, request: HttpRequest, object_id: str) -> HttpResponse:
        order = self._order(request, object_id)
        return order_page(self, request, ChangeAddressForm(order, request.POST or None))

    @page(label="Send a mail again", icon="forward_to_inbox", permissions=["change_order"])
    def send_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        order = self._order(request, object_id)
        return order_page(self, request, SendAgainForm(order, request.POST or None))

    @page(label="Enter money by hand", icon="payments", permissions=["book"])
    def book_by_hand(self, request: HttpRequest, object_id: str) -> HttpResponse:
        order = self._order(request, object_id)
        return order_page(self, request, ManualForm(order, request.POST or None))

    @page(label="Packing slip", icon="package_2", permissions=["view"])
    def packing_slip(self, request: HttpRequest, object_id: str) -> HttpResponse:
        order = self._order(request, object_id)
        return paper.packing_slips(request, Order.objects.filter(pk=order.pk))

    @page(label="Invoice", icon="description", permissions=["see_money"])
    def invoice(self, request: HttpRequest, object_id: str) -> HttpResponse:
        order = self._order(request, object_id)
        return paper.invoices(request, Order.objects.filter(pk=order.pk))

    def _order(self, request: HttpRequest, object_id: str) -> Order:
        order: Order = row_or_404(self, request, object_id)
        return order


@admin.register(Order)
class OrderAdmin(Deeds, BulkDeeds, OrderExports, ReadOnlyAdmin):
    list_display = ("known_as", "state", "money_now", "goods", "total", "email", "flags")
    list_filter = (
        "status",
        order_filters.GoodsFilter,
        order_filters.MoneyFilter,
        order_filters.OpenReviewFilter,
        disputes.OrderFilter,
        "placed_at",
    )
    list_filter_submit = True
    search_fields = ("number",)
    search_help_text = order_search.HELP
    paginator = InfinitePaginator
    list_per_page = 50
    ordering = ("-placed_at", "-pk")
    actions = (*BulkDeeds.actions, *OrderExports.actions)
    actions_list = ("new_order", *OrderExports.exports)
    actions_detail = (
        "hand_over",
        "delivered",
        "refund",
        "cancel",
        "put_back",
        "address",
        "send_again",
        "book_by_hand",
        "packing_slip",
        "invoice",
    )

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Offer no more than the page to be chosen: how many there are in all is not counted."""
        found = super().get_changelist_instance(request)
        found.result_count = len(found.result_list)
        return found

    def has_place_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("orders.add_order")

    @page(label="New order", icon="add", permissions=["place"])
    def new_order(self, request: HttpRequest) -> HttpResponse:
        return new_order(request, self)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Order]:
        orders: QuerySet[Order] = super().get_queryset(request)
        return with_standing(orders.select_related("user"))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Order], search_term: str
    ) -> tuple[QuerySet[Order], bool]:
        return order_search.search(queryset, search_term) if search_term else queryset, False

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the order; nothing is changed here but by the buttons, and notes."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        order = self._order(request, object_id)
        may_change = self.has_change_order_permission(request)
        note = NoteForm(request.POST or None, initial={"key": uuid4()})
        if request.method == "POST":
            if not may_change:
                raise PermissionDenied
            if note.is_valid():
                return self._write(request, order, note)
        shown = order_reading.read(order)
        context = self.admin_site.each_context(request) | {
            "title": f"Order {order.number}",
            "opts": self.opts,
            "original": order,
            "page": shown,
            "books": accounting.sums_table(order.ledger.sums()),
            "state_color": _COLORS[order.status],
            "may_see_money": self.has_see_money_permission(request),
            "buttons": self._buttons(request, shown),
            "note": note if may_change else None,
            "may_open": may_change,
            "dispute": dispute_in_words(order),
        }
        status = 422 if note.errors else 200
        return TemplateResponse(request, "admin/payments/order.html", context, status=status)

    def get_urls(self) -> list[Any]:
        way = path(
            "<path:object_id>/as-the-buyer/",
            self.admin_site.admin_view(require_POST(self.buyers_page)),
            name="orders_order_buyers_page",
        )
        return [way, *super().get_urls()]

    def buyers_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Lead to the order's page as its buyer sees it, and leave a trace of it.

        Whoever has its address can cancel the order in his name: so it stands on no page, and
        nothing else shows who of the staff has it.
        """
        if not self.has_change_order_permission(request):
            raise PermissionDenied
        order = self._order(request, object_id)
        by = cast(User, request.user).pk
        about = Order.objects.filter(pk=order.pk)
        LogEntry.objects.log_actions(by, about, CHANGE, "Opened the buyer's page")
        return SeeOther(links.path(order))

    def _write(self, request: HttpRequest, order: Order, note: NoteForm) -> HttpResponse:
        staff_services.write_note(
            order_id=order.pk,
            text=note.cleaned_data["text"],
            key=note.cleaned_data["key"],
            by=cast(User, request.user).pk,
            at=now(),
        )
        messages.success(request, "The note is kept.")
        return HttpResponseRedirect(request.path)

    def _buttons(self, request: HttpRequest, shown: order_reading.OrderPage) -> list[Button]:
        """Return the ways to what makes sense now, of those that this user may take."""
        return [
            Button(action.description, self._address(action.path, shown.order))
            for action in self.get_actions_detail(request, str(shown.order.pk))
            if shown.offers(action.path)
        ]

    def _address(self, deed: str, order: Order) -> str:
        return reverse(f"admin:orders_order_{deed}", args=[order.pk])

    @display.two_lines(description="order", ordering="-placed_at")
    def known_as(self, order: Order) -> tuple[str, str]:
        return order.number, f"{timesince(order.placed_at, now(), depth=1)} ago"

    @display.badge(colors=_COLORS, description="status", ordering="status")
    def state(self, order: Order) -> tuple[str, str]:
        return order.status, order.get_status_display()

    @admin.display(description="money")
    def money_now(self, order: Order) -> str:
        if order.status == Status.PENDING:
            return "on its way" if _is(order, "is_processing") else "unpaid"
        if _is(order, "is_waiting"):
            return "refund waits for approval"
        if _is(order, "is_refunding"):
            return "refund on its way"
        if order.is_paid:
            return "partly refunded" if _is(order, "is_refunded") else "paid"
        return "given back" if _is(order, "is_refunded") else "none"

    @admin.display(description="goods")
    def goods(self, order: Order) -> str:
        if order.status == Status.PAID:
            return "partly handed over" if _is(order, "is_sent") else "to hand over"
        if not _is(order, "is_sent"):
            return "none"
        return "on their way" if _is(order, "is_on_the_way") else "delivered"

    @admin.display(ordering="total_minor")
    def total(self, order: Order) -> str:
        return format_any(order.total_minor, order.currency)

    @display.badge(
        colors={"review": "danger", "open": "danger", "lost": "warning"}, description="look"
    )
    def flags(self, order: Order) -> tuple[str, str] | str:
        if _is(order, "has_open_review"):
            return "review", "review"
        if not (words := dispute_in_words(order)):
            return ""
        return ("open" if _is(order, "has_open_dispute") else "lost"), words


def with_standing(orders: QuerySet[Order]) -> QuerySet[Order]:
    """Annotate what the list says of each order, read for the rows that are shown alone."""
    open_disputes = disputes.open_of_order()
    sent = Fulfillment.objects.filter(order=OuterRef("pk"))
    refunds = Refund.objects.filter(order=OuterRef("pk"))
    attempts = PaymentAttempt.objects.filter(order=OuterRef("pk"))
    requests = RefundRequest.objects.filter(order=OuterRef("pk"))
    return orders.annotate(
        has_open_review=_any(order_filters.open_reviews()),
        has_open_dispute=_any(open_disputes),
        answer_due_at=Subquery(open_disputes.values("due_at")[:1]),
        # Below zero where a bank has money.
        disputed_minor=LedgerEntry.objects.disputed().sum_of_order(),
        is_processing=_any(attempts.filter(state=PaymentAttempt.State.PROCESSING)),
        is_waiting=_any(requests.filter(decision="")),
        is_refunding=_any(refunds.filter(state__in=Refund.UNFINISHED)),
        is_refunded=_any(refunds.filter(state=Refund.State.SUCCEEDED)),
        is_sent=_any(sent),
        is_on_the_way=_any(sent.filter(delivered_at=None)),
    )


def _any(rows: QuerySet[Any]) -> Subquery:
    """Return the key of one of the rows, None where there is none.

    Unlike EXISTS it is never worked out for all orders at once, of which a page shows fifty.
    """
    return Subquery(rows.order_by().values("pk")[:1])


def dispute_in_words(order: Order) -> str:
    """Return until when a bank wants an answer, or what it kept; empty where it asks nothing."""
    if _is(order, "has_open_dispute"):
        due_at: datetime | None = getattr(order, "answer_due_at", None)
        return f"answer by {due_at:%-d %B %Y, %H:%M} UTC" if due_at else "disputed"
    lost_minor = -(getattr(order, "disputed_minor", None) or 0)
    if lost_minor <= 0:
        return ""
    what_to_do = ": put the goods back" if order.status == Status.PAID else ""
    return f"the bank kept {format_any(lost_minor, order.currency)}{what_to_do}"


def _is(order: Order, fact: str) -> bool:
    """Return one of the facts that `with_standing` annotates."""
    return bool(getattr(order, fact, False))
