"""`make postgres-versions`: run the tests against every supported version of Postgres.

Each version gets a server of its own, which only this machine can reach.  At the end there
is one line per version: how many tests passed, or why it could not be got.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import psycopg

from tests.support.servers.local_postgres import run_postgres
from tools.emulator import ROOT
from tools.postgres_binaries import CouldNotGet, postgres_binaries

VERSIONS: Final = (14, 15, 16, 17, 18)
TOO_OLD: Final = 13  # the importer must refuse it
MIN_TESTED: Final = 2  # fewer versions would show little more than `make test`
AT_ONCE: Final = 2  # versions that are tested at the same time
# As the embedded Postgres of `make test`: a crash of the server is not tested here.
SETTINGS: Final = {"full_page_writes": "off", "synchronous_commit": "off"}
FULL: Final = (
    *("tests/core/postgres", "tests/core/sync_history", "tests/core/upsert"),
    *("tests/core/importer", "tests/core/preflight", "tests/handler/admin"),
    # The first measures the client's memory; the second has a server of its own.
    "--ignore=tests/core/importer/test_memory.py",
    "--ignore=tests/core/importer/test_unchanged.py",
)
# What differs between versions, or decides whether an import is right: schema, catalogues,
# the statement of a batch, its locks and its plan, claims, dry runs, records and undos.
_QUICK: Final = """
postgres/test_schema.py::test_empty_database_gets_exactly_these_tables
postgres/test_schema.py::test_schema_parsed_from_the_script_is_what_the_script_creates
postgres/test_schema_adoption.py::test_imports_and_dry_runs_work_on_adopted_tables
preflight/test_database.py::test_migrated_database_has_no_problems
postgres/test_grants.py::test_role_with_the_grants_can_import_dry_run_and_undo
sync_history/test_concurrent_claims.py::test_of_eight_concurrent_claims_exactly_one_succeeds
sync_history/test_queries.py::test_import_has_all_fields_of_its_history_row
upsert/batch_upsert/test_counts.py::test_batch_with_all_four_results_counts_each_row_once
upsert/batch_upsert/test_fencing.py::test_batch_that_waits_for_a_takeover_writes_nothing
upsert/batch_upsert/test_change_conflicts.py::test_pipelined_chunk_that_meets_a_conflict_has_no_record_twice
upsert/batch_upsert/test_recorded_values.py::test_user_has_a_record_of_its_values_and_of_the_time_it_was_last_changed
upsert/test_query_plans.py::test_same_batch_again_writes_almost_no_wal
importer/dry_run/test_shadow_tables.py::test_each_stale_row_is_shown_with_both_times
importer/undo/test_undo.py::test_undo_deletes_what_was_created_and_restores_what_was_updated
importer/undo/test_undo.py::test_columns_of_the_warehouse_are_kept_and_come_back
importer/undo/test_undo.py::test_older_file_can_be_imported_after_the_undo_of_a_newer_one
importer/undo/test_expiry.py::test_changes_of_the_last_days_stay
importer/run/test_rows.py::test_each_row_is_counted_once_in_outcome_and_history
importer/run/test_rows.py::test_of_rows_with_the_same_key_the_newest_is_stored
"""
QUICK: Final = tuple(f"tests/core/{test}" for test in _QUICK.split())


class Result(NamedTuple):
    """What a version showed.

    Attributes:
        line: for the end.
        is_tested: its tests ran, whatever their result.
        is_ok: no test failed, and a version that is too old was refused.
        output: of pytest.
    """

    line: str
    is_tested: bool = False
    is_ok: bool = True
    output: str = ""


def main() -> None:
    """Run the tests; exit with an error after a failed test, or with too few versions."""
    parser = argparse.ArgumentParser(prog="make postgres-versions")
    parser.add_argument("--versions", default="", help="such as '14 18'; default: all")
    parser.add_argument("tests", nargs="*", help="full, quick, or arguments of pytest")
    arguments = parser.parse_args()
    known = (TOO_OLD, *VERSIONS)
    versions = [int(text) for text in arguments.versions.split()] or list(known)
    if unknown := {*versions} - {*known}:
        parser.error(f"unknown versions {sorted(unknown)}: choose from {known}")
    lists = {"": FULL, "full": FULL, "quick": QUICK}
    tests = lists.get(" ".join(arguments.tests), arguments.tests)
    results = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            for result in pool.map(lambda v: check_version(v, tests), versions):
                _print(result.output)
                results.append(result)
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise
    _print(*(result.line for result in results))
    wanted = min(MIN_TESTED, len({*versions} & {*VERSIONS}))
    if sum(result.is_tested for result in results) < wanted:
        sys.exit(f"Fewer than {wanted} versions could be tested.")
    sys.exit(not all(result.is_ok for result in results))


def check_version(version: int, tests: Sequence[str]) -> Result:
    """Run the tests on a server of this version; the importer must refuse `TOO_OLD`.

    Args:
        tests: arguments of pytest.
    """
    try:
        with serve(version) as (server, conninfo):
            if version == TOO_OLD:
                return see_refusals(server, conninfo)
            _print(f"{server}: the tests are running")
            return run_tests(server, conninfo, tests)
    except CouldNotGet as error:
        return Result(f"Postgres {version}: could not get: {error}")
    except AssertionError as error:
        return Result(f"Postgres {version}: does not start: {error}", is_ok=False)


@contextmanager
def serve(version: int) -> Iterator[tuple[str, str]]:
    """Run a server of this version; yield its name with its source, and its conninfo.

    Raises:
        CouldNotGet: there are no binaries of it.
    """
    with (
        postgres_binaries(version) as (source, binaries),
        run_postgres(binaries, SETTINGS) as server,
    ):
        with psycopg.connect(server.conninfo) as conn:
            release = str(conn.info.parameter_status("server_version"))
            if conn.info.server_version // 10000 != version:
                raise CouldNotGet(f"{binaries} has Postgres {release}")
        yield f"Postgres {release.split(maxsplit=1)[0]} ({source})", server.conninfo


def run_tests(server: str, conninfo: str, tests: Sequence[str]) -> Result:
    """Run the tests on this server, and count them."""
    pytest = (sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider")
    done = _run(*pytest, *tests, TEST_DATABASE_URL=conninfo)
    line = f"{server}: {summarise(done.stdout)}"
    output = f"{server}\n{done.stdout}"
    return Result(line, is_tested=True, is_ok=done.returncode == 0, output=output)


def summarise(output: str) -> str:
    """The counts in the last line of pytest, with errors as failures."""
    last = output.strip().rpartition("\n")[2]
    count = {name: int(number) for number, name in re.findall(r"(\d+) (\w+)", last)}
    failed = sum(count.get(name, 0) for name in ("failed", "error", "errors"))
    counts = f"{count.get('passed', 0)} passed, {failed} failed"
    return f"{counts}, {count['skipped']} skipped" if "skipped" in count else counts


def see_refusals(server: str, conninfo: str) -> Result:
    """Run a migration and an import on a server that is too old."""
    salespro = str(Path(sys.executable).with_name("salespro"))
    reason = ""
    for arguments in (("migrate",), ("import", "events/SalesPro2025-06-18.csv")):
        done = _run(salespro, *arguments, DATABASE_URL=conninfo)
        reason = " ".join(done.stdout.split())
        if done.returncode == 0 or f"Postgres {TOO_OLD} is too old" not in reason:
            line = f"{server}: `salespro {arguments[0]}` did not refuse it: {reason}"
            return Result(line, is_ok=False)
    return Result(f"{server}: refused: {reason}")


def _run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program of this repository; its errors are in its output."""
    return subprocess.run(  # noqa: S603 -- our own arguments
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def _print(*lines: str) -> None:
    print(*lines, sep="\n", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
