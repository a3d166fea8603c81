"""Check the report bucket and the upload buckets with the function's own requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from handler.aws.error_codes import Cause
from handler.aws.errors import failure_of
from handler.settings import Settings
from salespro_core.preflight.database import SetupProblem

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Not the key of a report: report folders are named after uploads, which end in .csv.
PROBE_KEY = "salespro-check.txt"


def report_bucket_problems(s3: S3Client, bucket: str) -> Iterator[SetupProblem]:
    """Write a probe object: S3 has no other way to check the permission."""

    def write_probe() -> None:
        s3.put_object(
            Bucket=bucket,
            Key=PROBE_KEY,
            Body=b"The importer can write here.\n",
            ContentType="text/plain; charset=utf-8",
        )

    yield from _request_problems(
        write_probe,
        f"the report bucket {bucket}",
        "s3:PutObject on its objects",
        "check REPORT_BUCKET; ",
    )


def problem_of_name(bucket: str, settings: Settings) -> SetupProblem | None:
    """Why the function does not import from this bucket; None if it does."""
    if bucket == settings.report_bucket:
        return SetupProblem(
            f"{bucket} is the report bucket, and nothing is imported from it",
            "correct REPORT_BUCKET: reports and uploads need different buckets",
        )
    allowed = settings.upload_buckets
    if allowed and bucket not in allowed:
        return SetupProblem(
            f"{bucket} is not in UPLOAD_BUCKETS ({', '.join(allowed)}), so that messages "
            "of its uploads go to the dead-letter queue",
            "add it to UPLOAD_BUCKETS, or remove its notification",
        )
    return None


def upload_bucket_problems(
    s3: S3Client, bucket: str, settings: Settings
) -> Iterator[SetupProblem]:
    """Check that the function imports from this bucket, and can read its objects."""
    if problem := problem_of_name(bucket, settings):
        yield problem
    yield from _request_problems(
        partial(_read_probe, s3, bucket, settings.upload_prefix + PROBE_KEY),
        f"the upload bucket {bucket}",
        "s3:GetObject and s3:GetObjectVersion on its objects, and s3:ListBucket on it",
        "check UPLOAD_BUCKETS; " if bucket in settings.upload_buckets else "",
    )
    if settings.requires_scan:
        yield from _request_problems(
            partial(_read_tags_probe, s3, bucket, settings.upload_prefix + PROBE_KEY),
            f"the tags of objects in {bucket}, which MALWARE_SCAN needs",
            "s3:GetObjectTagging and s3:GetObjectVersionTagging on its objects",
            "",
        )


def _read_probe(s3: S3Client, bucket: str, key: str) -> None:
    """Request an object that does not exist: only a role that may read gets NoSuchKey."""
    get_latest = partial(s3.get_object, Bucket=bucket, Key=key)
    for get in (get_latest, partial(get_latest, VersionId="null")):
        try:
            get()["Body"].close()
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("NoSuchKey", "NoSuchVersion"):
                raise


def _read_tags_probe(s3: S3Client, bucket: str, key: str) -> None:
    """Request the tags of an object that does not exist."""
    try:
        s3.get_object_tagging(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise


def _request_problems(
    request: Callable[[], None], subject: str, permissions: str, also: str
) -> Iterator[SetupProblem]:
    try:
        request()
    except (ClientError, BotoCoreError) as error:
        failure = failure_of(error, permissions)
        says = "S3 answered" if isinstance(error, ClientError) else "No request to S3:"
        setting = "" if failure.cause is Cause.PASSING else also
        yield SetupProblem(
            f"{says} {failure.code} for {subject}", setting + failure.fix
        )
