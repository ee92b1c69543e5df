"""`make bench`: how fast the shop is, beside a view as bare as Django allows.

On a PostgreSQL of its own it fills a shop with 1,000 products, serves it as in production, and
loads one target after the other, round by round, so that whatever else the machine does hits all
alike. With BENCH_BESIDE, another checkout of the shop (with the same tables) takes its turns too.
"""

import os
import shutil
import signal
import sys
from contextlib import ExitStack, redirect_stdout
from pathlib import Path

from bench import report
from bench.load import Burst, Server, WrongAnswer
from bench.serving import (
    PROJECT,
    SetupError,
    count_statements,
    database,
    environment,
    prepare,
    scratch,
    serving,
)
from bench.targets import Target
from config.demo import DemoError, say
from config.postgres_binaries import EmbeddedPostgresError

ROUNDS = 5


def main() -> int:
    """Print the tables to stdout and all else to stderr; the process's exit status."""
    # SIGINT too: a shell that starts this in the background has it ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        with redirect_stdout(sys.stderr), ExitStack() as stack:
            try:
                tables = run(stack)
            finally:
                # A second Ctrl-C must not break off the clean-up.
                for number in (signal.SIGINT, signal.SIGTERM):
                    signal.signal(number, signal.SIG_IGN)
    except KeyboardInterrupt:
        return 130
    except (SetupError, DemoError, EmbeddedPostgresError, WrongAnswer) as error:
        print(error, file=sys.stderr)
        return 1
    print("\n\n".join(tables))
    return 0


def run(stack: ExitStack) -> list[str]:
    """Return what was measured, as tables.

    Raises DemoError, EmbeddedPostgresError, KeyboardInterrupt, SetupError, WrongAnswer.
    """
    seconds = _seconds(os.environ.get("BENCH_SECONDS") or "1")
    if not shutil.which("wrk"):
        raise SetupError("wrk is missing: install the Debian package wrk.")
    directory = stack.enter_context(scratch())
    of_shop = environment(stack.enter_context(database(directory)), directory)
    of_bare = of_shop | {"DJANGO_SETTINGS_MODULE": "bench.bare"}
    bare_target, *targets = prepare(of_shop)
    say("Counting statements ...")
    statements = count_statements([bare_target], of_bare) + count_statements(targets, of_shop)

    def serve(name: str, checkout: Path, settings: dict[str, str], path: str) -> Server:
        return stack.enter_context(serving(name, checkout, settings, directory, path))

    bare = serve("bare", PROJECT, of_bare, bare_target.requests[0].path)
    shop = serve("shop", PROJECT, of_shop, "/health")
    turns = [(bare, bare_target), *((shop, target) for target in targets)]
    beside = os.environ.get("BENCH_BESIDE")
    if beside:
        other = serve("beside", Path(beside).resolve(), of_shop, "/health")
        turns += ((other, target) for target in targets)
    measured = measure(turns, seconds, directory)

    ours, theirs = measured[: len(statements)], measured[len(statements) :]
    tables = [report.table(zip([bare_target, *targets], ours, strict=True), ours[0], statements)]
    if beside:
        tables.append(report.comparison(zip(targets, ours[1:], theirs, strict=True)))
    return tables


def measure(turns: list[tuple[Server, Target]], seconds: int, directory: Path) -> list[list[Burst]]:
    """Load each in turn, round by round; return the bursts of each. Raises WrongAnswer."""
    say("Checking every answer ...")
    files = []
    for number, (server, target) in enumerate(turns):
        server.check(target)
        files.append(directory / f"requests-{number}")
        files[-1].write_text("".join(f"{r.path}\t{r.cookie}\t{r.body}\n" for r in target.requests))
    bursts: list[list[Burst]] = [[] for _ in turns]
    for number in range(1, ROUNDS + 1):
        say(f"Round {number} of {ROUNDS}: {len(turns)} targets, {seconds} s each ...")
        for (server, target), file, found in zip(turns, files, bursts, strict=True):
            found.append(server.burst(target, file, seconds))
    return bursts


def _seconds(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise SetupError(f"BENCH_SECONDS must be a whole number above zero, not {text!r}.")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
