"""Check whether imports can work: settings, database, schema, privileges, buckets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from psycopg import Connection

from handler.aws.db_connection import Connections
from handler.settings import Settings
from salespro_core.errors import ConfigError, SalesProError
from salespro_core.postgres.preflight import (
    SetupProblem,
    privilege_problems,
    schema_problems,
    server_problems,
)
from salespro_core.postgres.retry import RESPONSE_TIMEOUT_S
from salespro_core.postgres.schema import expected_schema
from salespro_core.postgres.sqlstates import store_errors
from salespro_core.postgres.watchdog import statement_deadline

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Not the key of a report: report folders are named after uploads, which end in .csv.
PROBE_KEY = "salespro-check.txt"
_SKIPPED = "not checked: the database could not be reached"
_CONNECTION_REMEDY = (
    "check the settings of the database; in a VPC also the subnets, the security groups, "
    "and the route to Secrets Manager"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of one check.

    Attributes:
        says: the result as text.
        problems: empty if the check is ok or was not made.
        is_checked: False if the check could not be made.
    """

    check: str
    says: str
    problems: tuple[SetupProblem, ...] = ()
    is_checked: bool = True

    @property
    def is_ok(self) -> bool | None:
        """Whether the check found no problem; None if it was not made."""
        return not self.problems if self.is_checked else None

    def as_json(self) -> dict[str, Any]:
        """The check, its result, and a remedy for each problem."""
        return {
            "check": self.check,
            "ok": self.is_ok,
            "says": self.says,
            "problems": [
                {"says": problem.description, "remedy": problem.remedy}
                for problem in self.problems
            ],
        }


def check_all(
    environ: Mapping[str, str], s3: S3Client, *, upload_bucket: str | None
) -> list[Finding]:
    """Run all checks; a failed check does not stop the others.

    Invalid settings are the exception: without them no other check is possible.

    Args:
        environ: the function's environment.
        s3: the function's client.
        upload_bucket: not part of the settings; None skips its check.
    """
    try:
        settings = Settings.from_env(environ)
    except ConfigError as error:
        problems = (
            SetupProblem(problem, "correct the setting; the README lists all settings")
            for problem in error.problems
        )
        return [_finding("settings", problems, ok_text="")]
    return [
        _finding("settings", (), ok_text="complete"),
        *_check_database(settings),
        _check_report_bucket(s3, settings.report_bucket),
        _check_upload_bucket(s3, upload_bucket),
    ]


def _finding(check: str, problems: Iterable[SetupProblem], *, ok_text: str) -> Finding:
    problems = tuple(problems)
    return Finding(
        check=check,
        says="; ".join(problem.description for problem in problems) or ok_text,
        problems=problems,
    )


def _check_database(settings: Settings) -> Iterator[Finding]:
    try:
        conn = Connections(settings).connect()
    except SalesProError as error:
        problem = SetupProblem(str(error), _CONNECTION_REMEDY)
        yield _finding("database", [problem], ok_text="")
        for check in ("schema", "privileges"):
            yield Finding(check=check, says=_SKIPPED, is_checked=False)
        return
    with closing(conn):
        server = _describe_server(conn)
        yield _run_check(conn, "database", server_problems, ok_text=server)
        version = f"complete (version {expected_schema().version})"
        yield _run_check(conn, "schema", schema_problems, ok_text=version)
        yield _run_check(conn, "privileges", privilege_problems, ok_text="complete")


def _describe_server(conn: Connection) -> str:
    info = conn.info
    version, tls = info.server_version // 10000, info.pgconn.ssl_in_use
    return (
        f"Postgres {version}, database {info.dbname}, role {info.user}, "
        f"{'with' if tls else 'without'} TLS"
    )


def _run_check(
    conn: Connection,
    check: str,
    problems: Callable[[Connection], Iterator[SetupProblem]],
    *,
    ok_text: str,
) -> Finding:
    """Run a check on Postgres; an error of Postgres is a problem of this check."""
    try:
        with (
            store_errors(f"checking the {check}"),
            statement_deadline(conn, RESPONSE_TIMEOUT_S),
        ):
            return _finding(check, problems(conn), ok_text=ok_text)
    except SalesProError as error:
        return _finding(check, [SetupProblem(str(error), "try again")], ok_text="")


def _check_report_bucket(s3: S3Client, bucket: str) -> Finding:
    """Write a probe object: S3 has no other way to check the permission."""

    def write_probe() -> None:
        s3.put_object(
            Bucket=bucket,
            Key=PROBE_KEY,
            Body=b"The importer can write here.\n",
            ContentType="text/plain; charset=utf-8",
        )

    problems = _s3_problems(
        write_probe,
        f"the report bucket {bucket}",
        "check REPORT_BUCKET, and give the function's role s3:PutObject on its objects",
    )
    return _finding("report bucket", problems, ok_text=f"{bucket} is writable")


def _check_upload_bucket(s3: S3Client, bucket: str | None) -> Finding:
    """Request an object that does not exist: only a role that may read gets NoSuchKey."""
    if bucket is None:
        event = '{"action": "check", "bucket": "<UploadBucket>"}'
        return Finding(
            check="upload bucket",
            says=f"not checked; to check it, invoke the function with {event}",
            is_checked=False,
        )

    def read_probe() -> None:
        get_latest = partial(s3.get_object, Bucket=bucket, Key=PROBE_KEY)
        for get in (get_latest, partial(get_latest, VersionId="null")):
            try:
                get()["Body"].close()
            except ClientError as error:
                if error.response["Error"]["Code"] not in (
                    "NoSuchKey",
                    "NoSuchVersion",
                ):
                    raise

    problems = _s3_problems(
        read_probe,
        f"the upload bucket {bucket}",
        "check its name, and give the function's role s3:GetObject and "
        "s3:GetObjectVersion on its objects, and s3:ListBucket on it",
    )
    return _finding("upload bucket", problems, ok_text=f"{bucket} is readable")


def _s3_problems(
    action: Callable[[], None], subject: str, remedy: str
) -> Iterator[SetupProblem]:
    try:
        action()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        yield SetupProblem(f"S3 answered {code} for {subject}", remedy)
    except BotoCoreError as error:
        yield SetupProblem(
            f"S3 could not be reached for {subject} ({type(error).__name__})",
            "in a VPC, S3 needs an endpoint or a NAT gateway",
        )
