"""`salespro changes`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import click

from salespro_cli.commands.examples import example
from salespro_cli.commands.parameters import ImportId, Number
from salespro_cli.flags import database_flag
from salespro_cli.local_postgres.database_url import (
    describe_database,
    open_connection,
)
from salespro_cli.output.change_lines import (
    changes_json,
    changes_lines,
    story_json,
    story_lines,
)
from salespro_cli.output.terminal import echo, echo_json, json_text
from salespro_core.importer.options import DEFAULTS
from salespro_core.postgres.sqlstates import store_errors
from salespro_core.report.text_report import replace_unprintable
from salespro_core.sync_history.changes import ImportChanges, open_changes
from salespro_core.sync_history.row_story import row_stories

_ACTIVITY = "reading the changes"
_MOST_ROWS = 1_000_000_000
# Above this size, in bytes, what is to be printed is in a file.
_MAX_IN_MEMORY = 1 << 20


@click.command(
    short_help="Show what an import changed, or the story of one row.",
    epilog=example(
        "salespro changes 7",
        "salespro changes 7 --limit 1000000 --json",
        "salespro changes --id xWMyZ4YEGZ",
    ),
)
@click.argument("import_id", type=ImportId(), required=False, metavar="[IMPORT]")
@click.option(
    "--id", "key", metavar="KEY", help="Show the story of this appointment or user."
)
@click.option(
    "--limit",
    default=10,
    show_default=True,
    type=Number(1, _MOST_ROWS),
    help="Number of rows of each kind to show.",
)
@click.option(
    "--json",
    "wants_json",
    is_flag=True,
    help="Print one JSON object for the import and one per change; with --id only one.",
)
@database_flag
def changes(
    *, import_id: int | None, key: str | None, limit: int, wants_json: bool
) -> None:
    """Show the rows that an import has updated, with old and new values, and created.

    With --id, show which import created a row, and what each import changed in it.
    Changes are kept for KEEP_CHANGES_DAYS days. The output contains personal data.
    """
    if (import_id is None) == (key is None):
        raise click.UsageError("Name either an import, such as 7, or a row with --id.")
    if import_id is not None:
        _show_import(import_id, limit, wants_json=wants_json)
    elif key is not None:
        # As the keys in the tables: any bytes as valid UTF-8.
        text = os.fsencode(key).decode(errors="replace")
        _show_row(text, wants_json=wants_json)


def _show_import(import_id: int, limit: int, *, wants_json: bool) -> None:
    # A reader such as `less` may pause for hours, and an open transaction would keep
    # Postgres from cleaning up.  So all is read before the first line is printed.
    with tempfile.SpooledTemporaryFile(
        _MAX_IN_MEMORY, "w+", encoding="utf-8", newline="\n"
    ) as lines:
        with _open(import_id) as found:
            if wants_json:
                objects = changes_json(found, limit, describe_database())
                lines.writelines(f"{json_text(value)}\n" for value in objects)
            else:
                text = changes_lines(found, limit)
                lines.writelines(f"{replace_unprintable(line)}\n" for line in text)
        lines.seek(0)
        for line in lines:
            echo(line.removesuffix("\n"))


@contextmanager
def _open(import_id: int) -> Iterator[ImportChanges]:
    """The changes of an import.

    Raises:
        click.ClickException: it does not exist, or its changes are not kept.
        StoreError: as `store_errors`.
    """
    with (
        open_connection() as conn,
        store_errors(_ACTIVITY),
        open_changes(conn, import_id, DEFAULTS.exports) as found,
    ):
        if found is None:
            raise click.ClickException(
                f"Import {import_id} does not exist. `salespro history` lists the imports."
            )
        if not found.are_kept:
            reason = (
                "KEEP_CHANGES_DAYS days have passed"
                if found.have_expired
                else "KEEP_CHANGES_DAYS was 0, they have expired, or an older version "
                "imported it"
            )
            raise click.ClickException(
                f"What import {import_id} changed is not kept: {reason}. "
                f"See its counts: salespro show {import_id}"
            )
        yield found


def _show_row(key: str, *, wants_json: bool) -> None:
    with open_connection() as conn, store_errors(_ACTIVITY):
        stories = row_stories(conn, key, DEFAULTS.exports)
    if not stories:
        raise click.ClickException(
            f"No appointment or user has the id {replace_unprintable(key)}, and no change "
            "of one is kept. Ids are case-sensitive."
        )
    if wants_json:
        rows = [story_json(story) for story in stories]
        echo_json({"id": key, "rows": rows, "database": describe_database()}, indent=2)
        return
    for number, story in enumerate(stories):
        if number:
            echo("")
        for line in story_lines(story):
            echo(line)
