"""Write the report and the rejects of an upload to the report bucket."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from handler.aws.error_codes import Cause
from handler.aws.errors import failure_of
from salespro_core.errors import ObjectRefused, ObjectUnavailable
from salespro_core.model.outcome import Outcome
from salespro_core.records.rejects_file import Rejects
from salespro_core.report.json_report import as_json_text
from salespro_core.report.text_report import as_text

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_TEXT = "text/plain; charset=utf-8"
_CSV = "text/csv; charset=utf-8"
_HTML = "text/html; charset=utf-8"
_JSON = "application/json"


def prepare_report() -> None:
    """Load the template engine and the template, which takes longer than one report."""
    _render().template()


def put_report(
    s3: S3Client, bucket: str, folder: str, outcome: Outcome, rejects: Rejects
) -> str:
    """Write report.html, report.json, report.txt and, if rows were rejected, rejects.csv.

    A second attempt at the same version overwrites the same objects.

    Args:
        s3: a client.
        bucket: not the upload bucket.
        folder: key prefix, ending in a slash.
        outcome: the content of the report.
        rejects: the rejected rows.

    Returns:
        The location of the report, `s3://bucket/folder/`.

    Raises:
        ObjectUnavailable, ObjectRefused: some of the files may be missing.
    """
    location = f"s3://{bucket}/{folder}"
    rejects_file = f"{location}rejects.csv" if rejects.count else None
    json_text = as_json_text(outcome, rejects_file)
    plain_text = as_text(outcome, rejects_file) + "\n"
    page = _render().as_html(outcome, rejects_file)
    try:
        # The rejects first: a report must not name a file that does not exist.
        if (file := rejects.open()) is not None:
            s3.put_object(
                Bucket=bucket, Key=f"{folder}rejects.csv", Body=file, ContentType=_CSV
            )
        texts = (
            ("report.json", json_text, _JSON),
            ("report.txt", plain_text, _TEXT),
            ("report.html", page, _HTML),
        )
        # At once: the import of a small file takes less time than a request.
        with ThreadPoolExecutor(len(texts)) as pool:
            requests = [
                pool.submit(
                    s3.put_object,
                    Bucket=bucket,
                    Key=folder + name,
                    Body=text.encode(errors="replace"),
                    ContentType=content_type,
                )
                for name, text, content_type in texts
            ]
        for request in requests:
            request.result()
    except (ClientError, BotoCoreError) as error:
        failure = failure_of(error, "s3:PutObject on the report bucket's objects")
        problem = f"The report could not be written to {location} ({failure.code})"
        if failure.cause is Cause.PASSING:
            raise ObjectUnavailable(f"{problem}. It is tried again.") from error
        raise ObjectRefused(
            f"{problem}: check REPORT_BUCKET; {failure.fix}."
        ) from error
    return location


def _render() -> ModuleType:
    # Imported here: the template engine is not needed at a cold start.
    from salespro_core.report.html_report import render  # noqa: PLC0415

    return render
