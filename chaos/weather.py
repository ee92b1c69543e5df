"""Weather: faults on the wire, what banks decide, what Stripe's dashboard does, time that flies."""

import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from chaos.town import Town

_STEP_SECONDS = 1.0
# What the shop does at Stripe; this thread speaks to the control API alone.
_READS = {"method": "GET", "path": "/v1/", "times": 3}
_WRITES = {"method": "POST", "path": "/v1/", "times": 3}
# Each with what narrows it down, so that it meets what it is about.
_FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "drop_answer", **_WRITES},
    {"kind": "cut", **_READS},
    {"kind": "refuse", **_READS},
    {"kind": "error_before", **_WRITES},
    {"kind": "error_after", **_WRITES},
    {"kind": "rate_limit", **_READS},
    {"kind": "conflict", **_WRITES},
    {"kind": "forbidden", **_READS},
    {"kind": "slow", "seconds": 1, **_READS},
    {"kind": "stale_read", **_READS},
    {"kind": "pay_at_expire", "times": 1},
    {"kind": "wrong_amount", "by": -100, "times": 1},
    {"kind": "wrong_currency", "currency": "usd", "times": 1},
    {"kind": "second_charge", "times": 1},
    {"kind": "refund_pending", "times": 2},
    {"kind": "webhook_duplicate", "times": 10},
    {"kind": "webhook_shuffle", "times": 20},
    {"kind": "webhook_delay", "seconds": 20, "times": 10},
    {"kind": "webhook_drop", "times": 10},
    {"kind": "webhook_cut", "times": 3},
)
_AT_ONCE = 8
_OPEN_DISPUTES = (
    "warning_needs_response",
    "warning_under_review",
    "needs_response",
    "under_review",
)
_INQUIRY_STEPS = ("submit", "close", "close", "escalate")
_DISPUTE_STEPS = ("submit", "win", "lose")


class Weather:
    """A thread that changes the weather every second."""

    def __init__(self, town: Town, seed: int) -> None:
        self._town = town
        self._dice = random.Random(f"{seed}-weather")
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._live)
        self._failure: Exception | None = None
        self._on: list[dict[str, Any]] = []
        self._struck: Counter[str] = Counter()
        self._asked: Counter[str] = Counter()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Let it change; at the end the sky clears, and what went wrong up there is raised."""
        self._thread.start()
        try:
            yield
        finally:
            self._done.set()
            self._thread.join()
            self._clear()
        if self._failure:
            # A storm that died down by itself proves nothing.
            raise self._failure

    def told(self) -> str:
        struck = self._struck + self._asked
        return ", ".join(f"{kind} {count}" for kind, count in sorted(struck.items()))

    @property
    def struck(self) -> int:
        """How often any fault met the shop."""
        return self._struck.total()

    def _live(self) -> None:
        try:
            self._change()
        except Exception as error:
            self._failure = error

    def _change(self) -> None:
        step = 0
        while not self._done.wait(_STEP_SECONDS):
            step += 1
            if step % 4 == 0:
                self._clear()
                self._on = self._dice.sample(_FAULTS, _AT_ONCE)
                for fault in self._on:
                    self.control("POST", "faults", fault)
                self._send_what_was_never_asked_for()
            self.decide(self._dice)
            self._from_the_dashboard()
            if step % 3 == 0:
                # In steps that no request minds: a session must last half an hour when asked for.
                self.control("POST", "clock", {"advance": 240})

    def _clear(self) -> None:
        """Count what struck, and switch all off."""
        listed = self.control("GET", "faults").get("data")
        if listed is not None:
            # One that is used up is listed no more.
            left = {fault["kind"]: fault["times"] for fault in listed}
            for fault in self._on:
                self._struck[fault["kind"]] += fault["times"] - left.get(fault["kind"], 0)
        self._on = []
        self.control("DELETE", "faults")

    def control(self, method: str, path: str, fields: Any = None) -> Any:
        """Speak to the sandbox's control API; a refusal is an answer too, and so is silence."""
        try:
            answer = requests.request(
                method, f"{self._town.sandbox}/_sandbox/{path}", json=fields, timeout=20
            )
            return answer.json()
        except (requests.RequestException, ValueError) as error:
            return {"error": repr(error)}

    def listed(self, kind: str, *statuses: str) -> list[dict[str, Any]]:
        """Return Stripe's newest hundred objects in each of these states."""
        return [
            found
            for status in statuses
            for found in self.control("GET", f"objects/{kind}/{status}").get("data", [])
        ]

    def decide(self, dice: random.Random, *, share: float = 0.3) -> int:
        """Let banks decide some of what waits for them; return how much waits still."""
        debits = self.listed("payment_intent", "processing")
        refunds = self.listed("refund", "pending", "requires_action")
        disputes = self.listed("dispute", *_OPEN_DISPUTES)
        for intent in debits:
            if dice.random() < share:
                outcome = dice.choice(("succeeded", "succeeded", "failed"))
                self._ask(f"bank_debits/{intent['id']}", {"outcome": outcome}, "debit decided")
        for refund in refunds:
            if dice.random() < share:
                outcome = dice.choice(("succeeded", "failed", "canceled", "requires_action"))
                self._ask(f"refunds/{refund['id']}", {"outcome": outcome}, f"refund {outcome}")
        for dispute in disputes:
            if dice.random() < share / 3:
                is_inquiry = dispute["status"].startswith("warning")
                steps = _INQUIRY_STEPS if is_inquiry else _DISPUTE_STEPS
                step = dice.choice(steps)
                self._ask(f"disputes/{dispute['id']}", {"action": step}, f"dispute {step}")
        return len(debits) + len(refunds) + len(disputes)

    def _from_the_dashboard(self) -> None:
        """What people do on Stripe's own pages, and banks on their own."""
        paid = self.listed("payment_intent", "succeeded")
        if not paid:
            return
        intent = {"payment_intent": self._dice.choice(paid)["id"]}
        what = self._dice.random()
        if what < 0.12:
            self._ask("refunds", intent | {"amount": 100}, "refund in the dashboard")
        elif what < 0.18:
            self._ask("refunds", intent, "full refund in the dashboard")
        elif what < 0.26:
            self._ask("disputes", intent, "dispute")
        elif what < 0.34:
            self._ask("disputes", intent | {"inquiry": True}, "inquiry")
        elif what < 0.43:
            done = self.listed("refund", "succeeded")
            if done:
                refund = self._dice.choice(done)["id"]
                self._ask(f"refunds/{refund}", {"outcome": "failed"}, "refund failed after all")

    def _send_what_was_never_asked_for(self) -> None:
        # None of an unknown attempt with our tag: its money could not agree with any book of ours.
        kind = self._dice.choice(("forged", "replay", "foreign"))
        self._ask("events", {"kind": kind}, f"{kind} event")

    def _ask(self, path: str, fields: dict[str, Any], what: str) -> None:
        if "error" not in self.control("POST", path, fields):
            self._asked[what] += 1
