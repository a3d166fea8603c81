"""Where a report is, from its location in the history."""

from __future__ import annotations

from pathlib import Path

from salespro_cli.local_postgres.home_folder import find_home, short_path


def report_file(location: str, name: str) -> str:
    """Path or `s3://` URI of a file of a report; a path is short if it can be.

    Args:
        location: from the history. Earlier versions stored paths relative to the folder
            of `.salespro/`.
        name: of the file, such as `report.html`.
    """
    if location.startswith("s3://"):
        return f"{location.rstrip('/')}/{name}"
    home = find_home()
    # An absolute location replaces the folder.
    return short_path(str((home.parent if home else Path()) / location / name))
