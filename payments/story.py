"""What happened to an order, as its buyer lived it, and what of his money goes back to him."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import OuterRef, Subquery

from orders.models import Order, Reason, Status
from payments.models import InboxEvent, Refund
from shop import money

# Within which a buyer's bank shows what was given back, as a rule.
_BANK_TAKES = timedelta(days=10)


@dataclass(frozen=True)
class Entry:
    """An entry of the story; `at` is when it happened, as far as anybody knows.

    `status` is the order's after it, `refund` the one that it speaks of.
    """

    reason: Reason
    at: datetime
    status: Status
    refund: Refund | None = None

    @property
    def words(self) -> str:
        if self.refund:
            return _refund_in_words(self.refund)
        if self.reason == Reason.MONEY_BOOKED:
            return _BOOKED.get(self.status, "Another payment arrived")
        return _WORDS.get(self.reason, str(self.reason.label).capitalize())

    @property
    def is_good(self) -> bool:
        return self.reason in {Reason.CAPTURE, Reason.LATE_CAPTURE, Reason.ACCEPTED, Reason.MANUAL}

    @property
    def is_bad(self) -> bool:
        return self.reason in {
            Reason.FAILED_CARD,
            Reason.PAYMENT_FAILED,
            Reason.EXPIRY,
            Reason.REFUND_FAILED,
        }

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

    @property
    def is_by_buyer(self) -> bool:
        return self.reason == Reason.BUYER


# Of no concern to the buyer: what staff decide among themselves, and what his own bank tells him.
_UNTOLD = (
    Reason.REVIEW_OPENED,
    Reason.REVIEW_RESOLVED,
    Reason.DISPUTED,
    Reason.DISPUTE_MOVED,
    Reason.DISPUTE_CLOSED,
)
# Where the buyer is told more, or otherwise, than staff need to read.
_WORDS = {
    Reason.PLACED: "Order placed",
    Reason.PROCESSING: "Payment on its way from your bank",
    Reason.PAYMENT_FAILED: "Your bank did not make the payment",
    Reason.MANUAL: "Payment received",
    Reason.ACCEPTED: "Looked into, and accepted",
    Reason.BUYER: "Canceled by you",
    Reason.STAFF: "Canceled by us",
    Reason.EXPIRY: "Canceled, as it was not paid in time",
    Reason.REPLACEMENT: "Canceled, as a newer order took its place",
    Reason.HANDED_OVER: "Partly sent",
    Reason.FULFILLED: "Complete",
    Reason.PUT_BACK: "Closed, as your bank gave you money back",
    Reason.REFUND_ASKED: "Money on its way back to you",
    Reason.PARTLY_REFUNDED: "Money given back",
    Reason.REFUNDED: "All your money given back",
    Reason.REFUND_FAILED: "A refund did not go through",
}
# Money that did not simply pay the order: told by where the order stood.
_BOOKED = {
    Status.PENDING: "A payment arrived, and we look into it",
    Status.CANCELED: "A payment arrived after the order was canceled",
}
_WHY = {
    Refund.Why.REQUESTED: ", as you asked",
    Refund.Why.DUPLICATE: ": paid twice",
    Refund.Why.UNAVAILABLE: ": we cannot send everything",
    Refund.Why.LATE: ": paid too late",
    Refund.Why.REVIEW: ": not what we had asked for",
}


def _refund_in_words(refund: Refund) -> str:
    amount = money.format_minor(refund.amount_minor, refund.currency)
    return f"We give you back {amount}{_WHY.get(Refund.Why(refund.why), '')}"


def story(order: Order, refunds: Sequence[Refund] = ()) -> list[Entry]:
    """Return what happened to the order, in the order in which it happened; one query.

    Stripe's events are worked off in any order, and a row says when that was. What an event tells
    of happened when Stripe made it. Moves stay in the order in which they were made. `refunds` are
    the order's, of which the story speaks.
    """
    made_at = InboxEvent.objects.filter(event_id=OuterRef("cause")).values("made_at")
    # One asked for here is known by its key, one made in Stripe's dashboard by Stripe's id.
    asked_for = {str(refund.key): refund for refund in refunds}
    asked_for |= {refund.stripe_id: refund for refund in refunds if refund.stripe_id}
    entries = []
    moved_at = order.placed_at
    for event in order.events.exclude(reason__in=_UNTOLD).annotate(made_at=Subquery(made_at)):
        is_asked = event.reason == Reason.REFUND_ASKED
        refund = asked_for.get(event.cause) if is_asked else None
        at = refund.created_at if refund else event.made_at or event.happened_at
        if event.from_status != event.to_status:
            at = moved_at = max(at, moved_at)
        entries.append(
            Entry(
                reason=Reason(event.reason),
                at=max(at, order.placed_at),
                status=Status(event.to_status),
                refund=refund,
            )
        )
    return sorted(entries, key=lambda entry: entry.at)


def cancellation(story: Sequence[Entry]) -> Entry | None:
    """Return the entry of the story that tells why the order was canceled."""
    ends = (Reason.BUYER, Reason.STAFF, Reason.EXPIRY, Reason.REPLACEMENT)
    return next((entry for entry in reversed(story) if entry.reason in ends), None)


@dataclass(frozen=True)
class MoneyBack:
    """A refund as its buyer meets it; `expected_by` is when his bank will show it, as a rule."""

    refund: Refund
    expected_by: datetime
    is_on_its_way: bool

    @property
    def waits_for_buyer(self) -> bool:
        return self.refund.state == Refund.State.REQUIRES_ACTION


def money_back(refunds: Iterable[Refund], at: datetime) -> list[MoneyBack]:
    """Return those of an order's refunds that reach the buyer, or are on their way at `at`."""
    failed = {Refund.State.FAILED, Refund.State.CANCELED}
    found = []
    for refund in refunds:
        if refund.state not in failed:
            expected_by = refund.created_at + _BANK_TAKES
            is_sent = refund.state == Refund.State.SUCCEEDED
            is_on_its_way = not is_sent or at < expected_by
            found.append(MoneyBack(refund, expected_by, is_on_its_way))
    return found
