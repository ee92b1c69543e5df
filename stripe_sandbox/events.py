"""Events: what happened, with a snapshot of the object as it was then."""

import random
from dataclasses import dataclass, field

from stripe_sandbox.faults import Faults
from stripe_sandbox.listeners import listening
from stripe_sandbox.objects import API_VERSION, new_id, public
from stripe_sandbox.store import Record, Store


@dataclass(frozen=True)
class Origin:
    """The API request that an event comes from; empty when a buyer or the clock caused it."""

    request_id: str | None = None
    idempotency_key: str | None = None


NOBODY = Origin()


@dataclass
class Events:
    """Writes events and queues their deliveries, both in the caller's transaction."""

    store: Store
    faults: Faults
    dice: random.Random = field(default_factory=random.Random)

    def emit(self, happened: list[tuple[str, Record]], at: int, origin: Origin = NOBODY) -> None:
        """Write one event per (type, object), in no promised order, as at Stripe."""
        shuffled = [(kind, public(record)) for kind, record in happened]
        self.dice.shuffle(shuffled)
        for kind, snapshot in shuffled:
            endpoints = listening(self.store, kind)
            event = {
                "id": new_id("evt_"),
                "object": "event",
                "api_version": API_VERSION,
                "created": at,
                "data": {"object": snapshot},
                "livemode": False,
                "pending_webhooks": len(endpoints),
                "request": {"id": origin.request_id, "idempotency_key": origin.idempotency_key},
                "type": kind,
            }
            self.store.save(event)
            if endpoints:
                self._queue(event, endpoints, at)

    def _queue(self, event: Record, endpoints: list[Record], at: int) -> None:
        struck = self.faults.strike_webhook(event["type"])
        due_at: float = at
        if "webhook_delay" in struck:
            due_at += struck["webhook_delay"].seconds
        position = due_at
        if "webhook_shuffle" in struck:
            position += self.dice.uniform(-_SHUFFLE_SECONDS, _SHUFFLE_SECONDS)
        state = "dropped" if "webhook_drop" in struck else "waiting"
        for endpoint in endpoints * (2 if "webhook_duplicate" in struck else 1):
            self.store.queue_delivery(
                event["id"], endpoint["id"], due_at=due_at, position=position, state=state
            )


# Far enough that a shuffled event may overtake all that wait with it.
_SHUFFLE_SECONDS = 24 * 60 * 60
