"""The report pages in a real browser: layout, accessibility, network requests, printing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self

import pytest
from playwright.sync_api import Browser, Page, Request, ViewportSize
from psycopg.conninfo import make_conninfo

from tests.browser.accessibility import find_violations
from tests.support import paths
from tests.support.databases import new_database
from tests.support.reports.report_gallery import KINDS, write_gallery

pytestmark = pytest.mark.browser

PHONE: ViewportSize = {"width": 360, "height": 740}
DESK: ViewportSize = {"width": 1100, "height": 900}
IMAGES = paths.ROOT / "docs" / "images"
Scheme = Literal["light", "dark"]


@pytest.fixture(scope="session")
def pages(
    server: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Path]]:
    """The path of the page of each kind of report."""
    with new_database(server, template) as name:
        yield write_gallery(
            make_conninfo(server, dbname=name), tmp_path_factory.mktemp("reports")
        )


class OpenReport:
    """A report in a browser window.

    Attributes:
        page: Playwright's page.
        messages: console messages and errors of the page.
        requests: URLs that the page requested, except its own.
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
        self.messages: list[str] = []
        self.requests: list[str] = []
        self._context = browser.new_context(
            viewport=viewport, color_scheme=scheme, java_script_enabled=has_scripts
        )
        self.page: Page = self._context.new_page()
        self.page.on("console", lambda message: self.messages.append(message.text))
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))
        self.page.on("request", self._record_request)
        self._url = path.as_uri()
        self.page.goto(self._url, wait_until="load")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._context.close()

    def _record_request(self, request: Request) -> None:
        if request.url != self._url:
            self.requests.append(request.url)


@pytest.fixture(params=KINDS)
def path(request: pytest.FixtureRequest, pages: dict[str, Path]) -> Path:
    return pages[request.param]


def test_page_makes_no_request_and_logs_nothing(browser: Browser, path: Path) -> None:
    with OpenReport(browser, path) as report:
        assert report.page.title()
        assert report.messages == []
        assert report.requests == []


def test_page_is_the_same_without_javascript(browser: Browser, path: Path) -> None:
    """Some mail programs and viewers do not run scripts."""
    with OpenReport(browser, path) as report:
        shown = report.page.inner_text("main")
        assert report.page.locator("script").count() == 0
    with OpenReport(browser, path, has_scripts=False) as report:
        assert report.page.locator("main").inner_text() == shown


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_fits_the_width_of_a_phone(
    browser: Browser, path: Path, scheme: Scheme
) -> None:
    with OpenReport(browser, path, viewport=PHONE, scheme=scheme) as report:
        width = report.page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"]


# The words that end at no line although one line is wide enough for them.
BROKEN_WORDS = """() => {
  const broken = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text; (text = texts.nextNode()); ) {
    if (text.parentElement.closest("details, .visually-hidden")) continue;
    const parts = text.parentElement.closest("h1 .whole") ? /.+/g : /\\S+/g;
    for (const word of text.data.matchAll(parts)) {
      const range = document.createRange();
      range.setStart(text, word.index);
      range.setEnd(text, word.index + word[0].length);
      const lines = [...range.getClientRects()];
      const width = lines.reduce((sum, line) => sum + line.width, 0);
      const isPath = word[0].includes("/");
      if (lines.length > 1 && width < innerWidth - 90 && !isPath) broken.push(word[0]);
    }
  }
  return broken;
}"""


@pytest.mark.parametrize("width", [320, 360, 390])
def test_no_id_time_email_or_count_is_broken_on_a_phone(
    browser: Browser, path: Path, width: int
) -> None:
    with OpenReport(browser, path, viewport={**PHONE, "width": width}) as report:
        assert report.page.evaluate("document.documentElement.scrollWidth") <= width
        assert report.page.evaluate(BROKEN_WORDS) == []
        counts = report.page.locator("h1 > span").all_inner_texts()
        assert all(count[-1] in ",." for count in counts)


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_accessibility_violation(
    browser: Browser, path: Path, scheme: Scheme, viewport: ViewportSize
) -> None:
    """All rules for contrast, structure and names, including best practices."""
    with OpenReport(browser, path, viewport=viewport, scheme=scheme) as report:
        # axe skips closed details.
        report.page.evaluate(
            "document.querySelectorAll('details').forEach(d => { d.open = true; })"
        )
        assert find_violations(report.page) == []


def test_every_link_and_control_is_reachable_by_keyboard(
    browser: Browser, path: Path
) -> None:
    with OpenReport(browser, path) as report:
        reachable = report.page.locator("a[href], summary, [tabindex='0']").count()
        focused = set()
        for _ in range(reachable):
            report.page.keyboard.press("Tab")
            focused.add(report.page.evaluate("document.activeElement.outerHTML"))
        assert len(focused) == reachable


def test_printed_page_shows_all_tables_and_fits_the_paper(
    browser: Browser, path: Path
) -> None:
    """Collapsed details are open on paper."""
    with OpenReport(browser, path) as report:
        report.page.emulate_media(media="print")
        # The width of A4 without margins, in CSS pixels.
        report.page.set_viewport_size({"width": 718, "height": 1000})
        tables = report.page.locator("table")
        assert all(table.is_visible() for table in tables.all())
        assert report.page.evaluate("document.documentElement.scrollWidth") <= 718
        assert len(report.page.pdf(format="A4")) > 1000


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_of_the_reports_are_not_empty(
    browser: Browser, pages: dict[str, Path], kind: str, request: pytest.FixtureRequest
) -> None:
    """`make pictures` writes the pictures to docs/images."""
    scheme: Scheme = "dark" if kind == "dry-run" else "light"
    with OpenReport(browser, pages[kind], scheme=scheme) as report:
        height = report.page.evaluate("document.documentElement.scrollHeight")
        report.page.set_viewport_size({**DESK, "height": min(height, 1400)})
        picture = report.page.screenshot()
    assert len(picture) > 10_000
    if request.config.getoption("--write-pictures"):
        IMAGES.mkdir(parents=True, exist_ok=True)
        (IMAGES / f"report-{kind}.png").write_bytes(picture)
