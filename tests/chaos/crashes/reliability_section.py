"""What docs/reliability.md says of `make crashes`: which test shows what, and how often."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple


class Shown(NamedTuple):
    """What the runs of one test show.

    Attributes:
        section: of the page.
        runs: how many have to pass before the page says so.
        what: is done to the importer.
        result: what comes of it.
    """

    section: str
    runs: int
    what: str
    result: str


# By the names of the tests; a run records its own with `record_property`.
SHOWN = {
    "test_killed_at_a_statement_the_next_delivery_takes_over": Shown(
        "crashes",
        90,
        "SIGKILL before each of the 45 statements of a file of 20 batches, and behind each "
        "before the client knows",
        "refused while the lease lives; then the next delivery goes on, and all ends as "
        "after one clean run",
    ),
    "test_killed_inside_a_statement_the_next_delivery_takes_over": Shown(
        "crashes",
        30,
        "SIGKILL while the server is inside a batch, a COMMIT, the claim or the completion",
        "the same, whether the server then rolls back or commits for nobody",
    ),
    "test_the_next_delivery_waits_for_what_the_server_is_still_doing": Shown(
        "crashes",
        3,
        "the next delivery comes while the server is still at what the killed one asked for",
        "it waits, and takes over, or finds the lease renewed",
    ),
    "test_timed_out_while_the_database_is_silent": Shown(
        "crashes",
        9,
        "the database goes dark, and the runtime kills at the deadline",
        "the next delivery takes over when the server has ended the session",
    ),
    "test_timed_out_while_s3_is_silent": Shown(
        "crashes",
        3,
        "S3 goes dark (at once, in the object, before the report), and the runtime kills",
        "the next delivery takes over",
    ),
    "test_each_attempt_killed_one_statement_further_on_than_the_last": Shown(
        "crashes",
        2,
        "attempt after attempt is killed, each one statement further on",
        "nothing is lost; from the first commit on each attempt adds one",
    ),
    "test_killed_at_any_moment_again_and_again": Shown(
        "crashes",
        6,
        "SIGKILL at random moments over a slow wire, until an attempt outruns them",
        "nothing is lost and nothing counted twice",
    ),
    "test_a_zombie_writes_nothing": Shown(
        "crashes",
        36,
        "SIGSTOP at 12 kinds of moment, SIGCONT after another attempt has taken over and "
        "is done, was killed or is at work",
        "the zombie writes nothing and says that it has lost its claim",
    ),
    "test_who_wakes_up_while_another_waits_for_its_locks_goes_on": Shown(
        "crashes",
        1,
        "frozen in a transaction, and awake before anybody could take over",
        "it goes on; the other one is told that the import is held",
    ),
    "test_who_never_wakes_up_in_a_transaction_is_ended_by_the_server": Shown(
        "crashes",
        1,
        "frozen in a transaction for good, by the true clocks",
        "the server ends its session after 60 s; the attempt that waited takes over",
    ),
    "test_the_function_stops_at_the_next_commit": Shown(
        "crashes",
        45,
        "SIGTERM to the function at each statement",
        "it stops at the next commit; no lease is left; the next delivery goes on at once",
    ),
    "test_the_command_stops_at_the_next_commit": Shown(
        "crashes",
        45,
        "SIGTERM to `salespro import` at each statement",
        "the same, with exit code 143",
    ),
    "test_the_command_does_not_wait_for_the_locks_of_others": Shown(
        "crashes",
        2,
        "SIGTERM to `salespro import` while it waits for a lock",
        "the statement is cancelled after a second; the rest is the same",
    ),
    "test_the_same_notification_32_times_at_once_is_one_import": Shown(
        "deliveries",
        12,
        "one notification delivered to 32 processes at once, or within 30 or 300 ms",
        "one imports it; the others are told that it is held or was imported before",
    ),
    "test_two_versions_of_one_key_end_as_the_newer_one": Shown(
        "deliveries",
        20,
        "two versions of one key, in either order, one in the middle of the other",
        "the newer one is what the tables have",
    ),
    "test_commit_by_commit_the_tables_are_what_the_model_says": Shown(
        "deliveries",
        24,
        "two files of one key commit by commit, in an order that is drawn",
        "after each commit the tables and counts are the model's",
    ),
    "test_eight_overlapping_files_end_in_one_state_without_a_deadlock": Shown(
        "deliveries",
        16,
        "eight processes import shuffled files of 600 rows with 300 keys at once",
        "one state in the end; Postgres has counted no deadlock",
    ),
    "test_in_lenient_mode_there_is_no_deadlock_either": Shown(
        "deliveries",
        6,
        "the same with INVALID_VALUES=null, half of the optional values bad",
        "the same",
    ),
    "test_a_file_that_the_table_refuses_ends_in_the_dead_letter_queue": Shown(
        "deliveries",
        1,
        "one file of ten that the table refuses",
        "nine are done at once; it ends in the dead-letter queue, and its history row "
        "says why; mended and redriven, it is imported",
    ),
    "test_what_cannot_even_be_claimed_is_in_the_log": Shown(
        "deliveries",
        2,
        "one message of ten that names no bucket, or is no notification",
        "nine are done at once; it ends in the dead-letter queue, and the log says why",
    ),
}  # fmt: skip


def crashes(passed: Counter[str]) -> str | None:
    """The section on crashes, from the tests that have passed; None if any is missing."""
    return _table("crashes", passed)


def deliveries(passed: Counter[str]) -> str | None:
    """The section on deliveries, from the tests that have passed; None if any is missing."""
    return _table("deliveries", passed)


def _table(section: str, passed: Counter[str]) -> str | None:
    lines = ["| what is done | what comes of it | runs |", "|---|---|---|"]
    for name, shown in SHOWN.items():
        if shown.section != section:
            continue
        if passed[name] != shown.runs:
            return None
        lines.append(f"| {shown.what} | {shown.result} | {shown.runs} |")
    return "\n".join(lines)
