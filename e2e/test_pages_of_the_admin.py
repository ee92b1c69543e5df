"""Every type of page of the admin is in order: e2e/admin_pages.py lists them."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from e2e.admin_pages import ADMIN_PAGES, AdminPage
from e2e.conftest import contexts
from e2e.demo import Demo
from e2e.inspection import inspect_admin, wrong


@pytest.fixture(scope="module")
def rows(awkward_demo: Demo) -> dict[str, str]:
    said = awkward_demo.run("from e2e import admin_rows; admin_rows.make()")
    return dict(line.split("\t") for line in said.splitlines())


@pytest.fixture(scope="module")
def staff_page(awkward_demo: Demo, chromium: Browser, rows: dict[str, str]) -> Iterator[Page]:
    """One browser for all pages, signed in."""
    with contexts(chromium, awkward_demo.shop_url) as open_context:
        context = open_context()
        key, url = rows["session"], awkward_demo.shop_url
        context.add_cookies([{"name": "sessionid", "value": key, "url": url}])
        yield context.new_page()


@pytest.mark.parametrize("kind", ADMIN_PAGES, ids=lambda kind: kind.name)
def test_nothing_is_wrong_with(kind: AdminPage, staff_page: Page, rows: dict[str, str]) -> None:
    assert wrong(inspect_admin(kind, staff_page, rows)) == {}
