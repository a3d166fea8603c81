"""The environment: read once, with all mistakes at once and none of its values told."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from handler.settings import NAMES, SSL_MODES, Settings
from salespro_core.errors import ConfigError
from salespro_core.importer.options import Options

URL = "postgresql://ann@db.example/sales"
ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:sales"
PASSWORD = "canary-in-a-password"  # noqa: S105 -- of nobody
IAM = {"DB_HOST": "db.example", "DB_USER": "importer", "DB_NAME": "sales"}
REPORTS = {"REPORT_BUCKET": "salespro-reports"}


def problems(**environ: str) -> tuple[str, ...]:
    """What is wrong with these settings of the function."""
    with pytest.raises(ConfigError) as caught:
        Settings.from_env(environ)
    assert str(caught.value) == "; ".join(caught.value.problems)
    return caught.value.problems


def comparable(settings: Settings) -> Settings:
    """The settings without the exports, whose parsers are made anew each time."""
    return replace(settings, options=replace(settings.options, exports=()))


def created_at(options: Options, text: str) -> str:
    """How these options read a time of an appointment."""
    [column] = [c for c in options.exports[0].columns if c.name == "created_at"]
    return column.column_type.parse(text)


def test_a_url_and_a_bucket_are_enough() -> None:
    settings = Settings.from_env(REPORTS | {"DATABASE_URL": URL})

    assert comparable(settings) == Settings(
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


def test_everything_that_is_set_is_read() -> None:
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
        }
    )

    assert comparable(settings) == Settings(
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
            source_timezone="America/New_York",
        ),
    )
    assert created_at(settings.options, "2025-06-06 08:00:00").endswith(
        "T12:00:00+00:00"
    )


def test_what_is_set_to_nothing_is_not_set() -> None:
    """A template or a shell that passes a setting on passes an empty text, too."""
    blank = dict.fromkeys(NAMES, " \t") | REPORTS | {"DATABASE_URL": f" {URL}\n"}

    assert comparable(Settings.from_env(blank)) == comparable(
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
        # The sandbox sets DATABASE_URL, whatever else stands in the shell.
        pytest.param({**IAM, "DATABASE_URL": URL}, id="url-beats-iam"),
    ],
)
def test_there_are_three_ways_to_the_database(database: dict[str, str]) -> None:
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
            id="iam-of-nobody",
        ),
        pytest.param(
            {"DATABASE_URL": URL, "DB_SECRET_ARN": ARN},
            "DATABASE_URL and DB_SECRET_ARN exclude each other",
            id="url-and-secret",
        ),
        pytest.param(
            {**IAM, "DB_SECRET_ARN": ARN},
            "DB_SECRET_ARN names the user: DB_USER must not be set with it",
            id="secret-and-user",
        ),
        pytest.param(
            {"DATABASE_URL": "postgres//db.example/sales"},
            "DATABASE_URL is a libpq URL such as postgresql://user@host/database "
            "(in it, percent-encode what is special in a password)",
            id="no-url",
        ),
    ],
)
def test_a_way_to_the_database_is_whole_and_the_only_one(
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
def test_a_port_is_a_port(port: str) -> None:
    assert problems(**REPORTS, DATABASE_URL=URL, DB_PORT=port) == (
        "DB_PORT is a number from 1 to 65535",
    )


@pytest.mark.parametrize("mode", SSL_MODES)
def test_every_mode_of_libpq_is_taken(mode: str) -> None:
    environ = {**REPORTS, "DATABASE_URL": URL, "DB_SSLMODE": mode}

    assert Settings.from_env(environ).ssl_mode == mode


def test_all_mistakes_are_told_at_once() -> None:
    """Or a deployment would have to fail once for each of them."""
    found = problems(
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
    )

    assert [problem.split()[0] for problem in found] == [
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
    ]


@pytest.mark.parametrize("name", NAMES)
def test_no_value_is_ever_told(name: str) -> None:
    """A password may have been pasted into the wrong setting; logs are kept."""
    wrong = dict.fromkeys(NAMES, "?") | {name: f"postgres//ann:{PASSWORD}@host"}

    assert PASSWORD not in "".join(problems(**wrong))


def test_a_password_is_not_told_with_another_mistake() -> None:
    url = f"postgresql://ann:{PASSWORD}@db.example/sales"

    found = problems(DATABASE_URL=url, DB_SECRET_ARN=ARN, DB_PORT="x")

    assert len(found) == 3
    assert PASSWORD not in "".join(found)


def test_options_have_defaults() -> None:
    options = Options.from_env({})

    assert replace(options, exports=()) == Options(
        exports=(),
        batch_size=5000,
        checkpoint_rows=5000,
        is_lenient=False,
        max_rejected_rows=None,
        max_rejected_percent=None,
    )
    assert not options.has_budget
    assert [export.sync_type for export in options.exports] == [
        "csv_appointments",
        "csv_users",
    ]


def test_times_without_an_offset_are_those_of_the_zone() -> None:
    utc = Options.from_env({})
    new_york = Options.from_env({"SOURCE_TIMEZONE": " America/New_York "})

    text = "2025-06-06 08:00:00"
    assert created_at(utc, text) == "2025-06-06T08:00:00+00:00"
    assert created_at(new_york, text) == "2025-06-06T12:00:00+00:00"


@pytest.mark.parametrize("name", ["BATCH_SIZE", "CHECKPOINT_ROWS"])
@pytest.mark.parametrize(
    "text",
    [
        "0",
        "-1",
        "100001",
        "1.5",
        "1e3",
        "1_000",
        "many",
        "\N{ARABIC-INDIC DIGIT FIVE}",
        "000000001" + "9" * 20,
        "9" * 5000,
    ],
)
def test_a_number_of_rows_is_one_that_fits_into_memory(name: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Options.from_env({name: text})

    assert str(caught.value) == f"{name} is a number of rows from 1 to 100,000"


@pytest.mark.parametrize(
    "zone", ["Mars/Olympus", "America", "../etc/passwd", "/etc/localtime", "New York"]
)
def test_a_zone_is_one_that_is_known(zone: str) -> None:
    """Some of these are files or folders of the zone database, or none of its own."""
    with pytest.raises(ConfigError) as caught:
        Options.from_env({"SOURCE_TIMEZONE": zone})

    assert str(caught.value) == (
        "SOURCE_TIMEZONE is the IANA name of a time zone such as America/New_York"
    )


@pytest.mark.parametrize(
    ("text", "is_lenient"),
    [("reject", False), ("Reject", False), ("null", True), (" NULL ", True)],
)
def test_invalid_values_are_rejected_or_null(
    text: str,
    is_lenient: bool,  # noqa: FBT001
) -> None:
    assert Options.from_env({"INVALID_VALUES": text}).is_lenient is is_lenient


def test_another_word_for_invalid_values_is_a_mistake() -> None:
    with pytest.raises(ConfigError) as caught:
        Options.from_env({"INVALID_VALUES": "skip"})

    assert caught.value.problems == ("INVALID_VALUES is `reject` or `null`",)


@pytest.mark.parametrize(
    ("environ", "budget"),
    [
        ({"MAX_REJECTED_ROWS": "0"}, (0, None)),
        ({"MAX_REJECTED_ROWS": " 999999999\n"}, (999_999_999, None)),
        ({"MAX_REJECTED_PERCENT": "0"}, (None, Decimal(0))),
        ({"MAX_REJECTED_PERCENT": "0.000000001"}, (None, Decimal("1e-9"))),
        ({"MAX_REJECTED_PERCENT": "100.0"}, (None, Decimal(100))),
        ({"MAX_REJECTED_ROWS": "7", "MAX_REJECTED_PERCENT": "5"}, (7, Decimal(5))),
    ],
    ids=str,
)
def test_an_error_budget_is_in_rows_or_in_percent_or_both(
    environ: dict[str, str], budget: tuple[int | None, Decimal | None]
) -> None:
    """0 is a budget, too: one bad row is too many."""
    options = Options.from_env(environ)

    assert (options.max_rejected_rows, options.max_rejected_percent) == budget
    assert options.has_budget


@pytest.mark.parametrize("text", ["-1", "1.5", "1e3", "1_0", "many", "5%", "9" * 10])
def test_a_budget_in_rows_is_a_number_of_rows(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Options.from_env({"MAX_REJECTED_ROWS": text})

    assert caught.value.problems == (
        "MAX_REJECTED_ROWS is a number of rows from 0 to 999,999,999",
    )


@pytest.mark.parametrize(
    "text",
    [
        *("-1", "100.1", "101", "5%", "2,5", ".5", "5.", "1e1", "NaN", "Infinity"),
        *("few", "\N{ARABIC-INDIC DIGIT FIVE}", "0.0000000001"),
    ],
)
def test_a_budget_in_percent_is_a_number_from_0_to_100(text: str) -> None:
    """Decimal would read some of these."""
    with pytest.raises(ConfigError) as caught:
        Options.from_env({"MAX_REJECTED_PERCENT": text})

    assert caught.value.problems == (
        "MAX_REJECTED_PERCENT is a number from 0 to 100 such as 2.5",
    )
