"""What waits for a person, and what is tried again by itself, with the lists that show it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from django.contrib.auth.models import AnonymousUser
from django.db.models import Min
from django.urls import reverse
from django.utils.timesince import timesince

from accounts.models import User
from orders.models import Order
from payments.admin.order_filters import to_fulfill
from payments.models import Dispute, RefundRequest
from payments.services import counters
from payments.services.counters import Waiting
from shop.models import Variant

# More are not counted: they are too many all the same.
_MOST = 1_000
# Django tells spans in words between two moments.
_SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)


_FAILED = "Failed events: look why, then Retry"
_REFUNDS = {
    "requires_action": "Refunds that wait for the buyer",
    "created": "Refunds that Stripe does not know of yet",
    "pending": "Refunds on their way",
}


@dataclass(frozen=True)
class Task:
    """Something that waits: what it is, how many, for how long, and where it is done."""

    words: str
    count: int
    oldest: timedelta
    address: str
    is_urgent: bool = False
    by: datetime | None = None

    @property
    def waited(self) -> str:
        """How long the oldest has waited, in words; empty where nobody counts that."""
        return timesince(_SOME_DAY, _SOME_DAY + self.oldest, depth=1) if self.oldest else ""

    @property
    def shown_count(self) -> str:
        return f"{_MOST - 1}+" if self.count >= _MOST else str(self.count)


def tasks(user: User | AnonymousUser, at: datetime) -> list[Task]:
    """Return what waits, of what this user may see, most urgent kinds first."""
    return [task for right, task in _tasks(at) if task.count and user.has_perm(right)]


def _tasks(at: datetime) -> Iterator[tuple[str, Task]]:
    """Yield each list of work with the right that it takes to see it."""
    counted = counters.count(at=at)
    events, refunds = counted.inbox, counted.refunds
    see_events, see_refunds = "payments.view_inboxevent", "payments.view_refund"
    in_inbox, in_refunds = "payments_inboxevent", "payments_refund"

    def listed(words: str, found: Waiting, page: str, **query: str) -> Task:
        return Task(words, found.count, found.oldest, _list(page, **query))

    failed = listed(_FAILED, events["failed"], in_inbox, state__exact="failed")
    yield see_events, replace(failed, is_urgent=True)
    reviews = listed("Reviews to answer", counted.reviews, "orders_review", state="open")
    yield "orders.view_review", replace(reviews, is_urgent=True)
    yield "payments.view_dispute", _disputes(counted.disputes)
    yield "payments.approve_refundrequest", _refunds_to_approve(at)
    yield "orders.view_order", _to_hand_over(at)
    lost = counted.lost_with_goods
    words = "Lost disputes: put the goods back"
    yield "orders.fulfill_order", listed(words, lost, "orders_order", dispute="lost")
    yield "shop.move_stock", _low_stock()
    for state, words in _REFUNDS.items():
        yield see_refunds, listed(words, refunds[state], in_refunds, state__exact=state)
    words = "Events that are tried again by themselves"
    yield see_events, listed(words, events["retrying"], in_inbox, state__exact="retrying")


def _list(page: str, **query: str) -> str:
    return f"{reverse(f'admin:{page}_changelist')}?{urlencode(query)}"


def _disputes(found: Waiting) -> Task:
    due = Dispute.objects.open().aggregate(first=Min("due_at"))["first"]
    address = _list("payments_dispute", state="open")
    return Task("Disputes to answer", found.count, found.oldest, address, is_urgent=True, by=due)


def _refunds_to_approve(at: datetime) -> Task:
    waiting = RefundRequest.objects.filter(decision="")
    first = waiting.aggregate(first=Min("asked_at"))["first"]
    address = _list("payments_refundrequest", state="waiting")
    return Task("Refunds to approve", waiting.count(), _since(first, at), address)


def _to_hand_over(at: datetime) -> Task:
    due = Order.objects.filter(to_fulfill()).order_by("placed_at")
    first = due.values_list("placed_at", flat=True).first()
    count = due.order_by()[:_MOST].count()
    return Task("Orders to hand over", count, _since(first, at), _list("orders_order", goods="due"))


def _low_stock() -> Task:
    count = Variant.objects.low_on_stock().order_by()[:_MOST].count()
    return Task("Low on stock", count, timedelta(), _list("shop_variant", stock="low"))


def _since(first: datetime | None, at: datetime) -> timedelta:
    return at - first if first else timedelta()
