"""What the sandbox prints when it is ready: addresses, variables and commands to paste."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

from psycopg.conninfo import conninfo_to_dict

from salespro_cli.sandbox.local_aws import REGION, UPLOADS


def welcome_text(
    endpoint: str, database: str | None, log: str, *, has_function: bool
) -> str:
    """The first output; its commands work in any folder of another terminal.

    Args:
        endpoint: address of the page, S3 and SQS.
        database: conninfo of the embedded Postgres; None if the user has set DATABASE_URL.
        log: where the function's log goes.
        has_function: false if a function elsewhere processes the uploads.
    """
    function = (
        f"The function waits for uploads. Its log is\n{log}"
        if has_function
        else "No function runs here: uploads wait in the queue."
    )
    exports = "\n".join(f"    {line}" for line in _exports(endpoint, database))
    return f"""\
Open this page to upload files, and to see their reports:
    {endpoint}

S3 and SQS listen on {endpoint}, Postgres is up.
{function}

Paste this into another terminal, for all other commands:
{exports}

Then, to make a file, upload it and see its import:
    salespro sample SalesPro.csv
    curl -T SalesPro.csv {endpoint}/{UPLOADS}/
    salespro history
    salespro psql
To see what an import would change, without importing:
    curl -T SalesPro.csv {endpoint}/{UPLOADS}/dryrun/
With the AWS CLI:
    aws s3 cp SalesPro.csv s3://{UPLOADS}/

Ctrl-C ends it.
"""


def _exports(endpoint: str, database: str | None) -> Iterator[str]:
    """One line of shell per variable that other commands need."""
    values = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_DEFAULT_REGION": REGION,
        "UPLOAD_BUCKET": UPLOADS,
    }
    if database is not None:
        values["DATABASE_URL"] = _as_url(database)
    if urllib.request.getproxies():
        values["no_proxy"] = os.environ["no_proxy"]  # set by `local_aws`
    for name, value in values.items():
        yield f"export {name}={shlex.quote(value)}"
    # A new terminal does not have the virtual environment of this one.
    if "VIRTUAL_ENV" in os.environ or not shutil.which("salespro"):
        folder = shlex.quote(str(Path(sys.executable).parent))
        yield f'export PATH={folder}:"$PATH"'
    if database is None:
        yield "# and your own DATABASE_URL: it may hold a password"


def _as_url(conninfo: str) -> str:
    """A URL needs fewer quotes in a shell than keywords."""
    parts = conninfo_to_dict(conninfo)
    server = urlencode({"host": parts["host"], "port": parts["port"]}, safe="/")
    return f"postgresql://{parts['user']}@/{parts['dbname']}?{server}"
