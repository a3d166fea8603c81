"""Short names for the files of imports that still tell them apart."""

from __future__ import annotations

import re
from collections.abc import Sequence

# As `importer.undo` names them; the location of the import's file follows.
_UNDO = re.compile(r"(undo of import \d+)(?: \(.*\))?", re.DOTALL)
# `NAME/TIME/rejects.csv` in a folder or a bucket of reports, see `reports.writer`.
_REJECTS_FILE = re.compile(r"(?:.*/)?([^/]+)/\d{8}T\d{6}\.\d+Z/rejects\.csv")


def file_labels(paths: Sequence[str | None]) -> dict[str | None, str]:
    """For each path its last part, or as many parts as differ from all other paths.

    The rejects file of a report is named after the file that was imported first, and an
    undo after the import.
    """
    distinct = {
        path.removeprefix("s3://")
        for path in paths
        if path and not _REJECTS_FILE.fullmatch(path)
    }
    labels: dict[str | None, str] = {None: "", "": ""}
    for path in filter(None, paths):
        if match := _REJECTS_FILE.fullmatch(path):
            labels[path] = f"rejects.csv of {match[1]}"
        elif match := _UNDO.fullmatch(path):
            labels[path] = match[1]
        else:
            whole = path.removeprefix("s3://")
            labels[path] = _shortest_own_end(whole, distinct - {whole})
    return labels


def _shortest_own_end(path: str, others: set[str]) -> str:
    parts = path.split("/")
    for count in range(1, len(parts)):
        end = "/".join(parts[-count:])
        if end and not any(f"/{other}".endswith(f"/{end}") for other in others):
            return end
    return path
