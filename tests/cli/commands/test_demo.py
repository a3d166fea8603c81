"""Acceptance: `salespro sample`."""

from __future__ import annotations

import pytest

from tests.support import paths
from tests.support.terminal import CommandResult, Terminal, wait_for_exit


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


def test_sample_keeps_an_existing_file(terminal: Terminal) -> None:
    terminal.write("a.csv", b"mine")

    done = terminal.run("sample", "a.csv")

    assert (
        done.error == "a.csv exists. Choose another name, or overwrite it with --force."
    )
    assert (terminal.folder / "a.csv").read_bytes() == b"mine"


def test_sample_with_force_replaces_an_existing_file(terminal: Terminal) -> None:
    terminal.write("a.csv", b"mine")

    done = terminal.run("sample", "--force", "--rows", "1", "a.csv")

    assert (done.code, done.err) == (0, "")
    assert (terminal.folder / "a.csv").read_bytes().count(b"\r\n") == 2


@pytest.mark.parametrize("options", [(), ("--force",)])
def test_sample_replaces_no_device(
    terminal: Terminal, options: tuple[str, ...]
) -> None:
    done = terminal.run("sample", *options, "/dev/null")

    assert done.error == "/dev/null is not a regular file. Write - for standard output."


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_sample_on_standard_output_has_the_bytes_of_the_file(
    terminal: Terminal, encoding: str
) -> None:
    out = terminal.folder / "out"
    with (
        out.open("w", encoding="utf-8") as file,
        terminal.start("sample", "-", stdout=file, PYTHONIOENCODING=encoding) as sample,
    ):
        done = wait_for_exit(sample)

    assert (done.code, done.err) == (0, "")
    assert out.read_bytes() == paths.SAMPLE_EXPORT.read_bytes()


@pytest.mark.parametrize("rows", ["5", "20000"])
def test_sample_to_a_closed_pipe_ends_silently(terminal: Terminal, rows: str) -> None:
    """141 is what a shell reports for a program that SIGPIPE has ended."""
    with terminal.start("sample", "--rows", rows, "-") as sample:
        assert sample.stdout is not None
        sample.stdout.close()
        code = sample.wait(timeout=30)
        assert sample.stderr is not None
        err = sample.stderr.read()

    assert (code, err) == (141, "")


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
