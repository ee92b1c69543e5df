"""Refunds above the limit, for a second person to approve or decline."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from payments.admin import display
from payments.admin.deeds import Plain, order_page
from payments.models import RefundRequest
from payments.services import refund_requests
from shop.dialogs import page, row_or_404
from shop.money import format_any
from shop.read_only import ReadOnlyAdmin

_COLORS: dict[str, str] = {"": "danger", "approved": "success", "declined": "default"}


class _Decision(Plain):
    """A decision on a refund that somebody asked for."""

    def __init__(self, asked: RefundRequest, data: Any = None) -> None:
        super().__init__(asked.order, data)
        self.asked = asked

    def was_sent(self) -> bool:
        return not self.asked.is_waiting

    def clean(self) -> None:
        if not self.asked.is_waiting:
            raise ValidationError(f"This refund was {self.asked.get_decision_display()} already.")

    @property
    def amount(self) -> str:
        return format_any(self.asked.amount_minor, self.asked.currency)


class ApproveForm(_Decision):
    title, verb = "Approve a refund", "Approve it"

    def consequences(self) -> list[str]:
        shelf = "go back on the shelf" if self.asked.is_restocked else "do not go back on the shelf"
        units = units_of(self.asked)
        return [
            f"{self.amount} goes back to the buyer by Stripe, and a mail says so.",
            *([f"Its units ({units}) {shelf}."] if units else []),
            f"The reason given: {self.asked.get_why_display()}. {self.asked.note}",
        ]

    def act(self, *, by: int, at: datetime) -> str:
        refund_requests.approve(request_id=self.asked.pk, by=by, at=at)
        return f"{self.amount} is being given back."


class DeclineForm(_Decision):
    title, verb = "Decline a refund", "Decline it"

    def consequences(self) -> list[str]:
        return [f"{self.amount} is not given back. Nobody is told; the order's story says so."]

    def act(self, *, by: int, at: datetime) -> str:
        refund_requests.decline(request_id=self.asked.pk, by=by, at=at)
        return "The refund is declined."


class WaitingFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [("waiting", "Waiting"), ("decided", "Decided")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[RefundRequest]
    ) -> QuerySet[RefundRequest]:
        match self.value():
            case "waiting":
                return queryset.filter(decision="")
            case "decided":
                return queryset.exclude(decision="")
            case _:
                return queryset


@admin.register(RefundRequest)
class RefundRequestAdmin(display.ShowsAmount, ReadOnlyAdmin):
    list_display = ("asked_at", "order", "amount", "state", "why", "asked_by", "decided_by")
    list_display_links = ("asked_at",)
    list_filter = (WaitingFilter, "asked_at")
    list_select_related = ("order",)
    search_fields = ("order__number", "charge_id")
    # Those that wait first.
    ordering = ("decision", "-asked_at")
    fields = (
        "order",
        ("amount", "charge_id"),
        ("why", "note"),
        ("units", "is_restocked"),
        ("asked_by", "asked_at"),
        ("state", "decided_by", "decided_at"),
        "review",
    )
    actions_detail = ("approve", "decline")

    def get_queryset(self, request: HttpRequest) -> QuerySet[RefundRequest]:
        rows: QuerySet[RefundRequest] = super().get_queryset(request)
        return rows.annotate(
            asker=display.email_of("asked_by_id"), decider=display.email_of("decided_by_id")
        )

    def has_decide_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("payments.approve_refundrequest")

    def has_decline_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Who asked may take it back."""
        return self.has_decide_permission(request) or request.user.has_perm("payments.add_refund")

    @display.badge(colors=_COLORS, description="state", ordering="decision")
    def state(self, asked: RefundRequest) -> tuple[str, str]:
        return asked.decision, asked.get_decision_display() or "waits"

    def asked_by(self, asked: RefundRequest) -> str:
        return getattr(asked, "asker", None) or "-"

    def decided_by(self, asked: RefundRequest) -> str:
        return getattr(asked, "decider", None) or "-"

    def units(self, asked: RefundRequest) -> SafeString | str:
        return units_of(asked) or "none"

    @page(label="Approve", icon="check", permissions=["decide"])
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        asked = self._asked(request, object_id)
        return order_page(self, request, ApproveForm(asked, request.POST or None), asked)

    @page(label="Decline", icon="block", permissions=["decline"])
    def decline(self, request: HttpRequest, object_id: str) -> HttpResponse:
        asked = self._asked(request, object_id)
        return order_page(self, request, DeclineForm(asked, request.POST or None), asked)

    def _asked(self, request: HttpRequest, object_id: str) -> RefundRequest:
        asked: RefundRequest = row_or_404(self, request, object_id)
        return asked


def units_of(asked: RefundRequest) -> str:
    """Return how many of which of its order's books a refund would be for."""
    titles = {str(line.pk): line.title for line in asked.order.lines.all()}
    return ", ".join(f"{units} x {titles[pk]}" for pk, (units, _out) in asked.units.items())
