import os
import signal
import socket
import stat
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from config import demo

# Ends as soon as the file named by its argument is there.
ENDS = """
import sys, time
from pathlib import Path
while not Path(sys.argv[1]).exists():
    time.sleep(0.02)
raise SystemExit("out of paper")
"""
# Makes that file, once it has told its id, and stays.
STAYS = """
import os, signal, sys
from pathlib import Path
print(os.getpid(), flush=True)
Path(sys.argv[1]).touch()
signal.pause()
"""
# Starts a child as stubborn as itself.
IGNORES_SIGTERM = """
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.fork()
print(os.getpid(), flush=True)
signal.pause()
"""


def part(directory: Path, name: str, program: str, *arguments: str) -> demo.Part:
    return demo.Part(name, ("-c", program, *arguments), directory / f"{name}.log")


def test_secrets_are_made_once_for_this_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "demo.env"

    first = demo.keep_secrets(path)
    second = demo.keep_secrets(path)

    assert first == second
    assert len(set(first.values())) == len(first)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("text", ["0", "65535", "-1", "80a", "²"])
def test_a_port_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(demo.DemoError, match="PORT must be a number"):
        demo.web_port({"PORT": text})


def test_the_port_is_8000_unless_named() -> None:
    assert demo.web_port({}) == demo.web_port({"PORT": ""}) == 8000
    assert demo.web_port({"PORT": "9000"}) == 9000


def test_a_busy_port_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "PORT_SECONDS", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(demo.DemoError, match=f"Port {port} .*make demo PORT="):
            demo.require_free(port)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"STRIPE_SECRET_KEY": "", "STRIPE_WEBHOOK_SECRET": ""}, False),
        ({"STRIPE_SECRET_KEY": "sk_test_1", "STRIPE_WEBHOOK_SECRET": "whsec_1"}, True),
    ],
)
def test_own_stripe_is_used_when_both_secrets_are_there(
    environment: Mapping[str, str], expected: bool
) -> None:
    assert demo.has_own_stripe(environment) is expected


def test_half_of_the_stripe_secrets_is_refused_by_the_name_of_the_other() -> None:
    with pytest.raises(demo.DemoError, match=r"^STRIPE_WEBHOOK_SECRET is missing"):
        demo.has_own_stripe({"STRIPE_SECRET_KEY": "sk_test_1"})


def test_a_part_that_ends_is_named_with_the_end_of_its_log_and_ends_the_rest(
    tmp_path: Path,
) -> None:
    signal_file = str(tmp_path / "signal")
    printer = part(tmp_path, "printer", ENDS, signal_file)
    clock = part(tmp_path, "clock", STAYS, signal_file)

    with (
        pytest.raises(demo.DemoError, match=r"(?s)^printer ended \(status 1\).*out of paper"),
        demo.started([printer, clock], os.environ) as processes,
    ):
        demo.watch(processes)

    assert not is_running(int(clock.log.read_text()))


def test_a_part_that_does_not_end_when_asked_is_killed_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "STOP_SECONDS", 0.0)
    stubborn = part(tmp_path, "stubborn", IGNORES_SIGTERM)

    with demo.started([stubborn], os.environ) as processes:
        deadline = time.monotonic() + 20
        while len(ids := stubborn.log.read_text().split()) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    ((_part, process),) = processes
    assert process.returncode == -signal.SIGKILL
    while any(is_running(int(pid)) for pid in ids):
        assert time.monotonic() < deadline


def is_running(pid: int) -> bool:
    """Whether the process exists and is more than an entry that nobody has collected yet."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except (FileNotFoundError, ProcessLookupError):
        return False
