"""Rows in another encoding are rejected, their neighbours are read, the encoding is named."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from encodings.aliases import aliases

import pytest

from salespro_core.errors import InputError
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.model.rejects import Problem, Record, encoding_warning
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects
from tests.core.csv_reader.decoding.test_encoding_guess import CASES as GUESSED
from tests.support.builders import appointment, csv_bytes, items_of

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


def is_encodable(text: str, codec: str) -> bool:
    """Whether this system has the codec, for text, and it has all of the letters."""
    try:
        return text.encode(codec).decode(codec) == text
    except (LookupError, UnicodeError):
        return False


TEXTS = [
    *sorted({text for _, _, texts in GUESSED for text in texts}),
    *("Nguyễn", "ქართული", "Қазақ", "€5", "naïve ☂", "a\\b", "100%", "x#y", "[z]"),
]
OTHER_CODECS = (
    "utf_8_sig", "koi8_t", "kz1048", "mac_arabic", "mac_croatian", "mac_farsi", "cp720", "cp737",
    "cp856", "cp874", "cp875", "cp1006", "unicode_escape",
)  # fmt: skip
CODECS = [it for it in sorted({*aliases.values(), *OTHER_CODECS}) if is_encodable("a", it)]  # fmt: skip
# They write letters as ordinary ASCII text, which a cell may have.
UNKNOWABLE = {"punycode", "raw_unicode_escape"}
# Their bytes are another text of UTF-8 by chance, or ordinary ASCII: `a~~b`, `+IBM`.
BY_CHANCE = {
    ("hp_roman8", "Núñez"), ("johab", "Łukasz"), ("mac_latin2", "Dvořák"), ("hz", "a~b"),
    ("utf_7", "call \u2013 later"),
}  # fmt: skip
# Of these letters UTF-7 makes what may be a word after a plus sign.
EAST = re.compile("[\u0e00-\u10ff\u3000-\ud7ff]")


def groups(codec: str) -> Iterator[list[str]]:
    """All texts that the codec has in one file, then some in a file of their own."""
    texts = [
        text
        for text in TEXTS
        if is_encodable(text, codec)
        and (codec, text) not in BY_CHANCE
        and not (codec == "utf_7" and EAST.search(text))
    ]
    yield texts
    yield from ([text] for text in texts[:: len(texts) // 4 + 1])


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("_id,resultFullString", "a{},{}"),
        ("User Object ID,First Name,Last Name,Additional Amount", "a{},{},Lee,5.00"),
    ],
)
def test_text_in_any_codec_of_python_is_read_or_rejected_or_the_file_is_refused(
    header: str, row: str
) -> None:
    wrong = []
    for codec in set(CODECS) - UNKNOWABLE:
        for texts in groups(codec):
            lines = [header, *(row.format(n, text) for n, text in enumerate(texts)), ""]
            try:
                stored = stored_texts("\r\n".join(lines).encode(codec))
            except (InputError, UnicodeError):  # idna knows no long text
                continue
            wrong += [
                (codec, texts[n], text)
                for n, text in stored.items()
                if text != texts[n]
            ]

    assert len(CODECS) > 100
    assert wrong == []


def stored_texts(body: bytes) -> dict[int, str | None]:
    """The second column of the records, by the number in the first."""
    with Rejects() as rejects:
        reader = ExportReader(
            io.BytesIO(body), (APPOINTMENTS, USERS), rejects, is_lenient=False
        )
        records = [item for item in items_of(reader) if isinstance(item, Record)]
    return {int(str(record.values[0])[1:]): record.values[1] for record in records}
