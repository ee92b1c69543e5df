"""What moved stock, and who: to read."""

from django.contrib import admin

from shop.admin.people import NamesWho
from shop.models import StockMovement
from shop.read_only import ReadOnlyAdmin, ReadOnlyInline


class MovementInline(NamesWho, ReadOnlyInline):
    model = StockMovement
    who_column = "moved_by_id"
    fields = ("moved_at", "kind", "on_hand_delta", "reserved_delta", "reference", "by")
    readonly_fields = ("by",)
    per_page = 20


@admin.register(StockMovement)
class StockMovementAdmin(NamesWho, ReadOnlyAdmin):
    who_column = "moved_by_id"
    list_display = (
        "moved_at",
        "variant",
        "kind",
        "on_hand_delta",
        "reserved_delta",
        "reference",
        "by",
    )
    list_filter = ("kind", "moved_at")
    list_select_related = ("variant",)
    search_fields = ("variant__sku", "reference")
    fields = list_display
