"""Reports of imports that were started at a terminal."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from types import ModuleType

from salespro_cli.local_postgres.database_url import HOME
from salespro_core.errors import ObjectRefused
from salespro_core.model.outcome import Outcome
from salespro_core.records.rejects_file import Rejects
from salespro_core.report.text_report import as_json, as_text


def reports_folder() -> Path:
    """The folder that holds all reports; made before an import rather than after it.

    Raises:
        ObjectRefused: there can be none here.
    """
    folder = HOME / "reports"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ObjectRefused(
            f"Reports cannot be written to {folder} ({error.strerror}): "
            "run this in a folder that you may write to."
        ) from error
    return folder


def get_ready() -> None:
    """Load what writes a report."""
    _render().get_ready()


def write_report(parent: Path, outcome: Outcome, rejects: Rejects) -> Path:
    """Write report.html, report.json, report.txt and, if there are any, rejects.csv.

    Returns:
        The folder that holds them, new for each import.

    Raises:
        ObjectRefused: they may not be complete.
    """
    name = PurePosixPath(outcome.upload.object_key).name
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    folder = parent / name / stamp
    try:
        folder.mkdir(parents=True)
        write_into(folder, outcome, rejects)
    except OSError as error:
        raise ObjectRefused(
            f"The report could not be written to {folder} ({error.strerror})."
        ) from error
    return folder


def write_into(folder: Path, outcome: Outcome, rejects: Rejects) -> None:
    """Write them into a folder that is there.

    Raises:
        OSError: they may not be complete.
    """
    rejects_file = None
    if (file := rejects.open()) is not None:
        with (folder / "rejects.csv").open("wb") as out:
            shutil.copyfileobj(file, out)
        rejects_file = str(folder / "rejects.csv")
    facts = json.dumps(as_json(outcome, rejects_file), indent=2, ensure_ascii=False)
    text = as_text(outcome, rejects_file)
    page = _render().as_html(outcome, rejects_file)
    for report, body in (
        ("report.json", facts),
        ("report.txt", text),
        ("report.html", page),
    ):
        (folder / report).write_text(body + "\n", encoding="utf-8", errors="replace")


def _render() -> ModuleType:
    # Not before it is needed: it would be a third of what other commands load.
    from salespro_core.report.html_report import render  # noqa: PLC0415

    return render
