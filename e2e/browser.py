"""The system's Chromium."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

# Beside Playwright's own: without a sandbox, which root cannot have, and without talk of its own.
FLAGS = ["--disable-gpu", "--disable-quic"]


class ChromiumMissing(Exception):
    """There is none; the message says what to install."""


def path_of_chromium() -> str:
    """Return the path of the program; raises ChromiumMissing."""
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        raise ChromiumMissing("Chromium is missing: install the Debian package chromium.")
    return path


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run the browser; raises ChromiumMissing."""
    path = path_of_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()
