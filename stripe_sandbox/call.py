"""One call of the API, as an endpoint sees it."""

from dataclasses import dataclass
from typing import Any

from stripe_sandbox.errors import invalid
from stripe_sandbox.events import Origin
from stripe_sandbox.expand import expanded
from stripe_sandbox.params import Rule, fields
from stripe_sandbox.store import Record
from stripe_sandbox.twin import Twin


@dataclass(frozen=True)
class Call:
    """`params` are as decoded, without `expand`; `base_url` is where the client found us.

    A stale call is answered from a copy of the state that lags behind. A public one comes from a
    buyer's browser or app, which has the publishable key alone.
    """

    twin: Twin
    path: str
    params: dict[str, Any]
    expand: list[str]
    base_url: str
    origin: Origin
    is_stale: bool = False
    is_public: bool = False

    def read(self, rules: dict[str, Rule]) -> dict[str, Any]:
        """Return typed parameters; raises ApiError for one that `rules` does not name."""
        read: dict[str, Any] = fields(rules)("", self.params)
        return read

    def view(self, record: Record) -> Record:
        return self._shown([record], self.expand)[0]

    def views(self, listed: Record) -> Record:
        """Return a list with its elements as the API shows them; paths begin with `data.`."""
        for path in self.expand:
            if not path.startswith("data."):
                raise invalid(f"This property cannot be expanded ({path}).", "expand")
        paths = [path.removeprefix("data.") for path in self.expand]
        return listed | {"data": self._shown(listed["data"], paths)}

    def _shown(self, records: list[Record], paths: list[str]) -> list[Record]:
        store = self.twin.store
        if self.is_stale and records:
            store = store.before_change([record["id"] for record in records])
            records = [store.find(shown["object"], shown["id"]) or shown for shown in records]
        return [expanded(store, record, paths) for record in records]
