"""Write the reports of imports that `salespro import` runs."""

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
from salespro_core.report.folder_names import folder_name
from salespro_core.report.json_report import as_json
from salespro_core.report.text_report import as_text


def reports_folder() -> Path:
    """Create the folder of all reports; before an import, so that it fails early.

    Raises:
        ObjectRefused: the folder cannot be created.
    """
    folder = HOME / "reports"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ObjectRefused(
            f"Reports cannot be written to {folder} ({error.strerror}): "
            "run this command in a folder that you can write to."
        ) from error
    return folder


def prepare_report() -> None:
    """Load the template engine and the template, which takes longer than one report."""
    _render().template()


def write_report(parent: Path, outcome: Outcome, rejects: Rejects) -> Path:
    """Write report.html, report.json, report.txt and, if rows were rejected, rejects.csv.

    Returns:
        A new folder with these files, named after the file and the time.

    Raises:
        ObjectRefused: the files could not be written, or not completely.
    """
    name = folder_name(PurePosixPath(outcome.upload.object_key).name)
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    folder = parent / name / stamp
    try:
        folder.mkdir(parents=True)
        write_report_files(folder, outcome, rejects)
    except OSError as error:
        raise ObjectRefused(
            f"The report could not be written to {folder} ({error.strerror})."
        ) from error
    return folder


def write_report_files(folder: Path, outcome: Outcome, rejects: Rejects) -> None:
    """Write the files of a report into an existing folder.

    Raises:
        OSError: the files could not be written, or not completely.
    """
    rejects_file = None
    if (file := rejects.open()) is not None:
        with (folder / "rejects.csv").open("wb") as out:
            shutil.copyfileobj(file, out)
        rejects_file = str(folder / "rejects.csv")
    json_report = json.dumps(
        as_json(outcome, rejects_file), indent=2, ensure_ascii=False
    )
    for name, body in (
        ("report.json", json_report),
        ("report.txt", as_text(outcome, rejects_file)),
        ("report.html", _render().as_html(outcome, rejects_file)),
    ):
        (folder / name).write_text(body + "\n", encoding="utf-8", errors="replace")


def _render() -> ModuleType:
    # Imported here: Jinja takes a third of the time that other commands take to load.
    from salespro_core.report.html_report import render  # noqa: PLC0415

    return render
