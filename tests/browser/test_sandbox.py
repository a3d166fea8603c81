"""The page of the sandbox in a real browser: uploads, live imports, reports, layout."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FilePayload, Page, ViewportSize, expect
from psycopg.conninfo import make_conninfo

from tests.browser.accessibility import find_violations
from tests.support.builders import csv_bytes, user
from tests.support.databases import new_database
from tests.support.servers.sandbox import PROXY, Sandbox, sandbox
from tests.support.terminal import Terminal

pytestmark = pytest.mark.browser

PHONE: ViewportSize = {"width": 320, "height": 640}
DESK: ViewportSize = {"width": 1280, "height": 900}
# A row that cannot be imported, so that there is a rejects file.
USERS = csv_bytes(user("U1"), user("U2", Last_Login="?"))
# Drops files on the page, as the desktop does it.
DROP = """files => {
    const transfer = new DataTransfer();
    for (const [name, text] of files) transfer.items.add(new File([text], name));
    const event = new DragEvent("drop", {dataTransfer: transfer, bubbles: true, cancelable: true});
    document.querySelector("h1").dispatchEvent(event);
    return event.defaultPrevented;
}"""


@pytest.fixture(scope="module")
def running(
    server: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sandbox]:
    with new_database(server, template) as name:
        variables = {"DATABASE_URL": make_conninfo(server, dbname=name), **PROXY}
        with sandbox(
            Terminal(tmp_path_factory.mktemp("sandbox"), variables)
        ) as running:
            yield running


@contextmanager
def opened(
    browser: Browser,
    running: Sandbox,
    viewport: ViewportSize = DESK,
    scheme: str = "light",
) -> Iterator[Page]:
    """The page in a new window; the test fails if it logs or requests something else."""
    context = browser.new_context(
        viewport=viewport, color_scheme="dark" if scheme == "dark" else "light"
    )
    page = context.new_page()
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("dialog", lambda dialog: messages.append(dialog.message))
    page.goto(running.endpoint)
    yield page
    context.close()
    assert messages == []


def payload(name: str, data: bytes = USERS) -> FilePayload:
    return {"name": name, "mimeType": "text/csv", "buffer": data}


def state_of(page: Page, name: str) -> str:
    """The last state of this upload."""
    item = page.locator("#uploads li", has_text=name).first
    expect(item).to_contain_text(re.compile("uploaded"))
    return item.inner_text().removeprefix(name).strip()


def test_chosen_files_are_imported_and_shown_with_their_reports(
    browser: Browser, running: Sandbox
) -> None:
    with opened(browser, running) as page:
        page.set_input_files("#files", [payload("one.csv"), payload("two.csv")])
        states = [state_of(page, name) for name in ("one.csv", "two.csv")]
        card = page.locator(
            "#imports li", has=page.get_by_role("heading", name="one.csv")
        )
        expect(card).to_contain_text("2 rows: 1 created, 1 rejected", timeout=20_000)
        with page.context.expect_page() as popup:
            card.get_by_role("link", name="Report of one.csv").click()
        report = popup.value
        report.wait_for_load_state()
        title = report.title()
        with report.expect_download() as download:
            report.get_by_role("link", name="rejects.csv").click()
        rejects = download.value.path().read_bytes()

    assert states == ["uploaded", "uploaded"]
    assert title.endswith("one.csv")
    assert b"U2" in rejects
    assert download.value.suggested_filename == "rejects.csv"


def test_dropped_file_is_a_dry_run_if_the_box_is_checked(
    browser: Browser, running: Sandbox
) -> None:
    with opened(browser, running) as page:
        page.get_by_role("checkbox", name="Dry run").check()
        is_handled = page.evaluate(DROP, [["dropped.csv", USERS.decode()]])
        state = state_of(page, "dryrun/dropped.csv")
        card = page.locator("#imports li", has_text="dryrun/dropped.csv")
        expect(card.locator(".status")).to_have_text("dry run", timeout=20_000)

    assert (is_handled, state) == (True, "uploaded")


def test_upload_from_elsewhere_appears_without_a_reload(
    browser: Browser, running: Sandbox
) -> None:
    with opened(browser, running) as page:
        running.put("elsewhere.csv", USERS)

        expect(page.get_by_role("heading", name="elsewhere.csv")).to_be_visible(
            timeout=20_000
        )


@pytest.mark.parametrize(
    "name",
    [
        "<img src=x onerror=alert(1)>.csv",
        "a\"b'c&d;e.csv",
        "100% of + #1?.csv",
        "Übersicht \N{SNOWMAN} 6\N{MULTIPLICATION SIGN}.CSV",
        "no end",
        "notes.txt",
        ".csv",
        "\N{RIGHT-TO-LEFT OVERRIDE}vsc.csv",
    ],
)
def test_hostile_name_is_shown_as_text(
    browser: Browser, running: Sandbox, name: str
) -> None:
    with opened(browser, running) as page:
        page.evaluate(DROP, [[name, USERS.decode()]])
        state = state_of(page, name)
        is_csv = name.lower().endswith(".csv")
        if is_csv:
            shown = name.replace(
                "\N{RIGHT-TO-LEFT OVERRIDE}", "\N{REPLACEMENT CHARACTER}"
            )
            heading = page.get_by_role("heading", name=shown, exact=True)
            expect(heading).to_be_visible(timeout=20_000)
        assert page.locator("img").count() == 0

    error = "not uploaded: the function imports only .csv and .csv.gz"
    assert state == ("uploaded" if is_csv else error)


def test_failed_upload_says_why_and_the_next_one_goes_on(
    browser: Browser, running: Sandbox
) -> None:
    with opened(browser, running) as page:
        page.evaluate("document.querySelector('main').dataset.maxBytes = '500'")
        page.evaluate(DROP, [["large.csv", "a" * 501], ["next.csv", "a"]])
        large, after = (state_of(page, name) for name in ("large.csv", "next.csv"))

    assert large == "not uploaded: too large for this page. Use salespro import"
    assert after == "uploaded"


def test_end_of_the_sandbox_is_said(
    browser: Browser, database_url: str, tmp_path: Path
) -> None:
    terminal = Terminal(tmp_path, {"DATABASE_URL": database_url, **PROXY})
    with sandbox(terminal) as running:
        page = browser.new_page()
        page.goto(running.endpoint)
        running.process.terminate()
        running.process.wait()

        expect(page.get_by_role("alert")).to_have_text(
            "The sandbox does not answer: it has ended.", timeout=10_000
        )
        page.close()


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_is_accessible_and_fits_the_window(
    browser: Browser, running: Sandbox, scheme: str, viewport: ViewportSize
) -> None:
    with opened(browser, running, viewport, scheme) as page:
        page.set_input_files(
            "#files", [payload(f"{'long' * 40}.csv"), payload("x.txt")]
        )
        running.put("refused.csv", b"a,b\n1,2\n")
        state_of(page, "x.txt")
        for name in ("long", "refused.csv"):
            expect(page.locator("#imports h3", has_text=name).first).to_be_visible(
                timeout=20_000
            )

        assert find_violations(page) == []
        assert (
            page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
        )


def test_page_is_used_with_the_keyboard(browser: Browser, running: Sandbox) -> None:
    """The focus stays on a link when the list changes."""
    with opened(browser, running) as page:
        running.put("keyboard.csv", USERS)
        link = page.get_by_role("link", name="Report of keyboard.csv")
        link.wait_for()
        page.keyboard.press("Tab")
        first = page.evaluate("document.activeElement.id")
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        assert page.get_by_role("checkbox").is_checked()
        link.focus()
        running.put("after.csv", USERS)
        page.get_by_role("heading", name="after.csv").wait_for()

        expect(link).to_be_focused()

    assert first == "files"
