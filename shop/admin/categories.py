"""The shelves, for staff."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from shop.admin.deleting import NeverInBulk
from shop.admin_forms import CategoryForm
from shop.models import Category


@admin.register(Category)
class CategoryAdmin(NeverInBulk, ModelAdmin):  # type: ignore[misc]  # Unfold has no types
    form = CategoryForm
    fields = ("name", "slug", "parent", "position")
    list_display = ("name", "parent", "position")
    list_select_related = ("parent",)
    search_fields = ("name",)
    prepopulated_fields = {"slug": ("name",)}

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may_delete: bool = super().has_delete_permission(request, obj)
        is_empty = obj is None or not (obj.products.exists() or obj.children.exists())
        return may_delete and is_empty
