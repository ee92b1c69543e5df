"""Bad weather on request: faults that the control API switches on for requests and webhooks.

What each kind does stands beside its name below.
"""

import random
import re
import threading
from collections.abc import Collection
from typing import Any

from stripe_sandbox import currencies

REQUEST_KINDS = {
    "drop_answer": "the work is done, the connection closed without an answer",
    "cut": "the work is done, half the answer's body sent, then the connection closed",
    "refuse": "the connection is closed and nothing done",
    "error_before": "500 and nothing done; a repeat with the same key gets the same",
    "error_after": "500 with the work done; a repeat with the same key gets the same",
    "rate_limit": "429, too many requests",
    "conflict": "409, as if the key were in use",
    "forbidden": "403, as with a restricted key",
    "slow": "the work begins `seconds` later",
    "stale_read": "a GET shows things as they were before the last change of what it asks for",
    "pay_at_expire": "what a call would expire or cancel is paid first, so the call is refused",
}
PAYMENT_KINDS = {
    "wrong_amount": "a payment takes `by` minor units more than was asked, or less",
    "wrong_currency": "a payment takes its amount in `currency`",
    "second_charge": "a payment is charged twice",
}
REFUND_KINDS = {"refund_pending": "a refund waits, for the account lacks the money"}
WEBHOOK_KINDS = {
    "webhook_duplicate": "the event is sent twice",
    "webhook_shuffle": "the event may overtake all others that are due with it, or fall behind",
    "webhook_delay": "the event is sent `seconds` later, by the sandbox's clock",
    "webhook_drop": "the event is never sent; it is listed as undelivered",
}
DELIVERY_KINDS = {"webhook_cut": "a try to send the event ends in the middle of it; others follow"}
_KINDS = REQUEST_KINDS | PAYMENT_KINDS | REFUND_KINDS | WEBHOOK_KINDS | DELIVERY_KINDS
# What a kind can meet at all, as "method path".
_MEETS = {
    "stale_read": re.compile(r"GET "),
    "pay_at_expire": re.compile(
        r"POST /v1/(checkout/sessions/[^/]+/expire|payment_intents/[^/]+/cancel)$"
    ),
}
_FORM: dict[str, tuple[Any, tuple[type, ...]]] = {
    # name: what it is when left out, and its types in JSON
    "kind": (None, (str,)),
    "method": (None, (str, type(None))),
    "path": ("", (str,)),
    "match": ("", (str,)),
    "times": (1, (int, type(None))),
    "seconds": (0, (int, float)),
    "probability": (1, (int, float)),
    "seed": (None, (int, type(None))),
    "by": (1, (int,)),
    "currency": ("usd", (str,)),
}


class Fault:
    """One switch; `times` counts down with each use, None lasts until it is cleared.

    `path` (a prefix) and `match` (a regular expression, searched) narrow it to some requests, or,
    for webhooks, to some event types, for payments to a session's or an intent's id, for refunds
    to their charge's. `seconds` is for slow and webhook_delay.
    """

    def __init__(self, fields: dict[str, Any]) -> None:
        """Read a fault from JSON; raises ValueError for what it does not understand."""
        if unknown := fields.keys() - _FORM.keys():
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        self.shown = {name: fields.get(name, default) for name, (default, _) in _FORM.items()}
        for name, (_, types) in _FORM.items():
            if not isinstance(self.shown[name], types):
                raise ValueError(f"{name} has the wrong type")
        self.kind: str = self.shown["kind"]
        if self.kind not in _KINDS:
            raise ValueError(f"kind must be one of {', '.join(sorted(_KINDS))}")
        try:
            self._match = re.compile(self.shown["match"])
        except re.error as error:
            raise ValueError(f"match: {error}") from error
        self.seconds = float(self.shown["seconds"])
        if self.seconds < 0:
            raise ValueError("seconds must not be negative")
        self.by: int = self.shown["by"]
        self.currency: str = self.shown["currency"]
        if not currencies.is_supported(self.currency):
            raise ValueError("currency must be one that the sandbox knows, like usd")
        self._dice = random.Random(self.shown["seed"])  # noqa: S311 - weather, not secrets

    @property
    def is_used_up(self) -> bool:
        return bool(self.shown["times"] == 0)

    def strikes(self, method: str, path: str) -> bool:
        """Say whether it meets this request, and count that; dice roll only for one that fits."""
        fits = bool(
            not self.is_used_up
            and self.shown["method"] in (None, method)
            and path.startswith(self.shown["path"])
            and self._match.search(path) is not None
            and (self.kind not in _MEETS or _MEETS[self.kind].match(f"{method} {path}"))
            and self._dice.random() < self.shown["probability"]
        )
        if fits and self.shown["times"] is not None:
            self.shown["times"] -= 1
        return fits


class Faults:
    """All switches that are on; they live in memory and end with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self.dice = random.Random()  # noqa: S311 - seeds the dice of those that bring no seed

    def add(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Switch on what Fault reads from JSON; returns it as shown. Raises ValueError."""
        with self._lock:
            fault = Fault({"seed": self.dice.getrandbits(32)} | fields)
            self._faults.append(fault)
            return dict(fault.shown)

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def shown(self) -> list[dict[str, Any]]:
        with self._lock:
            return [dict(fault.shown) for fault in self._faults]

    def strike_request(self, method: str, path: str) -> dict[str, Fault]:
        """Use up and return the faults that meet this request, one per kind."""
        return self._strike(REQUEST_KINDS, method, path)

    def strike_webhook(self, event_type: str) -> dict[str, Fault]:
        """Use up and return the faults that meet this event's delivery, one per kind."""
        return self._strike(WEBHOOK_KINDS, "POST", event_type)

    def strike_delivery(self, event_type: str) -> bool:
        """Say whether this try to send an event is to end half-way."""
        return bool(self._strike(DELIVERY_KINDS, "POST", event_type))

    def strike_payment(self, kind: str, intent: dict[str, Any]) -> Fault | None:
        """Use up and return a fault of this kind that meets the payment."""
        known_as = intent["_session"] or intent["id"]
        return self._strike({kind}, "POST", known_as).get(kind)

    def strike_refund(self, charge_id: str) -> bool:
        """Say whether the account is to lack the money for a refund of this charge."""
        return bool(self._strike(REFUND_KINDS, "POST", charge_id))

    def _strike(self, kinds: Collection[str], method: str, path: str) -> dict[str, Fault]:
        struck: dict[str, Fault] = {}
        with self._lock:
            for fault in self._faults:
                wanted = fault.kind in kinds and fault.kind not in struck
                if wanted and fault.strikes(method, path):
                    struck[fault.kind] = fault
            self._faults = [fault for fault in self._faults if not fault.is_used_up]
        return struck
