"""Payment attempts and the ledger, to read."""

from django.contrib import admin
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.safestring import SafeString

from payments.admin import accounting, display
from payments.models import LedgerEntry, PaymentAttempt
from shop.dialogs import page
from shop.exports import ExportsList
from shop.read_only import ReadOnlyAdmin


@admin.register(LedgerEntry)
class LedgerEntryAdmin(display.ShowsAmount, ExportsList, ReadOnlyAdmin):
    list_display = ("occurred_at", "order", "kind", "amount", "stripe_id")
    list_display_links = ("occurred_at", "kind")
    list_filter = ("kind", "currency", "occurred_at")
    list_select_related = ("order",)
    search_fields = ("stripe_id", "charge_id", "order__number")
    ordering = ("-occurred_at", "-pk")
    fields = (
        "order",
        "attempt",
        ("kind", "amount"),
        ("occurred_at", "booked_at"),
        ("stripe_id", "charge_id"),
        "form_key",
    )
    custom_urls = (
        ("days/", "payments_ledgerentry_days", accounting.by_day),
        ("export/", "payments_ledgerentry_export", accounting.export_days),
    )
    exports = ("export_entries",)
    actions_list = exports

    def has_export_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perms(["payments.view_ledgerentry", accounting.EXPORT])

    @page(label="Export", icon="download", permissions=["export"])
    def export_entries(self, request: HttpRequest) -> HttpResponseBase:
        return self.export_listed(request, accounting.LISTED)


@admin.register(PaymentAttempt)
class PaymentAttemptAdmin(display.ShowsAmount, ReadOnlyAdmin):
    list_display = ("created_at", "order", "kind", "state", "closed_as", "amount", "session_id")
    list_display_links = ("created_at",)
    list_filter = ("state", "closed_as", "created_at")
    list_select_related = ("order",)
    search_fields = ("order__number", "session_id", "intent_id")
    ordering = ("-pk",)
    fields = (
        "order",
        "kind",
        "state",
        "closed_as",
        "amount",
        "session_id",
        "intent_id",
        "idempotency_key",
        "created_at",
        "deadline_at",
        "reconcile_queued_at",
        "close_failed_at",
        "what_was_asked",
    )

    @admin.display(description="asked of Stripe")
    def what_was_asked(self, attempt: PaymentAttempt) -> SafeString:
        return display.pretty_json(attempt.params)
