"""What prices were, and who changed them: to read."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from shop.admin.people import NamesWho
from shop.models import PriceChange
from shop.money import format_minor
from shop.read_only import ReadOnlyAdmin, ReadOnlyInline


class _ShowsChange(NamesWho):
    who_column = "by_user_id"

    @admin.display(ordering="old_minor")
    def before(self, change: PriceChange) -> str:
        return format_minor(change.old_minor, change.currency)

    @admin.display(ordering="new_minor")
    def after(self, change: PriceChange) -> str:
        return format_minor(change.new_minor, change.currency)


class PriceInline(_ShowsChange, ReadOnlyInline):
    model = PriceChange
    fields = ("changed_at", "before", "after", "why", "by")
    readonly_fields = ("before", "after", "by")
    per_page = 20


@admin.register(PriceChange)
class PriceChangeAdmin(_ShowsChange, ReadOnlyAdmin):
    list_display = ("changed_at", "product", "variant", "before", "after", "why", "by")
    list_filter = ("changed_at",)
    list_select_related = ("variant__product",)
    search_fields = ("variant__sku", "variant__product__title", "why")
    fields = list_display

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        # A product's page links to the history of its prices.
        is_allowed: bool = super().lookup_allowed(lookup, value, request)
        return is_allowed or lookup == "variant__product"

    @admin.display(ordering="variant__product__title")
    def product(self, change: PriceChange) -> Any:
        return change.variant.product
