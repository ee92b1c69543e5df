"""`make quality`: axe and the HTML checker on every type of page, Lighthouse on the main ones.

The shop is served as in production: by gunicorn, DEBUG off, static files compressed. Ends 1 when
anything is wrong or below its floor. The environment may say QUALITY_RUNS (5), and
QUALITY_PATIENCE (600), the seconds that Lighthouse waits for a quiet machine before each page.
"""

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict

import requests
from playwright.sync_api import Error as PlaywrightError

from e2e import browser, lighthouse, nu
from e2e.demo import PROJECT, Demo
from e2e.inspection import Findings, Inspector
from e2e.lighthouse import Verdict
from e2e.page_types import PAGE_TYPES
from e2e.world import World

REPORTS = PROJECT / "var" / "quality"
FLOORS = {"performance": 95, "accessibility": 100, "best-practices": 100, "seo": 100}
# By the names of the page types. Those in the second line are kept out of search engines, which
# Lighthouse counts against them.
INDEXED = {"home": "/", "category": "/category/fiction/", "product": "/product/walden/"}
PRIVATE = {"search": "/search/?q=the", "cart": "/cart/", "checkout": "/checkout/"}


def main() -> int:
    runs = int(os.environ.get("QUALITY_RUNS", "5"))
    patience = float(os.environ.get("QUALITY_PATIENCE", "600"))
    REPORTS.mkdir(parents=True, exist_ok=True)
    with Demo.running() as demo:
        verdicts = run_lighthouse(demo, runs=runs, patience_seconds=patience)
        findings = inspect_all(demo)
    (REPORTS / "pages.json").write_text(json.dumps(findings, indent=2, ensure_ascii=False))
    (REPORTS / "lighthouse.json").write_text(
        json.dumps({name: asdict(verdict) for name, verdict in verdicts.items()}, indent=2)
    )
    print(table(findings, verdicts))
    failures = complaints(findings, verdicts)
    print("\n".join(failures) if failures else "Nothing is wrong.")
    print(f"Reports: {REPORTS}")
    return 1 if failures else 0


def run_lighthouse(demo: Demo, *, runs: int, patience_seconds: float) -> dict[str, Verdict]:
    cookies = cookies_of_a_cart(demo.shop_url)
    verdicts = {}
    for name, path in (INDEXED | PRIVATE).items():
        print(f"Lighthouse, {runs} times: {name}", file=sys.stderr)
        verdicts[name] = lighthouse.judge(
            demo.shop_url + path,
            cookies=cookies if name in {"cart", "checkout"} else "",
            runs=runs,
            patience_seconds=patience_seconds,
            reports=REPORTS,
            name=name,
        )
    return verdicts


def cookies_of_a_cart(shop_url: str) -> str:
    """Put a book into a cart of one's own; returns the header that belongs to it."""
    session = requests.Session()
    page = session.get(f"{shop_url}/product/walden/", timeout=10).text
    variant = re.search(r'name="variant" value="(\d+)"', page)
    assert variant, page
    answer = session.post(
        f"{shop_url}/cart/add/",
        data={"variant": variant[1], "quantity": 1},
        headers={"Sec-Fetch-Site": "same-origin"},
        timeout=10,
    )
    answer.raise_for_status()
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in session.cookies)


def inspect_all(demo: Demo) -> dict[str, Findings]:
    demo.run("from e2e import awkward; awkward.make()")
    found = {}
    with nu.checker() as check_html, browser.chromium() as chromium:
        world = World(demo, lambda: chromium.new_context(base_url=demo.shop_url))
        scriptless = chromium.new_context(java_script_enabled=False)
        inspector = Inspector(world, scriptless, check_html)
        for kind in PAGE_TYPES:
            print(f"Inspecting: {kind.name}", file=sys.stderr)
            context = world.open_context()
            try:
                found[kind.name] = inspector.inspect(kind, context.new_page())
            except PlaywrightError as error:
                found[kind.name] = {"answer": [f"not reached: {error.message}"]}
            context.close()
    return found


def table(findings: Mapping[str, Findings], verdicts: Mapping[str, Verdict]) -> str:
    """Return a line per type of page: how much is wrong, and Lighthouse's points where it ran."""
    lines = [
        f"{'':36}{'axe':>5}{'HTML':>6}{'other':>7}"
        f"{'performance':>25}{'accessib.':>11}{'practices':>11}{'SEO':>5}{'load':>6}"
    ]
    for name, found in findings.items():
        counts = Counter({_column(question): 0 for question in found})
        for question, answers in found.items():
            counts[_column(question)] += len(answers)
        line = f"{name:36}{counts['axe']:>5}{counts['HTML']:>6}{counts['other']:>7}"
        if verdict := verdicts.get(name):
            points = verdict.scores
            spread = f"{points['performance']} of {' '.join(map(str, verdict.performances))}"
            line += f"{spread:>25}{points['accessibility']:>11}{points['best-practices']:>11}"
            line += f"{points['seo'] if name in INDEXED else '-':>5}{verdict.load:>6.1f}"
        lines.append(line)
    note = "performance: the median of all runs; load: of the machine, 1.0 keeps one core busy"
    return "\n".join([*lines, note])


def _column(question: str) -> str:
    if question.startswith("axe"):
        return "axe"
    return question if question == "HTML" else "other"


def complaints(findings: Mapping[str, Findings], verdicts: Mapping[str, Verdict]) -> list[str]:
    """Return everything that is wrong, in words."""
    said = [
        f"{name}, {question}: {answer}"
        for name, found in findings.items()
        for question, answers in found.items()
        for answer in answers
    ]
    for name, verdict in verdicts.items():
        below = [
            f"{category} {verdict.scores[category]} instead of {floor}"
            for category, floor in FLOORS.items()
            if verdict.scores[category] < floor and (category != "seo" or name in INDEXED)
        ]
        if below:
            said.append(f"{name}, Lighthouse: {', '.join(below)}")
            said += [f"{name}, Lighthouse: {complaint}" for complaint in verdict.complaints]
    return said


if __name__ == "__main__":
    sys.exit(main())
