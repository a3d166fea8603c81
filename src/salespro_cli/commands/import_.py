"""`salespro import`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click
from tqdm import tqdm

from salespro_cli.commands.examples import example
from salespro_cli.inputs.progress import Reader
from salespro_cli.inputs.signals import kept_back
from salespro_cli.inputs.sources import opened
from salespro_cli.local_postgres.database_url import connections
from salespro_cli.reports.browser import open_report
from salespro_cli.reports.writer import get_ready, reports_folder, write_report
from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.importer.dry_run import dry_run_upload
from salespro_core.importer.options import Options
from salespro_core.importer.run import import_upload
from salespro_core.model.outcome import Outcome
from salespro_core.records.rejects_file import Rejects
from salespro_core.report.text_report import as_json, as_text, printable


@click.command(
    "import",
    short_help="Import a file, or try it with --dry-run.",
    epilog=example(
        "salespro import --dry-run SalesPro2025-06-18.csv",
        "salespro import SalesPro2025-06-18.csv",
    ),
)
@click.argument("file")
@click.option(
    "--dry-run", is_flag=True, help="Report what would change; change nothing."
)
@click.option("--json", "wants_json", is_flag=True, help="Print one JSON object.")
@click.option("--open", "opens", is_flag=True, help="Open the report when it is done.")
def import_(file: str, *, dry_run: bool, wants_json: bool, opens: bool) -> None:
    """Import FILE, a path or an s3://bucket/key, into Postgres.

    A row that cannot be imported goes to rejects.csv, beside the report under
    .salespro/reports/; correct it there and import that file.

    BATCH_SIZE, CHECKPOINT_ROWS, SOURCE_TIMEZONE, INVALID_VALUES, MAX_REJECTED_ROWS and
    MAX_REJECTED_PERCENT are read from the environment.
    """
    options = Options.from_env(os.environ)
    place_of_reports = reports_folder()
    folders: list[Path] = []

    def publish(outcome: Outcome, rejects: Rejects) -> str:
        folders.append(write_report(place_of_reports, outcome, rejects))
        return str(folders[-1])

    with (
        opened(file) as (upload, stream),
        connections() as connect,
        tqdm(
            total=upload.size_bytes,
            unit="B",
            unit_scale=True,
            unit_divisor=1024,
            desc=printable(Path(file).name),
            leave=False,
            disable=None,  # shown on a terminal only
        ) as bar,
        kept_back() as interrupts,
    ):

        def show(outcome: Outcome) -> None:
            bar.set_postfix_str(f"{outcome.counts.processed:,} rows")
            with interrupts.welcome():
                pass

        # As in the bucket: what lies under dryrun/ is reported on and nothing else.
        is_tried = upload.bucket is not None and upload.object_key.startswith("dryrun/")
        run = dry_run_upload if dry_run or is_tried else import_upload
        outcome = run(
            connect(),
            upload,
            Reader(stream, file, bar, interrupts),  # type: ignore[arg-type]
            options=options,
            callbacks=ImportCallbacks(
                publish=publish,
                get_ready=get_ready,
                on_commit=show,
                reconnect=connect,
            ),
        )
    rejects_file = folders[-1] / "rejects.csv" if folders else None
    place = str(rejects_file) if rejects_file and rejects_file.exists() else None
    if wants_json:
        folder = str(folders[-1]) if folders else None
        click.echo(json.dumps(as_json(outcome, place) | {"report": folder}, indent=2))
    elif outcome.error is None:
        click.echo(as_text(outcome, place))
    if folders and not wants_json:
        click.echo(f"Report: {folders[-1] / 'report.html'}")
    if opens and folders:
        open_report(folders[-1])
    elif opens:
        # Not to stdout, which may be read as JSON.
        told = (
            "No report was written now. `salespro show ID` has the place of the first."
        )
        click.echo(told, err=True)
    if outcome.error is not None:
        rejected = f" Rejected rows: {place}" if place else ""
        raise click.ClickException(f"{outcome.error}{rejected}")
