"""What an order's page shows of it, table by table."""

from typing import Any

from django.contrib import admin
from django.contrib.postgres.aggregates import StringAgg
from django.db.models import CharField, F, Q, QuerySet, Value
from django.db.models.functions import Cast, Concat
from django.http import HttpRequest
from django.utils.safestring import SafeString

from orders.models import Fulfillment, OrderEvent, OrderLine, OrderMail
from payments.admin import display
from payments.models import Refund
from shop.read_only import ReadOnlyInline


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


class _Doer:
    """Shows who did something: its row names him by a plain id."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)  # type: ignore[misc]
        named: QuerySet[Any] = rows.annotate(by_email=display.email_of("by_user_id"))
        return named

    def by(self, row: Any) -> str:
        email: str | None = row.by_email
        return email or "-"


class _Units(_Doer):
    """Shows how many of which book, read in the row's own query."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        quantity = Cast("lines__quantity", CharField())
        unit = Concat(quantity, Value(" x "), F("lines__line__sku"))
        units = StringAgg(unit, delimiter=", ", order_by="lines__pk", filter=Q(lines__isnull=False))
        counted: QuerySet[Any] = super().get_queryset(request).annotate(unit_text=units)
        return counted

    def units(self, row: Any) -> str:
        text: str | None = row.unit_text
        return text or "-"


class StoryInline(_Doer, ReadOnlyInline):
    """What happened, when, why, and which event of Stripe's or which person brought it about."""

    model = OrderEvent
    verbose_name_plural = "story"
    fields = ("happened_at", "from_status", "to_status", "reason", "brought_about_by", "by")
    readonly_fields = ("brought_about_by", "by")

    @admin.display(description="cause", empty_value="-")
    def brought_about_by(self, event: OrderEvent) -> str:
        if event.cause.startswith("evt_"):
            return display.link(
                "payments_inboxevent_changelist", event.cause, query=f"?q={event.cause}"
            )
        return event.cause


class RefundInline(_Units, display.ShowsAmount, ReadOnlyInline):
    model = Refund
    fields = ("created_at", "amount", "page", "units", "reason", "source", "by", "stripe_id")
    readonly_fields = ("amount", "page", "units", "reason", "by")

    @admin.display(description="state")
    def page(self, refund: Refund) -> SafeString:
        return display.link("payments_refund_change", refund.get_state_display(), refund.pk)

    def reason(self, refund: Refund) -> str:
        words = (refund.get_why_display(), refund.note, refund.failure)
        return ": ".join(word for word in words if word)


class FulfillmentInline(_Units, ReadOnlyInline):
    model = Fulfillment
    verbose_name_plural = "handed over"
    fields = ("handed_over_at", "units", "by")
    readonly_fields = ("units", "by")


class MailInline(ReadOnlyInline):
    model = OrderMail
    fields = ("kind", "cause", "due_at", "sent_at")
