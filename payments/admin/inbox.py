"""Stripe's events as they came, why some failed, and a way to run those again."""

from collections.abc import Iterable
from datetime import timedelta

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.defaultfilters import truncatechars
from django.utils.safestring import SafeString

from payments.admin import display
from payments.models import InboxEvent
from payments.services import inbox
from shop.clock import now
from shop.dialogs import dialog, reload
from shop.read_only import ReadOnlyAdmin


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
    list_display = ("event_id", "type", "state", "order", "received_at", "why")
    list_filter = ("state", AgeFilter, "source", "type")
    list_select_related = ("order",)
    search_fields = ("event_id", "order__number")
    fields = (
        ("event_id", "type"),
        ("state", "attempts"),
        "order",
        "last_error",
        ("received_at", "finished_at"),
        ("source", "api_version", "livemode"),
        "pretty_payload",
    )
    actions = ("retry_selected",)
    actions_detail = ("retry",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[InboxEvent]:
        events: QuerySet[InboxEvent] = super().get_queryset(request)
        # Payloads are large, and lists do not show them.
        return events.defer("payload")

    @admin.display(description="why it failed")
    def why(self, event: InboxEvent) -> str:
        return truncatechars(event.last_error, 80)

    @admin.display(description="payload")
    def pretty_payload(self, event: InboxEvent) -> SafeString:
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
        event: InboxEvent | None = self.get_object(request, object_id)
        if event is None:
            raise Http404
        _retry(request, [event.pk])
        return reload(event)


def _retry(request: HttpRequest, inbox_ids: Iterable[int]) -> None:
    if queued := inbox.retry(inbox_ids=inbox_ids):
        messages.success(request, f"{queued} failed events will run again.")
    else:
        messages.warning(request, "Nothing to retry: only failed events run again.")
