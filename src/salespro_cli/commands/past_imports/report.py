"""`salespro report`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
from psycopg import Connection

from salespro_cli.commands.examples import example
from salespro_cli.commands.parameters import ImportId
from salespro_cli.flags import database_flag
from salespro_cli.local_postgres.database_url import (
    describe_database,
    open_connection,
)
from salespro_cli.local_postgres.home_folder import check_owner
from salespro_cli.output.terminal import echo, echo_json
from salespro_cli.reports.browser import open_report, open_url
from salespro_cli.reports.location import report_file
from salespro_core.postgres.sqlstates import store_errors
from salespro_core.sync_history.queries import Import, find_import, recent_imports

PAGE = "report.html"
_SEARCHED_IMPORTS = 1000


@click.command(
    short_help="Open the report of an import, or print where it is.",
    epilog=example("salespro report --open", "salespro report 7"),
)
@click.argument("id", type=ImportId(), required=False)
@click.option("--open", "opens", is_flag=True, help="Open it in the browser.")
@click.option("--json", "wants_json", is_flag=True, help="Print one JSON object.")
@database_flag
def report(id: int | None, *, opens: bool, wants_json: bool) -> None:  # noqa: A002 -- click takes it from the ID in the usage
    """Print the location of the report of the import with this ID.

    Without an ID, it is the newest import that has a report. A report of the function is
    in a bucket: --open opens it with a link that is valid for ten minutes.
    """
    with open_connection() as conn, store_errors("reading the history"):
        import_ = _find(conn, id)
    location = import_.report_location or ""
    page = report_file(location, PAGE)
    is_local = not page.startswith("s3://")
    if is_local:
        _check_folder(import_.id, Path(page).parent)
    if wants_json:
        echo_json(
            {
                "id": import_.id,
                "file": import_.file_path,
                "report": location,
                "page": str(Path(page).absolute()) if is_local else page,
                "database": describe_database(),
            },
            indent=2,
        )
    else:
        echo(page)
    if opens and is_local:
        open_report(Path(page).parent)
    elif opens:
        # Imported here: boto3 takes long to load.
        from salespro_cli.inputs.s3_source import presigned_url  # noqa: PLC0415 -- slow to import; most commands do not need it

        open_url(presigned_url(page), page)
    elif not is_local and not wants_json:
        echo(
            f"It is in S3. To open it: salespro report {import_.id} --open. To copy it: "
            f"aws s3 cp {shlex.quote(page)} .",
            err=True,
        )


def _find(conn: Connection, import_id: int | None) -> Import:
    """The import with this id, or the newest one with a report.

    Raises:
        click.ClickException: it does not exist, or has no report.
    """
    if import_id is None:
        imports = recent_imports(conn, limit=_SEARCHED_IMPORTS)
        with_report = (import_ for import_ in imports if import_.report_location)
        if import_ := next(with_report, None):
            return import_
        raise click.ClickException(
            f"No import in {describe_database()} has a report. Try: salespro history"
        )
    import_ = find_import(conn, import_id)
    if import_ is None:
        raise click.ClickException(
            f"Import {import_id} does not exist. `salespro history` lists the imports."
        )
    if import_.report_location is None:
        reason = (
            "it has not ended"
            if import_.status == "in_progress"
            else "none was written"
        )
        raise click.ClickException(
            f"Import {import_id} has no report: {reason}. See: salespro show {import_id}"
        )
    return import_


def _check_folder(import_id: int, folder: Path) -> None:
    """Check that the report is here, and that we wrote it.

    Raises:
        click.ClickException: it is on another machine, deleted, or of another user.
    """
    try:
        (folder / PAGE).stat()
        check_owner(folder)
    except OSError as error:
        raise click.ClickException(
            f"The report of import {import_id} cannot be read here ({error.strerror}): "
            f"{folder / PAGE}. It was deleted, or the import ran on another machine."
        ) from None
