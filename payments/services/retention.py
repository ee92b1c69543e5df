"""Letting go of what Stripe wrote to us, once it has served: its events hold personal data."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from djstripe.models import Event

from payments.models import InboxEvent

# So many at a time: neither a long transaction nor a long list.
_BATCH = 1000


def prune(*, at: datetime) -> int:
    """Empty the payloads of events that were finished INBOX_KEEP_DAYS ago; return how many.

    Their ids stay, so that none is ever processed again, and so does all that the story tells. What
    is not processed keeps its payload. dj-stripe's copies of events that old are deleted.
    """
    before = at - timedelta(days=settings.INBOX_KEEP_DAYS)
    finished = InboxEvent.objects.filter(
        state__in=InboxEvent.FINISHED, finished_at__lt=before, payload__isnull=False
    )
    pruned = 0
    while batch := _first(finished, "finished_at"):
        pruned += InboxEvent.objects.filter(pk__in=batch).update(payload=None)
    while batch := _first(Event.objects.filter(created__lt=before), "pk"):
        Event.objects.filter(pk__in=batch).delete()
    return pruned


def _first(rows: QuerySet[Any], order: str) -> list[int]:
    return list(rows.order_by(order).values_list("pk", flat=True)[:_BATCH])
