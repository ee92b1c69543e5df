"""Deleting what nothing refers to, one row at a time."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseRedirect
from django.urls import reverse

from shop.publishing import InUse


class NeverInBulk:
    """Deletes on a row's own page alone, where the button stands only if it can be done."""

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)  # type: ignore[misc]
        actions.pop("delete_selected", None)
        return actions

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            answer: HttpResponse = super().delete_view(  # type: ignore[misc]
                request, object_id, extra_context
            )
        except InUse:
            # Its first units came while the page asked whether to delete it.
            messages.error(request, "Nothing was deleted: it came into stock meanwhile.")
            meta = self.opts  # type: ignore[attr-defined]
            address = f"admin:{meta.app_label}_{meta.model_name}_change"
            return HttpResponseRedirect(reverse(address, args=[object_id]))
        return answer
