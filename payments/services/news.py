"""What an event is about, read again at Stripe: a payment, its refunds, its disputes.

An event is a hint: its type and the ids in it say what to read. What else it says serves to know a
reading that is older than it, and a declined card, which Stripe forgets.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from payments import gateway
from payments.gateway import Session
from payments.models import Dispute, InboxEvent, PaymentAttempt, Refund
from payments.services import attempts, settling
from payments.services.settling import Payment, StaleRead

# An object of Stripe's as an event carries it.
Told = dict[str, Any]


@dataclass(frozen=True, slots=True)
class News:
    """What was read at Stripe because of an event."""

    payment: Payment
    refunds: Sequence[gateway.Refund] = ()
    disputes: Sequence[gateway.Dispute] = ()


def read(event: InboxEvent) -> News | None:
    """Read what an event is about; None when that is no business of ours.

    Raises settling.UnknownAttempt, StaleRead and the gateway's errors.
    """
    reader = _READERS.get(event.type)
    if reader is None:
        return None
    try:
        return reader(event.type, _told(event))
    except settling.Foreign:
        return None


def tells_of_declined_card(event: InboxEvent) -> bool:
    """Tell whether the event is about a declined card, which its object forgets by the next try.

    A bank debit that fails ends its attempt, and is told by settling.
    """
    if event.type != "payment_intent.payment_failed":
        return False
    method = (_told(event).get("last_payment_error") or {}).get("payment_method") or {}
    return bool(method.get("type", "card") == "card")


def _told(event: InboxEvent) -> Told:
    # A payload is pruned only once its event is finished.
    payload: dict[str, Any] = event.payload or {}
    told: Told = payload["data"]["object"]
    return told


def _of_session(event_type: str, told: Told) -> News:
    session = gateway.retrieve_session(told["id"])
    settling.require_ours(session.metadata)
    intent_status = session.intent.status if session.intent else ""
    is_stale = {
        "checkout.session.completed": session.status == "open",
        "checkout.session.async_payment_succeeded": session.payment_status == "unpaid",
        "checkout.session.async_payment_failed": intent_status == "processing",
        "checkout.session.expired": session.status == "open",
    }[event_type]
    _require_fresh(not is_stale, f"{session.id} is {session.status}, {session.payment_status}")
    return News(session)


def _of_intent(event_type: str, told: Told) -> News | None:
    payment = _payment(told["id"])
    if payment is None:
        return None
    intent = payment.intent if isinstance(payment, Session) else payment
    is_stale = {
        "payment_intent.succeeded": settling.is_payable(payment),
        "payment_intent.canceled": intent is None or intent.status != "canceled",
    }.get(event_type, False)
    _require_fresh(not is_stale, f"{payment.id} is {payment.status}")
    return News(payment)


def _of_charge(event_type: str, told: Told) -> News | None:
    payment = _payment(told.get("payment_intent"))
    if payment is None:
        return None
    if told.get("balance_transaction") and told["status"] == "succeeded":
        moved = {charge.id for charge in payment.charges if charge.moved}
        # A reading from before the payment does not even know the charge.
        _require_fresh(told["id"] in moved, f"the fee of {told['id']} is not known")
    if event_type != "charge.refunded":
        return News(payment)
    refunds = gateway.refunds_of_intent(told["payment_intent"])
    # Those that failed count too: they may have done so after the event.
    refunded = sum(refund.amount for refund in refunds if refund.charge_id == told["id"])
    _require_fresh(refunded >= told["amount_refunded"], f"a refund of {told['id']} is not listed")
    return News(payment, refunds=refunds)


def _of_refund(event_type: str, told: Told) -> News | None:
    payment = _payment(told.get("payment_intent"))
    if payment is None:
        return None
    refunds = gateway.refunds_of_intent(told["payment_intent"])
    status = next((refund.status for refund in refunds if refund.id == told["id"]), None)
    is_fresh = status is not None and _FINALITY.get(status, 0) >= _FINALITY.get(told["status"], 0)
    _require_fresh(is_fresh, f"{told['id']} is {status or 'not listed'}")
    return News(payment, refunds=refunds)


def _of_dispute(event_type: str, told: Told) -> News | None:
    payment = _payment(told.get("payment_intent"))
    if payment is None:
        return None
    disputes = gateway.disputes_of_intent(told["payment_intent"])
    found = next((dispute for dispute in disputes if dispute.id == told["id"]), None)
    moved = {movement.id for movement in found.movements} if found else set()
    is_fresh = (
        found is not None
        and (told["status"] in Dispute.OPEN or not _reopens(told["status"], found.status))
        and moved >= {movement["id"] for movement in told["balance_transactions"]}
    )
    _require_fresh(is_fresh, f"{told['id']} is {found.status if found else 'not listed'}")
    return News(payment, disputes=disputes)


def _reopens(told: str, found: str) -> bool:
    """Tell whether a dispute told to be at its end reads as open; an inquiry may still escalate."""
    is_escalated = told == Dispute.Status.WARNING_CLOSED and not found.startswith("warning_")
    return found in Dispute.OPEN and not is_escalated


def _require_fresh(is_fresh: bool, what_was_read: str) -> None:
    if not is_fresh:
        raise StaleRead(f"{what_was_read}: the event knows more")


def _payment(intent_id: str | None) -> Payment | None:
    """Read what an intent belongs to: its session, or itself; None for a charge without one.

    Raises settling.Foreign, settling.UnknownAttempt.
    """
    if not intent_id:
        return None
    known = PaymentAttempt.objects.filter(intent_id=intent_id).first()
    if known:
        return attempts.read(known)
    intent = gateway.retrieve_intent(intent_id)
    if settling.attempt_of(intent).kind == PaymentAttempt.Kind.INTENT:
        return intent
    session = gateway.session_of_intent(intent_id)
    if session is None:
        raise settling.UnknownAttempt(f"{intent_id} carries our tag, yet it has no session")
    return session


# How far a refund has come; what failed may have succeeded before.
_FINALITY: dict[str, int] = {
    Refund.State.SUCCEEDED: 1,
    Refund.State.FAILED: 2,
    Refund.State.CANCELED: 2,
}
# What is handled; every other type is stored and ignored.
_READERS: dict[str, Callable[[str, Told], News | None]] = {
    "checkout.session.completed": _of_session,
    "checkout.session.async_payment_succeeded": _of_session,
    "checkout.session.async_payment_failed": _of_session,
    "checkout.session.expired": _of_session,
    "payment_intent.succeeded": _of_intent,
    "payment_intent.payment_failed": _of_intent,
    "payment_intent.canceled": _of_intent,
    "payment_intent.processing": _of_intent,
    "payment_intent.requires_action": _of_intent,
    "charge.updated": _of_charge,
    "charge.refunded": _of_charge,
    "refund.created": _of_refund,
    "refund.updated": _of_refund,
    "refund.failed": _of_refund,
    "charge.dispute.created": _of_dispute,
    "charge.dispute.updated": _of_dispute,
    "charge.dispute.funds_withdrawn": _of_dispute,
    "charge.dispute.funds_reinstated": _of_dispute,
    "charge.dispute.closed": _of_dispute,
}
# What the endpoint at Stripe is asked to send, and its list of events for: the one place that says
# so. That list takes twenty types at most.
HANDLED = tuple(_READERS)
