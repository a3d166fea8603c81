"""The browser of all tests in this folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

BROWSER_NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium."""
    executable = next(filter(None, map(shutil.which, BROWSER_NAMES)), None)
    if executable is None:
        pytest.fail("Chromium is not installed; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        # Chromium's sandbox does not work for root, the usual user of a container.
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()
