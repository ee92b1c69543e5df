"""Bad weather on request: faults that the control API switches on, and requests and webhooks meet."""

import random
import re
import threading
from dataclasses import asdict, dataclass, field
from typing import Any, Self

REQUEST_KINDS = frozenset(
    {"drop_answer", "error_before", "error_after", "rate_limit", "slow", "refuse", "conflict"}
)
WEBHOOK_KINDS = frozenset({"webhook_duplicate", "webhook_shuffle", "webhook_delay", "webhook_drop"})


@dataclass
class Fault:
    """One switch; `times` counts down with each use, None lasts until it is cleared.

    `path` (a prefix) and `match` (a regular expression, searched) narrow it to some requests, or,
    for webhooks, to some event types. Raises ValueError for what it does not understand.
    """

    kind: str
    method: str | None = None
    path: str = ""
    match: str = ""
    times: int | None = 1
    seconds: float = 0
    probability: float = 1
    seed: int | None = None
    _random: random.Random = field(init=False, repr=False, compare=False)

    @classmethod
    def parse(cls, fields: Any) -> Self:
        if not isinstance(fields, dict):
            raise ValueError("a fault is a JSON object")
        known = {name for name in cls.__dataclass_fields__ if not name.startswith("_")}
        if unknown := set(fields) - known:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        try:
            return cls(
                **{
                    name: value
                    for name, value in fields.items()
                    if value is not None or name == "times"
                }
            )
        except (TypeError, re.error) as error:
            raise ValueError(str(error)) from error

    def __post_init__(self) -> None:
        if self.kind not in REQUEST_KINDS | WEBHOOK_KINDS:
            raise ValueError(
                f"kind must be one of {', '.join(sorted(REQUEST_KINDS | WEBHOOK_KINDS))}"
            )
        re.compile(self.match)
        self.seconds, self.probability = float(self.seconds), float(self.probability)
        self._random = random.Random(self.seed)  # noqa: S311 - weather, not secrets

    def meets(self, method: str, path: str) -> bool:
        """Say whether the fault strikes; the dice are rolled only for a request that fits."""
        return (
            self.times != 0
            and self.method in (None, method)
            and path.startswith(self.path)
            and re.search(self.match, path) is not None
            and (self.probability >= 1 or self._random.random() < self.probability)
        )

    def shown(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if not name.startswith("_")}


class Faults:
    """All switches that are on; they live in memory and end with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def shown(self) -> list[dict[str, Any]]:
        with self._lock:
            return [fault.shown() for fault in self._faults]

    def strike_request(self, method: str, path: str) -> dict[str, Fault]:
        """Use up and return the faults that meet this request, one per kind."""
        return self._strike(REQUEST_KINDS, method, path)

    def strike_webhook(self, event_type: str) -> dict[str, Fault]:
        """Use up and return the faults that meet this event's delivery, one per kind."""
        return self._strike(WEBHOOK_KINDS, "POST", event_type)

    def _strike(self, kinds: frozenset[str], method: str, path: str) -> dict[str, Fault]:
        struck: dict[str, Fault] = {}
        with self._lock:
            for fault in self._faults:
                if fault.kind in kinds and fault.kind not in struck and fault.meets(method, path):
                    if fault.times is not None:
                        fault.times -= 1
                    struck[fault.kind] = fault
            self._faults = [fault for fault in self._faults if fault.times != 0]
        return struck
