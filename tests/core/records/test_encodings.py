"""Rows in another encoding are rejected, their neighbours are read, the encoding is named."""

from __future__ import annotations

import io

import pytest

from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.model.rejects import Problem, encoding_warning
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects
from tests.support.builders import appointment, csv_bytes

# Marks the place of the text in another encoding.
PLACE = "PLACE"
CASES = [
    ("cp1252", "Nuñez", "Windows-1252"),
    ("latin-1", "Müller", "Windows-1252"),
    ("mac-roman", "Nuñez", "Mac Roman"),
    ("cp850", "Nuñez", "CP850 or CP437 (DOS)"),
    ("cp1250", "Wałęsa", "Windows-1250"),
    ("cp1251", "Иванов", "Windows-1251"),
    ("shift-jis", "山本さくら", "Shift-JIS"),
    ("gb18030", "客户想要新窗户", "GB18030"),
    ("euc-kr", "김민수", "EUC-KR"),
    ("iso2022-jp", "テスト", "ISO-2022-JP"),
    ("iso2022-kr", "김민수", "ISO-2022-KR"),
    ("hz", "王伟", "HZ"),
    ("utf-7", "Nuñez", "UTF-7"),
]


def read(
    body: bytes, *, skipped: int = 0, is_lenient: bool = False
) -> tuple[list[int], list[tuple[Problem, ...]], dict[str, int]]:
    """Lines of records, problems of rejects, and warnings."""
    with Rejects() as rejects:
        reader = ExportReader(
            io.BytesIO(body), (APPOINTMENTS, USERS), rejects, is_lenient=is_lenient
        )
        reader.skip(skipped, {}, checkpoint_rows=3)
        lines: list[int] = []
        while part := reader.read_rows(2):
            lines += [*part.lines, *(record.line for record in part.lenient)]
        return (
            sorted(lines),
            [it.problems for it in rejects.sample],
            dict(reader.warnings),
        )


def with_text(codec: str, text: str, *, label: str) -> bytes:
    """Five rows, of which the third has a text in another encoding."""
    rows = [appointment(f"id{n}") for n in range(5)]
    rows[2] = rows[2] | {label: PLACE}
    return csv_bytes(*rows).replace(PLACE.encode(), text.encode(codec))


@pytest.mark.parametrize("is_lenient", [False, True])
@pytest.mark.parametrize("label", ["customer.nameLast", "resultFullString", "_id"])
@pytest.mark.parametrize(("codec", "text", "name"), CASES)
def test_row_in_another_encoding_is_rejected_and_the_encoding_is_named(
    codec: str, text: str, name: str, label: str, *, is_lenient: bool
) -> None:
    body = with_text(codec, text, label=label)

    lines, problems, warnings = read(body, is_lenient=is_lenient)

    assert lines == [2, 3, 5, 6]
    assert problems == [(Problem(label, "is not UTF-8 text"),)]
    assert warnings == {encoding_warning(name): 1}


@pytest.mark.parametrize("skipped", range(6))
@pytest.mark.parametrize(("codec", "text", "name"), CASES)
def test_resumed_attempt_names_the_same_encoding(
    codec: str, text: str, name: str, skipped: int
) -> None:
    body = with_text(codec, text, label="customer.nameLast")

    _, problems, warnings = read(body, skipped=skipped)

    assert len(problems) == 1
    assert warnings == {encoding_warning(name): 1}


def test_later_cells_can_correct_the_name() -> None:
    """One word may be a word in two encodings; the report names one encoding."""
    rows = b"".join(
        f"id{n},{name}\n".encode("iso8859-2")
        for n, name in enumerate(["Wałęsa", "Šimůnek", "Łukasz", "Dvořák", "Żuk"] * 5)
    )

    _, _, warnings = read(b"_id,resultFullString\n" + rows)

    assert warnings == {encoding_warning("ISO-8859-2"): 1}


@pytest.mark.parametrize("text", [b"\xff", b"Nu\xc3", b"\xe2\x80"])
def test_damaged_bytes_are_no_encoding(text: bytes) -> None:
    body = b"_id,resultFullString\na1,Sold\nb1," + text + b"\nc1,Sold\n"

    lines, problems, warnings = read(body)

    assert (lines, len(problems), warnings) == ([2, 4], 1, {})


def test_warning_is_a_sentence_of_the_file() -> None:
    assert encoding_warning("Windows-1252") == (
        "Some cells are not UTF-8 text but probably Windows-1252: save the file as CSV "
        "UTF-8 and upload it again"
    )
