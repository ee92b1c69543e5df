"""`make bench-staff`: pages of staff in a large shop beside the same pages in a small one.

Both are databases of one PostgreSQL, each asked by a process of its own that does nothing else.
They take turns page by page, and every other round the large one comes first, so that whatever else
the machine does hits both alike. Ends with 1 for a wrong answer, or when the p95 of a judged page
is above 1.3 times the small shop's.
"""

import json
import os
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from statistics import quantiles
from typing import NamedTuple

from bench.serving import (
    PROJECT,
    QUIET,
    Environment,
    SetupError,
    database,
    database_like,
    environment,
    run_python,
    scratch,
)
from config.demo import say
from config.postgres_binaries import EmbeddedPostgresError

SMALL = {"products": 0, "orders": 300}
LARGE = {
    "products": int(os.environ.get("BENCH_PRODUCTS") or 100_000),
    "orders": int(os.environ.get("BENCH_ORDERS") or 1_000_000),
}
ROUNDS = int(os.environ.get("BENCH_ROUNDS") or 100)
JUDGED = ("dashboard", "orders", "order", "order of any age", "products")
MOST = 1.3


class Answer(NamedTuple):
    """What a page took: seconds, and statements where they were counted."""

    seconds: float
    statements: int


@dataclass
class Measured:
    """What a shop's pages took, by page."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    statements: dict[str, int] = field(default_factory=dict)


class Shop:
    """A process that asks for pages of one shop, when it is told to."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._told, self._heard = process.stdin, process.stdout
        self.measured = Measured()
        self.pages: list[str] = json.loads(self._hear())

    def ask(self, page: str, number: int) -> Answer:
        """Ask for a page, about the subject of this number; raises SetupError."""
        print(json.dumps([page, number]), file=self._told, flush=True)
        return Answer(*json.loads(self._hear()))

    def _hear(self) -> str:
        if self._heard and (line := self._heard.readline()):
            return line
        raise SetupError("A page was not what it must be; the reason stands above.")


def main() -> int:
    """Measure, print the table, and return the exit code."""
    # SIGINT too: a shell that starts this in the background has it ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        with redirect_stdout(sys.stderr), ExitStack() as stack:
            directory = stack.enter_context(scratch())
            small_url = stack.enter_context(database(directory))
            small = staff_environment(small_url, environment(small_url, directory))
            run_python(small, "-m", "bench.staff_setup")
            large_url = stack.enter_context(database_like(small_url))
            large = staff_environment(large_url, small)
            for shop, size in ((small, SMALL), (large, LARGE)):
                run_python(shop, "-m", "bench.staff_setup", json.dumps(size))
            both = measure(small, large)
    except KeyboardInterrupt:
        return 130
    except (SetupError, EmbeddedPostgresError) as error:
        print(error, file=sys.stderr)
        return 1
    return report(*both)


def staff_environment(database_url: str, settings: Environment) -> dict[str, str]:
    """Return the environment of a shop with invented orders, whose staff sign in by one step."""
    return {
        **settings,
        **QUIET,
        "DATABASE_URL": database_url,
        # Nobody asks it anything.
        "STRIPE_API_HOST": "http://127.0.0.1:9",
        "STAFF_SECOND_FACTOR": "False",
    }


def measure(*shops: Environment) -> list[Measured]:
    """Ask both shops for each page in turns, round by round; raises SetupError."""
    with ExitStack() as stack:
        asked = [stack.enter_context(_asking(settings)) for settings in shops]
        pages = asked[0].pages
        for page in pages:
            for shop in asked:
                shop.measured.statements[page] = shop.ask(page, 0).statements
        for number in range(1, ROUNDS + 1):
            if number % 10 == 0:
                say(f"Round {number} of {ROUNDS} ...")
            for page in pages:
                for shop in asked if number % 2 else reversed(asked):
                    shop.measured.seconds[page].append(shop.ask(page, number).seconds)
        return [shop.measured for shop in asked]


@contextmanager
def _asking(settings: Environment) -> Iterator[Shop]:
    command = [sys.executable, "-m", "bench.staff_pages", str(ROUNDS)]
    with subprocess.Popen(
        command,
        cwd=PROJECT,
        env=dict(settings),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Shop(process)
        finally:
            process.terminate()


def report(small: Measured, large: Measured) -> int:
    """Print the table; return 1 where a judged page is too much slower in the large shop."""
    print(f"{LARGE['products']:,} products, {LARGE['orders']:,} orders; {ROUNDS} requests each")
    print("| | statements | small p50 ms | large p50 ms | small p95 | large p95 | large / small |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    too_slow = []
    for page, seconds in small.seconds.items():
        (small_p50, small_p95), (large_p50, large_p95) = (
            _percentiles(seconds),
            _percentiles(large.seconds[page]),
        )
        ratio = large_p95 / small_p95
        if page in JUDGED and ratio > MOST:
            too_slow.append(page)
        statements = sorted({small.statements[page], large.statements[page]})
        print(
            f"| {page} | {' to '.join(map(str, statements))} | {small_p50:.0f} | {large_p50:.0f} "
            f"| {small_p95:.0f} | {large_p95:.0f} | {ratio:.2f} |"
        )
    if too_slow:
        print(f"Above {MOST}: {', '.join(too_slow)}")
    return int(bool(too_slow))


def _percentiles(seconds: list[float]) -> tuple[float, float]:
    """Return p50 and p95 in milliseconds."""
    cut = quantiles(seconds, n=100)
    return cut[49] * 1000, cut[94] * 1000


if __name__ == "__main__":
    sys.exit(main())
