"""Acceptance: `salespro sample`."""

from __future__ import annotations

import pytest

from tests.support import paths
from tests.support.terminal import CommandResult, Terminal


@pytest.mark.parametrize(
    ("kind", "name"),
    [("appointments", "a.csv"), ("appointments", "a.csv.gz"), ("users", "u.csv.gz")],
)
def test_sample_is_written_and_imported(
    terminal: Terminal, kind: str, name: str
) -> None:
    written = terminal.run("sample", "--export", kind, "--rows", "50", name)
    imported = terminal.run("import", "--json", name)

    size_bytes = (terminal.folder / name).stat().st_size
    expected = f"{name}: 50 {kind}, {size_bytes:,} bytes\n"
    assert written == CommandResult(0, expected, "")
    assert imported.counts == {"created": 50}


def test_sample_without_rows_has_as_many_as_in_production(terminal: Terminal) -> None:
    done = terminal.run("sample", "a.csv")

    assert done.out.startswith("a.csv: 2,374 appointments, ")
    sample = (terminal.folder / "a.csv").read_bytes()
    assert sample == paths.SAMPLE_EXPORT.read_bytes()


@pytest.mark.parametrize(
    ("out", "error"),
    [
        ("", "OUT is empty: name the file to write."),
        ("missing/a.csv", "No such file or directory: missing/a.csv"),
        ("file/a.csv", "Not a directory: file/a.csv"),
    ],
)
def test_sample_that_cannot_be_written_is_one_error_line(
    terminal: Terminal, out: str, error: str
) -> None:
    terminal.write("file", b"")

    done = terminal.run("sample", out)

    assert done.error == error
    assert [path.name for path in terminal.folder.iterdir()] == ["file"]
