"""Check whether imports can work: settings, database, schema, privileges, buckets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from handler.admin.bucket_checks import report_bucket_problems, upload_bucket_problems
from handler.admin.connection_notes import describe_pooler, pooler_notes, proxy_notes
from handler.aws.db_connection import Connections
from handler.settings import Settings
from salespro_core.errors import ConfigError, SalesProError
from salespro_core.postgres.connection import CONNECT_TIMEOUT_S
from salespro_core.postgres.retry import RESPONSE_TIMEOUT_S
from salespro_core.postgres.schema import expected_schema
from salespro_core.postgres.session import transaction
from salespro_core.postgres.sqlstates import store_errors
from salespro_core.postgres.watchdog import MIN_TIMEOUT_S, statement_deadline
from salespro_core.preflight.database import (
    SetupNote,
    SetupProblem,
    privilege_problems,
    schema_problems,
    server_problems,
)
from salespro_core.preflight.pooler import Pooler, find_pooler
from salespro_core.preflight.server_notes import (
    row_security_notes,
    server_notes,
    table_notes,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CONNECTION_REMEDY = (
    "check the settings of the database; in a VPC also the subnets, the security groups, "
    "and the route to Secrets Manager; of a pooler, the size of its pool"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of one check.

    Attributes:
        says: the result as text.
        problems: empty if the check is ok or was not made.
        notes: what is unusual, and does not make the check fail.
        is_checked: False if the check could not be made.
    """

    check: str
    says: str
    problems: tuple[SetupProblem, ...] = ()
    notes: tuple[SetupNote, ...] = ()
    is_checked: bool = True

    @property
    def is_ok(self) -> bool | None:
        """Whether the check found no problem; None if it was not made."""
        return not self.problems if self.is_checked else None

    def as_json(self) -> dict[str, Any]:
        """The check, its result, a remedy for each problem, a meaning for each note."""
        return {
            "check": self.check,
            "ok": self.is_ok,
            "says": self.says,
            "problems": [
                {"says": problem.description, "remedy": problem.remedy}
                for problem in self.problems
            ],
            "notes": [
                {"says": note.description, "means": note.meaning} for note in self.notes
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
        upload_bucket: checked together with those of UPLOAD_BUCKETS; None if the event
            names none.
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
        _finding(
            "report bucket",
            report_bucket_problems(s3, settings.report_bucket),
            ok_text=f"{settings.report_bucket} is writable",
        ),
        _check_upload_buckets(s3, settings, upload_bucket),
    ]


def _finding(
    check: str, results: Iterable[SetupProblem | SetupNote], *, ok_text: str
) -> Finding:
    results = tuple(results)
    problems = tuple(r for r in results if isinstance(r, SetupProblem))
    return Finding(
        check=check,
        says="; ".join(problem.description for problem in problems) or ok_text,
        problems=problems,
        notes=tuple(r for r in results if isinstance(r, SetupNote)),
    )


def _check_database(settings: Settings) -> Iterator[Finding]:
    connections = Connections(settings)
    with ExitStack() as stack:
        try:
            conn = stack.enter_context(closing(connections.connect()))
            pooler = _find_pooler(conn, connections)
        except SalesProError as error:
            problem = SetupProblem(str(error), _CONNECTION_REMEDY)
            yield _finding("database", [problem], ok_text="")
            yield from _not_checked("the database could not be reached")
            return
        between = tuple(pooler_notes(pooler, conn.info.host)) if pooler else ()
        server = _describe_server(conn, pooler)
        if pooler and pooler.mode == "statement":
            yield _finding("database", between, ok_text=server)
            yield from _not_checked("the pooler refuses transactions")
            return
        yield _run_check(
            *(conn, "database", server_problems, server_notes),
            *(() if pooler else (proxy_notes,)),
            notes=between,
            ok_text=server,
        )
        version = f"complete (version {expected_schema().version})"
        yield _run_check(conn, "schema", schema_problems, table_notes, ok_text=version)
        yield _run_check(
            *(conn, "privileges", privilege_problems, row_security_notes),
            ok_text="complete",
        )


def _not_checked(reason: str) -> Iterator[Finding]:
    for check in ("schema", "privileges"):
        yield Finding(check=check, says=f"not checked: {reason}", is_checked=False)


def _find_pooler(conn: Connection, connections: Connections) -> Pooler | None:
    """Find a pooler; a second connection must be there soon, since the first is.

    Raises:
        StoreUnavailable, StoreRefused: the connection broke, or got no server session.
    """
    connect_again = partial(connections.connect, timeout_s=MIN_TIMEOUT_S)
    with (
        store_errors("looking for a pooler"),
        statement_deadline(conn, CONNECT_TIMEOUT_S),
    ):
        return find_pooler(conn, connect_again)


def _describe_server(conn: Connection, pooler: Pooler | None) -> str:
    info = conn.info
    version, tls = info.server_version // 10000, info.pgconn.ssl_in_use
    return (
        f"Postgres {version}, database {info.dbname}, role {info.user}, "
        f"{'with' if tls else 'without'} TLS"
        + (f", through {describe_pooler(pooler, info.host)}" if pooler else "")
    )


def _run_check(
    conn: Connection,
    check: str,
    *queries: Callable[[Connection], Iterator[SetupProblem | SetupNote]],
    notes: Iterable[SetupProblem | SetupNote] = (),
    ok_text: str,
) -> Finding:
    """Run the queries of a check in a transaction; an error of Postgres is a problem.

    Args:
        conn: outside a transaction.
        check: its name.
        queries: yield the problems and notes.
        notes: found before, without a transaction.
        ok_text: the result if there is no problem.
    """
    try:
        with (
            store_errors(f"checking the {check}"),
            statement_deadline(conn, RESPONSE_TIMEOUT_S),
            transaction(conn),
        ):
            results = [result for query in queries for result in query(conn)]
    except SalesProError as error:
        remedy = "try again" if error.retryable else "correct this, and check again"
        results = [SetupProblem(str(error), remedy)]
    return _finding(check, (*notes, *results), ok_text=ok_text)


def _check_upload_buckets(
    s3: S3Client, settings: Settings, named: str | None
) -> Finding:
    buckets = list(
        dict.fromkeys([*settings.upload_buckets, *([named] if named else [])])
    )
    if not buckets:
        event = '{"action": "check", "bucket": "<UploadBucket>"}'
        return Finding(
            check="upload bucket",
            says=f"not checked; to check it, set UPLOAD_BUCKETS or invoke with {event}",
            is_checked=False,
        )
    problems = [
        problem
        for bucket in buckets
        for problem in upload_bucket_problems(s3, bucket, settings)
    ]
    verb = "is" if len(buckets) == 1 else "are"
    return _finding(
        "upload bucket", problems, ok_text=f"{' and '.join(buckets)} {verb} readable"
    )
