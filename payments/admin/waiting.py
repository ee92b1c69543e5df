"""The admin's front page: what waits for a person, and what is tried again by itself."""

from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest
from django.utils.timesince import timesince

from payments.admin import display
from payments.services import counters
from payments.services.counters import Waiting
from shop.clock import now


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add to the front page, as Unfold's callback, what this user may look at."""
    at = now()
    rows = [
        [display.link(f"{page}_changelist", words, query=query), found.count, _age(found)]
        for words, permission, page, query, found in _lists(counters.count(at=at))
        if found.count and request.user.has_perm(permission)
    ]
    return context | {"waiting": {"headers": ["what", "how many", "oldest"], "rows": rows}}


def _age(found: Waiting) -> str:
    at = now()
    return timesince(at - found.oldest, at)


def _lists(counted: counters.Counters) -> Iterator[tuple[str, str, str, str, Waiting]]:
    """Return each list as words, the right to see it, its page, its filter and its figures."""
    events, see_events = "payments_inboxevent", "payments.view_inboxevent"
    yield (
        "Failed events: look why, then Retry",
        see_events,
        events,
        "?state__exact=failed",
        counted.inbox["failed"],
    )
    yield "Open reviews", "orders.view_review", "orders_review", "?state=open", counted.reviews
    yield (
        "Open disputes",
        "payments.view_dispute",
        "payments_dispute",
        "?state=open",
        counted.disputes,
    )
    yield (
        "Lost disputes: put the goods back",
        "orders.view_order",
        "orders_order",
        "?dispute=lost",
        counted.lost_with_goods,
    )
    yield (
        "Refunds that wait for the buyer",
        "payments.view_refund",
        "payments_refund",
        "?state__exact=requires_action",
        counted.refunds["requires_action"],
    )
    yield (
        "Refunds that Stripe does not know of yet",
        "payments.view_refund",
        "payments_refund",
        "?state__exact=created",
        counted.refunds["created"],
    )
    yield (
        "Events that are tried again by themselves",
        see_events,
        events,
        "?state__exact=retrying",
        counted.inbox["retrying"],
    )
    yield (
        "Refunds on their way",
        "payments.view_refund",
        "payments_refund",
        "?state__exact=pending",
        counted.refunds["pending"],
    )
