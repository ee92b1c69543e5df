"""Admin pages that show rows and never change them, in Unfold's looks."""

from typing import Any

from django.db.models import Model
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline


class _ReadOnly:
    """Refuses to add, change and delete, whatever the user may do elsewhere."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(_ReadOnly, ModelAdmin):  # type: ignore[misc]  # Unfold has no types
    show_full_result_count = False


class ReadOnlyInline(_ReadOnly, TabularInline):  # type: ignore[misc]
    extra = 0
    hide_title = True
