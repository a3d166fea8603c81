"""`salespro sample` and `salespro sandbox`: to try the product."""

from __future__ import annotations

from pathlib import Path

import click

from salespro_cli.commands.examples import example
from salespro_cli.sample_data import generator as samples


@click.command(
    short_help="Write a realistic export of any size.",
    epilog=example("salespro sample --rows 200000 --seed 7 big.csv.gz"),
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


@click.command(
    short_help="S3, SQS, Postgres and the function on localhost.",
    epilog=example("salespro sandbox"),
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
