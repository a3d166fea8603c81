"""Fixtures for the tests of the HTML page."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.reports import report_gallery
from tests.support.reports.html_pages import Page


@pytest.fixture(scope="package")
def gallery_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gallery")


@pytest.fixture
def gallery(database_url: str, gallery_folder: Path) -> dict[str, Page]:
    """A parsed page of each kind of report, from real imports."""
    pages = {
        kind: gallery_folder / kind / "report.html" for kind in report_gallery.KINDS
    }
    if not all(map(Path.exists, pages.values())):
        pages = report_gallery.write_gallery(database_url, gallery_folder)
    return {kind: Page(path.read_text("utf-8")) for kind, path in pages.items()}
