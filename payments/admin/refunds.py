"""Refunds, staff's, the shop's own and those of Stripe's dashboard, to read."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from payments.admin import display
from payments.models import Refund, RefundLine
from shop.read_only import ReadOnlyAdmin, ReadOnlyInline

State = Refund.State
_COLORS: dict[str, str] = {
    State.CREATED: "info",
    State.PENDING: "info",
    State.REQUIRES_ACTION: "warning",
    State.SUCCEEDED: "success",
    State.FAILED: "danger",
    State.CANCELED: "danger",
}


class UnitsInline(ReadOnlyInline):
    model = RefundLine
    verbose_name_plural = "units"
    fields = ("title", "quantity", "handed_over")
    readonly_fields = ("title",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[RefundLine]:
        units: QuerySet[RefundLine] = super().get_queryset(request)
        return units.select_related("line")

    def title(self, unit: RefundLine) -> str:
        return unit.line.title


@admin.register(Refund)
class RefundAdmin(display.ShowsAmount, ReadOnlyAdmin):
    list_display = ("created_at", "order", "amount", "state_now", "why", "source", "by")
    list_display_links = ("created_at",)
    list_filter = ("state", "source", "why", "created_at")
    list_select_related = ("order",)
    search_fields = ("order__number", "stripe_id", "charge_id")
    ordering = ("-created_at", "-pk")
    fields = (
        "order",
        ("amount", "state"),
        ("why", "note"),
        ("source", "by"),
        "is_restocked",
        "failure",
        ("created_at", "asked_at"),
        ("stripe_id", "charge_id"),
        ("at_stripe", "idempotency_key"),
    )
    inlines = (UnitsInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Refund]:
        refunds: QuerySet[Refund] = super().get_queryset(request)
        return refunds.annotate(by_email=display.email_of("by_user_id"))

    @display.badge(colors=_COLORS, description="state", ordering="state")
    def state_now(self, refund: Refund) -> tuple[str, str]:
        return refund.state, refund.get_state_display()

    def by(self, refund: Refund) -> str:
        return getattr(refund, "by_email", None) or "-"

    @admin.display(description="its payment at Stripe")
    def at_stripe(self, refund: Refund) -> SafeString:
        return display.at_stripe("payments", refund.intent_id)
