"""`salespro`: the importer at a terminal."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import click
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from rich.console import Console
from tqdm import tqdm

from salespro_cli import embedded
from salespro_cli import sample as samples
from salespro_cli.databases import connection, database_url, describe_database
from salespro_cli.embedded import EmbeddedPostgresError
from salespro_cli.interrupts import Interrupts, kept_back
from salespro_cli.reports import reports_folder, write_report
from salespro_cli.sources import opened
from salespro_cli.tables import history_json, history_tables
from salespro_core import database
from salespro_core.dry_run import dry_run_upload
from salespro_core.errors import ObjectUnavailable, SalesProError
from salespro_core.hooks import Hooks
from salespro_core.importer import import_upload
from salespro_core.options import Options
from salespro_core.outcome import Outcome
from salespro_core.recent import recent_imports
from salespro_core.rejects import Rejects
from salespro_core.report import as_json, as_text, printable


def _example(*lines: str) -> str:
    """Lines below the help of a command."""
    # \b tells click not to rewrap the paragraph.
    return "\n".join(["\b", "Example:", *(f"  {line}" for line in lines)])


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="salespro-importer")
def cli() -> None:
    """Import SalesPro exports into Postgres.

    The database is that of DATABASE_URL; without it, an embedded Postgres keeps its data
    under .salespro/ in this folder.
    """


@cli.command(
    "import",
    short_help="Import a file, or try it with --dry-run.",
    epilog=_example(
        "salespro import --dry-run SalesPro2025-06-18.csv",
        "salespro import SalesPro2025-06-18.csv",
    ),
)
@click.argument("file")
@click.option(
    "--dry-run", is_flag=True, help="Report what would change; change nothing."
)
@click.option("--json", "wants_json", is_flag=True, help="Print one JSON object.")
def import_(file: str, *, dry_run: bool, wants_json: bool) -> None:
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
        connection() as conn,
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
            conn,
            upload,
            _Reader(stream, file, bar, interrupts),  # type: ignore[arg-type]
            options=options,
            hooks=Hooks(publish=publish, on_commit=show),
        )
    rejects_file = folders[-1] / "rejects.csv" if folders else None
    place = str(rejects_file) if rejects_file and rejects_file.exists() else None
    if wants_json:
        click.echo(json.dumps(as_json(outcome, place), indent=2))
    elif outcome.error is None:
        click.echo(as_text(outcome, place))
        if folders:
            click.echo(f"Report: {folders[-1]}")
    if outcome.error is not None:
        rejected = f" Rejected rows: {place}" if place else ""
        raise click.ClickException(f"{outcome.error}{rejected}")


@cli.command(
    short_help="Show the newest imports.", epilog=_example("salespro history --limit 3")
)
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1, 1000))
@click.option("--json", "wants_json", is_flag=True, help="Print a JSON list.")
def history(*, limit: int, wants_json: bool) -> None:
    """Show the newest imports and what became of their rows."""
    with connection() as conn, database.store_errors("reading the history"):
        imports = recent_imports(conn, limit=limit)
    if wants_json:
        click.echo(json.dumps(history_json(imports), indent=2))
    elif imports:
        Console().print(history_tables(imports))
    else:
        click.echo("No import yet. Try: salespro import FILE")


@cli.command(
    "psql",
    short_help="Open the database in psql.",
    context_settings={"ignore_unknown_options": True},
    epilog=_example("salespro psql -c 'SELECT count(*) FROM salespro_appointment'"),
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def psql_(arguments: tuple[str, ...]) -> None:
    """Open the database in psql, with its ARGUMENTS."""
    # The shell's own if there is one; it may know an older server better.
    program = shutil.which("psql") or embedded.psql()
    with database_url() as url:
        known: dict[str, Any] = conninfo_to_dict(url)
        # Not among the arguments, which everybody on the machine can see.
        password = (
            {"PGPASSWORD": str(known.pop("password"))} if "password" in known else {}
        )
        conninfo = make_conninfo(**known)
        code = subprocess.call(  # noqa: S603 -- psql, as its user asked
            [program, conninfo, *arguments], env=os.environ | password
        )
    sys.exit(code)


@cli.command(
    short_help="Bring the tables up, or adopt the earlier system's.",
    epilog=_example("DATABASE_URL=postgresql://me@warehouse/sales salespro migrate"),
)
def migrate() -> None:
    """Create the tables that are missing and adopt those of the earlier system.

    It may be run again at any time, and rewrites no table.
    """
    with connection() as conn:
        database.migrate(conn)
    click.echo(f"The tables are up to date in {describe_database()}.")


@cli.command(
    short_help="Write a realistic export of any size.",
    epilog=_example("salespro sample --rows 200000 --seed 7 big.csv.gz"),
)
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--export",
    "kind",
    default="appointments",
    show_default=True,
    type=click.Choice(list(samples.PRODUCTION_ROWS)),
    help="Which export to write.",
)
@click.option("--rows", type=click.IntRange(min=0), help="Default: as in production.")
@click.option("--seed", default=1, show_default=True, help="Another one, other rows.")
def sample(out: Path, kind: samples.SampleKind, rows: int | None, seed: int) -> None:
    """Write a made-up export to OUT, gzipped if its name ends in .gz."""
    if not out.name:
        raise click.ClickException("OUT is the name of a file to be written.")
    rows = samples.PRODUCTION_ROWS[kind] if rows is None else rows
    try:
        samples.write_sample(kind, rows, seed, out)
    except OSError as error:
        raise click.ClickException(f"{error.strerror}: {out}") from None
    click.echo(f"{out}: {rows:,} {kind}, {out.stat().st_size:,} bytes")


@cli.command(
    short_help="S3, SQS, Postgres and the function on localhost.",
    epilog=_example("salespro sandbox"),
)
@click.option(
    "--port",
    default=5000,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Of S3 and SQS; 0 is any free one.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Where it listens; 0.0.0.0 for containers, and then Postgres at port 5432, too.",
)
@click.option(
    "--no-function",
    is_flag=True,
    help="Leave the uploads to a function that runs elsewhere, as in `sam local invoke`.",
)
def sandbox(*, port: int, host: str, no_function: bool) -> None:
    """Run the whole product on localhost: drop a file in the bucket and watch.

    With another --host, everybody who reaches this machine reaches it: invented data only.
    """
    # Imported here: the servers are heavy, and no other command needs them.
    from salespro_cli.sandbox import run_sandbox  # noqa: PLC0415

    run_sandbox(port, host=host, has_function=not no_function)


class _Reader:
    """What is asked for of a stream, shown on the bar."""

    def __init__(
        self, stream: BinaryIO, name: str, bar: tqdm[NoReturn], interrupts: Interrupts
    ) -> None:
        self._stream = stream
        self._name = name
        self._bar = bar
        self._interrupts = interrupts
        self.seekable = stream.seekable

    def read(self, size: int = -1) -> bytes:
        """The next bytes; Ctrl-C is let through while they are waited for."""
        with self._told(), self._interrupts.welcome():
            piece = self._stream.read(size)
        self._bar.update(len(piece))
        return piece

    def seek(self, offset: int) -> int:
        """Go back to the start, with the bar."""
        with self._told():
            self._stream.seek(offset)
        self._bar.reset()
        return offset

    @contextmanager
    def _told(self) -> Iterator[None]:
        """A disk, or a network drive, that has gone away is told in our words."""
        try:
            yield
        except OSError as error:
            raise ObjectUnavailable(
                f"Reading {self._name} failed: {error.strerror}."
            ) from error


def main() -> NoReturn:
    """Run a command; an error is one line on stderr and a code that is not 0."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    _print_any_letter()
    try:
        sys.exit(cli.main(standalone_mode=False))
    except click.exceptions.Exit as exit_:
        sys.exit(exit_.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _fail("Interrupted.", 130)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "salespro"
        _fail(f"{error.format_message()} Try: {command} --help", 2)
    except click.ClickException as error:
        _fail(error.format_message(), 1)
    except (SalesProError, EmbeddedPostgresError) as error:
        _fail(str(error), 1)
    except Exception as error:  # the last place: nobody wants a traceback at a prompt
        if os.environ.get("SALESPRO_DEBUG"):
            raise
        _fail_unexpectedly(error)


def _print_any_letter() -> None:
    """A terminal that lacks a letter of somebody's name is no reason to fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _fail_unexpectedly(error: Exception) -> NoReturn:
    if isinstance(error, OSError) and error.strerror:  # such as a disk that is full
        if error.filename is None:
            # Python would try once more, at its end, to write what could not be written.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        where = f": {error.filename}" if error.filename is not None else ""
        _fail(f"{error.strerror}{where}", 1)
    _fail(
        f"Unexpected {type(error).__name__}; this is our mistake. "
        "Set SALESPRO_DEBUG=1 to see where, and report it.",
        70,
    )


def _fail(message: str, code: int) -> NoReturn:
    click.echo(f"Error: {' '.join(printable(message).split())}", err=True)
    sys.exit(code)
