"""An order as staff see it on its page: all that happened, whose doing it was, and what is left."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.safestring import SafeString

from orders.models import (
    Fulfillment,
    Order,
    OrderEvent,
    OrderLine,
    OrderMail,
    OrderNote,
    Reason,
    Review,
    Status,
)
from payments.admin import display
from payments.models import Dispute, LedgerEntry, PaymentAttempt, Refund, RefundRequest
from shop.money import format_any

_MOVES = {Status.PAID, Status.FULFILLED, Status.CANCELED, Status.REFUNDED}


@dataclass(frozen=True)
class LineRow:
    """A line with what became of its units."""

    line: OrderLine
    handed_over: int
    refunded: int
    left: int


@dataclass(frozen=True)
class AttemptRow:
    """A try to pay, with the way to it in Stripe's dashboard, or its session's id before."""

    attempt: PaymentAttempt
    at_stripe: SafeString | str


@dataclass(frozen=True)
class StoryRow:
    """An entry of the story: a move, an event that is none, or a note."""

    at: datetime
    title: str
    why: str
    by: str
    cause: SafeString | str
    status: str


@dataclass(frozen=True)
class OrderPage:
    """Everything about an order; rows carry `by_email`, the address of who did it, or None."""

    order: Order
    lines: list[LineRow]
    story: list[StoryRow]
    reviews: list[Review]
    disputes: list[Dispute]
    refunds: list[Refund]
    requests: list[RefundRequest]
    fulfillments: list[Fulfillment]
    attempts: list[AttemptRow]
    ledger: list[LedgerEntry]
    mails: list[OrderMail]
    captured_minor: int
    refunded_minor: int
    disputed_minor: int

    @property
    def kept_minor(self) -> int:
        return self.captured_minor - self.refunded_minor - self.disputed_minor

    @property
    def has_open_review(self) -> bool:
        return bool(self.open_reviews)

    @property
    def has_open_dispute(self) -> bool:
        return any(dispute.is_open for dispute in self.disputes)

    @property
    def open_reviews(self) -> list[Review]:
        return [review for review in self.reviews if review.resolved_at is None]

    @property
    def is_charged(self) -> bool:
        """Whether Stripe took money for it; only that goes back by Stripe."""
        return any(entry.kind == LedgerEntry.Kind.CAPTURE for entry in self.ledger)

    @property
    def is_withheld(self) -> bool:
        """Whether a bank kept money of it."""
        return self.disputed_minor > 0

    @property
    def waiting(self) -> list[RefundRequest]:
        return [request for request in self.requests if request.is_waiting]

    @property
    def units_left(self) -> int:
        return sum(row.left for row in self.lines)

    def offers(self, deed: str) -> bool:
        """Tell whether a deed makes sense now; doing it decides anew, under the order's lock."""
        order = self.order
        is_quiet = not (self.has_open_review or self.has_open_dispute)
        match deed:
            case "hand_over":
                return order.is_paid and is_quiet and not self.is_withheld and self.units_left > 0
            case "delivered":
                return any(row.delivered_at is None for row in self.fulfillments)
            case "cancel":
                return order.is_pending
            case "refund":
                is_free = order.status == Status.PAID and not order.total_minor
                return is_free or (self.is_charged and self.captured_minor > self.refunded_minor)
            case "put_back":
                is_paid = order.status == Status.PAID
                return is_paid and is_quiet and self.is_withheld and self.units_left > 0
            case "address":
                is_waiting = order.status in {Status.PENDING, Status.PAID}
                return is_waiting and not self.fulfillments
            case "send_again":
                return any(mail.sent_at for mail in self.mails)
            case "packing_slip":
                return order.is_paid
            case "invoice":
                return order.status in _MOVES - {Status.CANCELED}
        return True


def read(order: Order) -> OrderPage:
    """Read all about an order; the number of queries does not depend on how much happened."""
    lines = list(order.lines.all())
    refunds = list(named(order.refunds.prefetch_related("lines__line"), "by_user_id"))
    fulfillments = list(named(order.fulfillments.prefetch_related("lines__line"), "by_user_id"))
    ledger = list(order.ledger.all())
    requests = refund_requests_of(order)
    moved = [entry for entry in ledger if entry.currency == order.currency]
    return OrderPage(
        order=order,
        lines=_line_rows(lines, refunds, fulfillments),
        story=_story(order, refunds, requests, fulfillments, ledger),
        reviews=list(named(order.reviews.all(), "resolved_by_id")),
        disputes=list(order.disputes.all()),
        refunds=refunds,
        requests=requests,
        fulfillments=fulfillments,
        attempts=[AttemptRow(attempt, _at_stripe(attempt)) for attempt in order.attempts.all()],
        ledger=ledger,
        mails=list(order.mails.all()),
        captured_minor=sum(entry.amount_minor for entry in moved if _is_received(entry)),
        refunded_minor=-sum(entry.amount_minor for entry in moved if _is_given_back(entry)),
        disputed_minor=-sum(entry.amount_minor for entry in moved if _is_disputed(entry)),
    )


def refund_requests_of(order: Order) -> list[RefundRequest]:
    """Return them with `by_email` of who asked and `decider` of who decided."""
    requests = named(order.refund_requests.all(), "asked_by_id")
    return list(requests.annotate(decider=display.email_of("decided_by_id")))


def named(rows: Any, id_column: str) -> Any:
    """Annotate `by_email`, the address of the person whose plain id stands in a column."""
    return rows.annotate(by_email=display.email_of(id_column))


def _at_stripe(attempt: PaymentAttempt) -> SafeString | str:
    if attempt.intent_id:
        return display.at_stripe("payments", attempt.intent_id)
    return attempt.session_id or ""


def _is_received(entry: LedgerEntry) -> bool:
    kind = LedgerEntry.Kind
    return entry.kind == kind.CAPTURE or (entry.kind == kind.MANUAL and entry.amount_minor > 0)


def _is_given_back(entry: LedgerEntry) -> bool:
    kind = LedgerEntry.Kind
    is_refund = entry.kind in {kind.REFUND, kind.REFUND_REVERSAL}
    return is_refund or (entry.kind == kind.MANUAL and entry.amount_minor < 0)


def _is_disputed(entry: LedgerEntry) -> bool:
    kind = LedgerEntry.Kind
    return entry.kind in {kind.DISPUTE, kind.DISPUTE_REVERSAL}


def _line_rows(
    lines: Iterable[OrderLine], refunds: Iterable[Refund], fulfillments: Iterable[Fulfillment]
) -> list[LineRow]:
    """Return each line with its units, as `fulfilling.left_to_hand_over` counts them."""
    failed = {Refund.State.FAILED, Refund.State.CANCELED}
    refunded = [
        row for refund in refunds if refund.state not in failed for row in refund.lines.all()
    ]
    sent = [row for fulfillment in fulfillments for row in fulfillment.lines.all()]
    rows = []
    for line in lines:
        out = sum(row.quantity for row in sent if row.line_id == line.pk)
        of_line = [row for row in refunded if row.line_id == line.pk]
        unsent = sum(row.quantity - row.handed_over for row in of_line)
        rows.append(
            LineRow(
                line=line,
                handed_over=out,
                refunded=sum(row.quantity for row in of_line),
                left=max(line.quantity - out - unsent, 0),
            )
        )
    return rows


def _story(
    order: Order,
    refunds: Iterable[Refund],
    requests: Iterable[RefundRequest],
    fulfillments: Iterable[Fulfillment],
    ledger: Iterable[LedgerEntry],
) -> list[StoryRow]:
    """Return events and notes, newest first; those of one moment in the order of their rows."""
    told: dict[str, str] = {str(asked.key): _asked(asked) for asked in requests}
    told |= {str(refund.key): _asked(refund) for refund in refunds}
    told |= {refund.stripe_id: _asked(refund) for refund in refunds if refund.stripe_id}
    sent = {str(row.pk): _sent(row) for row in fulfillments}
    booked = {str(entry.form_key): _booked(entry) for entry in ledger if entry.form_key}
    rows = []
    for event in named(order.events.all(), "by_user_id"):
        why = ""
        match event.reason:
            case Reason.STAFF:
                why = order.cancel_note
            case Reason.HANDED_OVER | Reason.DELIVERED:
                why = sent.get(event.cause, "")
            case Reason.MANUAL:
                why = booked.get(event.cause, "")
            case _:
                why = told.get(event.cause, "")
        rows.append(_event_row(event, why))
    for note in named(order.notes.all(), "by_user_id"):
        rows.append(_note_row(note))
    rows.sort(key=lambda row: row.at)
    return rows[::-1]


def _event_row(event: OrderEvent, why: str) -> StoryRow:
    cause: SafeString | str = ""
    if event.cause.startswith("evt_"):
        query = f"?q={event.cause}"
        cause = display.link("payments_inboxevent_changelist", event.cause, query=query)
    elif "_" in event.cause:
        cause = event.cause
    is_move = event.from_status != event.to_status
    return StoryRow(
        at=event.happened_at,
        title=event.get_reason_display().capitalize(),
        why=why,
        by=event.by_email or "",  # type: ignore[attr-defined]
        cause=cause,
        status=event.get_to_status_display() if is_move else "",
    )


def _note_row(note: OrderNote) -> StoryRow:
    by: str = note.by_email or ""  # type: ignore[attr-defined]
    return StoryRow(at=note.written_at, title="Note", why=note.text, by=by, cause="", status="")


def _asked(asked: Refund | RefundRequest) -> str:
    amount = format_any(asked.amount_minor, asked.currency)
    return ": ".join(part for part in (amount, asked.get_why_display(), asked.note) if part)


def _sent(fulfillment: Fulfillment) -> str:
    units = ", ".join(f"{row.quantity} x {row.line.sku}" for row in fulfillment.lines.all())
    way = f"{fulfillment.carrier} {fulfillment.tracking_number}".strip()
    return f"{units} ({way})" if way else units


def _booked(entry: LedgerEntry) -> str:
    amount = format_any(entry.amount_minor, entry.currency)
    return f"{amount}, {entry.get_means_display()}" if entry.means else amount
