"""Files with sample exports: their bytes, and what they replace."""

from __future__ import annotations

import csv
import gzip
import io
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from salespro_cli.sample_data import generator
from salespro_cli.sample_data.generator import (
    APPOINTMENT_LABELS,
    USER_LABELS,
    SampleKind,
    appointments,
    users,
    write_sample,
)


@pytest.mark.parametrize(
    ("kind", "labels", "rows"),
    [
        pytest.param("appointments", APPOINTMENT_LABELS, 2374, id="appointments"),
        pytest.param("appointments", APPOINTMENT_LABELS, 0, id="no-appointments"),
        pytest.param("users", USER_LABELS, 254, id="users"),
    ],
)
def test_file_read_by_csv_reader_has_every_cell(
    tmp_path: Path, kind: SampleKind, labels: tuple[str, ...], rows: int
) -> None:
    out = tmp_path / "sample.csv"
    generated = appointments if kind == "appointments" else users

    write_sample(kind, rows, 5, out)

    text = out.read_bytes().decode("utf-8")
    assert list(csv.reader(io.StringIO(text, newline=""))) == [
        list(labels),
        *generated(rows, 5),
    ]
    assert text.startswith(",".join(labels) + "\r\n")
    assert text.endswith("\r\n")
    assert list(tmp_path.iterdir()) == [out]


def test_compressed_sample_equals_the_plain_one_and_is_reproducible(
    tmp_path: Path,
) -> None:
    """A name or a time in the header of gzip would change the bytes of each run."""
    plain, first, second = (
        tmp_path / name for name in ("a.csv", "b.csv.gz", "c.csv.gz")
    )

    for out in (plain, first, second):
        write_sample("appointments", 300, 5, out)

    assert first.read_bytes() == second.read_bytes()
    assert gzip.decompress(first.read_bytes()) == plain.read_bytes()


def test_existing_file_is_replaced_only_on_request(tmp_path: Path) -> None:
    out = tmp_path / "sample.csv"
    write_sample("users", 254, 1, out)

    with pytest.raises(FileExistsError):
        write_sample("users", 1, 1, out)
    kept = out.read_bytes().count(b"\r\n")
    write_sample("users", 1, 1, out, overwrite=True)

    assert (kept, out.read_bytes().count(b"\r\n")) == (255, 2)
    assert list(tmp_path.iterdir()) == [out]


def test_file_that_is_made_meanwhile_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "sample.csv"

    def users_and_a_file(rows: int, seed: int) -> Iterator[list[str]]:
        yield from users(rows, seed)
        out.write_bytes(b"other")

    monkeypatch.setattr(generator, "users", users_and_a_file)

    with pytest.raises(FileExistsError):
        write_sample("users", 1, 1, out)

    assert out.read_bytes() == b"other"
    assert list(tmp_path.iterdir()) == [out]


def test_directory_is_not_replaced_and_no_partial_file_is_left(tmp_path: Path) -> None:
    """Neither a directory nor a device may be replaced by a file."""
    out = tmp_path / "sample.csv"
    out.mkdir()

    for overwrite in (False, True):
        with pytest.raises(FileExistsError):
            write_sample("users", 10, 1, out, overwrite=overwrite)

    assert list(tmp_path.iterdir()) == [out]


def test_target_of_a_link_is_written_and_the_link_stays(tmp_path: Path) -> None:
    """A link such as /dev/stdout must not be replaced."""
    target, link = tmp_path / "target.csv", tmp_path / "link.csv"
    link.symlink_to(target)

    write_sample("users", 10, 1, link)

    assert link.is_symlink()
    assert target.stat().st_size > 0


def test_10_000_rows_need_less_than_500_kb_of_memory(tmp_path: Path) -> None:
    tracemalloc.start()

    write_sample("appointments", 10_000, 1, tmp_path / "sample.csv")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (tmp_path / "sample.csv").stat().st_size > 1_250_000
    assert peak_bytes < 500_000
