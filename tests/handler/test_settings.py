"""The function's environment: all mistakes are in one error, which quotes no value."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from handler.settings import NAMES, SSL_MODES, Settings
from salespro_core.errors import ConfigError
from salespro_core.importer.options import Options
from tests.support.builders import CANARY_PASSWORD

URL = "postgresql://ann@db.example/sales"
ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:sales"
IAM = {"DB_HOST": "db.example", "DB_USER": "importer", "DB_NAME": "sales"}
REPORTS = {"REPORT_BUCKET": "salespro-reports"}


def problems(**environ: str) -> tuple[str, ...]:
    """The problems that `Settings.from_env` finds in this environment."""
    with pytest.raises(ConfigError) as caught:
        Settings.from_env(environ)
    assert str(caught.value) == "; ".join(caught.value.problems)
    return caught.value.problems


def without_exports(settings: Settings) -> Settings:
    """The settings without the exports, whose parsers are never equal."""
    return replace(settings, options=replace(settings.options, exports=()))


def test_url_and_report_bucket_are_enough() -> None:
    settings = Settings.from_env(REPORTS | {"DATABASE_URL": URL})

    assert without_exports(settings) == Settings(
        database_url=URL,
        secret_arn=None,
        host=None,
        port=None,
        dbname=None,
        user=None,
        ssl_mode="require",
        ssl_root_cert=None,
        report_bucket="salespro-reports",
        options=Options(exports=()),
    )


def test_every_setting_is_read() -> None:
    settings = Settings.from_env(
        REPORTS
        | IAM
        | {
            "DB_PORT": "5433",
            "DB_SSLMODE": "verify-full",
            "DB_SSLROOTCERT": "/var/task/global-bundle.pem",
            "BATCH_SIZE": "100000",
            "CHECKPOINT_ROWS": "1",
            "SOURCE_TIMEZONE": "America/New_York",
            "INVALID_VALUES": "NULL",
            "MAX_REJECTED_ROWS": "0",
            "MAX_REJECTED_PERCENT": "2.5",
            "KEEP_CHANGES_DAYS": "0",
        }
    )

    assert without_exports(settings) == Settings(
        database_url=None,
        secret_arn=None,
        host="db.example",
        port=5433,
        dbname="sales",
        user="importer",
        ssl_mode="verify-full",
        ssl_root_cert="/var/task/global-bundle.pem",
        report_bucket="salespro-reports",
        options=Options(
            exports=(),
            batch_size=100_000,
            checkpoint_rows=1,
            is_lenient=True,
            max_rejected_rows=0,
            max_rejected_percent=Decimal("2.5"),
            keep_changes_days=0,
            source_timezone="America/New_York",
        ),
    )


def test_blank_setting_counts_as_unset() -> None:
    """A template passes an unset parameter on as an empty text."""
    blank = dict.fromkeys(NAMES, " \t") | REPORTS | {"DATABASE_URL": f" {URL}\n"}

    assert without_exports(Settings.from_env(blank)) == without_exports(
        Settings.from_env(REPORTS | {"DATABASE_URL": URL})
    )


@pytest.mark.parametrize(
    "database",
    [
        pytest.param({"DATABASE_URL": URL}, id="url"),
        pytest.param({"DATABASE_URL": "host=db.example dbname=sales"}, id="keywords"),
        pytest.param({"DB_SECRET_ARN": ARN}, id="secret"),
        pytest.param(
            {"DB_SECRET_ARN": ARN, "DB_HOST": "h", "DB_NAME": "n", "DB_PORT": "1"},
            id="secret-and-address",
        ),
        pytest.param(IAM, id="iam"),
        # The sandbox sets DATABASE_URL; the shell may set the other variables.
        pytest.param({**IAM, "DATABASE_URL": URL}, id="url-and-iam"),
    ],
)
def test_database_is_configured_by_url_secret_or_iam(database: dict[str, str]) -> None:
    settings = Settings.from_env(REPORTS | database)

    assert settings.database_url == database.get("DATABASE_URL")
    assert settings.secret_arn == database.get("DB_SECRET_ARN")
    assert settings.host == database.get("DB_HOST")


@pytest.mark.parametrize(
    ("database", "problem"),
    [
        pytest.param(
            {},
            "the database is missing: set DATABASE_URL, or DB_SECRET_ARN, or all of "
            "DB_HOST, DB_USER and DB_NAME (missing: DB_HOST, DB_USER, DB_NAME)",
            id="none",
        ),
        pytest.param(
            {"DB_HOST": "db.example", "DB_NAME": "sales"},
            "the database is missing: set DATABASE_URL, or DB_SECRET_ARN, or all of "
            "DB_HOST, DB_USER and DB_NAME (missing: DB_USER)",
            id="iam-without-user",
        ),
        pytest.param(
            {"DATABASE_URL": URL, "DB_SECRET_ARN": ARN},
            "DATABASE_URL and DB_SECRET_ARN must not be set together",
            id="url-and-secret",
        ),
        pytest.param(
            {**IAM, "DB_SECRET_ARN": ARN},
            "DB_USER must not be set with DB_SECRET_ARN: the secret contains the user",
            id="secret-and-user",
        ),
        pytest.param(
            {"DATABASE_URL": "postgres//db.example/sales"},
            "DATABASE_URL must be a libpq URL such as postgresql://user@host/database "
            "(percent-encode special characters of a password)",
            id="malformed-url",
        ),
        pytest.param(
            {"DATABASE_URL": "postgresql://me:\udcff@db.example/sales"},
            "DATABASE_URL must be a libpq URL such as postgresql://user@host/database "
            "(percent-encode special characters of a password)",
            id="url-not-utf-8",
        ),
    ],
)
def test_incomplete_or_ambiguous_database_is_a_problem(
    database: dict[str, str], problem: str
) -> None:
    assert problems(**REPORTS, **database) == (problem,)


@pytest.mark.parametrize(
    "port",
    [
        "0",
        "65536",
        "-1",
        "5432.0",
        "x",
        "\N{ARABIC-INDIC DIGIT FIVE}",
        "000001",
        "9" * 5000,
    ],
)
def test_port_out_of_range_or_not_a_number_is_a_problem(port: str) -> None:
    assert problems(**REPORTS, DATABASE_URL=URL, DB_PORT=port) == (
        "DB_PORT must be a number from 1 to 65535",
    )


@pytest.mark.parametrize("mode", SSL_MODES)
def test_every_ssl_mode_of_libpq_is_accepted(mode: str) -> None:
    environ = {**REPORTS, "DATABASE_URL": URL, "DB_SSLMODE": mode}

    assert Settings.from_env(environ).ssl_mode == mode


def test_all_problems_are_in_one_error() -> None:
    """Otherwise a deployment would fail once for each of them."""
    messages = problems(
        DATABASE_URL="postgres//x",
        DB_SECRET_ARN=ARN,
        DB_PORT="x",
        DB_SSLMODE="x",
        BATCH_SIZE="x",
        CHECKPOINT_ROWS="x",
        SOURCE_TIMEZONE="x",
        INVALID_VALUES="x",
        MAX_REJECTED_ROWS="x",
        MAX_REJECTED_PERCENT="x",
        KEEP_CHANGES_DAYS="x",
    )

    assert [problem.split()[0] for problem in messages] == [
        "DATABASE_URL",
        "DATABASE_URL",
        "DB_PORT",
        "DB_SSLMODE",
        "REPORT_BUCKET",
        "SOURCE_TIMEZONE",
        "BATCH_SIZE",
        "CHECKPOINT_ROWS",
        "INVALID_VALUES",
        "MAX_REJECTED_ROWS",
        "MAX_REJECTED_PERCENT",
        "KEEP_CHANGES_DAYS",
    ]


@pytest.mark.parametrize(
    ("text", "buckets"),
    [
        ("a-bucket", ("a-bucket",)),
        (" a-bucket , b.bucket,, Old_Bucket ", ("a-bucket", "b.bucket", "Old_Bucket")),
        ("", ()),
    ],
)
def test_upload_buckets_are_names_separated_by_commas(
    text: str, buckets: tuple[str, ...]
) -> None:
    environ = REPORTS | {"DATABASE_URL": URL, "UPLOAD_BUCKETS": text}

    assert Settings.from_env(environ).upload_buckets == buckets


@pytest.mark.parametrize(
    "text", [",", "s3://a-bucket", "a-bucket b-bucket", "a/b", "*"]
)
def test_malformed_upload_buckets_are_an_error(text: str) -> None:
    [problem] = problems(**REPORTS, DATABASE_URL=URL, UPLOAD_BUCKETS=text)

    assert problem.startswith("UPLOAD_BUCKETS must be names of buckets")


def test_report_bucket_among_the_upload_buckets_is_an_error() -> None:
    names = f"a-bucket,{REPORTS['REPORT_BUCKET']}"

    [problem] = problems(**REPORTS, DATABASE_URL=URL, UPLOAD_BUCKETS=names)

    assert problem.startswith("REPORT_BUCKET must not be one of UPLOAD_BUCKETS")


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        (
            "UPLOAD_PREFIX",
            ["", "salespro/", "a/b-1/"],
            ["salespro", "/a/", "dryrun/", "dryrun/a/", "a b/", "ü/", "a//"],
        ),
        (
            "UPLOAD_SUFFIX",
            ["", ".csv", "_export.csv.gz", ".CSV"],
            [".gz", "csv", ".csv/", "*.csv"],
        ),
    ],
)
def test_prefix_and_suffix_of_uploads_are_checked(
    name: str, good: list[str], bad: list[str]
) -> None:
    """A prefix such as `d` would contain its own dry runs, and S3 refuses both together."""
    given = {**REPORTS, "DATABASE_URL": URL}

    for text in good:
        Settings.from_env(given | {name: text})
    for text in bad:
        [problem] = problems(**given, **{name: text})
        assert problem.startswith(name)


@pytest.mark.parametrize("name", NAMES)
def test_error_quotes_no_value(name: str) -> None:
    """Somebody may paste a password into the wrong setting; errors are logged."""
    wrong = dict.fromkeys(NAMES, "?") | {name: f"postgres//ann:{CANARY_PASSWORD}@host"}

    assert CANARY_PASSWORD not in "".join(problems(**wrong))


def test_error_of_another_setting_does_not_quote_the_password() -> None:
    url = f"postgresql://ann:{CANARY_PASSWORD}@db.example/sales"

    messages = problems(DATABASE_URL=url, DB_SECRET_ARN=ARN, DB_PORT="x")

    assert len(messages) == 3
    assert CANARY_PASSWORD not in "".join(messages)


def test_malware_scan_is_required_or_ignored_and_nothing_else() -> None:
    """A typing mistake must not switch the check off."""
    base = REPORTS | {"DATABASE_URL": URL}

    assert not Settings.from_env(base).requires_scan
    assert not Settings.from_env(base | {"MALWARE_SCAN": "ignore"}).requires_scan
    assert Settings.from_env(base | {"MALWARE_SCAN": "required"}).requires_scan
    for value in ("require", "true", "Required"):
        assert problems(**base, MALWARE_SCAN=value) == (
            "MALWARE_SCAN must be one of ignore, required",
        )
