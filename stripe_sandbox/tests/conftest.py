"""The sandbox as a process of its own, and what speaks to it: Stripe's SDK, a buyer, a receiver."""

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
import stripe

PROJECT = Path(__file__).parents[2]
SECRET_KEY = "sk_test_" + "a1b2c3d4" * 3
PUBLISHABLE_KEY = "pk_test_" + "a1b2c3d4" * 3
WEBHOOK_SECRET = "whsec_" + "a1b2c3d4" * 4
API_VERSION = "2026-05-27.dahlia"
GOOD, DECLINED = "4242 4242 4242 4242", "4000 0000 0000 0002"
ASKING = "4000 0000 0000 3220"
SECONDS = 10  # to wait for what must come

Params = dict[str, Any]


@dataclass
class Twin:
    """A running sandbox, seen over HTTP."""

    url: str
    process: subprocess.Popen[str]

    @property
    def sdk(self) -> stripe.StripeClient:
        return stripe.StripeClient(
            SECRET_KEY,
            base_addresses={"api": self.url},
            stripe_version=API_VERSION,
            max_network_retries=0,
        )

    def get(self, path: str, **params: Any) -> requests.Response:
        """Ask the API without the SDK, to see the JSON itself."""
        headers = {"Authorization": f"Bearer {SECRET_KEY}"}
        return requests.get(self.url + path, params=params, headers=headers, timeout=SECONDS)

    def post(self, path: str, key: str = "", **form: object) -> requests.Response:
        headers = {"Authorization": f"Bearer {SECRET_KEY}"}
        if key:
            headers["Idempotency-Key"] = key
        return requests.post(self.url + path, data=form, headers=headers, timeout=SECONDS)

    def control(self, what: str, method: str = "POST", /, **fields: object) -> Any:
        """Ask the control API, which must agree."""
        answer = requests.request(
            method, f"{self.url}/_sandbox/{what}", json=fields, timeout=SECONDS
        )
        answer.raise_for_status()
        return answer.json()

    def faults(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = self.control("faults", "GET")["data"]
        return listed

    def tries(self) -> list[dict[str, Any]]:
        """Return every try to deliver a webhook, oldest first."""
        listed: list[dict[str, Any]] = self.control("deliveries", "GET")["data"]
        return listed

    def open_session(self, **changes: object) -> stripe.checkout.Session:
        params: Any = session_params(**changes)
        return self.sdk.v1.checkout.sessions.create(params=params)

    def make_intent(self, **changes: object) -> stripe.PaymentIntent:
        asked = {"amount": 3097, "currency": "eur", "metadata": {"order": "ORDER-1"}}
        params: Any = asked | changes
        return self.sdk.v1.payment_intents.create(params=params)

    def pay(self, page: str | None, card: str = GOOD, **changes: str) -> requests.Response:
        """Send the hosted page's form; the redirect is not followed."""
        assert page is not None
        form = {
            "email": "reader@example.com",
            "method": "card",
            "card": card,
            "expiry": "12/34",
            "cvc": "123",
            "name": "A. Reader",
        } | changes
        return requests.post(page, data=form, allow_redirects=False, timeout=SECONDS)

    def paid_session(self, **changes: object) -> stripe.checkout.Session:
        session = self.open_session(**changes)
        assert self.pay(session.url).status_code == 303
        return self.sdk.v1.checkout.sessions.retrieve(session.id)

    def event_types(self) -> list[str]:
        """Return the types of all events, newest first."""
        listed = self.sdk.v1.events.list(params={"limit": 100})
        return [event.type for event in listed.data]

    def stop(self) -> int:
        """Ask the process to end; returns its exit code. May be repeated."""
        with self.process:
            self.process.terminate()
            return self.process.wait(SECONDS)


def line(unit_amount: int = 1299, quantity: int = 2, currency: str = "eur") -> Params:
    product = {"name": "Walden", "description": "Hardcover", "metadata": {"sku": "WAL-1"}}
    price = {"currency": currency, "unit_amount": unit_amount, "product_data": product}
    return {"price_data": price, "quantity": quantity}


def shipping(amount: int = 499, currency: str = "eur") -> Params:
    fixed = {"amount": amount, "currency": currency}
    rate = {"type": "fixed_amount", "display_name": "Post", "fixed_amount": fixed}
    return {"shipping_rate_data": rate}


def session_params(**changes: object) -> Params:
    """Return what the shop asks for: 2 x 12.99 and 4.99 for the post, 30.97 EUR in all."""
    params: Params = {
        "mode": "payment",
        "line_items": [line()],
        "shipping_options": [shipping()],
        "customer_email": "reader@example.com",
        "client_reference_id": "ORDER-1",
        "metadata": {"attempt": "1"},
        "payment_intent_data": {"metadata": {"order": "ORDER-1"}},
        "success_url": "http://127.0.0.1:9/success?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "http://127.0.0.1:9/cart",
    }
    return {name: value for name, value in (params | changes).items() if value is not None}


def start_twin(directory: Path, *options: str, **environment: str) -> Twin:
    """Start a sandbox that keeps its state and its clock in `directory`."""
    command = [sys.executable, "-m", "stripe_sandbox", "--port", "0"]
    command += ["--state", str(directory / "state" / "sandbox.sqlite3"), *options]
    variables = {
        "STRIPE_SECRET_KEY": SECRET_KEY,
        "STRIPE_PUBLISHABLE_KEY": PUBLISHABLE_KEY,
        "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "STRIPE_WEBHOOK_URL": "",
        "CLOCK_OFFSET_FILE": str(directory / "clock"),
    }
    process = subprocess.Popen(
        command,
        cwd=PROJECT,
        env=os.environ | variables | environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return Twin(process.stdout.readline().split()[-1], process)


@pytest.fixture(scope="session")
def twin_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("twin")


@pytest.fixture(scope="session")
def twin_process(twin_directory: Path) -> Iterator[Twin]:
    twin = start_twin(twin_directory)
    yield twin
    twin.stop()


@pytest.fixture
def twin(twin_process: Twin, twin_directory: Path) -> Twin:
    """A sandbox that is empty, on time and without faults; it sends no webhooks."""
    (twin_directory / "clock").unlink(missing_ok=True)
    twin_process.control("reset")
    return twin_process


@pytest.fixture
def intent(twin: Twin) -> stripe.PaymentIntent:
    """An intent that no session made."""
    return twin.make_intent()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Twin]]:
    """Start sandboxes of the test's own on one state file: options, environment as keywords."""
    started: list[Twin] = []

    def run(*options: str, **environment: str) -> Twin:
        started.append(start_twin(tmp_path, *options, **environment))
        return started[-1]

    yield run
    for twin in started:
        twin.stop()


@dataclass
class Receiver:
    """A shop's webhook endpoint: answers with `statuses` in turn, then 200, and keeps it all."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    received: queue.Queue[tuple[dict[str, str], bytes]] = field(default_factory=queue.Queue)

    def next_event(self) -> stripe.Event:
        """Wait for a delivery, let the SDK verify it, and return its event."""
        headers, body = self.received.get(timeout=SECONDS)
        signature = headers["Stripe-Signature"]
        event: stripe.Event = stripe.Webhook.construct_event(body, signature, WEBHOOK_SECRET)
        return event


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    yield from _receive()


@pytest.fixture
def other() -> Iterator[Receiver]:
    yield from _receive()


def _receive() -> Iterator[Receiver]:
    state = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = state.statuses.pop(0) if state.statuses else 200
            state.received.put((dict(self.headers), body))
            self.send_response(status)
            if status == 302:
                self.send_header("Location", state.url)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Keep the tests' output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_port}/webhook/"
        thread = threading.Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        yield state
        server.shutdown()
        thread.join()
