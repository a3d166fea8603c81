"""Of several records with one key, a chunk sends the newest."""

from __future__ import annotations

from dataclasses import replace

import pytest

from salespro_core.records.chunks import Batch
from tests.core.records.readers import (
    make_chunks,
    read_chunks,
    sent_records,
    skipped_rows,
)
from tests.support.builders import appointment, batch, user

MORNING = "2025-06-07T10:00:00.000Z"
NOON = "2025-06-07T12:00:00.000Z"


@pytest.mark.parametrize(
    ("first", "second", "line"),
    [
        pytest.param(MORNING, NOON, 3, id="newer-is-second"),
        pytest.param(NOON, MORNING, 2, id="newer-is-first"),
        pytest.param(NOON, NOON, 3, id="equal"),
        pytest.param(NOON, "", 2, id="second-has-no-timestamp"),
        pytest.param("", MORNING, 3, id="first-has-no-timestamp"),
        pytest.param("", "", 3, id="neither-has-a-timestamp"),
        pytest.param("", "0001-01-01T00:00:00Z", 3, id="any-timestamp-beats-none"),
        pytest.param("0001-01-01T00:00:00Z", "", 2, id="none-is-older-than-any"),
        pytest.param("2025-06-07T13:30:00+02:00", NOON, 3, id="instants-not-texts"),
        pytest.param("2025-06-07 12:00:00", NOON, 3, id="equal-in-another-form"),
        pytest.param("2025-06-07T12:00:00.5Z", "2025-06-07T12:00:00.49Z", 2, id="fractions"),
        pytest.param("9999-06-07T12:00:00.000001Z", "9999-06-07T12:00:00Z", 2, id="microsecond-in-year-9999"),
    ],
)  # fmt: skip
def test_of_two_records_with_one_key_the_newer_or_else_the_later_is_sent(
    first: str, second: str, line: int
) -> None:
    """One statement cannot write a row twice; the order of the rows has no meaning."""
    [chunk] = make_chunks(
        appointment("A", _updated_at=first), appointment("A", _updated_at=second)
    )

    assert sent_records(chunk) == [[("A", line)]]
    assert (chunk.rows, *skipped_rows(chunk)) == (2, 1, 0)


def test_of_many_records_with_one_key_the_newest_is_sent() -> None:
    times = (MORNING, "", NOON, MORNING, NOON, "", MORNING)

    [chunk] = make_chunks(*(appointment("A", _updated_at=time) for time in times))

    assert sent_records(chunk) == [[("A", 6)]]
    assert skipped_rows(chunk) == (6, 0)


def test_record_with_an_omitted_timestamp_is_the_older_one() -> None:
    [chunk] = make_chunks(
        appointment("A", _updated_at=MORNING),
        appointment("A", _updated_at="invalid_date"),
        is_lenient=True,
    )

    assert sent_records(chunk) == [[("A", 2)]]


def test_without_timestamps_the_later_record_is_sent() -> None:
    """A users export never has timestamps."""
    [users] = make_chunks(
        user("U", Last_Login="2025-06-18"), user("U", Last_Login="2025-06-01")
    )
    [appointments] = read_chunks(b"_id,isSale\nA,TRUE\nA,FALSE\n")

    assert sent_records(users) == [[("U", 3)]]
    assert sent_records(appointments) == [[("A", 3)]]


def test_keys_that_differ_in_case_are_two_keys() -> None:
    [chunk] = make_chunks(appointment("abc"), appointment("ABC"), appointment(" abc "))

    assert sent_records(chunk) == [[("ABC", 3), ("abc", 4)]]


def test_records_with_one_key_in_two_chunks_are_both_sent() -> None:
    """The table decides between them; memory stays bounded."""
    chunks = make_chunks(
        appointment("A", _updated_at=NOON),
        appointment("A", _updated_at=MORNING),
        checkpoint_rows=1,
    )

    assert [sent_records(chunk) for chunk in chunks] == [[[("A", 2)]], [[("A", 3)]]]
    assert [skipped_rows(chunk) for chunk in chunks] == [(0, 0), (0, 0)]


def test_rows_of_a_batch_are_those_that_it_sends_and_those_that_it_accounts_for() -> (
    None
):
    """The checkpoint of the next batch is after all of them."""
    _, sent = batch(appointment("A"), appointment("B"))

    assert sent.rows == 2
    assert replace(sent, duplicate=10, rejected=100).rows == 112
    assert Batch(rejected=3).rows == 3
