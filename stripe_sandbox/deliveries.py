"""Webhooks: each due delivery is signed afresh and posted, and retried until the shop says 2xx."""

import hashlib
import hmac
import json
import threading
import time
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from stripe_sandbox.clock import Clock
from stripe_sandbox.faults import Faults
from stripe_sandbox.listeners import listening
from stripe_sandbox.store import Delivery, Record, Store

_TIMEOUT_SECONDS = 20
_LONGEST_WAIT_SECONDS = 300
_USER_AGENT = "Stripe/1.0 (+local sandbox)"


def signature_header(payload: bytes, secret: str, timestamp: int) -> str:
    """Return a Stripe-Signature header; `timestamp` is real time, which receivers compare.

    Source: https://docs.stripe.com/webhooks#verify-manually
    """
    signed = b"%d." % timestamp + payload
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"


class Deliveries:
    """Sends what is due, one after the other, each signed with its endpoint's own secret."""

    def __init__(
        self, store: Store, clock: Clock, faults: Faults, *, backoff_seconds: float
    ) -> None:
        self._store, self._clock, self._faults = store, clock, faults
        self._backoff = backoff_seconds
        self._sending = threading.Lock()

    def send_due(self) -> None:
        """Try once everything that is due now; returns when each has been tried."""
        with self._sending:
            for delivery in self._store.due_deliveries(self._clock.exact()):
                self._send(delivery)

    def post(self, event: Record, *, secret: str | None = None, age: int = 0) -> list[Record]:
        """Post an event at once and once to all that listen, delivered or not; returns the tries.

        `secret` signs it in the place of each endpoint's own, `age` seconds ago.
        """
        payload = json.dumps(event, indent=2).encode()
        at = int(time.time())
        tries = []
        for endpoint in listening(self._store, event["type"]):
            signature = signature_header(payload, secret or endpoint["_secret"], at - age)
            status = _post(endpoint["url"], payload, signature)
            tries.append(self._store.note_try(event["id"], endpoint["id"], status=status, at=at))
        return tries

    def _send(self, delivery: Delivery) -> None:
        event = self._store.find("event", delivery.event_id)
        if event is None:  # the state was reset meanwhile
            return
        endpoint = self._store.find("webhook_endpoint", delivery.endpoint_id)
        if endpoint is None or endpoint["status"] != "enabled":
            self._store.drop_delivery(delivery)
            return
        payload = json.dumps(event, indent=2).encode()
        at = int(time.time())
        signature = signature_header(payload, endpoint["_secret"], at)
        is_cut = self._faults.strike_delivery(event["type"])
        status = _post(endpoint["url"], payload, signature, is_cut=is_cut)
        retry_at = None
        if status is None or not 200 <= status < 300:
            wait = min(self._backoff * 2**delivery.tries, _LONGEST_WAIT_SECONDS)
            retry_at = self._clock.exact() + wait
        self._store.record_try(delivery, status=status, at=at, retry_at=retry_at)


def _post(url: str, payload: bytes, signature: str, *, is_cut: bool = False) -> int | None:
    """Return the answer's status, or None without an answer; a redirect is not followed.

    One that is cut goes away in the middle of its body.
    """
    parts = urlsplit(url)
    connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = connect(parts.netloc, timeout=_TIMEOUT_SECONDS)
    headers = {
        "Content-Length": str(len(payload)),
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": _USER_AGENT,
        "Stripe-Signature": signature,
    }
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    try:
        sent = payload[: len(payload) // 2] if is_cut else payload
        connection.request("POST", target or "/", sent, headers)
        return None if is_cut else connection.getresponse().status
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
