"""The product on localhost: S3 and SQS of moto, an embedded Postgres, the real handler."""

from __future__ import annotations

import os
import time

import boto3

from salespro_cli.local_postgres.container_access import grant_container_access
from salespro_cli.local_postgres.database_url import (
    database_url,
    describe_database,
    has_database_url,
)
from salespro_cli.output.terminal import echo_lines
from salespro_cli.sandbox.function import process_one_message
from salespro_cli.sandbox.local_aws import (
    LOCALHOST,
    REGION,
    REPORTS,
    UPLOADS,
    create_resources,
    local_aws,
)
from salespro_core.postgres import connection


def run_sandbox(port: int, *, host: str = LOCALHOST, has_function: bool = True) -> None:
    """Serve until interrupted; see `salespro sandbox --help`.

    Args:
        port: of S3 and SQS.
        host: address on which they listen; if it is not localhost, the embedded Postgres
            listens there too.
        has_function: false if a function elsewhere, such as in a container, processes
            the uploads.

    Raises:
        click.ClickException: a port is in use.
        StoreUnavailable, StoreRefused: the database cannot be reached or used.
        EmbeddedPostgresError: the embedded Postgres did not start.
    """
    listens_to_others = host != LOCALHOST
    with (
        database_url(host=host if listens_to_others else None) as url,
        local_aws(host, port) as endpoint,
    ):
        with connection.connect(url) as conn:
            if listens_to_others and not has_database_url():
                grant_container_access(conn, host)
        # Before DATABASE_URL is set to the conninfo of the embedded Postgres.
        database = describe_database()
        os.environ |= {
            "DATABASE_URL": url,
            "REPORT_BUCKET": REPORTS,
            "UPLOAD_BUCKETS": UPLOADS,
        }
        s3, sqs = boto3.client("s3"), boto3.client("sqs")
        queue_url = create_resources(s3, sqs)
        echo_lines(_welcome_text(endpoint, has_function=has_function))
        try:
            while True:
                if has_function:
                    process_one_message(s3, sqs, queue_url)
                else:
                    time.sleep(1)
        except KeyboardInterrupt:
            echo_lines(f"\nThe sandbox has ended. Its rows are still in {database}.")


def _welcome_text(endpoint: str, *, has_function: bool) -> str:
    function = "the function waits for uploads" if has_function else "no function runs"
    return f"""\
S3 and SQS listen on {endpoint}, Postgres is up, and {function}.

To upload a file to the bucket, in another terminal:
    curl -T events/SalesPro2025-06-18.csv {endpoint}/{UPLOADS}/SalesPro2025-06-18.csv
or, with the AWS CLI (any credentials work):
    export AWS_ACCESS_KEY_ID=sandbox AWS_SECRET_ACCESS_KEY=sandbox AWS_DEFAULT_REGION={REGION}
    aws --endpoint-url {endpoint} s3 cp events/SalesPro2025-06-18.csv s3://{UPLOADS}/
To see what an import would change, without importing:
    curl -T events/SalesPro2025-06-18.csv {endpoint}/{UPLOADS}/dryrun/SalesPro2025-06-18.csv
To see the imports and their rows:
    salespro history
    salespro psql

Ctrl-C ends it.
"""
