"""The environment of the function, read once, with all mistakes reported at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from salespro_core.errors import ConfigError
from salespro_core.importer.options import Options

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
# The names that `Settings` and `Options` read; the template and the README list them too.
NAMES = (
    "DATABASE_URL",
    "DB_SECRET_ARN",
    "DB_HOST",
    "DB_PORT",
    "DB_NAME",
    "DB_USER",
    "DB_SSLMODE",
    "DB_SSLROOTCERT",
    "REPORT_BUCKET",
    "BATCH_SIZE",
    "CHECKPOINT_ROWS",
    "SOURCE_TIMEZONE",
    "INVALID_VALUES",
    "MAX_REJECTED_ROWS",
    "MAX_REJECTED_PERCENT",
    "NOTIFY_TOPIC_ARN",
    "LOG_LEVEL",
)
_TOPIC = re.compile(r"arn:[\w-]+:sns:[\w-]+:\d{12}:[\w-]+")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where the database and the reports are, and how to import.

    There are three ways to the database: DATABASE_URL as it is; DB_SECRET_ARN, a secret
    in RDS's JSON form, which DB_HOST, DB_PORT and DB_NAME complete or overrule; or
    DB_HOST, DB_USER and DB_NAME with an IAM token for a password.  What libpq reads from
    `PG*` variables stays libpq's business.

    Attributes:
        ssl_mode: libpq's `sslmode`, for the second and the third way.
        ssl_root_cert: path of the certificates that a verifying mode trusts.
        report_bucket: another than that of the uploads, or reports would be imported.
        notify_topic_arn: an SNS topic that hears of failures and rejects; None for none.
    """

    database_url: str | None
    secret_arn: str | None
    host: str | None
    port: int | None
    dbname: str | None
    user: str | None
    ssl_mode: str
    ssl_root_cert: str | None
    report_bucket: str
    options: Options
    notify_topic_arn: str | None = None

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings; a variable that is set to nothing counts as unset.

        Raises:
            ConfigError: with every setting that is missing or malformed.
        """
        given = {n: environ[n].strip() for n in NAMES if environ.get(n, "").strip()}
        problems = list(_problems(given))
        try:
            options = Options.from_env(given)
        except ConfigError as error:
            problems.extend(error.problems)
            options = Options()
        if problems:
            raise ConfigError(*problems)
        return cls(
            database_url=given.get("DATABASE_URL"),
            secret_arn=given.get("DB_SECRET_ARN"),
            host=given.get("DB_HOST"),
            port=int(given["DB_PORT"]) if "DB_PORT" in given else None,
            dbname=given.get("DB_NAME"),
            user=given.get("DB_USER"),
            ssl_mode=given.get("DB_SSLMODE", "require"),
            ssl_root_cert=given.get("DB_SSLROOTCERT"),
            report_bucket=given["REPORT_BUCKET"],
            options=options,
            notify_topic_arn=given.get("NOTIFY_TOPIC_ARN"),
        )


def _problems(given: Mapping[str, str]) -> list[str]:
    problems = []
    if "DATABASE_URL" in given and not _is_conninfo(given["DATABASE_URL"]):
        problems.append(
            "DATABASE_URL is a libpq URL such as postgresql://user@host/database "
            "(in it, percent-encode what is special in a password)"
        )
    if "DATABASE_URL" in given and "DB_SECRET_ARN" in given:
        problems.append("DATABASE_URL and DB_SECRET_ARN exclude each other")
    elif "DB_SECRET_ARN" in given and "DB_USER" in given:
        problems.append("DB_SECRET_ARN names the user: DB_USER must not be set with it")
    elif "DATABASE_URL" not in given and "DB_SECRET_ARN" not in given:
        missing = [n for n in ("DB_HOST", "DB_USER", "DB_NAME") if n not in given]
        if missing:
            problems.append(
                "the database is missing: set DATABASE_URL, or DB_SECRET_ARN, or all of "
                f"DB_HOST, DB_USER and DB_NAME (missing: {', '.join(missing)})"
            )
    port = given.get("DB_PORT", "5432")
    is_number = port.isascii() and port.isdigit() and len(port) < 6  # noqa: PLR2004
    if not (is_number and 0 < int(port) < 65536):  # noqa: PLR2004
        problems.append("DB_PORT is a number from 1 to 65535")
    if given.get("DB_SSLMODE", "require") not in SSL_MODES:
        problems.append(f"DB_SSLMODE is one of {', '.join(SSL_MODES)}")
    return [*problems, *_problems_of_telling(given)]


def _problems_of_telling(given: Mapping[str, str]) -> list[str]:
    problems = []
    if given.get("LOG_LEVEL", "INFO").upper() not in LOG_LEVELS:
        problems.append(f"LOG_LEVEL is one of {', '.join(LOG_LEVELS)}")
    if "REPORT_BUCKET" not in given:
        problems.append(
            "REPORT_BUCKET is missing: the bucket for reports and rejected rows"
        )
    if (topic := given.get("NOTIFY_TOPIC_ARN")) and not _TOPIC.fullmatch(topic):
        problems.append(
            "NOTIFY_TOPIC_ARN is the ARN of an SNS topic, arn:aws:sns:region:account:name"
        )
    return problems


def _is_conninfo(text: str) -> bool:
    try:
        conninfo_to_dict(text)
    except ProgrammingError:
        return False
    return True


def log_level(environ: Mapping[str, str]) -> str:
    """The level to log at; INFO where it is malformed, which `Settings` reports."""
    level = environ.get("LOG_LEVEL", "").strip().upper()
    return level if level in LOG_LEVELS else "INFO"
