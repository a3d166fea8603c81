"""The reports in a real browser: what people see, and what a screen reader is told."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, Page, Request, ViewportSize, sync_playwright
from psycopg.conninfo import make_conninfo

from tests.support import paths
from tests.support.databases import new_database
from tests.support.report_gallery import KINDS, gallery

pytestmark = pytest.mark.browser

PHONE: ViewportSize = {"width": 360, "height": 740}
DESK: ViewportSize = {"width": 1100, "height": 900}
AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
IMAGES = paths.ROOT / "docs" / "images"
Scheme = Literal["light", "dark"]
NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, as the system has it."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.fail("There is no Chromium; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        # As root, which a container often is, Chromium has no sandbox.
        browser = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def pages(
    server: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Path]]:
    """The page of each kind of report."""
    with new_database(server, template) as name:
        yield gallery(
            make_conninfo(server, dbname=name), tmp_path_factory.mktemp("reports")
        )


class Seen:
    """A report in a window of some size.

    Attributes:
        page: Playwright's.
        said: what came to the console, errors of the page among it.
        asked_for: addresses that the page wanted to have, itself not among them.
    """

    def __init__(
        self,
        browser: Browser,
        path: Path,
        *,
        viewport: ViewportSize = DESK,
        scheme: Scheme = "light",
        has_scripts: bool = True,
    ) -> None:
        self.said: list[str] = []
        self.asked_for: list[str] = []
        self._context = browser.new_context(
            viewport=viewport, color_scheme=scheme, java_script_enabled=has_scripts
        )
        self.page: Page = self._context.new_page()
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", self._note)
        self._own = path.as_uri()
        self.page.goto(self._own, wait_until="load")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._context.close()

    def _note(self, request: Request) -> None:
        if request.url != self._own:
            self.asked_for.append(request.url)


@pytest.fixture(params=KINDS)
def path(request: pytest.FixtureRequest, pages: dict[str, Path]) -> Path:
    return pages[request.param]


def test_it_is_silent_and_asks_nobody_for_anything(
    browser: Browser, path: Path
) -> None:
    with Seen(browser, path) as seen:
        assert seen.page.title()
        assert seen.said == []
        assert seen.asked_for == []


def test_it_needs_no_script(browser: Browser, path: Path) -> None:
    """Some mail programs and viewers run none."""
    with Seen(browser, path) as seen:
        shown = seen.page.inner_text("main")
        assert seen.page.locator("script").count() == 0
    with Seen(browser, path, has_scripts=False) as seen:
        assert seen.page.locator("main").inner_text() == shown


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(browser: Browser, path: Path, scheme: Scheme) -> None:
    with Seen(browser, path, viewport=PHONE, scheme=scheme) as seen:
        width = seen.page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"]


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(
    browser: Browser, path: Path, scheme: Scheme, viewport: ViewportSize
) -> None:
    """Contrast, structure, names: all rules, the recommended ones among them."""
    with Seen(browser, path, viewport=viewport, scheme=scheme) as seen:
        # Closed details are not looked at otherwise.
        seen.page.evaluate(
            "document.querySelectorAll('details').forEach(d => { d.open = true; })"
        )
        # Not as an element: the page's own policy forbids scripts.
        seen.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = seen.page.evaluate("axe.run(document)")
    assert found["passes"]
    assert [
        (rule["id"], node["html"][:200], node["failureSummary"])
        for rule in found["violations"]
        for node in rule["nodes"]
    ] == []


def test_all_of_it_can_be_reached_by_the_keyboard(browser: Browser, path: Path) -> None:
    with Seen(browser, path) as seen:
        reachable = seen.page.locator("a[href], summary, [tabindex='0']").count()
        focused = set()
        for _ in range(reachable):
            seen.page.keyboard.press("Tab")
            focused.add(seen.page.evaluate("document.activeElement.outerHTML"))
        assert len(focused) == reachable


def test_it_is_printed_without_loss(browser: Browser, path: Path) -> None:
    """On paper nothing is folded, and nothing sticks out."""
    with Seen(browser, path) as seen:
        seen.page.emulate_media(media="print")
        # The width of A4 between its margins, in CSS pixels.
        seen.page.set_viewport_size({"width": 718, "height": 1000})
        tables = seen.page.locator("table")
        assert all(table.is_visible() for table in tables.all())
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= 718
        assert len(seen.page.pdf(format="A4")) > 1000


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_for_the_readme(
    browser: Browser, pages: dict[str, Path], kind: str, request: pytest.FixtureRequest
) -> None:
    """The top of each; kept with `make pictures`, and otherwise only not empty."""
    scheme: Scheme = "dark" if kind == "dry-run" else "light"
    with Seen(browser, pages[kind], scheme=scheme) as seen:
        height = seen.page.evaluate("document.documentElement.scrollHeight")
        seen.page.set_viewport_size({**DESK, "height": min(height, 1400)})
        picture = seen.page.screenshot()
    assert len(picture) > 10_000
    if request.config.getoption("--write-pictures"):
        IMAGES.mkdir(parents=True, exist_ok=True)
        (IMAGES / f"report-{kind}.png").write_bytes(picture)
