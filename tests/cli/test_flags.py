"""Each setting of the command line has a flag beside its environment variable."""

from __future__ import annotations

import pytest
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from salespro_cli.main import cli
from salespro_core.importer.options import DEFAULTS, Options
from tests.support.builders import appointment, csv_bytes
from tests.support.table_contents import APPOINTMENT_TABLE, HISTORY_TABLE, stored
from tests.support.terminal import Terminal

# Flag, variable, a valid value, an invalid value.
FLAGS = [
    ("--batch-size", "BATCH_SIZE", "7", "many"),
    ("--checkpoint-rows", "CHECKPOINT_ROWS", "70", "none"),
    ("--source-timezone", "SOURCE_TIMEZONE", "America/New_York", "Mars/Olympus"),
    ("--invalid-values", "INVALID_VALUES", "null", "perhaps"),
    ("--max-rejected-rows", "MAX_REJECTED_ROWS", "1", "few"),
    ("--max-rejected-percent", "MAX_REJECTED_PERCENT", "2.5", "5%"),
    ("--keep-changes-days", "KEEP_CHANGES_DAYS", "0", "ever"),
]
# Commands that use the database; `sample` and `upload-link` do not.
COMMANDS = sorted({*cli.commands} - {"sample", "upload-link"})
ARGUMENTS = {
    "bootstrap": ["importer", "--iam"],
    "changes": ["1"],
    "grants": ["importer"],
    "import": ["a.csv"],
    "psql": ["-c", "SELECT 1"],
    "sandbox": ["--port", "0"],
    "show": ["1"],
    "undo": ["1"],
}


def options_of(name: str) -> set[str]:
    return {option for param in cli.commands[name].params for option in param.opts}


def settings_of(terminal: Terminal, *args: str, **environ: str) -> dict[str, str]:
    """The settings that an import had, by its JSON."""
    settings = terminal.run("import", "a.csv", "--json", *args, **environ).json()
    assert isinstance(settings["settings"], dict)
    return settings["settings"]


@pytest.fixture
def folder(terminal: Terminal) -> Terminal:
    """A terminal in a folder with the file `a.csv`."""
    terminal.write("a.csv", csv_bytes(appointment("A1")))
    return terminal


def test_every_setting_of_an_import_has_a_flag() -> None:
    budget = {"MAX_REJECTED_ROWS": "1", "MAX_REJECTED_PERCENT": "1"}

    variables = {name for name, _ in Options.from_env(budget).as_env()}

    assert {variable for _, variable, _, _ in FLAGS} == variables
    assert {flag for flag, _, _, _ in FLAGS} <= options_of("import")


@pytest.mark.parametrize(("flag", "variable", "valid", "invalid"), FLAGS)
def test_flag_is_applied_and_wins_over_its_variable(
    folder: Terminal, flag: str, variable: str, valid: str, invalid: str
) -> None:
    defaults = dict(DEFAULTS.as_env())

    flag_only = settings_of(folder, flag, valid)
    both = settings_of(folder, f"{flag}={valid}", **{variable: invalid})

    assert flag_only == both == defaults | {variable: valid}


@pytest.mark.parametrize(("flag", "variable", "valid", "invalid"), FLAGS)
def test_error_names_the_flag_or_the_variable_whichever_was_used(
    folder: Terminal, flag: str, variable: str, valid: str, invalid: str
) -> None:
    by_flag = folder.run("import", "a.csv", flag, invalid, **{variable: valid})
    by_variable = folder.run("import", "a.csv", **{variable: invalid})

    assert (by_flag.code, by_flag.err.count("\n")) == (2, 1)
    assert by_flag.err.startswith(f"Error: {flag} must be ")
    assert variable not in by_flag.err
    assert by_variable.error.startswith(f"{variable} must be ")
    assert flag not in by_variable.error
    assert invalid not in by_flag.err + by_variable.err


def test_all_invalid_flags_and_variables_are_named_at_once(folder: Terminal) -> None:
    done = folder.run("import", "a.csv", "--batch-size", "x", MAX_REJECTED_ROWS="x")

    assert done.code == 2
    assert "--batch-size must be" in done.err
    assert "MAX_REJECTED_ROWS must be" in done.err


@pytest.mark.parametrize("flag", [flag for flag, *_ in FLAGS] + ["--database"])
@pytest.mark.parametrize("blank", ["", "  "])
def test_blank_flag_is_wrong_usage_and_not_the_default(
    folder: Terminal, conn: Connection, flag: str, blank: str
) -> None:
    """Such as "$UNSET" in a script."""
    done = folder.run("import", "a.csv", flag, blank)

    assert done.code == 2
    assert done.err == (
        f"Error: Invalid value for '{flag}': it is empty. Try: salespro import --help\n"
    )
    assert stored(conn, HISTORY_TABLE) == {}


def test_error_budget_of_a_flag_is_named_by_the_flag(
    terminal: Terminal, conn: Connection
) -> None:
    rows = appointment("A1"), appointment("A2", saleAmount="much")
    terminal.write("a.csv", csv_bytes(*rows))

    text = terminal.run("import", "a.csv", "--max-rejected-rows", "0")
    as_json = terminal.run("import", "a.csv", "--json", "--max-rejected-percent", "0")

    assert "more than --max-rejected-rows (0) allows" in text.error
    assert "more than --max-rejected-percent (0) allows" in as_json.json()["error"]
    assert stored(conn, APPOINTMENT_TABLE) == {}


def test_every_command_that_uses_the_database_has_the_flag() -> None:
    assert [name for name in COMMANDS if "--database" not in options_of(name)] == []
    assert "--database" not in options_of("sample")


@pytest.mark.parametrize("name", COMMANDS)
def test_flag_for_the_database_wins_and_errors_name_it(
    folder: Terminal, name: str
) -> None:
    """The environment has a database that works."""
    args = [name, *ARGUMENTS.get(name, [])]

    unreachable = folder.run(*args, "--database", "postgresql://127.0.0.1:1/sales")
    malformed = folder.run(*args, "--database=no url")
    of_the_variable = folder.run(*args, DATABASE_URL="no url")

    assert "127.0.0.1" in unreachable.err
    assert unreachable.code in (1, 2)
    assert "--database is neither a URL" in malformed.error
    assert "DATABASE_URL is neither a URL" in of_the_variable.error


def test_flag_for_the_database_is_used_without_the_variable(
    folder: Terminal, conn: Connection, database_url: str
) -> None:
    url = make_conninfo(database_url, application_name="flag")

    done = folder.run("import", "a.csv", "--json", "--database", url, DATABASE_URL="")

    assert done.counts == {"created": 1}
    assert list(stored(conn, APPOINTMENT_TABLE)) == ["A1"]
    assert not (folder.folder / ".salespro" / "postgres").exists()


def test_missing_database_of_the_flag_is_named_by_the_flag(
    folder: Terminal, database_url: str
) -> None:
    url = make_conninfo(database_url, dbname="no_such_database")

    done = folder.run("import", "a.csv", "--database", url)

    assert "does not exist: check the name in --database" in done.error
