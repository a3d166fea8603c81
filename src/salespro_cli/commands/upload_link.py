"""`salespro upload-link`."""

from __future__ import annotations

import shlex
from typing import Any

import click

from salespro_cli.commands.examples import example
from salespro_cli.commands.parameters import Number
from salespro_cli.output.terminal import echo, echo_json
from salespro_core.model.object_key import DRY_RUN_PREFIX

_MB = 1024 * 1024
# The limits of S3: of one request, and of a signature.
_MAX_MB = 5 * 1024
_MAX_HOURS = 7 * 24


@click.command(
    "upload-link",
    short_help="Let somebody without an AWS account upload files for some hours.",
    epilog=example(
        "salespro upload-link --bucket salespro-uploads-123456789012",
        "salespro upload-link --bucket B --prefix june/ --hours 24 --dry-run",
    ),
)
@click.option(
    "--bucket", envvar="UPLOAD_BUCKET", required=True, help="Bucket of the uploads."
)
@click.option("--prefix", default="", help="Beginning of the object keys: june/")
@click.option(
    "--dry-run",
    "is_dry_run",
    is_flag=True,
    help="Uploads are dry runs: no row is written.",
)
@click.option(
    "--hours",
    type=Number(1, _MAX_HOURS),
    default=1,
    show_default=True,
    help="How long it can be used. With credentials of a role not longer than these.",
)
@click.option(
    "--max-mb",
    type=Number(1, _MAX_MB),
    default=200,
    show_default=True,
    help="Largest file in MB.",
)
@click.option(
    "--compressed", is_flag=True, help="For .csv.gz files, not for .csv files."
)
@click.option("--json", "wants_json", is_flag=True, help="Print one JSON object.")
def upload_link(
    *,
    bucket: str,
    prefix: str,
    is_dry_run: bool,
    hours: int,
    max_mb: int,
    compressed: bool,
    wants_json: bool,
) -> None:
    """Print a curl command that uploads a file with your permission to do so.

    S3 refuses other key prefixes, larger files and other content types, and everything
    after the hours. Whoever has the command can use it any number of times.
    """
    # Imported here: boto3 takes long to load.
    from salespro_cli import aws  # noqa: PLC0415 -- slow to import; most commands do not need it

    folder = (DRY_RUN_PREFIX if is_dry_run else "") + prefix
    content_type = "application/gzip" if compressed else "text/csv"
    conditions: list[Any] = [
        ["starts-with", "$key", folder],
        {"Content-Type": content_type},
        ["content-length-range", 1, max_mb * _MB],
    ]
    signed = aws.s3_client().generate_presigned_post(
        bucket,
        folder + "${filename}",  # S3 replaces it with the name of the file
        Fields={"Content-Type": content_type},
        Conditions=conditions,
        ExpiresIn=hours * 3600,
    )
    if wants_json:
        echo_json(signed)
        return
    fields = [f"-F {shlex.quote(f'{k}={v}')}" for k, v in signed["fields"].items()]
    # S3 ignores all fields after the file.
    name = "FILE.csv.gz" if compressed else "FILE.csv"
    echo(
        " ".join(
            ["curl --fail", *fields, f"-F file=@{name}", shlex.quote(signed["url"])]
        )
    )
