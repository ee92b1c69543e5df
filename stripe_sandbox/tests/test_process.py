"""The process: what it prints, what survives it, how it ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from stripe_sandbox.tests.conftest import PROJECT, SECONDS, Twin
from stripe_sandbox.tests.sessions import count, create


def test_state_survives_a_restart(start: Callable[..., Twin]) -> None:
    before = start()
    open_session, paid = create(before, "key"), before.paid_session()
    events = before.event_types()
    assert before.stop() == 0

    after = start()

    assert after.event_types()[-4:] == events
    assert after.sdk.v1.checkout.sessions.retrieve(paid.id).payment_status == "paid"
    assert create(after, "key").id == open_session.id
    assert count(after) == 2
    assert after.pay(f"{after.url}/c/pay/{open_session.id}").status_code == 303


def test_state_survives_a_kill(start: Callable[..., Twin]) -> None:
    before = start()
    paid = before.paid_session()
    before.process.kill()
    before.process.wait(SECONDS)

    after = start()

    assert after.sdk.v1.checkout.sessions.retrieve(paid.id).payment_status == "paid"
    assert len(after.event_types()) == 4


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly_and_at_once(start: Callable[..., Twin], ending: signal.Signals) -> None:
    twin = start()
    twin.open_session()
    began = time.monotonic()

    twin.process.send_signal(ending)

    assert twin.process.wait(SECONDS) == 0
    assert time.monotonic() - began < 3  # a tenth of that, on a machine at rest


def test_reset_forgets_everything(twin: Twin) -> None:
    twin.paid_session()
    twin.control("faults", kind="rate_limit")

    twin.control("reset")

    assert (count(twin), twin.event_types()) == (0, [])
    assert twin.faults() == []


def test_a_missing_key_stops_the_start_and_is_named(tmp_path: os.PathLike[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "STRIPE_SECRET_KEY"}

    run = subprocess.run(
        [sys.executable, "-m", "stripe_sandbox", "--state", f"{tmp_path}/state.sqlite3"],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )

    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == "STRIPE_SECRET_KEY is not set\n"
