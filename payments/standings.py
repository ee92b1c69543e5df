"""Where an order stands for its buyer."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db.models import Count, Exists, OuterRef, QuerySet, Subquery, Sum
from django.urls import reverse

from orders import links
from orders.models import Order, OrderEvent, OrderLine, OrderMail, Reason, Review
from payments.models import LIVE_STATES, LedgerEntry, PaymentAttempt, Refund

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
    """An order at the moment `at`; `pay_by` is when its last chance to be paid ends.

    `was_charged` tells whether money ever came, `was_put_back` that the bank kept it, and so we the
    goods.
    """

    order: Order
    phase: Phase
    at: datetime
    pay_by: datetime
    confirmed_at: datetime | None
    was_charged: bool
    was_put_back: bool
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


def standings(orders: QuerySet[Order], at: datetime) -> list[Standing]:
    """Return how each of the orders stands at `at`; one query, however many there are."""
    # A live attempt is always the last one: another starts only when none lives.
    last_attempt = PaymentAttempt.objects.filter(order=OuterRef("pk")).order_by("-pk")
    lines = OrderLine.objects.filter(order=OuterRef("pk"))
    as_asked = {"currency": OuterRef("currency")}
    received = LedgerEntry.objects.received().filter(order=OuterRef("pk"))
    mismatches = Review.objects.filter(order=OuterRef("pk"), reason=Review.Reason.MISMATCH)
    returned = Refund.objects.standing().filter(order=OuterRef("pk"), **as_asked)
    confirmation = OrderMail.objects.filter(order=OuterRef("pk"), kind=OrderMail.Kind.CONFIRMATION)
    put_back = OrderEvent.objects.filter(order=OuterRef("pk"), reason=Reason.PUT_BACK)
    known = orders.annotate(
        attempt_state=Subquery(last_attempt.values("state")[:1]),
        attempt_deadline_at=Subquery(last_attempt.values("deadline_at")[:1]),
        came_back_at=Subquery(last_attempt.values("reconcile_queued_at")[:1]),
        is_in_review=Exists(Review.objects.open().filter(order=OuterRef("pk"))),
        is_put_back=Exists(put_back),
        confirmed_at=Subquery(confirmation.values("sent_at")[:1]),
        # What we cannot count was charged as well.
        is_charged=Exists(received) | Exists(mismatches),
        received_minor=_sum_of(received.filter(**as_asked)),
        returned_minor=_sum_of(returned),
        first_title=Subquery(lines.order_by("pk").values("title")[:1]),
        line_count=Subquery(lines.order_by().values("order").values(count=Count("pk"))),
    )
    found = []
    for order in known:
        is_live = order.attempt_state in LIVE_STATES
        pay_by = _pay_by(order, order.attempt_deadline_at if is_live else None)
        phase = _phase(order, order.attempt_state, order.is_in_review)
        received_minor = order.received_minor or 0
        if phase == Phase.PAID and received_minor and (order.returned_minor or 0) >= received_minor:
            phase = Phase.REFUNDED
        elif phase == Phase.PAYABLE and is_live and _is_recent(order.came_back_at, at):
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
                was_charged=order.is_charged,
                was_put_back=order.is_put_back,
                first_title=order.first_title,
                further_lines=order.line_count - 1,
            )
        )
    return found


def _sum_of(rows: QuerySet[Any]) -> Subquery:
    sums = rows.order_by().values("order").annotate(sum=Sum("amount_minor"))
    return Subquery(sums.values("sum"))


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
