"""What an interrupted import says: which rows are kept, and how to go on."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from psycopg import Connection

from salespro_cli.local_postgres.database_url import describe_database
from salespro_core.errors import StoreError
from salespro_core.model.object_key import is_dry_run
from salespro_core.model.upload import Upload
from salespro_core.postgres.sqlstates import store_errors
from salespro_core.report.verdict import count_labels
from salespro_core.sync_history.queries import Import, recent_imports

# Other imports may have started since this one.
_SEARCHED_IMPORTS = 100


def interruption_message(
    connect: Callable[[], Connection], upload: Upload, *, dry_run: bool
) -> str:
    """The error of an import that Ctrl-C ended, from what the history says now.

    Args:
        connect: opens a new connection; the statement of the old one may still run.
        upload: the file.
        dry_run: it was a dry run; so is an import from `dryrun/`.
    """
    if dry_run or (upload.bucket and is_dry_run(upload.object_key)):
        return "Interrupted. A dry run changes nothing."
    try:
        import_ = _find(connect, upload)
    except StoreError:
        return (
            f"Interrupted. Rows that were committed are kept. {_how_to_go_on(upload)}"
        )
    if import_ is None or not import_.processed:
        return f"Interrupted before the first commit. {_how_to_go_on(upload)}"
    rows = "1 row is" if import_.processed == 1 else f"{import_.processed:,} rows are"
    then = "are not imported again" if upload.bucket else "will be unchanged"
    return (
        f"Interrupted. The first {rows} kept in {describe_database()}: "
        f"{count_labels(import_.counts)}. They {then}. {_how_to_go_on(upload)}"
    )


def interruption_of_many(
    text: str, not_imported: int, total: int, *, dry_run: bool
) -> str:
    """The error of an import of several files that a signal ended.

    Args:
        text: the error of the file that was interrupted, or the name of the signal.
        not_imported: the number of files that are not imported.
        total: the number of all files.
        dry_run: it was a dry run.
    """
    signal, _, rest = text.partition(". ")
    verb = "is" if not_imported == 1 else "are"
    files = f"{not_imported:,} of {total:,} file{'' if total == 1 else 's'}"
    start = f"{signal.removesuffix('.')}. {files} {verb} not imported."
    if dry_run:
        return f"{start} A dry run changes nothing."
    kept, to_go_on, _ = rest.partition("To go on")
    if not_imported == 1 and to_go_on:
        return f"{start} {rest}"  # the command to copy comes last
    kept = kept.strip() or "Rows that were committed are kept, and will be unchanged."
    return f"{start} {kept} To go on, run the same command again."


def _find(connect: Callable[[], Connection], upload: Upload) -> Import | None:
    with store_errors("reading the history"):
        imports = recent_imports(connect(), limit=_SEARCHED_IMPORTS)
    path = upload.path or upload.location
    unfinished = (i for i in imports if i.status == "in_progress")
    return next((i for i in unfinished if i.file_path == path), None)


def _how_to_go_on(upload: Upload) -> str:
    if not (upload.bucket or upload.path):
        return "To go on, import the same input again."
    return f"To go on: salespro import {shlex.quote(upload.location)}"
