"""What a first visit costs: bytes, cookies, patience."""

import pytest
from playwright.sync_api import Page, Route

CATALOG = ["/", "/category/fiction/", "/product/walden/"]
MOST_BYTES = 100_000
WATCH_SHIFTS = """
globalThis.shifts = [];
new PerformanceObserver((list) => shifts.push(...list.getEntries().map((entry) => entry.value)))
  .observe({ type: "layout-shift", buffered: true });
"""
# Shifts are told with the frame after the one they happen in.
TWO_FRAMES = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


@pytest.mark.parametrize("path", CATALOG)
def test_a_page_comes_in_under_100_kb_without_pictures(page: Page, path: str) -> None:
    finished = []
    page.on("requestfinished", lambda request: finished.append(request))

    page.goto(path, wait_until="networkidle")

    weights = {
        request.url: request.sizes()["responseHeadersSize"] + request.sizes()["responseBodySize"]
        for request in finished
        if request.resource_type != "image"
    }
    assert len(weights) > 5
    assert sum(weights.values()) < MOST_BYTES, weights


@pytest.mark.parametrize("path", CATALOG)
def test_nothing_moves_when_pictures_come_late(page: Page, path: str) -> None:
    held: list[Route] = []
    page.set_viewport_size({"width": 390, "height": 844})
    page.add_init_script(WATCH_SHIFTS)
    page.route("**/media/**", lambda route: held.append(route))
    page.goto(path, wait_until="domcontentloaded")
    page.evaluate("document.fonts.ready")
    page.evaluate(TWO_FRAMES)

    assert held
    for route in held:
        route.continue_()
    page.unroute("**/media/**")
    page.wait_for_load_state("networkidle")
    page.evaluate(TWO_FRAMES)

    assert page.evaluate("shifts") == []
