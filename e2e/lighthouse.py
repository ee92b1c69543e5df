"""Google's Lighthouse with its mobile preset: a slow telephone on a slow network, simulated."""

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e.browser import path_of_chromium
from e2e.demo import PAGE_TOOLS

# Root cannot have Chromium's sandbox.
CHROMIUM_FLAGS = "--headless=new --no-sandbox --disable-gpu"
# Its clock is the wall's: other work on the machine counts as slowness of the page.
QUIET_LOAD = 1.0
LOAD_POLL_SECONDS = 5
# On a busy machine it may miss the start of a page (NO_NAVSTART), and asks to be run again.
TRIES = 3


@dataclass(frozen=True)
class Verdict:
    """The median of several runs, from 0 to 100 by category, and what cost points."""

    scores: Mapping[str, int]
    performances: tuple[int, ...]
    load: float
    complaints: tuple[str, ...]


def judge(
    url: str, *, cookies: str, runs: int, patience_seconds: float, reports: Path, name: str
) -> Verdict:
    """Run Lighthouse on the page `runs` times; the report of the median run stays in `reports`.

    Waits up to `patience_seconds` for a quiet machine; then it runs all the same.
    """
    load = _await_quiet(patience_seconds)
    with tempfile.TemporaryDirectory(prefix="lighthouse-") as directory:
        stems = [Path(directory) / f"{name}-{run}" for run in range(runs)]
        results = [_run(url, cookies, stem) for stem in stems]
        performances = [_scores(result)["performance"] for result in results]
        median = performances.index(statistics.median_low(performances))
        for ending in ("html", "json"):
            report = stems[median].with_name(f"{stems[median].name}.report.{ending}")
            (reports / f"lighthouse-{name}.{ending}").write_bytes(report.read_bytes())
    # What does not depend on the clock must be good in every run.
    scores = {
        category: min(_scores(result)[category] for result in results)
        for category in _scores(results[0])
    }
    return Verdict(
        scores | {"performance": performances[median]},
        tuple(performances),
        load,
        _complaints(results[median]),
    )


def _await_quiet(patience_seconds: float) -> float:
    deadline = time.monotonic() + patience_seconds
    while (load := os.getloadavg()[0]) > QUIET_LOAD and time.monotonic() < deadline:
        time.sleep(LOAD_POLL_SECONDS)
    return load


def _run(url: str, cookies: str, stem: Path) -> dict[str, Any]:
    command = ["node", str(PAGE_TOOLS / "lighthouse" / "cli" / "index.js"), url, "--quiet"]
    command += ["--output=json", "--output=html", f"--output-path={stem}"]
    command += [f"--chrome-flags={CHROMIUM_FLAGS}"]
    if cookies:
        command.append(f"--extra-headers={json.dumps({'Cookie': cookies})}")
    environment = dict(os.environ) | {"CHROME_PATH": path_of_chromium()}
    for _ in range(TRIES):
        if subprocess.run(command, env=environment).returncode == 0:
            break
    else:
        raise RuntimeError(f"Lighthouse gave no verdict on {url}; it says why above.")
    result: dict[str, Any] = json.loads(stem.with_name(f"{stem.name}.report.json").read_text())
    return result


def _scores(result: dict[str, Any]) -> dict[str, int]:
    return {
        name: round(100 * (category["score"] or 0))
        for name, category in result["categories"].items()
    }


def _complaints(result: dict[str, Any]) -> tuple[str, ...]:
    """Return what is not perfect among the audits that count."""
    counting = {
        audit["id"]: category["id"]
        for category in result["categories"].values()
        for audit in category["auditRefs"]
        if audit["weight"]
    }
    return tuple(
        f"{counting[name]}: {audit['title']} {audit.get('displayValue', '')}".rstrip()
        for name, audit in result["audits"].items()
        if name in counting and audit["score"] is not None and audit["score"] < 1
    )
