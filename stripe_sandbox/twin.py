"""The sandbox as a whole: its state, clock, faults, and what it does by itself."""

import logging
import os
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from django.http import HttpRequest

from stripe_sandbox import listeners, objects
from stripe_sandbox.checkout import Checkout
from stripe_sandbox.clock import Clock
from stripe_sandbox.deliveries import Deliveries
from stripe_sandbox.disputes import Disputes
from stripe_sandbox.events import Events
from stripe_sandbox.faults import Faults
from stripe_sandbox.idempotency import Keys
from stripe_sandbox.payments import Payments
from stripe_sandbox.refunds import Refunds
from stripe_sandbox.store import OWN_ENDPOINT, Record, Store

logger = logging.getLogger(__name__)

ENVIRON_KEY = "stripe_sandbox.twin"
_TICK_SECONDS = 0.2


@dataclass(frozen=True)
class Twin:
    secret_key: str
    publishable_key: str
    store: Store
    clock: Clock
    faults: Faults
    events: Events
    payments: Payments
    checkout: Checkout
    refunds: Refunds
    disputes: Disputes
    deliveries: Deliveries
    keys: Keys
    own_endpoint: Record | None

    @classmethod
    def from_environment(cls, state: Path) -> Self:
        """Read the variables named in __main__; raises KeyError for a missing key."""
        environ = os.environ
        offset_file = environ.get("CLOCK_OFFSET_FILE")
        webhook_url = environ.get("STRIPE_WEBHOOK_URL", "")
        store, faults = Store(state), Faults()
        clock = Clock(Path(offset_file) if offset_file else None)
        events = Events(store, faults)
        refunds = Refunds(store, events, faults)
        payments = Payments(store, faults)
        deliveries = Deliveries(
            store,
            clock,
            faults,
            backoff_seconds=float(environ.get("STRIPE_WEBHOOK_BACKOFF") or 2),
        )
        own_endpoint = None
        if webhook_url:
            own_endpoint = listeners.endpoint(
                endpoint_id=OWN_ENDPOINT,
                url=webhook_url,
                secret=environ["STRIPE_WEBHOOK_SECRET"],
                at=clock.now(),
            )
        twin = cls(
            secret_key=environ["STRIPE_SECRET_KEY"],
            publishable_key=environ.get("STRIPE_PUBLISHABLE_KEY", ""),
            store=store,
            clock=clock,
            faults=faults,
            events=events,
            payments=payments,
            checkout=Checkout(store, events, payments),
            refunds=refunds,
            disputes=Disputes(store, events, refunds),
            deliveries=deliveries,
            keys=Keys(store),
            own_endpoint=own_endpoint,
        )
        twin.open_own_endpoint()
        return twin

    def open_own_endpoint(self) -> None:
        """Have the endpoint that the environment names, or none left of an earlier start."""
        if self.own_endpoint:
            self.store.save(self.own_endpoint)
        else:
            self.store.delete_endpoint(OWN_ENDPOINT)

    def catch_up(self) -> int:
        """Do what time alone brings, and return the time."""
        at = self.clock.now()
        with self.store.transaction():
            self.checkout.catch_up(at)
        return at

    def reset(self, seed: int | None) -> None:
        """Forget everything; what follows can be repeated with the same seed."""
        self.faults.clear()
        self.store.clear()
        self.open_own_endpoint()
        self.repeat(seed)

    def repeat(self, seed: int | None) -> None:
        """Let ids, the order of events and the dice of faults follow `seed`, or chance."""
        # A later start with the same seed must not make the ids of what is there.
        objects.ids.repeat(None if seed is None else f"{seed} {self.store.last_place()}")
        self.events.dice = random.Random(seed)  # noqa: S311 - an order, not a secret
        self.faults.dice = random.Random(seed)  # noqa: S311 - weather

    def work(self) -> None:
        """Watch the clock and deliver webhooks for ever: the one background thread."""
        while True:
            try:
                self.catch_up()
                self.deliveries.send_due()
            except Exception:  # the thread must outlive, say, an unreadable clock file
                logger.exception("The sandbox's background work failed; trying again")
            time.sleep(_TICK_SECONDS)


def twin_of(request: HttpRequest) -> Twin:
    """Return the twin that the server puts into every request's environment."""
    twin: Twin = request.META[ENVIRON_KEY]
    return twin
