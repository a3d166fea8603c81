"""The function's environment variables, read once; all mistakes are reported together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from salespro_core.errors import ConfigError
from salespro_core.importer.options import Options
from salespro_core.model.object_key import DRY_RUN_PREFIX

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
# The variables that `Settings` and `Options` read; a test compares them with template.yaml
# and the README.
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
    "UPLOAD_BUCKETS",
    "UPLOAD_PREFIX",
    "UPLOAD_SUFFIX",
    "BATCH_SIZE",
    "CHECKPOINT_ROWS",
    "SOURCE_TIMEZONE",
    "INVALID_VALUES",
    "MAX_REJECTED_ROWS",
    "MAX_REJECTED_PERCENT",
    "KEEP_CHANGES_DAYS",
    "NOTIFY_TOPIC_ARN",
    "MALWARE_SCAN",
    "LOG_LEVEL",
)
_TOPIC_ARN = re.compile(r"arn:[\w-]+:sns:[\w-]+:\d{12}:[\w-]+")
# Old buckets in us-east-1 may have capitals and underscores.
_BUCKET = re.compile(r"[A-Za-z0-9._-]{3,255}")
# Characters that S3 does not encode in notifications.  With the slash at the end, S3 accepts the
# prefix beside that of its dry runs.
_PREFIX = re.compile(rf"(?!{DRY_RUN_PREFIX})([A-Za-z0-9._-]+/)+")
_SUFFIX = re.compile(r"[A-Za-z0-9._-]*\.csv(\.gz)?", re.IGNORECASE)
MALWARE_SCANS = ("ignore", "required")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The database, the report bucket and the import options.

    There are three ways to configure the database:

    1. DATABASE_URL.
    2. DB_SECRET_ARN, a secret in RDS's JSON form; DB_HOST, DB_PORT and DB_NAME complete or
       override it.
    3. DB_HOST, DB_USER and DB_NAME, with an IAM token as the password.

    libpq also reads its own `PG*` variables; this class ignores them.

    Attributes:
        ssl_mode: libpq's `sslmode`, for the second and the third way.
        ssl_root_cert: path of the certificates that the verifying modes trust.
        report_bucket: nothing is imported from it.
        upload_buckets: the only buckets to import from; empty for all but the report bucket,
            so that a function without the setting goes on importing.
        upload_prefix: the only uploads are the objects under this prefix; their dry runs are
            under `dryrun/` and this prefix.  Empty for all objects.
        upload_suffix: and only those whose key ends with it.  Empty for all objects.
        notify_topic_arn: SNS topic for failures and rejects; None for no messages.
        requires_scan: only objects that a malware scan has tagged as clean are read.
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
    upload_buckets: tuple[str, ...] = ()
    upload_prefix: str = ""
    upload_suffix: str = ""
    notify_topic_arn: str | None = None
    requires_scan: bool = False

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings; an empty or blank variable counts as unset.

        Raises:
            ConfigError: lists every setting that is missing or malformed.
        """
        values = {n: environ[n].strip() for n in NAMES if environ.get(n, "").strip()}
        problems = list(_problems(values))
        try:
            options = Options.from_env(values)
        except ConfigError as error:
            problems.extend(error.problems)
            options = Options()
        if problems:
            raise ConfigError(*problems)
        return cls(
            database_url=values.get("DATABASE_URL"),
            secret_arn=values.get("DB_SECRET_ARN"),
            host=values.get("DB_HOST"),
            port=int(values["DB_PORT"]) if "DB_PORT" in values else None,
            dbname=values.get("DB_NAME"),
            user=values.get("DB_USER"),
            ssl_mode=values.get("DB_SSLMODE", "require"),
            ssl_root_cert=values.get("DB_SSLROOTCERT"),
            report_bucket=values["REPORT_BUCKET"],
            options=options,
            upload_buckets=_bucket_names(values),
            upload_prefix=values.get("UPLOAD_PREFIX", ""),
            upload_suffix=values.get("UPLOAD_SUFFIX", ""),
            notify_topic_arn=values.get("NOTIFY_TOPIC_ARN"),
            requires_scan=values.get("MALWARE_SCAN") == "required",
        )


def _problems(values: Mapping[str, str]) -> list[str]:
    return [
        *_database_problems(values),
        *_connection_problems(values),
        *_report_problems(values),
    ]


def _database_problems(values: Mapping[str, str]) -> list[str]:
    problems = []
    if "DATABASE_URL" in values and not _is_conninfo(values["DATABASE_URL"]):
        problems.append(
            "DATABASE_URL must be a libpq URL such as postgresql://user@host/database "
            "(percent-encode special characters of a password)"
        )
    if "DATABASE_URL" in values and "DB_SECRET_ARN" in values:
        problems.append("DATABASE_URL and DB_SECRET_ARN must not be set together")
    elif "DB_SECRET_ARN" in values and "DB_USER" in values:
        problems.append(
            "DB_USER must not be set with DB_SECRET_ARN: the secret contains the user"
        )
    elif "DATABASE_URL" not in values and "DB_SECRET_ARN" not in values:
        missing = [n for n in ("DB_HOST", "DB_USER", "DB_NAME") if n not in values]
        if missing:
            problems.append(
                "the database is missing: set DATABASE_URL, or DB_SECRET_ARN, or all of "
                f"DB_HOST, DB_USER and DB_NAME (missing: {', '.join(missing)})"
            )
    return problems


def _connection_problems(values: Mapping[str, str]) -> list[str]:
    problems = []
    port = values.get("DB_PORT", "5432")
    is_number = port.isascii() and port.isdigit() and len(port) < 6  # noqa: PLR2004
    if not (is_number and 0 < int(port) < 65536):  # noqa: PLR2004
        problems.append("DB_PORT must be a number from 1 to 65535")
    if values.get("DB_SSLMODE", "require") not in SSL_MODES:
        problems.append(f"DB_SSLMODE must be one of {', '.join(SSL_MODES)}")
    return problems


def _report_problems(values: Mapping[str, str]) -> list[str]:
    problems = []
    if values.get("LOG_LEVEL", "INFO").upper() not in LOG_LEVELS:
        problems.append(f"LOG_LEVEL must be one of {', '.join(LOG_LEVELS)}")
    # A typing mistake must not switch the check off.
    if values.get("MALWARE_SCAN", "ignore") not in MALWARE_SCANS:
        problems.append("MALWARE_SCAN must be one of ignore, required")
    if "REPORT_BUCKET" not in values:
        problems.append(
            "REPORT_BUCKET is missing: the bucket for reports and rejected rows"
        )
    buckets = _bucket_names(values)
    if not all(map(_BUCKET.fullmatch, buckets)) or (
        "UPLOAD_BUCKETS" in values and not buckets
    ):
        problems.append(
            "UPLOAD_BUCKETS must be names of buckets, separated by commas, such as "
            "salespro-uploads"
        )
    if (prefix := values.get("UPLOAD_PREFIX")) and not _PREFIX.fullmatch(prefix):
        problems.append(
            "UPLOAD_PREFIX must be a folder of the bucket with a slash at its end, such as "
            f"salespro/, and not {DRY_RUN_PREFIX}"
        )
    if (suffix := values.get("UPLOAD_SUFFIX")) and not _SUFFIX.fullmatch(suffix):
        problems.append("UPLOAD_SUFFIX must end with .csv or .csv.gz")
    if values.get("REPORT_BUCKET") in buckets:
        problems.append(
            "REPORT_BUCKET must not be one of UPLOAD_BUCKETS, or its rejects.csv files "
            "would be imported"
        )
    if (topic := values.get("NOTIFY_TOPIC_ARN")) and not _TOPIC_ARN.fullmatch(topic):
        problems.append(
            "NOTIFY_TOPIC_ARN must be the ARN of an SNS topic, "
            "arn:aws:sns:region:account:name"
        )
    return problems


def _bucket_names(values: Mapping[str, str]) -> tuple[str, ...]:
    names = values.get("UPLOAD_BUCKETS", "").split(",")
    return tuple(name.strip() for name in names if name.strip())


def _is_conninfo(text: str) -> bool:
    try:
        conninfo_to_dict(text)
    except (ProgrammingError, UnicodeError):
        return False
    return True


def log_level(environ: Mapping[str, str]) -> str:
    """The log level; INFO if LOG_LEVEL is malformed, which `Settings` reports."""
    level = environ.get("LOG_LEVEL", "").strip().upper()
    return level if level in LOG_LEVELS else "INFO"
