"""One burst of load on one target: wrk sends, /proc tells what the server's processes took."""

import json
import os
import subprocess
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from bench.targets import Target
from config.demo import HOST

SCRIPT = Path(__file__).with_name("load.lua")
# Enough to keep one process of the server busy, few enough that requests hardly queue.
CONNECTIONS = 4
PATIENCE_SECONDS = 30
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class WrongAnswer(Exception):
    """The server answered otherwise than it should; the message says what and where."""


@dataclass(frozen=True)
class Burst:
    """What one burst came to; times in milliseconds, `cpu_ms` of all the server per request."""

    per_second: float
    p50_ms: float
    p95_ms: float
    cpu_ms: float


@dataclass(frozen=True)
class Server:
    name: str
    port: int
    pid: int

    def check(self, target: Target) -> None:
        """Send each of the target's requests once and read the answers; raises WrongAnswer."""
        connection = HTTPConnection(HOST, self.port, timeout=PATIENCE_SECONDS)
        for request in target.requests:
            headers = {"Cookie": request.cookie} if request.cookie else {}
            if request.body:
                headers["Content-Type"] = "application/x-www-form-urlencoded"
            method = "POST" if request.body else "GET"
            connection.request(method, request.path, request.body or None, headers)
            answer = connection.getresponse()
            shown = answer.read().decode() + answer.getheader("Location", "")
            if answer.status != target.status or target.shows not in shown:
                raise WrongAnswer(
                    f"{self.name}: {method} {request.path} as {target.visitor} answered "
                    f"{answer.status}, not {target.status} with {target.shows!r}."
                )
        connection.close()

    def burst(self, target: Target, requests: Path, seconds: int) -> Burst:
        """Load the server with what the file `requests` says; raises WrongAnswer."""
        command = ["wrk", "--threads=1", f"--connections={CONNECTIONS}", f"--duration={seconds}s"]
        command += [f"--script={SCRIPT}", f"http://{HOST}:{self.port}", "--"]
        before = _cpu_seconds(self.pid)
        done = subprocess.run(
            [*command, str(requests), str(target.status)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=seconds + PATIENCE_SECONDS,
        )
        spent = _cpu_seconds(self.pid) - before
        told = json.loads(done.stdout.splitlines()[-1])
        if not told["requests"]:
            raise WrongAnswer(
                f"{self.name}, {target.page} as {target.visitor}: no answer within {seconds} s. "
                "Is the machine busy? A larger BENCH_SECONDS may help."
            )
        if told["wrong"] or told["broken"]:
            raise WrongAnswer(
                f"{self.name}, {target.page} as {target.visitor}: of {told['requests']} answers "
                f"{told['wrong']} were wrong (such as {told['wrong_status']}), "
                f"{told['broken']} connections broke."
            )
        return Burst(
            per_second=told["requests"] / told["seconds"],
            p50_ms=told["p50_ms"],
            p95_ms=told["p95_ms"],
            cpu_ms=1_000 * spent / told["requests"],
        )


def _cpu_seconds(pid: int) -> float:
    """Return what a process and all its children, those that ended too, have used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    # utime and stime, and the same of children that ended: fields 14 to 17 of proc(5).
    own = sum(int(ticks) for ticks in fields[11:15]) / TICKS_PER_SECOND
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own + sum(_cpu_seconds(int(child)) for child in children)
