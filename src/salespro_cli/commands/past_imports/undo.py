"""`salespro undo`."""

from __future__ import annotations

import os
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import click
from psycopg import Connection

from salespro_cli.commands.examples import example
from salespro_cli.commands.parameters import ImportId
from salespro_cli.flags import database_flag
from salespro_cli.inputs.signals import defer_interrupts
from salespro_cli.local_postgres.database_url import database_url, describe_database
from salespro_cli.output.import_results import FileResult, print_result, result_json
from salespro_cli.output.terminal import echo, echo_json, echo_sentence
from salespro_cli.reports.writer import reports_folder, write_report
from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.importer.options import Options
from salespro_core.importer.undo import dry_run_undo, undo_import
from salespro_core.model.outcome import Outcome
from salespro_core.postgres import connection
from salespro_core.records.rejects_file import Rejects
from salespro_core.report.verdict import next_step


@click.command(
    short_help="Take back what an import changed.",
    epilog=example("salespro undo 7 --dry-run", "salespro undo 7"),
)
@click.argument("import_id", type=ImportId(), metavar="IMPORT")
@click.option(
    "--dry-run", is_flag=True, help="Report what would be undone, without changing it."
)
@click.option("--json", "wants_json", is_flag=True, help="Print one JSON object.")
@database_flag
def undo(import_id: int, *, dry_run: bool, wants_json: bool) -> None:
    """Take back what IMPORT changed; `salespro history` lists the ids.

    Rows that it created are deleted, and rows that it updated get their old values, unless
    somebody has changed them since: such rows are listed with the import that changed
    them, and left alone. What an import changed is kept for KEEP_CHANGES_DAYS, 30 by
    default.

    The undo is an import of its own in the history. It can be undone, too; and if it is
    interrupted, the same command goes on with it.
    """
    reports = reports_folder()
    folders: list[Path] = []

    def publish(outcome: Outcome, rejects: Rejects) -> str:
        folders.append(write_report(reports, outcome, rejects))
        return str(folders[-1].absolute())

    with ExitStack() as stack:
        url = stack.enter_context(database_url())

        def connect() -> Connection:
            return stack.enter_context(connection.connect(url))

        interrupts = stack.enter_context(
            defer_interrupts(partial(_interrupted, import_id, dry_run=dry_run))
        )

        def after_commit(_outcome: Outcome) -> None:
            with interrupts.allowed():
                pass

        outcome = (dry_run_undo if dry_run else undo_import)(
            connect(),
            import_id,
            options=Options.from_env(os.environ),
            callbacks=ImportCallbacks(
                publish=publish, on_commit=after_commit, reconnect=connect
            ),
        )
    result = FileResult(
        name=f"undo of import {import_id}",
        outcome=outcome,
        folder=folders[-1] if folders else None,
    )
    if wants_json:
        echo_json(result_json(result) | {"database": describe_database()}, indent=2)
        return
    print_result(result)
    echo_sentence(f"Database: {describe_database()}")
    if outcome.counts.left:
        echo(next_step(outcome))


def _interrupted(import_id: int, *, dry_run: bool) -> str:
    if dry_run:
        return "Interrupted. A dry run changes nothing."
    return (
        "Interrupted. The rows that were undone stay undone. To go on: "
        f"salespro undo {import_id}"
    )
