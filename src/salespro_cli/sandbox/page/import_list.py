"""The newest imports and dry runs, for the page, with links to their reports."""

from __future__ import annotations

import json
from datetime import UTC
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from salespro_cli.output.history_tables import status_word
from salespro_cli.sandbox.local_aws import REPORTS, UPLOADS
from salespro_core.model.counts import Counts
from salespro_core.postgres.connection import connect
from salespro_core.postgres.sqlstates import store_errors
from salespro_core.report.html_report.format import format_row_count, replace_invisible
from salespro_core.report.undo_words import undo_labels
from salespro_core.report.verdict import count_labels
from salespro_core.sync_history.queries import Import, recent_imports

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_ENTRIES = 50
_FILE = "report.html"


class ImportList:
    """Reads the history, and the report bucket: dry runs are not in the history."""

    def __init__(self, s3: S3Client, conninfo: str) -> None:
        self._s3 = s3
        self._conninfo = conninfo
        self._dry_runs: dict[tuple[str, str], dict[str, Any] | None] = {}

    def as_json(self) -> str:
        """A JSON list, the newest first.

        Raises:
            StoreUnavailable, StoreRefused: the history cannot be read.
        """
        with connect(self._conninfo) as conn, store_errors("reading the history"):
            imports = recent_imports(conn, limit=MAX_ENTRIES)
        # The folder of each report, and when it was written.
        reports = {
            item["Key"].removesuffix(_FILE): item["LastModified"]
            .astimezone(UTC)
            .isoformat()
            for page in self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=REPORTS
            )
            for item in page.get("Contents", [])
            if item["Key"].endswith(f"/{_FILE}")
        }
        entries = [_import_entry(import_, reports) for import_ in imports]
        entries += filter(None, (self._dry_run(*report) for report in reports.items()))
        entries.sort(key=lambda entry: str(entry["started"]), reverse=True)
        return json.dumps(entries[:MAX_ENTRIES])

    def _dry_run(self, folder: str, written_at: str) -> dict[str, Any] | None:
        """The entry of a dry run; None for the report of an import."""
        known = folder, written_at
        if known not in self._dry_runs:
            key = f"{folder}report.json"
            body = self._s3.get_object(Bucket=REPORTS, Key=key)["Body"].read()
            report = json.loads(body)
            self._dry_runs[known] = (
                _dry_run_entry(report, folder, written_at)
                if report["dry_run"]
                else None
            )
        return self._dry_runs[known]


def _import_entry(import_: Import, reports: dict[str, str]) -> dict[str, Any]:
    folder = (import_.report_location or "").removeprefix(f"s3://{REPORTS}/")
    status = status_word(import_)
    entry = _entry(import_.file_path or "", import_.counts, import_.error_message)
    if import_.undoes is not None:
        rows = format_row_count(import_.counts.processed)
        entry["rows"] = f"{rows}: {undo_labels(import_.counts)}"
    return entry | {
        "status": "running" if status == "in_progress" else status,
        "started": import_.started_at.astimezone(UTC).isoformat(),
        "seconds": import_.seconds,
        # The bucket forgets its reports when the sandbox ends, the history does not.
        "report": _link(folder) if folder in reports else None,
    }


def _dry_run_entry(
    report: dict[str, Any], folder: str, written_at: str
) -> dict[str, Any]:
    counts = Counts(**{name: report[name] for name in Counts().of_file})
    return _entry(report["file"], counts, report["error"]) | {
        "status": "dry run: failed" if report["error"] else "dry run",
        "started": written_at,
        "seconds": report["seconds"],
        "report": _link(folder),
    }


def _entry(file: str, counts: Counts, error: str | None) -> dict[str, Any]:
    rows = format_row_count(counts.processed)
    return {
        "file": replace_invisible(file.removeprefix(f"s3://{UPLOADS}/")),
        "rows": f"{rows}: {count_labels(counts)}" if counts.processed else "",
        "rejected": counts.rejected,
        "error": error and replace_invisible(error),
    }


def _link(folder: str) -> str:
    # Relative to the page.
    return f"_sandbox/reports/{quote(folder + _FILE)}"
