"""What banks question or take back, the one that must be answered first on top."""

from django.contrib import admin
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from orders.models import Order
from payments.admin import display
from payments.models import Dispute
from shop.read_only import ReadOnlyAdmin

_COLORS = {"open": "danger", "closed": "success", "lost": "warning"}


def open_of_order() -> QuerySet[Dispute]:
    """Return the open disputes of the order that an outer query is about, most urgent first."""
    disputes = Dispute.objects.open().filter(order=OuterRef("pk"))
    return disputes.order_by(F("due_at").asc(nulls_last=True))


class OpenFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [("open", "Open"), ("closed", "Closed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Dispute]) -> QuerySet[Dispute]:
        if self.value() is None:
            return queryset
        is_open = Q(status__in=Dispute.OPEN)
        return queryset.filter(is_open if self.value() == "open" else ~is_open)


class OrderFilter(admin.SimpleListFilter):
    """Orders by whether a payment of theirs is, or ever was, disputed."""

    title = "dispute"
    parameter_name = "dispute"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [("open", "Open"), ("lost", "Lost, goods not put back"), ("any", "Open or closed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        match self.value():
            case "open":
                return queryset.filter(Exists(open_of_order()))
            case "lost":
                lost = Dispute.objects.lost_with_goods().filter(order=OuterRef("pk"))
                return queryset.filter(Exists(lost))
            case "any":
                return queryset.filter(Exists(Dispute.objects.filter(order=OuterRef("pk"))))
            case _:
                return queryset


@admin.register(Dispute)
class DisputeAdmin(display.ShowsAmount, ReadOnlyAdmin):
    list_display = ("due_at", "order", "state", "amount", "reason", "opened_at", "closed_at")
    list_display_links = ("due_at", "state")
    list_filter = (OpenFilter, "status", "reason", "opened_at")
    list_select_related = ("order",)
    search_fields = ("stripe_id", "charge_id", "order__number", "order__email")
    # Only an open one has not been closed.
    ordering = (
        F("closed_at").desc(nulls_first=True),
        F("due_at").asc(nulls_last=True),
        "-pk",
    )
    fields = (
        "order",
        ("status", "due_at"),
        ("amount", "reason"),
        ("opened_at", "closed_at"),
        "charge_id",
        "at_stripe",
    )

    @display.badge(colors=_COLORS, ordering="status", description="state")
    def state(self, dispute: Dispute) -> tuple[str, str]:
        key = "open" if dispute.is_open else "closed"
        if dispute.status == Dispute.Status.LOST:
            key = "lost"
        return key, dispute.get_status_display()

    @admin.display(description="answered at Stripe")
    def at_stripe(self, dispute: Dispute) -> SafeString:
        return display.at_stripe("disputes", dispute.stripe_id)
