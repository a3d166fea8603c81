"""Write the reports of imports that `salespro import` runs."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from types import ModuleType

from salespro_cli.local_postgres.home_folder import NAME, ensure_home, make_private
from salespro_core.errors import ObjectRefused
from salespro_core.model.outcome import Outcome
from salespro_core.records.rejects_file import Rejects
from salespro_core.report.folder_names import folder_name
from salespro_core.report.json_report import as_json_text
from salespro_core.report.text_report import as_text


def reports_folder() -> Path:
    """Create the folder of all reports; before an import, so that it fails early.

    Reports contain personal data: the folder is for this user alone.

    Raises:
        ObjectRefused: the folder cannot be created.
        click.ClickException: another user made it, or may change it.
    """
    folder = Path(NAME, "reports")
    try:
        folder = make_private(ensure_home() / "reports")
        folder.chmod(0o700)  # earlier versions created it for everyone to read
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
        click.ClickException: another user made the folder of this name.
    """
    name = folder_name(PurePosixPath(outcome.upload.object_key).name)
    if outcome.undoes is not None:
        name = name.replace(" ", "-")  # the path is printed, to be pasted
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    folder = parent / name / stamp
    try:
        make_private(folder.parent)
        folder.mkdir(0o700)
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
        with open(folder / "rejects.csv", "xb", opener=_private) as out:
            shutil.copyfileobj(file, out)
        rejects_file = str(folder / "rejects.csv")
    for name, body in (
        ("report.json", as_json_text(outcome, rejects_file)),
        ("report.txt", as_text(outcome, rejects_file)),
        ("report.html", _render().as_html(outcome, rejects_file)),
    ):
        path = folder / name
        with open(
            path, "x", encoding="utf-8", errors="replace", opener=_private
        ) as out:
            out.write(body + "\n")


def _private(path: str, flags: int) -> int:
    """Open a new file for this user alone; with O_EXCL, no link is followed."""
    return os.open(path, flags, 0o600)


def _render() -> ModuleType:
    # Imported here: Jinja takes a third of the time that other commands take to load.
    from salespro_core.report.html_report import render  # noqa: PLC0415 -- slow to import; most commands do not need it

    return render
