"""The product on localhost: S3 and SQS of moto, an embedded Postgres, the real handler."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import boto3
import click

from salespro_cli.local_postgres.container_access import grant_container_access
from salespro_cli.local_postgres.database_url import (
    database_url,
    describe_database,
    has_database_url,
)
from salespro_cli.local_postgres.home_folder import ensure_home
from salespro_cli.output.terminal import echo, echo_lines
from salespro_cli.sandbox.function import process_one_message
from salespro_cli.sandbox.local_aws import (
    LOCALHOST,
    REPORTS,
    UPLOADS,
    create_resources,
    listen,
    local_aws,
)
from salespro_cli.sandbox.page.site import Site
from salespro_cli.sandbox.welcome import welcome_text
from salespro_core.postgres import connection


def run_sandbox(
    port: int,
    log_path: str | None,
    *,
    host: str = LOCALHOST,
    has_function: bool = True,
) -> None:
    """Serve until interrupted; see `salespro sandbox --help`.

    Args:
        port: of S3 and SQS.
        log_path: file to which the function's log is appended, or `-` for stdout; None:
            `sandbox.log` in `.salespro/`.
        host: address on which they listen; if it is not localhost, the embedded Postgres
            listens there too.
        has_function: false if a function elsewhere, such as in a container, processes
            the uploads.

    Raises:
        click.ClickException: the port is taken, or the log cannot be written.
        StoreUnavailable, StoreRefused: the database cannot be reached or used.
        EmbeddedPostgresError: the embedded Postgres did not start.
    """
    listens_to_others = host != LOCALHOST
    with (
        listen(host, port) as listener,
        _open_log(log_path) as log,
        database_url(host=host if listens_to_others else None) as url,
        local_aws(
            listener, lambda moto: Site(moto, boto3.client("s3"), url, host)
        ) as endpoint,
    ):
        with connection.connect(url) as conn:
            if listens_to_others and not has_database_url():
                grant_container_access(conn, host)
        # Before DATABASE_URL is set to the conninfo of the embedded Postgres.
        database = describe_database()
        embedded_url = None if has_database_url() else url
        os.environ |= {
            "DATABASE_URL": url,
            "REPORT_BUCKET": REPORTS,
            "UPLOAD_BUCKETS": UPLOADS,
        }
        s3, sqs = boto3.client("s3"), boto3.client("sqs")
        queue_url = create_resources(s3, sqs)
        welcome = welcome_text(
            endpoint, embedded_url, log.name, has_function=has_function
        )
        try:
            for line in welcome.splitlines():
                echo(line)  # not broken: people paste the lines
            while True:
                if has_function:
                    process_one_message(s3, sqs, queue_url, endpoint, log)
                else:
                    time.sleep(1)
        except KeyboardInterrupt:
            echo_lines(f"\nThe sandbox has ended. Its rows are still in {database}.")


@contextmanager
def _open_log(path: str | None) -> Iterator[IO[str]]:
    """The file for the function's log; its name is an absolute path."""
    if path == "-":
        yield sys.stdout
        return
    file = Path(path) if path else ensure_home() / "sandbox.log"
    try:
        # Line by line, so that `tail -f` is up to date.
        log = file.absolute().open("a", encoding="utf-8", buffering=1)
    except OSError as error:
        raise click.ClickException(
            f"The log {file} cannot be written ({error.strerror}): choose another file "
            "with --log."
        ) from None
    with log:
        yield log
