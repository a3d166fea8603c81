"""Where the report and the rejects of an upload are put."""

from __future__ import annotations

import json
from types import ModuleType
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from salespro_core.errors import ObjectRefused, ObjectUnavailable
from salespro_core.model.outcome import Outcome
from salespro_core.records.rejects_file import Rejects
from salespro_core.report.text_report import as_json, as_text

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_TEXT = "text/plain; charset=utf-8"
_CSV = "text/csv; charset=utf-8"
_HTML = "text/html; charset=utf-8"
_JSON = "application/json"


def get_ready() -> None:
    """Load what writes a report."""
    _render().get_ready()


def put_report(
    s3: S3Client, bucket: str, folder: str, outcome: Outcome, rejects: Rejects
) -> str:
    """Write report.html, report.json, report.txt and, if there are any, rejects.csv.

    A second attempt at the same version writes the same names again.

    Args:
        s3: the client.
        bucket: another than that of the uploads.
        folder: ends in a slash.
        outcome: what to report.
        rejects: the rows that could not be imported.

    Returns:
        Where they are: `s3://bucket/folder/`.

    Raises:
        ObjectUnavailable, ObjectRefused: they may not be complete.
    """
    place = f"s3://{bucket}/{folder}"
    rejects_file = f"{place}rejects.csv" if rejects.count else None
    facts = json.dumps(as_json(outcome, rejects_file), indent=2, ensure_ascii=False)
    text = as_text(outcome, rejects_file) + "\n"
    page = _render().as_html(outcome, rejects_file)
    try:
        # The rejects first: a report that is there names only what is there.
        if (file := rejects.open()) is not None:
            s3.put_object(
                Bucket=bucket, Key=f"{folder}rejects.csv", Body=file, ContentType=_CSV
            )
        for name, body, kind in (
            ("report.json", facts, _JSON),
            ("report.txt", text, _TEXT),
            ("report.html", page, _HTML),
        ):
            s3.put_object(
                Bucket=bucket,
                Key=folder + name,
                Body=body.encode(errors="replace"),
                ContentType=kind,
            )
    except ClientError as error:
        code = str(error.response["Error"]["Code"])
        if code in ("AccessDenied", "NoSuchBucket"):
            raise ObjectRefused(
                f"The report could not be written to {place} ({code}): check "
                "REPORT_BUCKET and that the function's role has s3:PutObject on it."
            ) from error
        raise ObjectUnavailable(
            f"The report could not be written to {place} ({code}). It is tried again."
        ) from error
    except BotoCoreError as error:
        raise ObjectUnavailable(
            f"The report could not be written to {place} ({type(error).__name__}). "
            "It is tried again."
        ) from error
    return place


def _render() -> ModuleType:
    # Not before it is needed: what makes pages of templates is no part of a cold start.
    from salespro_core.report.html_report import render  # noqa: PLC0415

    return render
