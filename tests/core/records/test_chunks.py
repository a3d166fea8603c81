"""A file in spans, a span in batches: the newest of each key, sorted, counted once."""

from __future__ import annotations

import io
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salespro_core.csv_reader import row_blocks
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.records import file_reader
from salespro_core.records.chunks import Batch, Chunk, _newest
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects
from salespro_core.upsert.batch_upsert import array_parameters
from tests.support.builders import appointment, csv_bytes, records, user

BAD = "NaN"  # as an amount


def cut_bytes(
    body: bytes,
    *,
    checkpoint_rows: int = 100,
    batch_size: int = 100,
    is_lenient: bool = False,
) -> list[Chunk]:
    with Rejects() as rejects:
        stream = io.BytesIO(body)
        found = ExportReader(
            stream, (APPOINTMENTS, USERS), rejects, is_lenient=is_lenient
        )
        return list(
            found.chunks(checkpoint_rows=checkpoint_rows, batch_size=batch_size)
        )


def cut(
    *rows: dict[str, str],
    checkpoint_rows: int = 100,
    batch_size: int = 100,
    is_lenient: bool = False,
) -> list[Chunk]:
    return cut_bytes(
        csv_bytes(*rows),
        checkpoint_rows=checkpoint_rows,
        batch_size=batch_size,
        is_lenient=is_lenient,
    )


def skipped(chunk: Chunk) -> tuple[int, int]:
    """How many duplicates and rejects are counted with the batches."""
    return (
        sum(batch.duplicate for batch in chunk.batches),
        sum(batch.rejected for batch in chunk.batches),
    )


def sent(chunk: Chunk) -> list[list[tuple[str | None, int]]]:
    """Key and line of each record that is sent, by batch."""
    return [
        list(zip(batch.columns[0], batch.lines, strict=True)) for batch in chunk.batches
    ]


def test_a_span_sends_its_records_in_the_order_of_their_keys() -> None:
    """Each whole: its line, its values and its cells go together."""
    found = [appointment(key, saleAmount=f"{n}.00") for n, key in enumerate("BaA")]

    [chunk] = cut(*found, checkpoint_rows=9, batch_size=9)

    _, (b, a, capital_a) = records(*found)
    assert (chunk.rows, *skipped(chunk)) == (3, 0, 0)
    [batch] = chunk.batches
    assert list(batch.lines) == [4, 2, 3]
    assert list(zip(*batch.columns, strict=True)) == [
        record.values for record in (capital_a, b, a)
    ]
    assert [list(cells) for cells in batch.cells] == [
        list(record.cells) for record in (capital_a, b, a)
    ]


@given(st.data())
def test_both_ways_to_cut_a_span_make_the_same_of_it(data: st.DataObject) -> None:
    """Where no key is there twice, nobody looks at a record by itself."""
    keys = data.draw(
        st.lists(st.text("ab1", min_size=1, max_size=50), unique=True, max_size=9)
    )
    size = data.draw(st.integers(1, 4))
    rows = [appointment(key) for key in keys]
    layout, found = records(*rows) if rows else (records(appointment())[0], [])

    chunks = cut(*rows, batch_size=size) if rows else []

    newest = _newest(layout, found)
    others = [Batch.of(newest[i : i + size]) for i in range(0, len(newest), size)]
    assert [plain(batch) for chunk in chunks for batch in chunk.batches] == [
        plain(batch) for batch in others
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
def test_however_small_the_pieces_are_a_span_is_the_same(
    drawn: list[tuple[str, str, str]],
    piece_rows: int,
    is_lenient: bool,  # noqa: FBT001 -- drawn
) -> None:
    """And what is sent is made of its columns, be it piece by piece or at the end."""
    body = csv_bytes(
        *(appointment(key, customer_nameLast=name, saleAmount=amount) for key, name, amount in drawn)
    )  # fmt: skip
    [at_once] = cut_bytes(body, is_lenient=is_lenient)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(file_reader, "PIECE_ROWS", piece_rows)
        [chunk] = cut_bytes(body, is_lenient=is_lenient)

    assert (chunk.rows, skipped(chunk)) == (at_once.rows, skipped(at_once))
    assert list(map(plain, chunk.batches)) == list(map(plain, at_once.batches))
    layout, _ = records(appointment())
    for batch in chunk.batches:
        anew = replace(batch, arrays=())
        assert array_parameters(layout, batch) == array_parameters(layout, anew)


def test_the_first_spans_are_short() -> None:
    """Postgres has nothing to do until they are read."""
    found = cut(
        *(appointment(f"{n}") for n in range(2_100)),
        checkpoint_rows=1_050,
        batch_size=1_050,
    )

    assert [chunk.rows for chunk in found] == [500, 1_000, 600]


@pytest.mark.parametrize("committed", [0, 500, 1_500])
def test_an_attempt_that_goes_on_cuts_where_the_first_one_would_have(
    committed: int,
) -> None:
    """Or what is a duplicate would depend on where the attempt before was stopped."""
    body = csv_bytes(*(appointment(f"{n}") for n in range(2_100)))
    with Rejects() as rejects:
        found = ExportReader(
            io.BytesIO(body), (APPOINTMENTS,), rejects, is_lenient=False
        )
        found.skip(committed, {}, checkpoint_rows=1_050)
        rows = [
            chunk.rows
            for chunk in found.chunks(checkpoint_rows=1_050, batch_size=1_050)
        ]

    whole = [500, 1_000, 600]
    assert rows == whole[[0, 500, 1_500].index(committed) :]


def plain(batch: Batch) -> list[list[object]]:
    """A batch, whatever sorts of sequence it is made of."""
    return [list(part) for part in (batch.lines, *batch.columns, *batch.cells)]


def test_records_are_sorted_across_all_batches_of_a_span() -> None:
    """Sorted only inside each batch, concurrent imports deadlock."""
    [chunk] = cut(*(appointment(key) for key in "FBDAEC"), batch_size=2)

    assert sent(chunk) == [[("A", 5), ("B", 3)], [("C", 7), ("D", 4)], [("E", 6), ("F", 2)]]  # fmt: skip


def test_a_span_is_so_many_rows_of_the_file_whatever_becomes_of_them() -> None:
    """The checkpoint counts rows of the file: an attempt that takes over skips as many."""
    found = cut(
        appointment("A"),
        appointment("B", saleAmount=BAD),
        appointment("A"),
        appointment("C"),
        appointment("", saleAmount="1"),
        checkpoint_rows=3,
    )

    assert [(chunk.rows, *skipped(chunk)) for chunk in found] == [(3, 1, 1), (2, 0, 1)]
    assert [sent(chunk) for chunk in found] == [[[("A", 4)]], [[("C", 5)]]]


@pytest.mark.parametrize(
    ("rows", "checkpoint_rows", "batch_size", "sizes"),
    [
        pytest.param(7, 100, 3, [[3, 3, 1]], id="last-batch-is-shorter"),
        pytest.param(7, 3, 100, [[3], [3], [1]], id="last-span-is-shorter"),
        pytest.param(7, 5, 2, [[2, 2, 1], [2]], id="batches-end-with-their-span"),
        pytest.param(6, 3, 3, [[3], [3]], id="no-empty-span-at-the-end"),
        pytest.param(3, 1, 1, [[1], [1], [1]], id="one-by-one"),
    ],
)
def test_spans_and_batches_are_as_large_as_asked(
    rows: int, checkpoint_rows: int, batch_size: int, sizes: list[list[int]]
) -> None:
    found = cut(
        *(appointment(f"A-{n}") for n in range(rows)),
        checkpoint_rows=checkpoint_rows,
        batch_size=batch_size,
    )

    assert [[len(batch) for batch in s.batches] for s in found] == sizes


def test_a_file_without_rows_has_no_spans() -> None:
    assert cut_bytes(b"_id\n") == []


def test_a_span_may_have_rejects_only() -> None:
    [chunk] = cut(appointment(saleAmount=BAD), appointment(saleAmount=BAD))

    assert chunk == Chunk(rows=2, batches=(Batch(rejected=2),))


def test_a_span_is_cut_before_the_next_is_read() -> None:
    """A file may have millions of rows."""
    stream = io.BytesIO(b"_id\n" + b"".join(b"A-%d\n" % n for n in range(500_000)))
    with Rejects() as rejects:
        found = ExportReader(stream, (APPOINTMENTS,), rejects, is_lenient=False)

        first = next(found.chunks(checkpoint_rows=3, batch_size=3))

    assert first.rows == 3
    assert stream.tell() < 2_000_000


MORNING = "2025-06-07T10:00:00.000Z"
NOON = "2025-06-07T12:00:00.000Z"


@pytest.mark.parametrize(
    ("first", "second", "line"),
    [
        pytest.param(MORNING, NOON, 3, id="newer-comes-later"),
        pytest.param(NOON, MORNING, 2, id="newer-comes-first"),
        pytest.param(NOON, NOON, 3, id="equal"),
        pytest.param(NOON, "", 2, id="second-has-no-timestamp"),
        pytest.param("", MORNING, 3, id="first-has-no-timestamp"),
        pytest.param("", "", 3, id="neither-has-a-timestamp"),
        pytest.param("", "0001-01-01T00:00:00Z", 3, id="any-timestamp-beats-none"),
        pytest.param("0001-01-01T00:00:00Z", "", 2, id="none-is-not-the-first-moment"),
        pytest.param("2025-06-07T13:30:00+02:00", NOON, 3, id="moments-not-texts"),
        pytest.param("2025-06-07 12:00:00", NOON, 3, id="equal-in-another-form"),
        pytest.param("2025-06-07T12:00:00.5Z", "2025-06-07T12:00:00.49Z", 2, id="fractions"),
        pytest.param("9999-06-07T12:00:00.000001Z", "9999-06-07T12:00:00Z", 2, id="microsecond-of-a-far-year"),
    ],
)  # fmt: skip
def test_of_two_records_of_one_key_the_newer_is_sent_or_else_the_later(
    first: str, second: str, line: int
) -> None:
    """One statement cannot touch a row twice; and the order of rows says nothing."""
    [chunk] = cut(
        appointment("A", _updated_at=first), appointment("A", _updated_at=second)
    )

    assert sent(chunk) == [[("A", line)]]
    assert (chunk.rows, *skipped(chunk)) == (2, 1, 0)


def test_of_many_records_of_one_key_the_newest_is_sent() -> None:
    times = (MORNING, "", NOON, MORNING, NOON, "", MORNING)

    [chunk] = cut(*(appointment("A", _updated_at=time) for time in times))

    assert sent(chunk) == [[("A", 6)]]
    assert skipped(chunk) == (6, 0)


def test_a_timestamp_that_was_left_out_does_not_count() -> None:
    [chunk] = cut(
        appointment("A", _updated_at=MORNING),
        appointment("A", _updated_at="invalid_date"),
        is_lenient=True,
    )

    assert sent(chunk) == [[("A", 2)]]


def test_a_file_without_timestamps_sends_the_later_record() -> None:
    """A users export never has one."""
    [users] = cut(
        user("U", Last_Login="2025-06-18"), user("U", Last_Login="2025-06-01")
    )
    [appointments] = cut_bytes(b"_id,isSale\nA,TRUE\nA,FALSE\n")

    assert sent(users) == [[("U", 3)]]
    assert sent(appointments) == [[("A", 3)]]


def test_keys_that_differ_in_case_are_two_keys() -> None:
    [chunk] = cut(appointment("abc"), appointment("ABC"), appointment(" abc "))

    assert sent(chunk) == [[("ABC", 3), ("abc", 4)]]


def test_records_of_one_key_in_two_spans_are_both_sent() -> None:
    """The table decides between them; memory does not grow with the file."""
    found = cut(
        appointment("A", _updated_at=NOON),
        appointment("A", _updated_at=MORNING),
        checkpoint_rows=1,
    )

    assert [sent(chunk) for chunk in found] == [[[("A", 2)]], [[("A", 3)]]]
    assert [skipped(chunk) for chunk in found] == [(0, 0), (0, 0)]


def test_a_batch_holds_records_that_leave_out_the_same_columns() -> None:
    """A statement names its columns, and what is left out is not to be written."""
    [chunk] = cut(
        appointment("C"),
        appointment("A"),
        appointment("B", saleAmount=BAD),
        appointment("E", saleAmount=BAD),
        appointment("D", saleAmount=BAD, isSale="perhaps"),
        appointment("F", saleAmount=BAD),
        is_lenient=True,
    )

    assert sent(chunk) == [[("A", 3), ("C", 2)], [("D", 6)], [("B", 4), ("E", 5), ("F", 7)]]  # fmt: skip
    assert [batch.omitted for batch in chunk.batches] == [(), (3, 11), (11,)]


drawn_rows = st.lists(
    st.tuples(
        st.sampled_from("ABC"),
        st.sampled_from([None, "2025-06-07 10:00", "2025-06-07 11:00"]),
        st.sampled_from(["1", BAD]),
        st.sampled_from(["TRUE", "x"]),
    ),
    max_size=20,
)


@settings(deadline=None, max_examples=200)
@given(drawn_rows, st.integers(1, 6), st.integers(1, 4), st.booleans())
def test_every_row_is_in_one_span_and_sent_once_or_counted_once(
    drawn: list[tuple[str, str | None, str, str]],
    checkpoint_rows: int,
    batch_size: int,
    is_lenient: bool,  # noqa: FBT001 -- drawn
) -> None:
    found = cut(
        appointment("", saleAmount=BAD),
        *(
            appointment(key, _updated_at=f"{time}:00Z" if time else "", saleAmount=amount, isSale=sale)
            for key, time, amount, sale in drawn
        ),
        checkpoint_rows=checkpoint_rows,
        batch_size=batch_size,
        is_lenient=is_lenient,
    )  # fmt: skip

    rows = [("", None, BAD, "x"), *drawn]
    for n, chunk in enumerate(found):
        best: dict[str, tuple[str, int]] = {}
        good = 0
        part = list(enumerate(rows, start=2))[n * checkpoint_rows :][:checkpoint_rows]
        for line, (key, time, amount, sale) in part:
            if key and (is_lenient or (amount != BAD and sale != "x")):
                good += 1
                best[key] = max(best.get(key, ("", 0)), (time or "", line))
        newest = [(key, best[key][1]) for key in sorted(best)]
        assert sorted(it for batch in sent(chunk) for it in batch) == newest
        assert all(batch == sorted(batch) for batch in sent(chunk))
        assert chunk.rows == len(part)
        assert skipped(chunk) == (good - len(newest), len(part) - good)
        assert all(len(batch) <= batch_size for batch in chunk.batches)
        assert all(map(len, chunk.batches)) or not newest
        assert all(
            len(a) == batch_size or a.omitted != b.omitted
            for a, b in pairwise(chunk.batches)
        )
    assert sum(chunk.rows for chunk in found) == len(rows)


@pytest.mark.parametrize("checkpoint_rows", [1, 5])
def test_a_value_that_could_not_be_read_is_that_of_the_older_duplicate(
    checkpoint_rows: int,
) -> None:
    """What is stored must not depend on where a span of the file ends."""
    found = cut(
        appointment("A", _updated_at="2025-06-07T10:00:00Z", saleAmount="100"),
        appointment("A", _updated_at="2025-06-07T11:00:00Z", saleAmount=BAD),
        checkpoint_rows=checkpoint_rows,
        is_lenient=True,
    )

    last = found[-1].batches[-1]
    is_alone = checkpoint_rows == 1
    assert list(last.lines) == [3]
    assert list(last.columns[11]) == [None if is_alone else "100.0"]
    assert last.omitted == ((11,) if is_alone else ())


def test_a_span_of_very_large_rows_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are in memory until their commit, and a cell may have megabytes."""
    monkeypatch.setattr(file_reader, "CHUNK_CHARACTERS", 1000)
    monkeypatch.setattr(row_blocks, "BLOCK_CHARACTERS", 1)
    large = [appointment(f"{n}", resultFullString="x" * 400) for n in range(7)]

    assert [chunk.rows for chunk in cut(*large)] == [2, 2, 2, 1]
