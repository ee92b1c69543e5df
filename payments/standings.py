"""Where an order stands for its buyer, and the story of it as he lived it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db.models import Count, Exists, OuterRef, QuerySet, Subquery
from django.urls import reverse

from orders import links
from orders.models import Order, OrderLine, OrderMail, Reason, Review
from payments.models import LIVE_STATES, InboxEvent, PaymentAttempt

# Stripe's page has sent the buyer back, yet the database does not know: for so long he is not asked
# to pay again.
_CONFIRMING = timedelta(minutes=5)


class Phase(StrEnum):
    """What the buyer has to know first; `payments/standing/<phase>.html` says it."""

    PAID = "paid"
    REVIEW = "review"
    PROCESSING = "processing"
    CONFIRMING = "confirming"
    PAYABLE = "payable"
    TOO_LATE = "too_late"
    CANCELED = "canceled"
    REFUNDED = "refunded"


@dataclass(frozen=True)
class Standing:
    """An order at the moment `at`; `pay_by` is when its last chance to be paid ends."""

    order: Order
    phase: Phase
    at: datetime
    pay_by: datetime
    confirmed_at: datetime | None
    first_title: str
    further_lines: int

    @property
    def template_name(self) -> str:
        return f"payments/standing/{self.phase}.html"

    @property
    def is_payable(self) -> bool:
        return self.phase == Phase.PAYABLE

    @property
    def pay_path(self) -> str:
        """Where a form is posted to, to pay."""
        return reverse("payments:pay", args=[self.order.number, links.sign(self.order.number)])

    @property
    def cancel_path(self) -> str:
        """Where the buyer is asked whether to cancel."""
        return reverse("payments:cancel", args=[self.order.number, links.sign(self.order.number)])


@dataclass(frozen=True)
class Entry:
    """An entry of the story; `at` is when it happened, as far as anybody knows."""

    reason: Reason
    at: datetime

    @property
    def words(self) -> str:
        return _WORDS.get(self.reason, str(self.reason.label).capitalize())

    @property
    def is_good(self) -> bool:
        return self.reason in {Reason.CAPTURE, Reason.LATE_CAPTURE, Reason.ACCEPTED}

    @property
    def is_bad(self) -> bool:
        return self.is_declined_card or self.is_failed_payment or self.is_expiry

    @property
    def is_declined_card(self) -> bool:
        return self.reason == Reason.FAILED_CARD

    @property
    def is_failed_payment(self) -> bool:
        return self.reason == Reason.PAYMENT_FAILED

    @property
    def is_expiry(self) -> bool:
        return self.reason == Reason.EXPIRY

    @property
    def is_replacement(self) -> bool:
        return self.reason == Reason.REPLACEMENT


# Where the buyer is told more than staff need to read.
_WORDS = {
    Reason.PLACED: "Order placed",
    Reason.PROCESSING: "Payment on its way from your bank",
    Reason.PAYMENT_FAILED: "Your bank did not make the payment",
    Reason.MONEY_BOOKED: "A payment arrived, and we look into it",
    Reason.ACCEPTED: "Looked into, and accepted",
    Reason.EXPIRY: "Canceled, as it was not paid in time",
    Reason.REPLACEMENT: "Canceled, as a newer order took its place",
}


def standings(orders: QuerySet[Order], at: datetime) -> list[Standing]:
    """Return how each of the orders stands at `at`; one query, however many there are."""
    # A live attempt is always the last one: another starts only when none lives.
    last_attempt = PaymentAttempt.objects.filter(order=OuterRef("pk")).order_by("-pk")
    lines = OrderLine.objects.filter(order=OuterRef("pk"))
    confirmation = OrderMail.objects.filter(order=OuterRef("pk"), kind=OrderMail.Kind.CONFIRMATION)
    known = orders.annotate(
        attempt_state=Subquery(last_attempt.values("state")[:1]),
        attempt_deadline_at=Subquery(last_attempt.values("deadline_at")[:1]),
        came_back_at=Subquery(last_attempt.values("reconcile_queued_at")[:1]),
        is_in_review=Exists(Review.objects.open().filter(order=OuterRef("pk"))),
        confirmed_at=Subquery(confirmation.values("sent_at")[:1]),
        first_title=Subquery(lines.order_by("pk").values("title")[:1]),
        line_count=Subquery(lines.order_by().values("order").values(count=Count("pk"))),
    )
    found = []
    for order in known:
        is_live = order.attempt_state in LIVE_STATES
        pay_by = _pay_by(order, order.attempt_deadline_at if is_live else None)
        phase = _phase(order, order.attempt_state, order.is_in_review)
        if phase == Phase.PAYABLE and is_live and _is_recent(order.came_back_at, at):
            phase = Phase.CONFIRMING
        elif phase == Phase.PAYABLE and pay_by <= at:
            phase = Phase.TOO_LATE
        found.append(
            Standing(
                order=order,
                phase=phase,
                at=at,
                pay_by=pay_by,
                confirmed_at=order.confirmed_at,
                first_title=order.first_title,
                further_lines=order.line_count - 1,
            )
        )
    return found


def _pay_by(order: Order, live_until: datetime | None) -> datetime:
    """Return when the last payment could still be started, or the one under way be finished."""
    return max(order.pay_by, live_until or order.pay_by)


def _is_recent(came_back_at: datetime | None, at: datetime) -> bool:
    return came_back_at is not None and at - came_back_at < _CONFIRMING


def _phase(order: Order, attempt_state: str | None, is_in_review: bool) -> Phase:
    """Return what the rows say by themselves; a pending order counts as payable at any time."""
    if order.is_paid:
        return Phase.PAID
    if is_in_review:
        return Phase.REVIEW
    if order.is_canceled:
        return Phase.CANCELED
    if not order.is_pending:
        return Phase.REFUNDED
    if attempt_state == PaymentAttempt.State.PROCESSING:
        return Phase.PROCESSING
    return Phase.PAYABLE


def story(order: Order) -> list[Entry]:
    """Return what happened to the order, in the order in which it happened; one query.

    Stripe's events are worked off in any order, and a row says when that was. What an event tells
    of happened when Stripe made it. Moves stay in the order in which they were made.
    """
    made_at = InboxEvent.objects.filter(event_id=OuterRef("cause")).values("made_at")
    events = order.events.exclude(reason__in=[Reason.REVIEW_OPENED, Reason.REVIEW_RESOLVED])
    entries = []
    moved_at = order.placed_at
    for event in events.annotate(made_at=Subquery(made_at)):
        at = event.made_at or event.happened_at
        if event.from_status != event.to_status:
            at = moved_at = max(at, moved_at)
        entries.append(Entry(reason=Reason(event.reason), at=max(at, order.placed_at)))
    return sorted(entries, key=lambda entry: entry.at)
