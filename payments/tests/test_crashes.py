"""Processes killed at the worst moment: one effect each, and the order can still be paid."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from orders.models import Order, Status
from payments.models import InboxEvent, LedgerEntry, PaymentAttempt
from payments.services.attempts import open_attempt
from payments.tests import support
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db(transaction=True)

PROJECT = Path(__file__).parents[2]
# Kept short, so that a killed worker's job is found stalled within the test.
QUICK = {
    "WORKER_POLL_SECONDS": "0.5",
    "WORKER_HEARTBEAT_SECONDS": "0.5",
    "WORKER_STALLED_SECONDS": "3",
    "RETRY_FIRST_SECONDS": "1",
}


def start_worker(environment: Mapping[str, str], fault_point: str = "") -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "manage.py", "worker"],
        cwd=PROJECT,
        env=dict(environment) | QUICK | {"FAULT_POINT": fault_point},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def wait_until(is_so: Callable[[], bool], seconds: float = 60) -> None:
    """Ask again until it is so; another process brings it about."""
    give_up_at = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < give_up_at, "waited in vain"
        time.sleep(0.1)


def queued() -> set[str]:
    """Return the names of the jobs there are; one of a change that was rolled back is not."""
    names = ProcrastinateJob.objects.values_list("task_name", flat=True)
    return {name.rpartition(".")[2] for name in names}


@pytest.mark.parametrize(
    "fault_point",
    ["settling:money-booked", "settling:before-commit", "inbox:before-commit"],
)
def test_a_worker_killed_while_settling_leaves_one_effect(
    sandbox: Any, process_environment: Mapping[str, str], fault_point: str
) -> None:
    variant = VariantFactory(on_hand=2)
    attempt = support.checkout(support.cart_with(variant))
    sandbox.pay(attempt.url)
    (completed,) = [e for e in sandbox.events() if e["type"] == "checkout.session.completed"]
    support.deliver(completed)

    with start_worker(process_environment, fault_point) as killed:
        assert killed.wait(timeout=60) == -signal.SIGKILL
    assert LedgerEntry.objects.count() == 0
    # Those of the clock, and the one that was killed.
    by_the_clock = {name.rpartition(".")[2] for name, _ in app.periodic_registry.periodic_tasks}
    assert queued() <= {"process_event"} | by_the_clock
    assert support.reread(attempt.order).status == Status.PENDING
    with start_worker(process_environment) as worker:
        wait_until(lambda: InboxEvent.objects.get().state == "done")
        worker.terminate()

    order = support.reread(attempt.order)
    variant.refresh_from_db()
    assert order.status == Status.PAID
    assert [entry.kind for entry in order.ledger.filter(kind="capture")] == ["capture"]
    assert [event.reason for event in order.events.all()] == ["placed", "capture"]
    assert (variant.on_hand, variant.reserved) == (1, 0)


@pytest.mark.parametrize(
    ("fault_point", "sessions_left"),
    [
        ("placing:before-attempt", 0),
        ("attempts:before-stripe", 0),
        ("attempts:after-stripe", 1),
    ],
)
def test_a_web_process_killed_around_the_call_to_stripe_leaves_a_payable_order(
    sandbox: Any, process_environment: Mapping[str, str], fault_point: str, sessions_left: int
) -> None:
    cart = support.cart_with(VariantFactory())
    code = (
        "from cart.models import Cart; from payments.tests import support;"
        f"support.checkout(Cart.objects.get(pk={cart.pk}))"
    )

    killed = subprocess.run(
        [sys.executable, "manage.py", "shell", "-c", code],
        cwd=PROJECT,
        env=dict(process_environment) | {"FAULT_POINT": fault_point},
        capture_output=True,
        check=False,
    )

    assert killed.returncode == -signal.SIGKILL
    order = Order.objects.get()
    assert order.status == Status.PENDING
    assert len(support.stripe_get("checkout/sessions")["data"]) == sessions_left
    attempt = open_attempt(order_id=order.pk, at=support.stripe_now())
    assert [s["id"] for s in support.stripe_get("checkout/sessions")["data"]] == [
        attempt.session_id
    ]
    assert PaymentAttempt.objects.count() == 1


def test_a_worker_waits_out_an_outage_of_stripe_longer_than_one_retry(
    sandbox: Any, process_environment: Mapping[str, str]
) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory()))
    sandbox.pay(attempt.url)
    for event in sandbox.events():
        support.deliver(event)
    sandbox.fault(kind="error_before", times=None)

    with start_worker(process_environment) as worker:
        wait_until(lambda: InboxEvent.objects.filter(state="retrying", attempts__gte=2).exists())
        sandbox.clear_faults()
        wait_until(lambda: support.reread(attempt.order).status == Status.PAID)
        worker.terminate()
        assert worker.wait(timeout=30) == 0
