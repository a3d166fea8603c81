"""`salespro sample` and `salespro sandbox`: try the product with invented data."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from pathlib import Path
from typing import cast

import click

from salespro_cli.commands.examples import example
from salespro_cli.commands.parameters import Number
from salespro_cli.flags import database_flag
from salespro_cli.local_postgres.home_folder import NAME
from salespro_cli.output.terminal import echo
from salespro_cli.sample_data import generator


@click.command(
    short_help="Write a realistic sample export of any size.",
    epilog=example(
        "salespro sample --rows 200000 --seed 7 big.csv.gz",
        "salespro sample --rows 5 - | less",
    ),
)
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True))
@click.option(
    "--export",
    "kind",
    default="appointments",
    show_default=True,
    type=click.Choice(list(generator.PRODUCTION_ROWS)),
    help="Which export to write.",
)
@click.option("--rows", type=Number(min=0), help="Default: as many as in production.")
@click.option(
    "--seed",
    default=1,
    show_default=True,
    type=Number(),
    help="Another seed gives other rows.",
)
@click.option("--force", is_flag=True, help="Overwrite the file if it exists.")
def sample(
    out: Path, *, kind: generator.SampleKind, rows: int | None, seed: int, force: bool
) -> None:
    """Write an invented export to the file OUT, compressed if its name ends in .gz.

    OUT may be - for standard output.
    """
    if not out.name:
        raise click.ClickException("OUT is empty: name the file to write.")
    rows = generator.PRODUCTION_ROWS[kind] if rows is None else rows
    if out == Path("-"):
        stdout = cast(TextIOWrapper, sys.stdout)
        stdout.reconfigure(encoding="utf-8", newline="")  # the bytes of a file
        generator.write_rows(kind, rows, seed, stdout)
        stdout.flush()
        return
    try:
        generator.write_sample(kind, rows, seed, out, overwrite=force)
    except FileExistsError:
        raise click.ClickException(_taken(out)) from None
    except OSError as error:
        raise click.ClickException(f"{error.strerror}: {out}") from None
    echo(f"{out}: {rows:,} {kind}, {out.stat().st_size:,} bytes")


def _taken(out: Path) -> str:
    if out.is_file():
        return f"{out} exists. Choose another name, or overwrite it with --force."
    return f"{out} is not a regular file. Write - for standard output."


@click.command(
    short_help="Run S3, SQS, Postgres and the function on localhost.",
    epilog=example("salespro sandbox"),
)
@click.option(
    "--port",
    default=5000,
    show_default=True,
    type=Number(0, 65535),
    help="Port of S3 and SQS; 0 takes any free port.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on. With 0.0.0.0, containers can connect, also to Postgres "
    "at port 5432.",
)
@click.option(
    "--no-function",
    is_flag=True,
    help="Do not process uploads: a function elsewhere does, such as `sam local invoke`.",
)
@click.option(
    "--log",
    "log_path",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="File for the function's log, which is JSON; - prints it here. Default: "
    f"{NAME}/sandbox.log",
)
@database_flag
def sandbox(*, port: int, host: str, no_function: bool, log_path: str | None) -> None:
    """Run the whole product on localhost: upload a file to the bucket and watch.

    With another --host, everyone who can reach this machine has access: use invented data
    only.
    """
    # Imported here: it loads the AWS servers, which takes long.
    from salespro_cli.sandbox.run import run_sandbox  # noqa: PLC0415 -- slow to import; most commands do not need it

    run_sandbox(port, log_path, host=host, has_function=not no_function)
