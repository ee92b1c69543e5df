"""Stripe's events as they came, why some failed, and a way to run those again."""

from collections.abc import Iterable
from datetime import timedelta
from typing import cast
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import pluralize, truncatechars
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.models import User
from payments.admin import display
from payments.models import InboxEvent
from payments.services import inbox
from payments.services.news import HANDLED
from shop.clock import now
from shop.dialogs import dialog, reload, row_or_404
from shop.read_only import ReadOnlyAdmin

# Why a try failed, by the first word of what was kept.
_WORDS = {
    "Unreachable": "Stripe did not answer.",
    "ReplayedFailure": "Stripe did not answer.",
    "Busy": "Stripe was busy.",
    "KeyInUse": "Another request of ours was still running.",
    "NotAvailable": "Stripe refuses the shop's key.",
    "NotAllowed": "The shop's key may not do this at Stripe.",
    "Missing": "Stripe knows no such object.",
    "Refused": "Stripe found our request wrong: a fault of the shop.",
    "StaleRead": "Stripe's answer was older than the event.",
    "UnbookedPayment": "The payment that it belongs to was not booked yet.",
    "UnknownAttempt": "A payment of this shop that its database does not know: a restored backup?",
    "OperationalError": "The database was busy or away.",
}


_SET_ASIDE = (
    "For what no retry will mend. It is not counted as failed any more, and nobody is told of it "
    "again. Nothing is booked: settle the money by hand first. Retry stays possible until what "
    "Stripe wrote is removed."
)


class SetAsideForm(BaseDialogForm):  # type: ignore[misc]  # Unfold has no types
    why = forms.CharField(
        label="Why",
        max_length=200,
        help_text="For whoever looks at it later: what was done about the money.",
        widget=UnfoldAdminTextInputWidget,
    )


class TypeFilter(admin.SimpleListFilter):
    """Events by what happened; asking the table which types there are would read all of it."""

    title = "type"
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [(name, name) for name in HANDLED]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[InboxEvent]
    ) -> QuerySet[InboxEvent]:
        return queryset.filter(type=self.value()) if self.value() in HANDLED else queryset


class AgeFilter(admin.SimpleListFilter):
    """Events by how long ago they came."""

    title = "age"
    parameter_name = "older_than"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [("1", "Older than an hour"), ("24", "Older than a day"), ("72", "3 days and more")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[InboxEvent]
    ) -> QuerySet[InboxEvent]:
        hours = self.value()
        if hours not in {"1", "24", "72"}:
            return queryset
        return queryset.filter(received_at__lt=now() - timedelta(hours=int(hours)))


@admin.register(InboxEvent)
class InboxEventAdmin(ReadOnlyAdmin):
    list_display = ("event", "state", "order", "received_at", "why")
    list_filter = ("state", AgeFilter, "source", TypeFilter)
    search_fields = ("event_id", "order__number")
    fields = (
        ("event_id", "type"),
        ("state", "attempts"),
        "touched",
        "why",
        "last_error",
        ("made_at", "received_at", "finished_at"),
        ("source", "api_version", "livemode"),
        "pretty_payload",
    )
    actions = ("retry_selected", "set_aside_selected")
    actions_detail = ("retry", "set_aside")

    def get_queryset(self, request: HttpRequest) -> QuerySet[InboxEvent]:
        events: QuerySet[InboxEvent] = super().get_queryset(request).select_related("order")
        # Payloads are large, and lists do not show them.
        is_list = request.resolver_match and "object_id" not in request.resolver_match.kwargs
        return events.defer("payload") if is_list else events

    @display.two_lines(description="event", ordering="type")
    def event(self, event: InboxEvent) -> tuple[str, str]:
        return event.type, event.event_id

    @admin.display(description="why it failed")
    def why(self, event: InboxEvent) -> str:
        if event.set_aside_why:
            return f"Set aside: {event.set_aside_why}"
        kind = event.last_error.partition(":")[0]
        return _WORDS.get(kind) or truncatechars(event.last_error, 80)

    @admin.display(description="order")
    def touched(self, event: InboxEvent) -> SafeString | str:
        """Name the order, or, until the event is processed, the one that it says it is about."""
        if event.order:
            return display.link("orders_order_change", event.order.number, event.order.pk)
        if named := _tags(event).get("order"):
            query = "?" + urlencode({"q": named})
            return display.link("orders_order_changelist", f"{named}, as it says", query=query)
        return "none"

    @admin.display(description="payload")
    def pretty_payload(self, event: InboxEvent) -> SafeString | str:
        if event.payload is None:
            return (
                f"Removed {settings.INBOX_KEEP_DAYS} days after the event was processed, because it"
                " holds personal data. What came of it stands in the order's story."
            )
        return display.pretty_json(event.payload)

    def has_retry_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("payments.change_inboxevent")

    @admin.action(description="Retry failed events", permissions=["retry"])
    def retry_selected(self, request: HttpRequest, queryset: QuerySet[InboxEvent]) -> None:
        _retry(request, queryset.values_list("pk", flat=True))

    @dialog(
        label="Retry",
        icon="replay",
        text="The worker reads again at Stripe what this event is about, and settles it. What was "
        "done already is not done twice.",
        permission="retry",
    )
    def retry(self, request: HttpRequest, form: object, object_id: str) -> HttpResponse:
        event = self._event(request, object_id)
        _retry(request, [event.pk])
        return reload(event)

    @admin.action(description="Set failed events aside", permissions=["retry"])
    def set_aside_selected(
        self, request: HttpRequest, queryset: QuerySet[InboxEvent]
    ) -> HttpResponse | None:
        is_sent = "_form_submitted" in request.POST
        form = SetAsideForm(request, data=request.POST if is_sent else None)
        if form.is_valid():
            _set_aside(request, queryset.values_list("pk", flat=True), form)
            return None
        chosen = ("action", "select_across", "_selected_action")
        context = self.admin_site.each_context(request) | {
            "title": "Set failed events aside",
            "opts": self.opts,
            "text": _SET_ASIDE,
            "form": form,
            "chosen": [(name, value) for name in chosen for value in request.POST.getlist(name)],
        }
        status = 422 if form.errors else 200
        return TemplateResponse(request, "admin/payments/set_aside.html", context, status=status)

    @dialog(
        label="Set aside",
        icon="archive",
        text=_SET_ASIDE,
        permission="retry",
        form=SetAsideForm,
    )
    def set_aside(self, request: HttpRequest, form: SetAsideForm, object_id: str) -> HttpResponse:
        event = self._event(request, object_id)
        _set_aside(request, [event.pk], form)
        return reload(event)

    def _event(self, request: HttpRequest, object_id: str) -> InboxEvent:
        event: InboxEvent = row_or_404(self, request, object_id)
        return event


def _retry(request: HttpRequest, inbox_ids: Iterable[int]) -> None:
    if queued := inbox.retry(inbox_ids=inbox_ids):
        messages.success(request, f"{queued} failed event{pluralize(queued)} will run again.")
    else:
        messages.warning(
            request,
            "Nothing to retry: only failed events run again. The others are done, or are tried"
            " again by themselves.",
        )


@transaction.atomic
def _set_aside(request: HttpRequest, inbox_ids: Iterable[int], form: SetAsideForm) -> None:
    """Set events aside, and keep in the history of each who did it, and why."""
    why, user = form.cleaned_data["why"], cast(User, request.user)
    aside = inbox.set_aside(inbox_ids=inbox_ids, why=why, at=now())
    LogEntry.objects.log_actions(user.pk, aside, CHANGE, f"Set aside: {why}")
    if aside:
        count = len(aside)
        messages.success(request, f"{count} event{pluralize(count)} set aside.")
    else:
        messages.warning(request, "Nothing to set aside: only failed events are.")


def _tags(event: InboxEvent) -> dict[str, str]:
    """Return the metadata of the object that an event carries, if they are this shop's."""
    payload = event.payload or {}
    tags: dict[str, str] = payload.get("data", {}).get("object", {}).get("metadata") or {}
    return tags if tags.get("app") == settings.STRIPE_APP_TAG else {}
