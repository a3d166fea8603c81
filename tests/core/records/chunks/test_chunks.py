"""The rows of a file in chunks and batches: sorted, and each counted once."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salespro_core.csv_reader import row_blocks
from salespro_core.exports.catalogue import APPOINTMENTS
from salespro_core.records import file_reader
from salespro_core.records.chunks import Batch, Chunk, _rounds
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects
from salespro_core.upsert.batch_upsert import array_parameters
from tests.core.records.readers import (
    BAD,
    make_chunks,
    read_chunks,
    sent_records,
    skipped_rows,
)
from tests.support.builders import appointment, csv_bytes, records


def test_records_of_a_chunk_are_sent_in_the_order_of_their_keys() -> None:
    """Line, values and cells of a record stay together."""
    rows = [appointment(key, saleAmount=f"{n}.00") for n, key in enumerate("BaA")]

    [chunk] = make_chunks(*rows, checkpoint_rows=9, batch_size=9)

    _, (b, a, capital_a) = records(*rows)
    assert (chunk.rows, *skipped_rows(chunk)) == (3, 0, 0)
    [batch] = chunk.batches
    assert list(batch.lines) == [4, 2, 3]
    assert list(zip(*batch.columns, strict=True)) == [
        record.values for record in (capital_a, b, a)
    ]
    assert [list(cells) for cells in batch.cells] == [
        list(record.cells) for record in (capital_a, b, a)
    ]


@given(st.data())
def test_chunk_without_duplicate_keys_has_the_batches_of_the_general_case(
    data: st.DataObject,
) -> None:
    """Rows without duplicate keys take a faster path."""
    keys = data.draw(
        st.lists(st.text("ab1", min_size=1, max_size=50), unique=True, max_size=9)
    )
    size = data.draw(st.integers(1, 4))
    rows = [appointment(key) for key in keys]
    layout, all_records = records(*rows) if rows else (records(appointment())[0], [])

    chunks = make_chunks(*rows, batch_size=size) if rows else []

    others = [
        Batch.of(round_[i : i + size])
        for round_ in _rounds(layout, all_records)
        for i in range(0, len(round_), size)
    ]
    assert [as_lists(batch) for chunk in chunks for batch in chunk.batches] == [
        as_lists(batch) for batch in others
    ]


@given(
    st.lists(
        st.tuples(
            st.text("ab1 ", max_size=5),
            st.text('x",\\é'),
            st.sampled_from(["1", BAD, ""]),
        ),
        min_size=1,
        max_size=9,
    ),
    st.integers(1, 4),
    st.booleans(),
)
def test_chunk_does_not_depend_on_the_size_of_its_pieces(
    drawn: list[tuple[str, str, str]],
    piece_rows: int,
    is_lenient: bool,  # noqa: FBT001 -- drawn
) -> None:
    """Array literals are built for each piece, or for the whole batch."""
    body = csv_bytes(
        *(appointment(key, customer_nameLast=name, saleAmount=amount) for key, name, amount in drawn)
    )  # fmt: skip
    [at_once] = read_chunks(body, is_lenient=is_lenient)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(file_reader, "PIECE_ROWS", piece_rows)
        [chunk] = read_chunks(body, is_lenient=is_lenient)

    assert (chunk.rows, skipped_rows(chunk)) == (at_once.rows, skipped_rows(at_once))
    assert list(map(as_lists, chunk.batches)) == list(map(as_lists, at_once.batches))
    layout, _ = records(appointment())
    for batch in chunk.batches:
        without_arrays = replace(batch, arrays=())
        assert array_parameters(layout, batch) == array_parameters(
            layout, without_arrays
        )


def test_first_chunks_are_short() -> None:
    """Postgres has nothing to do until the first chunk is read."""
    chunks = make_chunks(
        *(appointment(f"{n}") for n in range(2_100)),
        checkpoint_rows=1_050,
        batch_size=1_050,
    )

    assert [chunk.rows for chunk in chunks] == [500, 1_000, 600]


@pytest.mark.parametrize("committed", [0, 500, 1_500])
def test_resumed_attempt_makes_the_same_chunks(
    committed: int,
) -> None:
    """Otherwise the duplicates would depend on where the previous attempt stopped."""
    body = csv_bytes(*(appointment(f"{n}") for n in range(2_100)))
    with Rejects() as rejects:
        reader = ExportReader(
            io.BytesIO(body), (APPOINTMENTS,), rejects, is_lenient=False
        )
        reader.skip(committed, {}, checkpoint_rows=1_050)
        rows = [
            chunk.rows
            for chunk in reader.chunks(checkpoint_rows=1_050, batch_size=1_050)
        ]

    whole = [500, 1_000, 600]
    assert rows == whole[[0, 500, 1_500].index(committed) :]


def as_lists(batch: Batch) -> list[list[object]]:
    """The parts of a batch as lists, so that batches of other sequences are equal."""
    return [list(part) for part in (batch.lines, *batch.columns, *batch.cells)]


def test_records_are_sorted_across_all_batches_of_a_chunk() -> None:
    """Sorted only within each batch, concurrent imports deadlock."""
    [chunk] = make_chunks(*(appointment(key) for key in "FBDAEC"), batch_size=2)

    assert sent_records(chunk) == [[("A", 5), ("B", 3)], [("C", 7), ("D", 4)], [("E", 6), ("F", 2)]]  # fmt: skip
    assert chunk.is_in_order


def test_chunk_size_counts_all_rows_of_the_file_including_duplicates_and_rejects() -> (
    None
):
    """A resumed attempt skips so many rows of the file."""
    chunks = make_chunks(
        appointment("A"),
        appointment("B", saleAmount=BAD),
        appointment("A"),
        appointment("C"),
        appointment("", saleAmount="1"),
        checkpoint_rows=3,
    )

    assert [(chunk.rows, *skipped_rows(chunk)) for chunk in chunks] == [
        (3, 1, 1),
        (2, 0, 1),
    ]
    assert [sent_records(chunk) for chunk in chunks] == [[[("A", 4)]], [[("C", 5)]]]


@pytest.mark.parametrize(
    ("rows", "checkpoint_rows", "batch_size", "sizes"),
    [
        pytest.param(7, 100, 3, [[3, 3, 1]], id="last-batch-is-shorter"),
        pytest.param(7, 3, 100, [[3], [3], [1]], id="last-chunk-is-shorter"),
        pytest.param(7, 5, 2, [[2, 2, 1], [2]], id="batches-end-with-their-chunk"),
        pytest.param(6, 3, 3, [[3], [3]], id="no-empty-chunk-at-the-end"),
        pytest.param(3, 1, 1, [[1], [1], [1]], id="one-by-one"),
    ],
)
def test_chunks_and_batches_have_the_requested_sizes(
    rows: int, checkpoint_rows: int, batch_size: int, sizes: list[list[int]]
) -> None:
    chunks = make_chunks(
        *(appointment(f"A-{n}") for n in range(rows)),
        checkpoint_rows=checkpoint_rows,
        batch_size=batch_size,
    )

    assert [[len(batch) for batch in chunk.batches] for chunk in chunks] == sizes


def test_file_without_rows_has_no_chunks() -> None:
    assert read_chunks(b"_id\n") == []


def test_chunk_of_rejects_only_has_one_empty_batch() -> None:
    [chunk] = make_chunks(appointment(saleAmount=BAD), appointment(saleAmount=BAD))

    assert chunk == Chunk(rows=2, batches=(Batch(rejected=2),))


def test_chunk_is_yielded_before_the_next_one_is_read() -> None:
    """A file may have millions of rows."""
    stream = io.BytesIO(b"_id\n" + b"".join(b"A-%d\n" % n for n in range(500_000)))
    with Rejects() as rejects:
        reader = ExportReader(stream, (APPOINTMENTS,), rejects, is_lenient=False)

        first = next(reader.chunks(checkpoint_rows=3, batch_size=3))

    assert first.rows == 3
    assert stream.tell() < 2_000_000


def test_chunk_of_rejects_only_is_in_order() -> None:
    [chunk] = make_chunks(appointment(saleAmount=BAD))

    assert chunk.is_in_order


def test_chunk_of_very_large_rows_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are in memory until their commit, and a cell may have megabytes."""
    monkeypatch.setattr(file_reader, "CHUNK_CHARACTERS", 1000)
    monkeypatch.setattr(row_blocks, "BLOCK_CHARACTERS", 1)
    large = [appointment(f"{n}", resultFullString="x" * 400) for n in range(7)]

    assert [chunk.rows for chunk in make_chunks(*large)] == [2, 2, 2, 1]


def test_caller_does_other_work_after_every_few_hundred_rows() -> None:
    """Postgres gets the rest of the chunk before, for example."""
    rows = [appointment(f"A{number:04}") for number in range(4_000)]
    calls = 0

    def count() -> None:
        nonlocal calls
        calls += 1

    with Rejects() as rejects:
        reader = ExportReader(
            io.BytesIO(csv_bytes(*rows)), (APPOINTMENTS,), rejects, is_lenient=False
        )
        chunks = reader.chunks(checkpoint_rows=2_000, batch_size=500, after_piece=count)
        before = [(chunk.rows, calls) for chunk in chunks]

    assert [chunk_rows for chunk_rows, _ in before] == [500, 1_000, 2_000, 500]
    # Each piece is at least one call.
    assert [n for _, n in before][2] - [n for _, n in before][1] >= 4
