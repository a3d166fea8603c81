"""Lenient records: their batches, and the older records that are sent before them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.records.readers import (
    BAD,
    make_chunks,
    sent_records,
    skipped_rows,
)
from tests.support.builders import appointment

MORNING = "2025-06-07T10:00:00.000Z"
NOON = "2025-06-07T12:00:00.000Z"


def test_records_of_a_batch_omit_the_same_columns() -> None:
    """A statement names its columns, and must not write the omitted ones."""
    [chunk] = make_chunks(
        appointment("C"),
        appointment("A"),
        appointment("B", saleAmount=BAD),
        appointment("E", saleAmount=BAD),
        appointment("D", saleAmount=BAD, isSale="perhaps"),
        appointment("F", saleAmount=BAD),
        is_lenient=True,
    )

    assert sent_records(chunk) == [[("A", 3), ("C", 2)], [("D", 6)], [("B", 4), ("E", 5), ("F", 7)]]  # fmt: skip
    assert [batch.omitted for batch in chunk.batches] == [(), (3, 11), (11,)]
    assert not chunk.is_in_order


def test_lenient_records_that_happen_to_be_sorted_across_batches_are_in_order() -> None:
    """Such a chunk need not be written alone."""
    [chunk] = make_chunks(
        appointment("A"),
        appointment("B", saleAmount=BAD, isSale=BAD),
        appointment("C", saleAmount=BAD),
        is_lenient=True,
    )

    assert [batch.omitted for batch in chunk.batches] == [(), (3, 11), (11,)]
    assert chunk.is_in_order


def test_older_record_with_a_value_that_the_newer_omits_is_sent_before_it() -> None:
    """The older record may be stale; the table decides whether its value is stored."""
    [chunk] = make_chunks(
        appointment("A", _updated_at=MORNING, saleAmount="100"),
        appointment("B"),
        appointment("A", _updated_at=NOON, saleAmount=BAD),
        is_lenient=True,
    )

    assert sent_records(chunk) == [[("A", 2), ("B", 3)], [("A", 4)]]
    assert [batch.omitted for batch in chunk.batches] == [(), (11,)]
    assert skipped_rows(chunk) == (0, 0)
    assert not chunk.is_in_order


@pytest.mark.parametrize(
    ("rows", "batches", "duplicates"),
    [
        pytest.param(
            [{"saleAmount": BAD}, {"saleAmount": "1"}], [[3]], 1, id="newer-is-complete"
        ),
        pytest.param(
            [{"saleAmount": BAD}, {"saleAmount": BAD}], [[3]], 1, id="both-omit-the-same"
        ),
        pytest.param(
            [{"saleAmount": BAD}, {"isSale": BAD}], [[2], [3]], 0, id="each-has-a-value"
        ),
        pytest.param(
            [{"isSale": BAD}, {"saleAmount": BAD}], [[2], [3]], 0, id="each-the-other-way"
        ),
        pytest.param(
            [{"saleAmount": "1"}, {"saleAmount": "2"}, {"saleAmount": BAD}],
            [[3], [4]],
            1,
            id="only-the-newest-value",
        ),
        pytest.param(
            [{}, {"saleAmount": BAD, "isSale": BAD}, {"saleAmount": BAD}],
            [[2], [4]],
            1,
            id="between-them-adds-nothing",
        ),
        pytest.param(
            [{}, {"isSale": BAD}, {"saleAmount": BAD}],
            [[3], [4]],
            1,
            id="two-newer-ones-have-all-values",
        ),
        pytest.param(
            [{}, {"isSale": BAD}, {"isSale": BAD, "saleAmount": BAD}],
            [[2], [3], [4]],
            0,
            id="a-value-of-each-of-two",
        ),
        pytest.param(
            [
                {"_updated_at": NOON, "saleAmount": BAD},
                {"_updated_at": MORNING, "saleAmount": "1"},
            ],
            [[2]],
            1,
            id="older-record-is-later-in-the-file",
        ),
        pytest.param(
            [{"saleAmount": "1"}, {"_updated_at": BAD, "saleAmount": "2"}],
            [[2]],
            1,
            id="newer-has-no-timestamp",
        ),
    ],
)  # fmt: skip
def test_of_records_of_one_key_those_with_a_value_that_no_newer_one_has_are_sent(
    rows: list[dict[str, str]], batches: list[list[int]], duplicates: int
) -> None:
    [chunk] = make_chunks(*(appointment("A", **row) for row in rows), is_lenient=True)

    assert [list(batch.lines) for batch in chunk.batches] == batches
    assert skipped_rows(chunk) == (duplicates, 0)


@pytest.mark.parametrize("is_reversed", [False, True])
def test_key_is_sent_at_most_once_per_column_however_often_it_is_in_the_file(
    *, is_reversed: bool
) -> None:
    """Otherwise a file of one key would need one statement per row."""
    # resultFullString has no limit.
    without = ("_id", "_updated_at", "resultFullString")
    labels = [label for label in appointment() if label not in without]
    if is_reversed:
        labels.reverse()
    # In every 50 records one more cell is invalid.
    rows = [
        appointment("A") | dict.fromkeys(labels[:invalid], "x" * 300)
        for invalid in range(len(labels))
        for _ in range(50)
    ]

    [chunk] = make_chunks(*rows, checkpoint_rows=len(rows), is_lenient=True)

    sent = [line for batch in sent_records(chunk) for _, line in batch]
    assert sent == [1 + 50 * (n + 1) for n in range(len(labels))]
    assert skipped_rows(chunk) == (len(rows) - len(sent), 0)


drawn_rows = st.lists(
    st.tuples(
        st.sampled_from("AAB"),
        st.sampled_from([None, "2025-06-07 10:00", "2025-06-07 11:00"]),
        st.sampled_from(["1", BAD]),
        st.sampled_from(["TRUE", "x"]),
    ),
    max_size=20,
)


@settings(deadline=None, max_examples=200)
@given(drawn_rows, st.integers(1, 20), st.integers(1, 4), st.booleans())
def test_every_row_is_in_one_chunk_and_sent_or_counted_once(
    drawn: list[tuple[str, str | None, str, str]],
    checkpoint_rows: int,
    batch_size: int,
    is_lenient: bool,  # noqa: FBT001 -- drawn
) -> None:
    chunks = make_chunks(
        appointment("", saleAmount=BAD),
        *(
            appointment(key, _updated_at=f"{time}:00Z" if time else "", saleAmount=amount, isSale=sale)
            for key, time, amount, sale in drawn
        ),
        checkpoint_rows=checkpoint_rows,
        batch_size=batch_size,
        is_lenient=is_lenient,
    )  # fmt: skip

    rows = list(enumerate([("", None, BAD, "x"), *drawn], start=2))
    for n, chunk in enumerate(chunks):
        part = rows[n * checkpoint_rows :][:checkpoint_rows]
        valid = [
            (line, key, time or "", (amount != BAD, sale != "x"))
            for line, (key, time, amount, sale) in part
            if key and (is_lenient or (amount != BAD and sale != "x"))
        ]
        expected = expected_records(valid)
        sent = [
            (str(key), line) for batch in sent_records(chunk) for key, line in batch
        ]
        assert sorted(sent) == sorted(expected)
        for key in {key for key, _ in sent}:
            # The older record is written first.
            assert [r for r in sent if r[0] == key] == [
                r for r in expected if r[0] == key
            ]
        for batch in sent_records(chunk):
            keys = [str(key) for key, _ in batch]
            assert keys == sorted(set(keys))
        assert chunk.is_in_order == all(a < b for (a, _), (b, _) in pairwise(sent))
        assert chunk.rows == len(part)
        assert skipped_rows(chunk) == (len(valid) - len(sent), len(part) - len(valid))
        assert all(len(batch) <= batch_size for batch in chunk.batches)
        assert all(map(len, chunk.batches)) or not sent
        assert all(
            len(a) == batch_size or a.omitted != b.omitted
            for a, b in pairwise(chunk.batches)
        )
    assert sum(chunk.rows for chunk in chunks) == len(rows)


def expected_records(
    valid: Sequence[tuple[int, str, str, tuple[bool, ...]]],
) -> list[tuple[str, int]]:
    """Key and line of the records that are sent, the oldest of each key first.

    Args:
        valid: line, key, timestamp, and which columns have a value.
    """
    sent: list[tuple[str, int]] = []
    for key in sorted({key for _, key, _, _ in valid}):
        # Line, timestamp and columns of records that are not older than one before them.
        rising: list[tuple[int, str, tuple[bool, ...]]] = []
        for line, other_key, time, has_value in valid:
            if other_key == key and (not rising or time >= rising[-1][1]):
                rising.append((line, time, has_value))
        for index, (line, _, has_value) in enumerate(rising):
            newer = [columns for _, _, columns in rising[index + 1 :]]
            added = [
                has and not any(others)
                for has, *others in zip(has_value, *newer, strict=True)
            ]
            if not newer or any(added):
                sent.append((key, line))
    return sent
