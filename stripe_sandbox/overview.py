"""What the control page shows: the newest payments, what can be done to them, and the events."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from stripe_sandbox import disputes, refunds
from stripe_sandbox.currencies import format_amount
from stripe_sandbox.lists import all_of_charge, field_is
from stripe_sandbox.store import Record, Store

_MOST_PAYMENTS, _MOST_EVENTS = 12, 20
_SHORT_ID = 20  # characters that tell one id from another for a reader
_GOOD = {"succeeded", "complete", "won", "warning_closed"}
_BAD = {"failed", "canceled", "expired", "lost"}
_DEBIT_OUTCOMES = {"succeeded": "Bank pays", "failed": "Bank refuses"}
_REFUND_OUTCOMES = {
    "succeeded": "Succeed",
    "failed": "Fail",
    "canceled": "Cancel",
    "requires_action": "Ask the buyer",
}
_DISPUTE_ACTIONS = {
    "submit": "Answer it",
    "escalate": "Escalate",
    "close": "Close",
    "win": "Win",
    "lose": "Lose",
}


@dataclass(frozen=True)
class Action:
    """A button: it sends `do` and `fields`; with `takes_amount` the person may give an amount."""

    label: str
    do: str
    fields: dict[str, str]
    takes_amount: bool = False


@dataclass(frozen=True)
class Status:
    """A state in words; `tone` is good, bad or open."""

    words: str
    tone: str

    @classmethod
    def of(cls, name: str) -> "Status":
        tone = "good" if name in _GOOD else "bad" if name in _BAD else "open"
        return cls(name.replace("_", " "), tone)


@dataclass(frozen=True)
class Part:
    """A charge, a refund or a dispute."""

    kind: str
    object_id: str
    amount: str
    status: Status
    actions: list[Action]


@dataclass(frozen=True)
class Payment:
    """A session with its intent, or an intent without session."""

    name: str
    amount: str
    status: Status
    created: datetime
    ids: list[str]
    pay_url: str | None
    actions: list[Action]
    parts: list[Part] = field(default_factory=list)


@dataclass(frozen=True)
class ShownEvent:
    event_id: str
    kind: str
    about: str
    created: datetime
    status: Status
    tries: str
    actions: list[Action]


def payments(store: Store) -> list[Payment]:
    own_intents = [("json_extract(body, '$._session') IS ?", None)]
    begun = store.select("checkout.session", [], newest_first=True, limit=_MOST_PAYMENTS)
    begun += store.select("payment_intent", own_intents, newest_first=True, limit=_MOST_PAYMENTS)
    begun.sort(key=lambda record: int(record["created"]), reverse=True)
    return [_payment(store, record) for record in begun[:_MOST_PAYMENTS]]


def _payment(store: Store, record: Record) -> Payment:
    session = record if record["object"] == "checkout.session" else None
    intent = record
    if session:
        known = session["payment_intent"] and store.get("payment_intent", session["payment_intent"])
        begun = {"id": None, "amount": session["amount_total"], "status": session["status"]}
        intent = known or begun
    is_open = session is not None and session["status"] == "open"
    status = "open" if is_open else intent["status"]
    return Payment(
        name=(session and session["client_reference_id"]) or f"{record['id'][:_SHORT_ID]}…",
        amount=format_amount(intent["amount"], record["currency"]),
        status=Status.of(status),
        created=moment(record["created"]),
        ids=[known_id for known_id in (session and session["id"], intent["id"]) if known_id],
        pay_url=session["url"] if session else None,
        actions=_debit_actions(intent),
        parts=_parts(store, intent),
    )


def _debit_actions(intent: Record) -> list[Action]:
    if intent["status"] != "processing":
        return []
    return [
        Action(label, "decide_bank_debit", {"intent_id": intent["id"], "outcome": outcome})
        for outcome, label in _DEBIT_OUTCOMES.items()
    ]


def _parts(store: Store, intent: Record) -> list[Part]:
    if not intent["id"]:
        return []
    parts = []
    of_intent = field_is("payment_intent", intent["id"])
    for charge in store.select("charge", of_intent, newest_first=False, limit=-1):
        parts.append(_part("Charge", charge, _charge_actions(charge)))
        for refund in all_of_charge(store, "refund", charge["id"]):
            parts.append(_part("Refund", refund, _refund_actions(refund)))
        for dispute in all_of_charge(store, "dispute", charge["id"]):
            parts.append(_part("Dispute", dispute, _dispute_actions(dispute)))
    return parts


def _part(kind: str, record: Record, actions: list[Action]) -> Part:
    amount = format_amount(record["amount"], record["currency"])
    return Part(kind, record["id"], amount, Status.of(record["status"]), actions)


def _charge_actions(charge: Record) -> list[Action]:
    if charge["status"] != "succeeded":
        return []
    this = {"charge": charge["id"]}
    return [
        Action("Refund", "refund", this, takes_amount=True),
        Action("Dispute", "open_dispute", this),
        Action("Inquire", "open_dispute", this | {"inquiry": "true"}),
        Action("Charge again", "charge_again", {"payment_intent": charge["payment_intent"]}),
    ]


def _refund_actions(refund: Record) -> list[Action]:
    outcomes = refunds.MOVES.get(refund["status"], set())
    return [
        Action(label, "decide_refund", {"refund_id": refund["id"], "outcome": outcome})
        for outcome, label in _REFUND_OUTCOMES.items()
        if outcome in outcomes
    ]


def _dispute_actions(dispute: Record) -> list[Action]:
    return [
        Action(label, "move_dispute", {"dispute_id": dispute["id"], "action": action})
        for action, label in _DISPUTE_ACTIONS.items()
        if dispute["status"] in disputes.MOVES[action]
    ]


def events(store: Store) -> list[ShownEvent]:
    newest = store.select("event", [], newest_first=True, limit=_MOST_EVENTS)
    return [_event(store, event) for event in newest]


def _event(store: Store, event: Record) -> ShownEvent:
    tries = store.tries(event["id"])
    status = Status("nobody listened", "open")
    if store.undelivered(event["id"]):
        status = Status("not delivered", "bad" if tries else "open")
    elif tries:
        status = Status("delivered", "good")
    return ShownEvent(
        event_id=event["id"],
        kind=event["type"],
        about=event["data"]["object"]["id"],
        created=moment(event["created"]),
        status=status,
        tries=_told(tries),
        actions=[
            Action("Send again", "make_event", {"kind": "replay", "event": event["id"]}),
            Action("Forge", "make_event", {"kind": "forged", "event": event["id"]}),
        ],
    )


def _told(tries: list[Record]) -> str:
    if not tries:
        return ""
    answer = tries[-1]["status"] or "no answer"
    return str(answer) if len(tries) == 1 else f"{len(tries)} tries, at last {answer}"


def fault(shown: dict[str, Any]) -> str:
    """Return in words whom a fault meets, and how often."""
    times, probability = shown["times"], shown["probability"]
    words = ["until switched off" if times is None else "once" if times == 1 else f"{times} times"]
    for name in ("method", "path", "match"):
        if shown[name]:
            words.append(f"{name} {shown[name]}")
    if probability != 1:
        words.append(f"with probability {probability}")
    if shown["kind"] in ("slow", "webhook_delay"):
        words.append(f"{shown['seconds']} s")
    if shown["kind"] == "wrong_amount":
        words.append(f"by {shown['by']}")
    if shown["kind"] == "wrong_currency":
        words.append(f"in {shown['currency'].upper()}")
    return ", ".join(words)


def moment(at: int) -> datetime:
    return datetime.fromtimestamp(at, UTC)
