"""The report as a page: what it says and in which order, and that it is safe and small."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from importlib import resources
from itertools import pairwise
from pathlib import Path

import pytest

from salespro_core.model.file_summary import Day
from salespro_core.model.outcome import MAYBE_CUT, Change, Counts, Outcome, Stale
from salespro_core.records.parser import Problem
from salespro_core.records.reject_reasons import (
    MOST_EXAMPLES,
    MOST_REASONS,
    Example,
    Reason,
)
from salespro_core.report.html_report.charts import MOST_BARS, over_time, segments
from salespro_core.report.html_report.format import percent, size, visible
from salespro_core.report.html_report.render import MOST_BYTES, as_html
from tests.core.report.test_text_report import CONTENTS, full, outcome
from tests.support import report_gallery
from tests.support.html_pages import Page

CSS = (
    resources.files("salespro_core.report.html_report")
    .joinpath("report.css")
    .read_text("utf-8")
)
ALL = Counts(created=1, updated=2, unchanged=3, stale=4, duplicate=5, rejected=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gallery")


@pytest.fixture
def gallery(database_url: str, folder: Path) -> dict[str, Page]:
    """A page of each kind, from real imports."""
    found = {kind: folder / kind / "report.html" for kind in report_gallery.KINDS}
    if not all(map(Path.exists, found.values())):
        found = report_gallery.gallery(database_url, folder)
    return {kind: Page(path.read_text("utf-8")) for kind, path in found.items()}


def page_of(of: Outcome, rejects_file: str | None = None) -> Page:
    return Page(as_html(of, rejects_file))


# --- what it says ---------------------------------------------------------------------

HEADINGS = {
    "clean": ["What became of the rows", "What the file holds", "The facts"],
    "dry-run": [
        "What would become of the rows",
        "What an import would change",
        "What the file holds",
        "The facts",
    ],
    "rejects": [
        "What became of the rows",
        "Rejected rows",
        "What the file holds",
        "The facts",
    ],
    "refused": ["The facts"],
    "empty": ["The facts"],
}
VERDICTS = {
    "clean": ("Imported", "2,374 rows: 2,374 created.", "Nothing else to do."),
    "dry-run": (
        "Dry run: nothing was changed",
        "2,405 rows: 30 created, 12 updated, 2,334 unchanged, 28 stale, 1 duplicate.",
        "Nothing was changed. Import the file to make these changes.",
    ),
    "rejects": (
        "Imported, except for some rows",
        "2,374 rows: 2,331 unchanged, 43 rejected.",
        "Correct the 43 rejected rows in rejects.csv and upload that file.",
    ),
    "refused": (
        "Refused",
        "This file is refused.",
        "Nothing of it was imported. Correct the file and upload it again.",
    ),
    "empty": (
        "Imported",
        "This file has a header and no rows.",
        "Nothing else to do.",
    ),
}


@pytest.mark.parametrize("kind", report_gallery.KINDS)
def test_the_verdict_comes_first_and_the_rest_in_its_order(
    gallery: dict[str, Page], kind: str
) -> None:
    page = gallery[kind]
    status, headline, next_step = VERDICTS[kind]

    assert [text for level, text in page.headings if level == 1] == [headline]
    assert [text for level, text in page.headings if level == 2] == HEADINGS[kind]
    before, _, after = page.text.partition(headline)
    assert before.endswith(f"{status} ")
    assert next_step in after[:300]


def test_a_dry_run_shows_the_fields_that_were_edited_and_no_other(
    gallery: dict[str, Page],
) -> None:
    [_, shown] = gallery["dry-run"].text.split("What an import would change")
    updated = shown.partition("Created")[0]

    assert set(re.findall(r"\b[a-z]+_[a-z_]+\b", updated)) <= {
        "result_full_string",
        "is_sale",
    }
    assert updated.count("Sold - Financed, at last") == 12
    assert "Created the first 20 of 30" in shown
    assert "Stale the first 20 of 28" in shown
    assert shown.count("2025-06-01 00:00:00+00") == 20


def test_rejects_stand_by_reason_with_line_cell_and_what_to_do(
    gallery: dict[str, Page],
) -> None:
    page = gallery["rejects"]

    titles = [text for level, text in page.headings if level == 3]
    assert "_created_at is not a day of the calendar 30 rows" in titles
    assert "saleAmount is not an amount such as 23245.09 9 rows" in titles
    assert "customer.nameLast is not UTF-8 text 1 row" in titles
    assert "<script>alert(1)</script>" in page.text
    assert "Write a plain number such as 23245.09" in page.text
    assert "and 20 more" in page.text
    assert {"href": "rejects.csv"} in page.all("a")


def test_every_fate_is_a_figure_and_a_part_of_the_bar() -> None:
    page = page_of(outcome(counts=ALL))

    [bar] = [each for each in page.all("svg") if each["class"] == "stack"]
    assert bar["aria-label"] == (
        "21 rows: 1 created, 2 updated, 3 unchanged, 4 stale, 5 duplicate, 6 rejected"
    )
    drawn = [each["class"] for each in page.all("rect")]
    assert drawn == [
        "created",
        "updated",
        "unchanged",
        "stale",
        "duplicate",
        "rejected",
    ]


@pytest.mark.parametrize(
    ("of", "said"),
    [
        pytest.param(
            outcome(
                warnings=(("isSale is odd", 2), (MAYBE_CUT, 1)), ignored=("Notes",)
            ),
            [
                "isSale is odd, so that the cell was left out (2 times).",
                MAYBE_CUT,
                "Columns that the table does not know, ignored: Notes",
            ],
            id="warnings",
        ),
        pytest.param(
            outcome(status="failed", error="The gzip file is broken.", resumed_at=1000),
            [
                "This file is refused after 10 rows.",
                "The gzip file is broken.",
                "Went on behind row 1,000, committed by an earlier attempt",
            ],
            id="refused-midway",
        ),
        pytest.param(
            outcome(
                status="failed",
                counts=Counts(),
                error="2 of 10 rows would be rejected.",
                reasons=full().reasons,
            ),
            [
                "Rows that would be rejected",
                "Correct them in the file before you upload it again.",
                "rejects.csv (somewhere/rejects.csv) has all of them, with all of their cells.",
            ],
            id="refused-for-its-rejects",
        ),
        pytest.param(
            outcome(
                status="failed",
                counts=Counts(created=8),
                error="The gzip file is broken.",
                reasons=full().reasons,
            ),
            [
                "What came before is imported.",
                "Correct them in the file before you upload it again.",
            ],
            id="refused-with-rejects-behind-the-last-commit",
        ),
        pytest.param(
            outcome(counts=Counts(rejected=2)),
            ["No row imported", "2 rows: 2 rejected."],
            id="all-rejected",
        ),
        pytest.param(
            outcome(
                status="failed",
                is_dry_run=True,
                is_unfinished=True,
                error="It is late.",
            ),
            [
                "Dry run: not done",
                "This dry run did not come to its end.",
                "It is late.",
                "Nothing was changed.",
            ],
            id="out-of-time",
        ),
        pytest.param(
            outcome(is_dry_run=True, counts=Counts(unchanged=4)),
            ["Nothing: what the file holds is stored already."],
            id="dry-run-of-nothing-new",
        ),
        pytest.param(
            outcome(already_imported=True),
            ["Imported before", "This file was imported before."],
            id="imported-before",
        ),
        pytest.param(
            full(),
            [
                "Conversion rate 40.0\N{NO-BREAK SPACE}%",
                "of 2 sales with an amount",
                "from 5.01 to 20.00",
                "Appointments per day",
                "1 row without a day.",
                "a canary-in-a-cell old canary-in-a-cell",
                "A3 2025-06-08 no time",
                "BATCH_SIZE 5000",
                "Size 369.1 kB (369,081 bytes)",
                "Uploaded 18 June 2025, 06:00:00 UTC",
            ],
            id="all-there-is",
        ),
        pytest.param(
            outcome(contents=replace(CONTENTS, other_reps=None, earlier=3)),
            ["not all were counted", "3 rows of earlier days are not shown."],
            id="more-than-can-be-counted",
        ),
    ],
)
def test_it_says_what_is_to_be_said(of: Outcome, said: list[str]) -> None:
    text = page_of(of, "somewhere/rejects.csv").text.replace("\N{NO-BREAK SPACE}", " ")

    assert [s for s in said if s.replace("\N{NO-BREAK SPACE}", " ") not in text] == []


# --- how it is built ------------------------------------------------------------------


@pytest.mark.parametrize("kind", report_gallery.KINDS)
def test_everybody_can_find_their_way(gallery: dict[str, Page], kind: str) -> None:
    """Landmarks, headings in order, a name for each picture and table, labels that exist."""
    page = gallery[kind]

    names = [tag for tag, _ in page.tags]
    assert page.open_tags == []
    assert [names.count(tag) for tag in ("header", "main", "footer", "h1")] == [
        1,
        1,
        1,
        1,
    ]
    assert page.all("html") == [{"lang": "en"}]
    levels = [level for level, _ in page.headings]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all(each["aria-labelledby"] in ids for each in page.all("section"))
    for picture in page.all("svg"):
        is_named = (
            picture.get("role") == "img" and len(picture.get("aria-label", "")) > 20
        )
        assert is_named or picture.get("aria-hidden") == "true"
    assert names.count("caption") == names.count("table")
    assert all("scope" in each for each in page.all("th"))


@pytest.mark.parametrize("kind", report_gallery.KINDS)
def test_it_needs_nothing_and_asks_nobody(gallery: dict[str, Page], kind: str) -> None:
    page = gallery[kind]

    names = {tag for tag, _ in page.tags}
    assert names & {"script", "img", "iframe", "object", "form", "base", "use"} == set()
    attributes = {name for _, found in page.tags for name in found}
    assert not any(
        name.startswith("on") or name in ("src", "style") for name in attributes
    )
    links = [each["href"] for each in (*page.all("a"), *page.all("link"))]
    assert set(links) <= {"rejects.csv", "report.json", "data:,"}
    assert not re.search(r"url\(|@import|https?://", CSS)
    assert len(page.source.encode()) < MOST_BYTES


def test_no_other_style_and_no_script_can_come_to_it() -> None:
    """Should something slip through the escaping one day, the browser stops it."""
    page = page_of(full())

    [policy] = [e["content"] for e in page.all("meta") if "http-equiv" in e]
    [style] = re.findall(r"<style>(.*?)</style>", page.source, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )


def schemes() -> Iterator[tuple[str, dict[str, str]]]:
    for name, block in zip(
        ("light", "dark"), re.findall(r":root \{(.*?)\}", CSS, re.DOTALL), strict=False
    ):
        yield name, dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))


def contrast(one: str, other: str) -> float:
    """Source: WCAG 2.2, "relative luminance" and "contrast ratio"."""

    def luminance(color: str) -> float:
        parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (
            p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted(map(luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(("name", "colors"), list(schemes()))
def test_everything_can_be_read_and_told_apart(
    name: str, colors: dict[str, str]
) -> None:
    """AA: 4.5 to 1 for text, 3 to 1 for what is drawn."""
    texts = [
        *((ink, on) for ink in ("ink", "quiet", "link") for on in ("paper", "card")),
        *((tone, f"{tone}-tint") for tone in ("good", "careful", "bad")),
    ]
    fates = ("created", "updated", "unchanged", "stale", "duplicate", "rejected")
    drawn = [*((fate, "paper") for fate in (*fates, "sold")), ("sold", "card")]

    assert len(colors) == 21, name
    assert [(a, b) for a, b in texts if contrast(colors[a], colors[b]) < 4.5] == []
    assert [(a, b) for a, b in drawn if contrast(colors[a], colors[b]) < 3] == []


# --- whatever there is ----------------------------------------------------------------

HUGE = '<"&\N{PILE OF POO}' * 5_000
MARKUP = (
    "<script>alert('&amp;')</script>\"' onload=x {{ 7*7 }} {% raw %}\0\x1b\ud800\u202e"
)


@pytest.mark.parametrize("text", [HUGE, MARKUP], ids=["huge", "markup"])
def test_whatever_is_in_a_cell_a_label_or_a_key_it_is_text_and_not_too_much(
    text: str,
) -> None:
    reason = Problem(text, "is not UTF-8 text")
    reasons = tuple(
        Reason(reason, 2_000_000, (Example(2, text, text),) * MOST_EXAMPLES)
        for _ in range(MOST_REASONS)
    )
    fields: dict[str, tuple[str | None, str | None]] = {
        f"column_{n}": (text, text + "x") for n in range(12)
    }
    days = tuple(
        Day(day=str(date(2025, 1, 1) + timedelta(days=n)), appointments=n, sales=n)
        for n in range(1, 400)
    )
    reps = tuple(replace(CONTENTS.reps[0], name=text, email=text) for _ in range(10))
    of = replace(
        full(),
        upload=replace(full().upload, object_key=text, version=text),
        reasons=reasons,
        changes=tuple(
            Change(key=text, is_new=is_new, fields=fields)
            for is_new in (False, True)
            for _ in range(20)
        ),
        stale=(Stale(key=text, stored="2025-06-08", incoming=None),) * 20,
        ignored=(text,) * 1000,
        warnings=((text, 1),) * 100,
        contents=replace(CONTENTS, days=days, reps=reps),
    )

    for each in (of, replace(of, error=text, status="failed")):
        html = as_html(each, text)

        assert len(html.encode()) < MOST_BYTES
        plain = page_of(outcome(counts=ALL))
        assert Page(html).tags[: len(plain.tags) // 4] != []
        assert "script" not in {tag for tag, _ in Page(html).tags}
        assert not any(name.startswith("on") for _, found in Page(html).tags for name in found)  # fmt: skip
        assert "49" not in Page(html).headings[0][1]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Núñez, 東京\n\tzwei", "Núñez, 東京\n\tzwei"),
        ("a\0b\x1b[31m\x9b", "a�b�[31m�"),
        ("\ud800\udce9 \u202egnp.exe", "�� �gnp.exe"),
        ("\r", "�"),
    ],
)
def test_what_would_not_show_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_small_shares_are_not_none_and_large_ones_not_all() -> None:
    assert [percent(part) for part in (0, 1e-6, 0.2233, 0.99999, 1)] == [
        f"{text}\N{NO-BREAK SPACE}%" for text in ("0.0", "0.1", "22.3", "99.9", "100.0")
    ]
    assert [size(n) for n in (0, 999, 1000, 37_000_000)] == [
        "0 bytes",
        "999 bytes",
        "1.0 kB",
        "37.0 MB",
    ]


# --- charts ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "counts",
    [(1, 0, 0), (1, 2_000_000, 1), (1, 1, 1), (0, 0, 0), (5, 0, 3)],
    ids=str,
)
def test_a_stacked_bar_is_full_and_shows_all_that_is_there(
    counts: tuple[int, ...],
) -> None:
    parts = segments([(str(at), count) for at, count in enumerate(counts)])

    assert [part.name for part in parts] == [
        str(at) for at, n in enumerate(counts) if n
    ]
    assert all(part.width >= 5.9 for part in parts)
    if parts:
        assert parts[0].x == 0
        assert parts[-1].x + parts[-1].width == pytest.approx(1000, abs=0.1)
    assert all(a.x + a.width < b.x for a, b in pairwise(parts))


@pytest.mark.parametrize(
    ("every", "count", "unit", "bars"),
    [
        pytest.param(1, 11, "day", 11, id="days"),
        pytest.param(10, 5, "day", 41, id="days-with-nothing-between"),
        pytest.param(1, 200, "week", 29, id="weeks"),
        pytest.param(5, 300, "month", 50, id="months"),
        pytest.param(366, 100, "year", 100, id="years"),
    ],
)
def test_time_is_shown_in_bars_that_a_phone_has_room_for(
    every: int, count: int, unit: str, bars: int
) -> None:
    start = date(2025, 1, 1)
    days = [
        Day(
            day=str(start + n * timedelta(days=every)),
            appointments=4,
            sales=1,
            revenue=Decimal("0.10"),
        )
        for n in range(count)
    ]

    found = over_time(days)

    assert found is not None
    assert (found.unit, len(found.bars)) == (unit, bars)
    assert sum(bar.appointments for bar in found.bars) == 4 * count
    assert sum(bar.sales for bar in found.bars) == count
    assert sum(bar.revenue for bar in found.bars) == count * Decimal("0.10")
    assert max(bar.height for bar in found.bars) == 100
    assert max(bar.revenue_height for bar in found.bars) == 100
    assert found.most_revenue == max(bar.revenue for bar in found.bars)
    assert bars <= MOST_BARS or unit == "year"


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_the_ends_of_time_are_days_like_any_other(day: str) -> None:
    others = [Day(day=f"{year}-06-15", appointments=1, sales=0) for year in range(1000, 1100)]  # fmt: skip
    one = Day(day=day, appointments=1, sales=1)

    assert over_time([one]) is not None
    assert over_time(sorted([one, *others], key=lambda d: d.day)) is not None


@pytest.mark.parametrize(
    ("revenues", "heights", "most"),
    [
        pytest.param([10, -5, 0, 4], [100, 0, 0, 40], 10, id="paid-back"),
        pytest.param([-1, -5], [0, 0], None, id="nothing-but-paid-back"),
        pytest.param([0, 0], [0, 0], None, id="nothing"),
        pytest.param([None, None], [0, 0], None, id="no-amounts"),
    ],
)
def test_revenue_has_a_bar_where_there_is_some(
    revenues: list[int | None], heights: list[float], most: int | None
) -> None:
    days = [
        Day(
            day=f"2025-06-{n:02}",
            appointments=1,
            sales=1,
            revenue=None if revenue is None else Decimal(revenue),
        )
        for n, revenue in enumerate(revenues, 1)
    ]

    found = over_time(days)

    assert found is not None
    assert [bar.revenue_height for bar in found.bars] == heights
    assert found.most_revenue == most


def test_without_a_day_there_is_no_chart() -> None:
    assert over_time([]) is None
