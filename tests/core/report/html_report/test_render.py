"""The page is safe to open, small, accessible and self-contained."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from datetime import date, timedelta
from importlib import resources
from itertools import pairwise

import pytest

from salespro_core.model.file_summary import Day
from salespro_core.model.outcome import Change, Stale
from salespro_core.model.rejects import Example, Problem, Reason
from salespro_core.records.reject_reasons import MOST_EXAMPLES, MOST_REASONS
from salespro_core.report.html_report.render import MAX_PAGE_BYTES, as_html
from tests.core.report.sample_outcomes import FILE_SUMMARY, full
from tests.support.reports import report_gallery
from tests.support.reports.html_pages import Page

CSS = (
    resources.files("salespro_core.report.html_report")
    .joinpath("report.css")
    .read_text("utf-8")
)


@pytest.mark.parametrize("kind", report_gallery.KINDS)
def test_page_has_landmarks_ordered_headings_and_named_pictures(
    gallery: dict[str, Page], kind: str
) -> None:
    page = gallery[kind]

    names = [tag for tag, _ in page.tags]
    assert page.open_tags == []
    for tag in ("header", "main", "footer", "h1"):
        assert names.count(tag) == 1
    assert page.find_all("html") == [{"lang": "en"}]
    levels = [level for level, _ in page.headings]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all(
        section["aria-labelledby"] in ids for section in page.find_all("section")
    )
    for picture in page.find_all("svg"):
        label = picture.get("aria-label", "")
        is_named = picture.get("role") == "img" and len(label) > 20
        assert is_named or picture.get("aria-hidden") == "true"
    assert names.count("caption") == names.count("table")
    assert all("scope" in cell for cell in page.find_all("th"))


@pytest.mark.parametrize("kind", report_gallery.KINDS)
def test_page_has_no_script_and_no_external_resource(
    gallery: dict[str, Page], kind: str
) -> None:
    page = gallery[kind]

    names = {tag for tag, _ in page.tags}
    assert names & {"script", "img", "iframe", "object", "form", "base", "use"} == set()
    attributes = {name for _, found in page.tags for name in found}
    assert not any(
        name.startswith("on") or name in ("src", "style") for name in attributes
    )
    links = [link["href"] for tag in ("a", "link") for link in page.find_all(tag)]
    assert set(links) <= {"rejects.csv", "report.json", "data:,"}
    assert not re.search(r"url\(|@import|https?://", CSS)
    assert len(page.source.encode()) < MAX_PAGE_BYTES


def test_policy_of_the_page_allows_only_its_own_style() -> None:
    """If a cell were not escaped one day, the browser would still run no script of it."""
    page = Page(as_html(full()))

    [policy] = [
        meta["content"] for meta in page.find_all("meta") if "http-equiv" in meta
    ]
    [style] = re.findall(r"<style>(.*?)</style>", page.source, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )


HUGE = '<"&\N{PILE OF POO}' * 5_000
MARKUP = (
    "<script>alert('&amp;')</script>\"' onload=x {{ 7*7 }} {% raw %}\0\x1b\ud800\u202e"
)


@pytest.mark.parametrize("is_refused", [False, True], ids=["imported", "refused"])
@pytest.mark.parametrize("text", [HUGE, MARKUP], ids=["huge", "markup"])
def test_huge_or_hostile_text_in_every_field_gives_a_small_and_safe_page(
    text: str, *, is_refused: bool
) -> None:
    reasons = (
        Reason(
            Problem(text, "is not UTF-8 text"),
            2_000_000,
            (Example(2, text, text),) * MOST_EXAMPLES,
        ),
    ) * MOST_REASONS
    fields: dict[str, tuple[str | None, str | None]] = {
        f"column_{number}": (text, text + "x") for number in range(12)
    }
    days = tuple(
        Day(day=str(date(2025, 1, 1) + timedelta(days=n)), appointments=n, sales=n)
        for n in range(1, 400)
    )
    reps = tuple(
        replace(FILE_SUMMARY.reps[0], name=text, email=text) for _ in range(10)
    )
    outcome = replace(
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
        file_summary=replace(FILE_SUMMARY, days=days, reps=reps),
    )
    if is_refused:
        outcome = replace(outcome, error=text, status="failed")

    html = as_html(outcome, text)

    page = Page(html)
    assert len(html.encode()) < MAX_PAGE_BYTES
    assert page.open_tags == []
    assert "script" not in {tag for tag, _ in page.tags}
    attributes = {name for _, found in page.tags for name in found}
    assert not any(name.startswith("on") for name in attributes)
    assert "49" not in page.headings[0][1]
