"""The results of `salespro import`, as text, as a summary table and as JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from salespro_cli.output.formatting import PIPE_COLUMNS, build_table, safe_text
from salespro_cli.output.terminal import echo, echo_error, echo_lines, terminal_width
from salespro_core.model.counts import Counts
from salespro_core.model.outcome import Outcome
from salespro_core.report.json_report import as_json
from salespro_core.report.text_report import as_text, reject_lines

_MIN_NAME_COLUMNS = 24
_STYLES = {"failed": "red", "no row": "red", "interrupted": "yellow"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileResult:
    """How the import of one file ended.

    Attributes:
        name: of the file, as it was found.
        outcome: None if there was nothing to read, or no result.
        folder: of the report; None without one.
        error: why the exit code is not 0.
        code: the exit code of an import of this file alone; None if it was not tried, or
            interrupted.
        is_outage: Postgres could not be reached.
    """

    name: str
    outcome: Outcome | None = None
    folder: Path | None = None
    error: str | None = None
    code: int | None = 0
    is_outage: bool = False

    @property
    def rejects_file(self) -> str | None:
        """Path of the rejected rows, if there are any."""
        path = self.folder / "rejects.csv" if self.folder else None
        return str(path) if path and path.exists() else None


def print_result(result: FileResult) -> None:
    """Print the result of one file; its error is left to the caller."""
    # What is piped may become a log, and cells are personal data.
    shows_cells = sys.stdout.isatty()
    outcome, rejects = result.outcome, result.rejects_file
    if outcome is None:
        return
    if outcome.error is None:
        echo_lines(as_text(outcome, rejects, shows_cells=shows_cells), unbroken=rejects)
    elif lines := list(reject_lines(outcome, shows_cells=shows_cells)):
        echo_lines("\n".join(lines[1:]))  # without the empty line
    if result.folder:
        echo(f"Report: {result.folder / 'report.html'}")


def print_error(result: FileResult) -> None:
    """Print the error of one of several files to stderr, with its name."""
    if result.error:
        echo_error(f"Error: {named_error(result)}")


def named_error(result: FileResult) -> str:
    """The error of a file that no argument names, or that is one of several."""
    is_named = _name(result) in (result.error or "")
    return f"{'' if is_named else f'{_name(result)}: '}{error_text(result)}"


def error_text(result: FileResult) -> str:
    """The error of a file, and where its rejected rows are."""
    outcome, rejects = result.outcome, result.rejects_file
    is_refused = outcome is not None and outcome.error is not None
    return f"{result.error}{f' Rejected rows: {rejects}' if rejects and is_refused else ''}"


def result_json(result: FileResult) -> dict[str, Any]:
    """The fields of report.json, and how the import of this file ended."""
    report = {"report": str(result.folder) if result.folder else None}
    if result.outcome is not None:
        fields = as_json(result.outcome, result.rejects_file)
        return fields | report | {"exit_code": result.code}
    status = "not_imported" if result.code is None else "failed"
    ending = {"error": result.error, "exit_code": result.code}
    return {"file": result.name, "status": status} | report | ending


def totals_json(results: Sequence[FileResult]) -> dict[str, int]:
    """The number of files by their result, and the sums of their counts."""
    counts = _sum(results)
    return {
        "files": len(results),
        "imported": sum(
            _status(result) in ("imported", "dry run") for result in results
        ),
        "failed": sum(_status(result) == "failed" for result in results),
        "processed": counts.processed,
        **counts.of_file,
    }


def print_summary(results: Sequence[FileResult]) -> None:
    """Print a table with one line per file and the totals."""
    is_terminal = sys.stdout.isatty()
    width = terminal_width(sys.stdout) if is_terminal else PIPE_COLUMNS
    # rich ignores a width without a height if TERM is dumb.
    console = Console(highlight=False, width=width, height=25)
    total = _sum(results)
    shown = [name for name, count in total.of_file.items() if count]
    statuses = [_status(result) for result in results]
    room = (
        width
        - max(map(len, statuses))
        - len("processed")
        - sum(len(n) + 2 for n in shown)
    )
    if room < _MIN_NAME_COLUMNS:
        shown = [name for name in shown if name == "rejected"]
    columns = ("~file", "status", ">rows", *(f">{name}" for name in shown))
    rows = [
        _row(
            safe_text(_name(result)),
            safe_text(status, _STYLES.get(status, "")),
            result.outcome.counts if result.outcome else None,
        )
        for result, status in zip(results, statuses, strict=True)
    ]
    table = build_table(rows, console, wide=columns, narrow=columns)
    table.add_section()
    done = sum(result.code == 0 for result in results)
    last = _row(Text(f"{len(results):,} files"), Text(f"{done:,} ok"), total)
    table.add_row(*(last[column.lstrip(">~")] for column in columns), style="bold")
    console.print("", table, sep="\n")


def lacks_valid_rows(result: FileResult) -> bool:
    """Whether all rows of the file are rejected."""
    counts = result.outcome.counts if result.outcome else Counts()
    return 0 < counts.rejected == counts.processed


def _row(name: Text, status: Text, counts: Counts | None) -> dict[str, Text]:
    cells = {"file": name, "status": status}
    if counts is None:
        return cells | dict.fromkeys(("rows", *Counts().of_file), Text(""))
    numbers = {"rows": counts.processed, **counts.of_file}
    return cells | {key: Text(f"{number:,}") for key, number in numbers.items()}


def _name(result: FileResult) -> str:
    return result.outcome.upload.location if result.outcome else result.name


def _sum(results: Sequence[FileResult]) -> Counts:
    return sum((r.outcome.counts for r in results if r.outcome), start=Counts())


def _status(result: FileResult) -> str:
    outcome = result.outcome
    if result.code is None:
        return "not imported"
    if outcome is None or outcome.error is not None:
        return "failed"
    if outcome.already_imported:
        return "already imported"
    if lacks_valid_rows(result):
        return "no row"
    return "dry run" if outcome.is_dry_run else "imported"
