"""Stripe's list of events: what a webhook that never came would have told."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from payments.gateway.client import client
from payments.gateway.errors import failures


def events_since(since: datetime, *, types: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Read every event of these types made since then (30 days back at most), newest first.

    Each is the JSON that a webhook would have carried.
    """
    # The library wants each type of event as a literal.
    params: Any = {
        "created": {"gte": int(since.timestamp())},
        "types": list(types),
        "limit": 100,
    }
    with failures():
        for found in client().v1.events.list(params=params).auto_paging_iter():
            # The library's objects hold decimals, which are no JSON; their text is.
            event: dict[str, Any] = json.loads(str(found))
            yield event
