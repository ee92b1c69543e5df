"""The shop's processes: started as in production, killed at random and at every fault point."""

import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path

import requests

from config.demo import HOST, Part, say, started

__all__ = ["HOST", "PROJECT", "Town", "free_port"]

PROJECT = Path(__file__).resolve().parent.parent
# Between two troubles of the same process: it must come up and work in between.
_LIVES_SECONDS = (20.0, 60.0)
_UP_WITHIN_SECONDS = 180
# gunicorn's word for a child that somebody killed.
_CHILD_KILLED = b"was sent SIGKILL"
_WEBS = ("front", "back")
# Where each process may be told to die: by the room that names the point. Not `front`, as Stripe's
# events must arrive now and then.
_DIES_IN = {
    "back": {"placing", "attempts", "canceling"},
    "worker1": {"inbox", "settling", "disputes", "holds", "attempts", "reconciliation"},
    "worker2": {"inbox", "settling", "refunds", "mail"},
    "staff": {"attempts", "canceling", "manual", "reviews"},
}
_SETUP = """
from shop import services
from shop.clock import now
from shop.models import Variant
for place, variant in enumerate(Variant.objects.order_by("pk")):
    # One in eight is scarce, so that the last unit is fought for.
    services.receive(variant_id=variant.pk, quantity=3 if place % 8 == 0 else 2000,
                     reference="chaos", at=now())
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


class Town:
    """Sandbox, two web servers, two workers and staff; all but the sandbox may die at any time.

    `front` is where Stripe's webhooks go. A process whose life is over is killed outright, or it
    was told at its start to kill itself at one of the fault points.
    """

    def __init__(
        self, environment: dict[str, str], directory: Path, ports: dict[str, int], seed: int
    ) -> None:
        self.environment, self.seed = environment, seed
        self.database = environment["DATABASE_URL"]
        self.sandbox = environment["STRIPE_API_HOST"]
        self.shops = [f"http://{HOST}:{ports[name]}" for name in ("front", "back")]
        self._directory, self._ports = directory, ports
        self._dice = random.Random(f"{seed}-town")
        points = fault_points()
        self._points = {
            name: [point for point in points if point.partition(":")[0] in rooms]
            for name, rooms in _DIES_IN.items()
        }
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._until: dict[str, float] = {}
        self._point: dict[str, str] = {}
        self._killed: Counter[str] = Counter()
        self._died: Counter[str] = Counter()
        # Of each web server: the deaths of its own processes in its log, and those by our hand.
        self._told_deaths: Counter[str] = Counter()
        self._random_deaths: Counter[str] = Counter()
        self._stack = ExitStack()
        self._arguments = {
            "front": ("manage.py", "web"),
            "back": ("manage.py", "web"),
            "worker1": ("manage.py", "worker"),
            "worker2": ("manage.py", "worker"),
            "staff": ("-m", "chaos.staff", str(seed)),
        }

    def close(self) -> None:
        """End every process."""
        for name in list(self._running):
            self._kill(name)
        self._stack.close()

    @property
    def kills(self) -> int:
        """How many processes were killed so far."""
        return self._killed.total()

    @property
    def accidents(self) -> dict[str, int]:
        """Processes that ended by themselves, with their number; nobody meant them to."""
        return dict(self._died)

    def told(self) -> str:
        rows = ", ".join(f"{name} {count}" for name, count in sorted(self._killed.items()))
        return f"{self.kills} ({rows})"

    def open(self) -> None:
        """Set the database up and start everything."""
        say("Setting up ...")
        for command in (
            ("migrate", "--verbosity", "0"),
            ("seed",),
            ("shell", "--verbosity", "0", "-c", _SETUP),
        ):
            self.manage(*command)
        webhook = self.manage("provision_webhook").strip()
        part = Part(
            "sandbox",
            (
                "-m",
                "stripe_sandbox",
                "--port",
                str(self._ports["sandbox"]),
                "--seed",
                str(self.seed),
                "--state",
                str(self._directory / "sandbox.sqlite3"),
            ),
            self._directory / "sandbox.log",
            (self._ports["sandbox"], "/_sandbox/faults"),
        )
        environment = self.environment | {"STRIPE_WEBHOOK_URL": webhook}
        self._stack.enter_context(started([part], environment))
        for name in self._arguments:
            self._start(name)
        self.await_shops()

    def manage(self, *arguments: str) -> str:
        """Run a command of the shop to its end; return what it wrote."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=PROJECT,
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout

    def await_shops(self) -> None:
        for shop in self.shops:
            give_up_at = time.monotonic() + _UP_WITHIN_SECONDS
            while not _answers(f"{shop}/health"):
                if time.monotonic() > give_up_at:
                    raise TimeoutError(f"{shop} does not answer")
                time.sleep(0.2)

    def trouble(self) -> None:
        """Kill whose time has come, and start again what is dead."""
        for name in self._arguments:
            process = self._running[name]
            self._hear_of_deaths(name)
            if process.poll() is not None:
                if process.returncode == -signal.SIGKILL:
                    self._killed[self._point[name] or "at random"] += 1
                else:
                    self._died[f"{name} ended with status {process.returncode}"] += 1
                self._start(name)
            elif time.monotonic() > self._until[name]:
                if name in _WEBS and not self._point[name] and self._dice.random() < 0.7:
                    self._kill_child(name)
                    self._until[name] += self._dice.uniform(*_LIVES_SECONDS)
                else:
                    self._kill(name)
                    self._killed["at random"] += 1
                    self._start(name)

    def _hear_of_deaths(self, name: str) -> None:
        """Count what a web server's log tells: its own processes die at its point or at random."""
        if name not in _WEBS:
            return
        told = (self._directory / f"{name}.log").read_bytes().count(_CHILD_KILLED)
        new = told - self._told_deaths[name]
        self._told_deaths[name] = told
        at_random = min(new, self._random_deaths[name])
        self._random_deaths[name] -= at_random
        self._killed["at random"] += at_random
        self._killed[self._point[name] or "at random"] += new - at_random
        if self._point[name] and new > at_random:
            # Its next child would die there too, and the next: nobody could buy here.
            self._until[name] = 0

    def calm(self) -> None:
        """End everything, then start web and one worker that nothing happens to."""
        for name in list(self._running):
            self._kill(name)
        for name in ("front", "back", "worker1"):
            self._start(name, in_peace=True)
        self.await_shops()

    def _start(self, name: str, *, in_peace: bool = False) -> None:
        # A life with a point follows one without, so that each gets some work done.
        has_point = name in self._points and not (in_peace or self._point.get(name))
        self._point[name] = self._dice.choice(self._points[name]) if has_point else ""
        self._until[name] = time.monotonic() + self._dice.uniform(*_LIVES_SECONDS)
        port = self._ports.get(name)
        with (self._directory / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, *self._arguments[name]],
                cwd=PROJECT,
                env=self.environment
                | {
                    "FAULT_POINT": self._point[name],
                    "GUNICORN_CMD_ARGS": f"--bind {HOST}:{port} --workers 1 --threads 4",
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _kill_child(self, name: str) -> None:
        """Kill one of a web server's own processes; the server makes another."""
        parent = self._running[name].pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        if children:
            with suppress(ProcessLookupError):
                os.kill(int(self._dice.choice(children)), signal.SIGKILL)
                self._random_deaths[name] += 1

    def _kill(self, name: str) -> None:
        process = self._running.pop(name)
        self._hear_of_deaths(name)
        self._random_deaths[name] = 0
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def fault_points() -> list[str]:
    """Return the points that payments and orders name in their code."""
    found: set[str] = set()
    for room in ("payments", "orders"):
        for path in (PROJECT / room).rglob("*.py"):
            if "tests" not in path.parts:
                found.update(re.findall(r'fault_point\("([^"]+)"\)', path.read_text()))
    return sorted(found)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False
