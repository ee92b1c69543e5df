"""The demo, a browser, and pages whose every complaint fails the test."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Response,
    expect,
)

from e2e import browser, steps
from e2e.demo import Demo

PATIENCE_MS = 15_000
# Chromium says so of each answer 4xx and 5xx; those are judged where they are heard.
REFUSED = "the server responded with a status of"
# Documents, and what htmx asks for, may be refused with 4xx; all else that a page needs is there.
MAY_BE_REFUSED = {"document", "xhr"}

expect.set_options(timeout=PATIENCE_MS)

OpenContext = Callable[..., BrowserContext]


@pytest.fixture(scope="session")
def first_demo() -> Iterator[Demo]:
    """One demo for all tests: the first start on an empty database takes most of a minute."""
    # Two paperbacks and their shipping are above the limit, one and its shipping are not.
    with Demo.running(REFUND_LIMIT_MINOR="2000") as demo:
        yield demo


@pytest.fixture
def demo(first_demo: Demo) -> Demo:
    """The demo, running also after a test that has stopped it."""
    if not first_demo.is_running:
        first_demo.start()
    return first_demo


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    try:
        with browser.chromium() as chromium:
            yield chromium
    except browser.ChromiumMissing as error:
        pytest.exit(str(error), 1)


@pytest.fixture(scope="session")
def awkward_demo(first_demo: Demo) -> Demo:
    """The demo, with the data that a real shop has."""
    first_demo.run("from e2e import awkward; awkward.make()")
    return first_demo


@contextmanager
def contexts(chromium: Browser, shop_url: str) -> Iterator[OpenContext]:
    """Yield what opens a browser that nobody has used; `options` are Playwright's.

    What any of its pages complains of raises in the end: errors in the console, among them all that
    the browser policy has refused, scripts that fail, and answers 5xx other than `expected`.
    """
    complaints: list[str] = []
    opened: list[BrowserContext] = []

    def hear_console(message: ConsoleMessage) -> None:
        if message.type == "error" and REFUSED not in message.text:
            complaints.append(f"{message.page and message.page.url}: {message.text}")

    def hear_response(response: Response, expected: int) -> None:
        worst = 499 if response.request.resource_type in MAY_BE_REFUSED else 399
        if response.status > worst and response.status != expected:
            complaints.append(f"{response.url}: {response.status}")

    def open_one(expected: int = 200, **options: Any) -> BrowserContext:
        context = chromium.new_context(base_url=shop_url, **options)
        context.set_default_timeout(PATIENCE_MS)
        context.on("console", hear_console)
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        context.on("response", lambda response: hear_response(response, expected))
        opened.append(context)
        return context

    yield open_one
    for context in opened:
        context.close()
    assert complaints == []


@pytest.fixture
def open_context(chromium: Browser, demo: Demo) -> Iterator[OpenContext]:
    with contexts(chromium, demo.shop_url) as open_one:
        yield open_one


@pytest.fixture
def page(open_context: OpenContext) -> Page:
    """A page of a visitor who was never here before."""
    return open_context().new_page()


@pytest.fixture
def staff(open_context: OpenContext, demo: Demo) -> Page:
    """A page of the admin, signed in with the login that the demo has printed."""
    page = open_context().new_page()
    steps.sign_in_as_staff(page, demo.admin_email, demo.admin_password)
    expect(page).to_have_url(f"{demo.shop_url}/admin/")
    return page


@pytest.fixture
def email() -> str:
    """The address of a buyer whom the shop does not know."""
    return f"reader-{uuid.uuid4().hex[:12]}@example.com"
