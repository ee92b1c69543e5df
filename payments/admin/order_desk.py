"""Orders with everything that happened to them, on one page."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from orders import links
from orders.models import Order, Review
from payments.admin import accounting, display, disputes
from payments.admin.books import AttemptInline, LedgerInline
from payments.admin.canceling import CancelsOrders
from payments.admin.money_pages import MovesMoney
from payments.admin.order_parts import (
    FulfillmentInline,
    LineInline,
    MailInline,
    RefundInline,
    StoryInline,
)
from payments.admin.putting_back import PutsGoodsBack
from payments.admin.reviews import ReviewInline
from shop.read_only import ReadOnlyAdmin

# Where the ids that Stripe's pages and mails name are kept here.
_STRIPE_IDS = {
    "cs": "attempts__session_id",
    "pi": "attempts__intent_id",
    "ch": "ledger__stripe_id",
    "py": "ledger__stripe_id",
    "txn": "ledger__stripe_id",
    "re": "refunds__stripe_id",
    "pyr": "refunds__stripe_id",
    "du": "disputes__stripe_id",
    "dp": "disputes__stripe_id",
    "evt": "inbox_events__event_id",
}


def _open_reviews() -> QuerySet[Review]:
    return Review.objects.open().filter(order=OuterRef("pk"))


class OpenReviewFilter(admin.SimpleListFilter):
    title = "open review"
    parameter_name = "open_review"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Yes"), ("no", "No")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        if self.value() is None:
            return queryset
        has_open_review = Q(Exists(_open_reviews()))
        return queryset.filter(has_open_review if self.value() == "yes" else ~has_open_review)


@admin.register(Order)
class OrderAdmin(CancelsOrders, PutsGoodsBack, MovesMoney, ReadOnlyAdmin):
    list_display = ("number", "state", "total", "email", "placed_at", "in_review", "disputed")
    list_filter = ("status", OpenReviewFilter, disputes.OrderFilter, "placed_at")
    search_fields = ("number", "email")
    search_help_text = (
        "Number, e-mail address, or an id of Stripe's (cs_, pi_, ch_, re_, du_, evt_, txn_)."
    )
    readonly_fields = ("total",)
    actions_detail = ("cancel", "refund", "put_back", "book_by_hand")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("number", "status"),
                    ("email", "user"),
                    ("placed_at", "placed_by"),
                    ("in_review", "dispute"),
                )
            },
        ),
        ("Totals", {"fields": ("subtotal", "discount", "shipping", "tax", "total", "includes")}),
        ("Books", {"fields": ("books",)}),
        ("Addresses", {"fields": ("shipping_to", "billing_to")}),
        (
            "Deadlines and particulars",
            {
                "fields": (
                    ("hold_until", "pay_until"),
                    ("cart_due_at", "cart_emptied_at"),
                    ("locale", "client_ip"),
                )
            },
        ),
    )
    inlines = (
        LineInline,
        StoryInline,
        ReviewInline,
        disputes.DisputeInline,
        RefundInline,
        FulfillmentInline,
        AttemptInline,
        LedgerInline,
        MailInline,
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Order]:
        orders: QuerySet[Order] = super().get_queryset(request)
        open_disputes = disputes.open_of_order()
        return orders.select_related("user").annotate(
            has_open_review=Exists(_open_reviews()),
            has_open_dispute=Exists(open_disputes),
            answer_due_at=Subquery(open_disputes.values("due_at")[:1]),
            disputed_minor=disputes.money_of_order(),
        )

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Order | None:
        order: Order | None = super().get_object(request, object_id, from_field)
        if order is not None:
            # Kept with the row: the page asks for a field's words several times over.
            setattr(order, "sums", list(order.ledger.sums()))  # noqa: B010 - no field of its own
        return order

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Order], search_term: str
    ) -> tuple[QuerySet[Order], bool]:
        term = search_term.strip()
        column = _STRIPE_IDS.get(term.partition("_")[0])
        if column and "@" not in term:
            return queryset.filter(**{column: term}), True
        found: tuple[QuerySet[Order], bool] = super().get_search_results(
            request, queryset, search_term
        )
        return found

    def view_on_site(self, order: Order) -> str:
        return links.path(order)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        # The buyer's link: whoever follows it can cancel the order in his name.
        around = {"show_view_on_site": self.has_cancel_permission(request)}
        context = (extra_context or {}) | around
        shown: HttpResponse = super().change_view(request, object_id, form_url, context)
        return shown

    @admin.display(description="status", ordering="status")
    def state(self, order: Order) -> str:
        return order.get_status_display()

    @admin.display(description="open review")
    def in_review(self, order: Order) -> str:
        return "waits for a person" if getattr(order, "has_open_review", False) else ""

    @display.badge(colors={"open": "danger", "lost": "warning"}, description="dispute")
    def disputed(self, order: Order) -> tuple[str, str] | str:
        if not (words := self.dispute(order)):
            return ""
        return ("open" if getattr(order, "has_open_dispute", False) else "lost"), words

    def dispute(self, order: Order) -> str:
        if getattr(order, "has_open_dispute", False):
            due_at: datetime | None = getattr(order, "answer_due_at", None)
            return f"answer by {due_at:%-d %B %Y, %H:%M} UTC" if due_at else "open"
        lost_minor = -(getattr(order, "disputed_minor", None) or 0)
        if lost_minor <= 0:
            return ""
        is_waiting = order.status == Order.Status.PAID
        what_to_do = ": put the goods back" if is_waiting else ""
        return f"the bank kept {display.money(lost_minor, order.currency)}{what_to_do}"

    def books(self, order: Order) -> SafeString:
        sums = accounting.sums_table(getattr(order, "sums", ()))
        # A minus sign stays with its figure.
        context = {"table": sums, "class": "whitespace-nowrap"}
        return render_to_string("unfold/components/table.html", context)

    @admin.display(ordering="total_minor")
    def total(self, order: Order) -> str:
        return display.money(order.total_minor, order.currency)

    def subtotal(self, order: Order) -> str:
        return display.money(order.subtotal_minor, order.currency)

    def discount(self, order: Order) -> str:
        return display.money(-order.discount_minor, order.currency)

    def shipping(self, order: Order) -> str:
        return display.money(order.shipping_minor, order.currency)

    def tax(self, order: Order) -> str:
        return display.money(order.tax_minor, order.currency)

    @admin.display(description="tax included in the total")
    def includes(self, order: Order) -> str:
        return display.money(order.tax_included_minor, order.currency)

    def shipping_to(self, order: Order) -> SafeString | str:
        return _address(order.shipping_address)

    def billing_to(self, order: Order) -> SafeString | str:
        return _address(order.billing_address)


def _address(address: dict[str, str] | None) -> SafeString | str:
    if not address:
        return "-"
    place = f"{address.get('postal_code', '')} {address.get('city', '')}"
    parts = [address.get("name"), address.get("line1"), address.get("line2"), place]
    parts += [address.get("region"), address.get("country")]
    return format_html_join("", "{}<br>", ((part,) for part in parts if part))
