"""Every type of page is in order: e2e/page_types.py lists them, e2e/inspection.py asks."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from e2e import nu
from e2e.conftest import OpenContext
from e2e.demo import Demo
from e2e.inspection import Inspector, wrong
from e2e.page_types import PAGE_TYPES, PageType
from e2e.world import World


@pytest.fixture(scope="module")
def inspector(awkward_demo: Demo, chromium: Browser) -> Iterator[Inspector]:
    world = World(awkward_demo, lambda: chromium.new_context(base_url=awkward_demo.shop_url))
    with nu.checker() as check_html:
        yield Inspector(world, chromium.new_context(java_script_enabled=False), check_html)


@pytest.mark.parametrize("kind", PAGE_TYPES, ids=lambda kind: kind.name)
def test_nothing_is_wrong_with(
    kind: PageType, inspector: Inspector, open_context: OpenContext
) -> None:
    page = open_context(expected=kind.status).new_page()

    assert wrong(inspector.inspect(kind, page)) == {}
