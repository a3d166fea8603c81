"""The tables "Crashes" and "Deliveries" of docs/reliability.md, from the test results."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple


class Row(NamedTuple):
    """A row of one table: what the cases of one test show.

    Attributes:
        section: `crashes` or `deliveries`.
        cases: how many cases must pass before the page shows the row.
        action: what the test does to the importer.
        result: what happens to the import.
    """

    section: str
    cases: int
    action: str
    result: str


# Test -> its row. `conftest.py` records the name of each of these tests that runs.
ROWS = {
    "test_import_killed_at_a_statement_is_finished_by_the_next_delivery": Row(
        "crashes",
        134,
        "SIGKILL before each of the 67 statements of a file with 20 batches, and after "
        "each before its reply arrives",
        "the import is refused while the lease is live; then the next delivery resumes "
        "it, and the tables end as after one clean import",
    ),
    "test_import_killed_inside_a_statement_is_finished_by_the_next_delivery": Row(
        "crashes",
        29,
        "SIGKILL while Postgres executes a batch, a COMMIT, the claim or the completion",
        "the same, whether Postgres then rolls back or commits",
    ),
    "test_next_delivery_waits_for_the_running_statement_of_a_killed_import": Row(
        "crashes",
        3,
        "the next delivery arrives while Postgres still executes a statement of the "
        "killed attempt",
        "it waits, then takes over, or finds that the lease was renewed",
    ),
    "test_import_killed_at_its_deadline_while_postgres_is_silent_is_finished_later": Row(
        "crashes",
        10,
        "Postgres stops answering, and the runtime kills the function at its deadline",
        "the next delivery takes over after Postgres has ended the session",
    ),
    "test_import_killed_at_its_deadline_while_s3_is_silent_is_finished_later": Row(
        "crashes",
        3,
        "S3 stops answering (at the start, inside the object, before the report), and the "
        "runtime kills the function at its deadline",
        "the next delivery takes over",
    ),
    "test_attempts_killed_one_statement_later_each_time_finish_the_import": Row(
        "crashes",
        2,
        "each attempt is killed one statement later than the attempt before",
        "no row is lost; from the first commit on, each attempt adds one commit",
    ),
    "test_import_killed_at_random_moments_loses_no_row": Row(
        "crashes",
        6,
        "SIGKILL at random moments over a slow network, until an attempt survives",
        "no row is lost and none is counted twice",
    ),
    "test_thawed_attempt_writes_nothing_after_another_took_over": Row(
        "crashes",
        33,
        "SIGSTOP at 11 kinds of moments; SIGCONT after another attempt has taken over and "
        "has completed, was killed or is still running",
        "the thawed attempt writes nothing and logs that it has lost its claim",
    ),
    "test_attempt_thawed_before_a_takeover_completes_its_import": Row(
        "crashes",
        1,
        "SIGSTOP inside a transaction, SIGCONT before another attempt could take over",
        "it completes its import; the other attempt logs that the import is claimed",
    ),
    "test_frozen_transaction_is_ended_by_the_server_after_60_seconds": Row(
        "crashes",
        1,
        "SIGSTOP inside a transaction, without simulated clocks",
        "Postgres ends the session after 60 s; the waiting attempt takes over",
    ),
    "test_function_stops_at_the_next_commit_after_sigterm": Row(
        "crashes",
        67,
        "SIGTERM to the function at each statement",
        "it stops at the next commit and leaves no lease; the next delivery resumes at once",
    ),
    "test_command_stops_at_the_next_commit_after_sigterm": Row(
        "crashes",
        67,
        "SIGTERM to `salespro import` at each statement",
        "the same, with exit code 143",
    ),
    "test_command_waiting_for_a_lock_stops_one_second_after_sigterm": Row(
        "crashes",
        2,
        "SIGTERM to `salespro import` while it waits for a lock",
        "the statement is cancelled after a second; then the same",
    ),
    "test_undo_whose_connection_breaks_ends_in_the_state_of_a_clean_undo": Row(
        "crashes",
        182,
        "the connection breaks before each of the 68 statements of an undo, and after each "
        "before its reply arrives; with and without a new connection",
        "the next call goes on with it, and the tables end as after one clean undo",
    ),
    "test_undo_that_was_taken_over_writes_nothing_more": Row(
        "crashes",
        4,
        "another undo of the same import takes over between two chunks",
        "the first one writes nothing more and ends with ClaimLost",
    ),
    "test_32_simultaneous_deliveries_make_one_import": Row(
        "deliveries",
        12,
        "one notification delivered to 32 processes at once, or within 30 or 300 ms",
        "one process imports the file; the others log that the import is claimed or that "
        "the file was already imported",
    ),
    "test_two_versions_of_one_key_end_with_the_newer_rows": Row(
        "deliveries",
        20,
        "two versions of one key, in either order, one in the middle of the other",
        "the tables hold the rows of the newer version",
    ),
    "test_two_interleaved_imports_match_the_model_after_each_commit": Row(
        "deliveries",
        24,
        "two files of one key, their commits interleaved at random",
        "after each commit the tables and the counts match the model",
    ),
    "test_eight_overlapping_imports_end_in_one_state_without_deadlock": Row(
        "deliveries",
        16,
        "eight processes import shuffled files of 600 rows with 300 keys at once",
        "the tables end in one state; Postgres has counted no deadlock",
    ),
    "test_overlapping_lenient_imports_end_without_deadlock": Row(
        "deliveries",
        6,
        "the same with INVALID_VALUES=null, half of the optional values bad",
        "the same",
    ),
    "test_message_whose_rows_the_table_refuses_ends_in_the_dead_letter_queue": Row(
        "deliveries",
        1,
        "ten messages in one event, one of them for a file that a trigger refuses",
        "nine are imported at once; the tenth ends in the dead-letter queue, and its "
        "history row says why; after a repair and a redrive it is imported",
    ),
    "test_message_without_a_known_upload_is_logged_and_ends_in_the_dead_letter_queue": Row(
        "deliveries",
        2,
        "ten messages in one event, one of them without a bucket that exists or without a "
        "notification",
        "nine are imported at once; the tenth ends in the dead-letter queue, and the log "
        "says why",
    ),
}  # fmt: skip


def crashes(passed: Counter[str]) -> str | None:
    """Return the table on crashes; None if a case has not passed."""
    return _table("crashes", passed)


def deliveries(passed: Counter[str]) -> str | None:
    """Return the table on deliveries; None if a case has not passed."""
    return _table("deliveries", passed)


def _table(section: str, passed: Counter[str]) -> str | None:
    lines = ["| what the test does | what happens | cases |", "|---|---|---|"]
    for name, row in ROWS.items():
        if row.section != section:
            continue
        if passed[name] != row.cases:
            return None
        lines.append(f"| {row.action} | {row.result} | {row.cases} |")
    return "\n".join(lines)
