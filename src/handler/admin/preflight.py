"""Whether imports can work: settings, database, schema, privileges, buckets."""

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
    Problem,
    privilege_problems,
    schema_problems,
    server_problems,
)
from salespro_core.postgres.retry import SILENCE_S
from salespro_core.postgres.schema import schema
from salespro_core.postgres.sqlstates import store_errors
from salespro_core.postgres.watchdog import statement_deadline

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Where no report is: their folders are named after uploads, which end in .csv.
PROBE = "salespro-check.txt"
_SKIPPED = "not checked, since the database could not be asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What came of one check.

    Attributes:
        says: what was found, for people.
        problems: what is wrong; empty if it is ok or was not checked.
    """

    check: str
    says: str
    problems: tuple[Problem, ...] = ()
    is_checked: bool = True

    @property
    def is_ok(self) -> bool | None:
        """Whether nothing is wrong; None if nobody has looked."""
        return not self.problems if self.is_checked else None

    def as_json(self) -> dict[str, Any]:
        """The check, what it says, and what to do about each problem."""
        return {
            "check": self.check,
            "ok": self.is_ok,
            "says": self.says,
            "problems": [
                {"says": problem.says, "remedy": problem.remedy}
                for problem in self.problems
            ],
        }


def check_all(
    environ: Mapping[str, str], s3: S3Client, *, uploads: str | None
) -> list[Finding]:
    """Check everything that can be, whatever else is wrong.

    Args:
        environ: the function's.
        s3: its client.
        uploads: the bucket of the uploads; the settings do not name it.
    """
    try:
        settings = Settings.from_env(environ)
    except ConfigError as error:
        problems = (Problem(it, "set it as the README says") for it in error.problems)
        return [_finding("settings", problems, fine="")]
    return [
        _finding("settings", (), fine="complete"),
        *_database(settings),
        _report_bucket(s3, settings.report_bucket),
        _upload_bucket(s3, uploads),
    ]


def _finding(check: str, problems: Iterable[Problem], *, fine: str) -> Finding:
    found = tuple(problems)
    return Finding(
        check=check,
        says="; ".join(problem.says for problem in found) or fine,
        problems=found,
    )


def _database(settings: Settings) -> Iterator[Finding]:
    try:
        conn = Connections(settings).new()
    except SalesProError as error:  # its text says what to do, too
        yield _finding("database", [Problem(str(error), _WAY_THERE)], fine="")
        for check in ("schema", "privileges"):
            yield Finding(check=check, says=_SKIPPED, is_checked=False)
        return
    with closing(conn):
        yield _asked(conn, "database", server_problems, fine=_described(conn))
        version = f"complete (version {schema().version})"
        yield _asked(conn, "schema", schema_problems, fine=version)
        yield _asked(conn, "privileges", privilege_problems, fine="all that are needed")


_WAY_THERE = (
    "check the settings of the database; in a VPC also the subnets, the security groups, "
    "and the way to Secrets Manager"
)


def _described(conn: Connection) -> str:
    info = conn.info
    version, tls = info.server_version // 10000, info.pgconn.ssl_in_use
    return (
        f"Postgres {version}, database {info.dbname}, role {info.user}, "
        f"{'with' if tls else 'without'} TLS"
    )


def _asked(
    conn: Connection,
    check: str,
    problems: Callable[[Connection], Iterator[Problem]],
    *,
    fine: str,
) -> Finding:
    """What the database says of itself, or that it could not be asked."""
    try:
        with store_errors(f"checking the {check}"), statement_deadline(conn, SILENCE_S):
            return _finding(check, problems(conn), fine=fine)
    except SalesProError as error:
        return _finding(check, [Problem(str(error), "try again")], fine="")


def _report_bucket(s3: S3Client, bucket: str) -> Finding:
    """Put something there: S3 has no other way to find out."""

    def put() -> None:
        s3.put_object(
            Bucket=bucket,
            Key=PROBE,
            Body=b"The importer can write here.\n",
            ContentType="text/plain; charset=utf-8",
        )

    problems = _s3_problems(
        put,
        f"the report bucket {bucket}",
        "check REPORT_BUCKET, and give the function's role s3:PutObject on its objects",
    )
    return _finding("report bucket", problems, fine=f"{bucket} takes reports")


def _upload_bucket(s3: S3Client, bucket: str | None) -> Finding:
    """Ask for what is not there: "no such key" is what only a reader is told."""
    if bucket is None:
        asked = '{"action": "check", "bucket": "<UploadBucket>"}'
        return Finding(
            check="upload bucket",
            says=f"not checked; to have it checked, ask {asked}",
            is_checked=False,
        )

    def get() -> None:
        current = partial(s3.get_object, Bucket=bucket, Key=PROBE)
        for ask in (current, partial(current, VersionId="null")):
            try:
                ask()["Body"].close()
            except ClientError as error:
                if error.response["Error"]["Code"] not in (
                    "NoSuchKey",
                    "NoSuchVersion",
                ):
                    raise

    problems = _s3_problems(
        get,
        f"the upload bucket {bucket}",
        "check its name, and give the function's role s3:GetObject and "
        "s3:GetObjectVersion on its objects, and s3:ListBucket on it",
    )
    return _finding("upload bucket", problems, fine=f"{bucket} can be read")


def _s3_problems(
    action: Callable[[], None], what: str, remedy: str
) -> Iterator[Problem]:
    try:
        action()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        yield Problem(f"S3 answered {code} for {what}", remedy)
    except BotoCoreError as error:
        yield Problem(
            f"S3 could not be reached for {what} ({type(error).__name__})",
            "in a VPC, S3 needs an endpoint or a NAT gateway",
        )
