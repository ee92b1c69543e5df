"""What is asked of every type of page; an answer lists what is wrong, so it should be empty."""

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, Response, ViewportSize

from e2e.admin_pages import AdminPage
from e2e.demo import PAGE_TOOLS
from e2e.nu import Checker
from e2e.page_types import PageType
from e2e.world import World

SCRIPTS = (PAGE_TOOLS / "axe-core" / "axe.min.js", Path(__file__).with_name("inspection.js"))
PHONE = ViewportSize(width=390, height=844)
DESK = ViewportSize(width=1280, height=1024)
# What a window of that size has at 400 %.
ZOOMED = ViewportSize(width=320, height=256)
# In Playwright's words for what assistive technology hears: "- heading", "[level=1]", addresses.
ROLES = re.compile(r"^\s*- (/url:.*|\w+:?)|\[[^]]*]", re.MULTILINE)
# A small window has "Page 7 of 13" between Previous and Next in place of all the numbers.
PAGER = re.compile(r'^( *)- navigation "Pages":\n(\1 .*\n?)*', re.MULTILINE)
BUTTONS = re.compile(r"^\s*- button.*", re.MULTILINE)

Findings = dict[str, list[str]]


@cache
def scripts() -> str:
    """Return what is run in a page before it is asked."""
    return "\n".join(path.read_text() for path in SCRIPTS)


@dataclass
class Inspector:
    """Judges pages, one after the other; `scriptless` is a browser without JavaScript."""

    world: World
    scriptless: BrowserContext
    check_html: Checker

    def inspect(self, kind: PageType, page: Page) -> Findings:
        """Open a page of this kind in `page`, a new one, and answer each question about it."""
        answers: list[Response] = []
        page.on("response", lambda answer: answers.append(answer))
        page.set_viewport_size(PHONE)
        kind.open(page, self.world)
        page.wait_for_load_state()
        document = next(answer for answer in reversed(answers) if _is_document_of(page, answer))
        source = document.text()
        page.evaluate(scripts())
        found = {
            "answer": _judge_answer(kind, page, document),
            "requests": self._judge_requests(answers),
            "HTML": self.check_html(source),
            **_judge_looks(page),
        }
        if not kind.is_changed:
            found["without scripts"] = self._judge_without_scripts(page, document, source)
        return found

    def _judge_requests(self, answers: list[Response]) -> list[str]:
        ours = (self.world.demo.shop_url, self.world.demo.sandbox_url, "data:")
        return [
            f"asks a third party: {answer.url}"
            for answer in answers
            if not answer.url.startswith(ours)
        ]

    def _judge_without_scripts(self, page: Page, document: Response, source: str) -> list[str]:
        """Show the same answer to a browser without JavaScript: it is to say the same, and to work.

        Scripts may bring buttons, and take buttons away.
        """
        other = self.scriptless.new_page()
        other.set_viewport_size(PHONE)
        other.route(
            document.url,
            lambda route: route.fulfill(body=source, content_type="text/html; charset=utf-8"),
        )
        other.goto(document.url)
        other.evaluate(scripts())
        found = other.evaluate("inspection.unfold(), inspection.idleButtons()")
        missing = _words(page, but=BUTTONS) - _words(other, but=BUTTONS)
        other.close()
        return [*found, *_listed("missing", missing)]


def inspect_admin(kind: AdminPage, page: Page, rows: dict[str, str]) -> Findings:
    """Open a page of the admin, and answer what is asked of it: less, as its frame is Unfold's."""
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.set_viewport_size(PHONE)
    kind.open(page, rows)
    page.evaluate(scripts())
    found = {
        "390 px": page.evaluate("inspection.width()"),
        "icons": page.evaluate("inspection.iconsReadOut()"),
        "axe, 390 px, light": page.evaluate("inspection.axe(['serious', 'critical'])"),
    }
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(DESK)
    found["axe, 1280 px, dark"] = page.evaluate("inspection.axe(['serious', 'critical'])")
    return found


def _is_document_of(page: Page, answer: Response) -> bool:
    return answer.request.is_navigation_request() and answer.frame == page.main_frame


def _judge_answer(kind: PageType, page: Page, document: Response) -> list[str]:
    found = []
    if document.status != kind.status:
        found.append(f"status {document.status}, not {kind.status}")
    robots = page.evaluate("inspection.robots()") + document.headers.get("x-robots-tag", "")
    if ("noindex" in robots) == kind.is_indexed:
        found.append(f"robots: {robots!r}")
    return found


def _judge_looks(page: Page) -> Findings:
    found: Findings = {"390 px": page.evaluate("inspection.layout()")}
    # Without motion from here on, so that no color is judged on its way from light to dark.
    page.emulate_media(reduced_motion="reduce")
    found["reduced motion"] = page.evaluate("inspection.motion()")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found[f"axe, {scheme}"] = page.evaluate("inspection.axe()")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(DESK)
    # What can be unfolded is not hidden.
    page.evaluate("inspection.unfold()")
    wide = _words(page, but=PAGER)
    page.set_viewport_size(ZOOMED)
    found["400 %"] = page.evaluate("inspection.layout()")
    found["400 %"] += _listed("hidden", wide - _words(page, but=PAGER))
    page.set_viewport_size(PHONE)
    return found


def _words(page: Page, but: re.Pattern[str]) -> Counter[str]:
    """Return each word that the page says or has as a name, with how often."""
    heard = ROLES.sub("", but.sub("", page.locator("body").aria_snapshot()))
    return Counter(re.findall(r"\w+", heard))


def _listed(what: str, words: Counter[str]) -> list[str]:
    return [f"{what}: {' '.join(words)}"] if words else []


def wrong(findings: Findings) -> Findings:
    """Keep the questions with something wrong."""
    return {question: found for question, found in findings.items() if found}
