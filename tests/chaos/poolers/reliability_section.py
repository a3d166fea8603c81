"""The section "Poolers" of docs/reliability.md, from the test results."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple


class Row(NamedTuple):
    """A row of the table: what the cases of one test show.

    Attributes:
        cases: how many cases must pass before the page shows the table.
        action: what the test does.
        result: what happens to imports and dry runs.
    """

    cases: int
    action: str
    result: str


# A test records its name, and with this prefix the version of PgBouncer.
VERSION = "PgBouncer "
# Test -> its row. `conftest.py` records the name of each of these tests that runs.
ROWS = {
    "test_imports_dry_runs_and_migrations_through_a_pool_match_the_model": Row(
        8,
        "dry runs, imports, a lenient import and a migration, through transaction and "
        "session pools of 1, 2 and 20, with and without `server_reset_query`",
        "each matches the model",
    ),
    "test_undo_of_all_imports_through_a_pool_gives_the_first_state": Row(
        8,
        "dry runs of undos and undos of both exports, through the same pools",
        "the tables end as before the imports",
    ),
    "test_command_imports_all_rows_after_its_dry_run_through_a_transaction_pool": Row(
        2,
        "`salespro import --dry-run`, then `salespro import`, twice, through a pool of 1 "
        "and 3",
        "all rows are in the table; the second import finds them unchanged",
    ),
    "test_function_imports_all_rows_after_its_dry_run_through_a_transaction_pool": Row(
        2,
        "the same with the function, which keeps its connection to the pooler",
        "the same; the action `check` says ok",
    ),
    "test_statement_pool_is_refused_by_function_and_command_and_nothing_is_written": Row(
        1,
        "import, dry run, migration and check through a pool in statement mode",
        "all are refused; the error names `pool_mode`; nothing is written",
    ),
    "test_500_imports_and_dry_runs_through_a_transaction_pool_end_as_in_the_model": Row(
        1,
        "four clients make 500 imports, lenient imports, dry runs, redeliveries and "
        "migrations at random, at the same time, through a pool of 2",
        "each result and the tables match the model; no connection breaks",
    ),
    "test_random_imports_through_a_pool_that_breaks_lose_and_repeat_no_row": Row(
        3,
        "the same, while the server sessions are terminated, RECONNECT, KILL and PAUSE "
        "are run, and PgBouncer is restarted and killed",
        "attempts reconnect or are repeated; each result and the tables match the model",
    ),
    "test_import_whose_pool_breaks_at_a_statement_loses_and_repeats_no_row": Row(
        23,
        "one of these at the claim, an upsert, a COMMIT, the completion, or the reply to "
        "one of them",
        "the attempt resumes after the last commit, or the next delivery does",
    ),
    "test_import_that_waits_for_a_lock_ends_in_time_and_its_statement_is_cancelled": Row(
        2,
        "another session locks the table until after the deadline",
        "the attempt ends before its deadline; the cancel request reaches Postgres "
        "through the pooler",
    ),
    "test_import_without_a_free_session_ends_in_time_and_claims_nothing": Row(
        1,
        "another client keeps the only session of the pool",
        "the attempt ends before its deadline and has written nothing",
    ),
    "test_import_continues_when_a_session_of_the_full_pool_becomes_free": Row(
        1,
        "the same, with a short `query_wait_timeout`; then the session becomes free",
        "the attempt retries and completes",
    ),
    "test_import_continues_after_a_pause_of_the_pool": Row(
        1, "PAUSE before an import, RESUME a second later", "the attempt completes"
    ),
    "test_import_through_a_pool_killed_at_random_moments_loses_no_row": Row(
        3,
        "SIGKILL to the function at random moments, again and again",
        "PgBouncer closes its server session; the next delivery takes over",
    ),
    "test_frozen_import_that_keeps_a_session_writes_nothing_after_a_takeover": Row(
        2,
        "SIGSTOP to the function in a transaction, SIGCONT after another attempt has "
        "taken over",
        "the thawed attempt writes nothing and logs that it has lost its claim",
    ),
    "test_sixteen_simultaneous_deliveries_through_a_pool_make_one_import": Row(
        2,
        "one notification delivered to 16 processes at once, through a pool of 1 and 3",
        "one process imports the file",
    ),
    "test_imports_and_dry_runs_on_sessions_with_leaked_state_match_the_model": Row(
        14,
        "another client has left on the sessions: other tables or temporary tables of our "
        "names in front, a role, formats, isolation level, planner settings, timeouts, prepared "
        "statements, cursors, locks",
        "the real tables are used, and each result matches the model; the other client "
        "finds its state as it was",
    ),
    "test_import_and_dry_run_on_read_only_sessions_are_refused_and_nothing_is_written": Row(
        2,
        "another client has left `default_transaction_read_only`",
        "imports and dry runs are refused; nothing is written",
    ),
}  # fmt: skip


def markdown(passed: Counter[str]) -> str | None:
    """Return the section; None if a case has not passed.

    Args:
        passed: test -> number of its cases that passed; and the versions of PgBouncer.
    """
    if any(passed[name] < row.cases for name, row in ROWS.items()):
        return None
    lines = ["| what the test does | what happens | cases |", "|---|---|---|"]
    lines += [
        f"| {row.action} | {row.result} | {passed[name]} |"
        for name, row in ROWS.items()
    ]
    versions = sorted(name for name in passed if name.startswith(VERSION))
    cases = sum(passed[name] for name in ROWS)
    return "\n".join([f"{' and '.join(versions)}, {cases} cases.", "", *lines])
