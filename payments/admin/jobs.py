"""The queue's jobs, in the looks of the rest."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from procrastinate.contrib.django.admin import ProcrastinateJobAdmin
from procrastinate.contrib.django.models import ProcrastinateEvent, ProcrastinateJob
from unfold.admin import ModelAdmin

from shop.read_only import ReadOnlyInline

admin.site.unregister(ProcrastinateJob)


class JobEventInline(ReadOnlyInline):
    model = ProcrastinateEvent
    fields = ("type", "at")


@admin.register(ProcrastinateJob)
class JobAdmin(ProcrastinateJobAdmin, ModelAdmin):  # type: ignore[misc]  # Unfold has no types
    """Procrastinate's own page; its actions only for those who may change jobs."""

    list_filter = ["status", "queue_name", "task_name", "scheduled_at"]
    inlines = [JobEventInline]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        return actions if request.user.has_perm("procrastinate.change_procrastinatejob") else {}
