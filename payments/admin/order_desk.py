"""Orders with everything that happened to them, on one page."""

from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from orders import links
from orders.models import Order, OrderEvent, OrderLine, OrderMail, Review
from payments.admin import display
from payments.admin.books import AttemptInline, LedgerInline
from payments.admin.reviews import ReviewInline
from shop.read_only import ReadOnlyAdmin, ReadOnlyInline

# Where the ids that Stripe's pages and mails name are kept here.
_STRIPE_IDS = {
    "cs": "attempts__session_id",
    "pi": "attempts__intent_id",
    "ch": "ledger__stripe_id",
    "py": "ledger__stripe_id",
    "txn": "ledger__stripe_id",
    "evt": "inbox_events__event_id",
}


class LineInline(ReadOnlyInline):
    model = OrderLine
    fields = ("title", "sku", "quantity", "unit_price", "discount", "sum")
    readonly_fields = ("unit_price", "discount", "sum")

    def get_queryset(self, request: HttpRequest) -> QuerySet[OrderLine]:
        lines: QuerySet[OrderLine] = super().get_queryset(request)
        return lines.select_related("order")

    def unit_price(self, line: OrderLine) -> str:
        return display.money(line.unit_price_minor, line.order.currency)

    def discount(self, line: OrderLine) -> str:
        return display.money(line.discount_minor, line.order.currency)

    def sum(self, line: OrderLine) -> str:
        return display.money(line.subtotal_minor - line.discount_minor, line.order.currency)


class StoryInline(ReadOnlyInline):
    """What happened, when, why, and which event of Stripe's or which person brought it about."""

    model = OrderEvent
    verbose_name_plural = "story"
    fields = ("happened_at", "from_status", "to_status", "reason", "brought_about_by", "by")
    readonly_fields = ("brought_about_by", "by")

    def get_queryset(self, request: HttpRequest) -> QuerySet[OrderEvent]:
        events: QuerySet[OrderEvent] = super().get_queryset(request)
        return events.annotate(by_email=display.email_of("by_user_id"))

    @admin.display(description="cause", empty_value="-")
    def brought_about_by(self, event: OrderEvent) -> str:
        if event.cause.startswith("evt_"):
            return display.link(
                "payments_inboxevent_changelist", event.cause, query=f"?q={event.cause}"
            )
        return event.cause

    def by(self, event: OrderEvent) -> str:
        return getattr(event, "by_email", None) or "-"


class MailInline(ReadOnlyInline):
    model = OrderMail
    fields = ("kind", "cause", "due_at", "sent_at")


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
class OrderAdmin(ReadOnlyAdmin):
    list_display = ("number", "state", "total", "email", "placed_at", "in_review")
    list_filter = ("status", OpenReviewFilter, "placed_at")
    search_fields = ("number", "email")
    search_help_text = "Number, e-mail address, or an id of Stripe's (cs_, pi_, ch_, evt_, txn_)."
    readonly_fields = ("total",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("number", "status"),
                    ("email", "user"),
                    ("placed_at", "placed_by"),
                    "in_review",
                )
            },
        ),
        ("Totals", {"fields": ("subtotal", "discount", "shipping", "tax", "total", "includes")}),
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
    inlines = (LineInline, StoryInline, ReviewInline, AttemptInline, LedgerInline, MailInline)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Order]:
        orders: QuerySet[Order] = super().get_queryset(request)
        return orders.select_related("user").annotate(has_open_review=Exists(_open_reviews()))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Order], search_term: str
    ) -> tuple[QuerySet[Order], bool]:
        term = search_term.strip()
        if column := _STRIPE_IDS.get(term.partition("_")[0]):
            return queryset.filter(**{column: term}), True
        found: tuple[QuerySet[Order], bool] = super().get_search_results(
            request, queryset, search_term
        )
        return found

    def view_on_site(self, order: Order) -> str:
        return links.path(order)

    @admin.display(description="status", ordering="status")
    def state(self, order: Order) -> str:
        return order.get_status_display()

    @admin.display(description="open review")
    def in_review(self, order: Order) -> str:
        return "waits for a person" if getattr(order, "has_open_review", False) else ""

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
