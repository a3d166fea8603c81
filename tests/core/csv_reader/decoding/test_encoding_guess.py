"""The likely encoding of cells that are not UTF-8 is named; the guess is the same each time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salespro_core.csv_reader.decoding.encoding_guess import MAX_CELLS, EncodingGuess

WESTERN = [
    "Nuñez", "José García", "Müller", "Peña", "Zoë", "Größe", "Muñoz", "François", "Ramón",
    "Gutiérrez", "Sánchez", "Núñez", "Hernández", "Björn", "café", "Ángel", "Désirée",
]  # fmt: skip
TYPOGRAPHY = [
    "O\u2019Brien",
    "\u201cSold\u201d",
    "don\u2019t",
    "D\u2019Angelo",
    "call \u2013 later",
]
EASTERN = ["Wałęsa", "Dvořák", "Łukasz", "Šimůnek", "Győző", "Żółć", "Černý", "Błażej"]
CYRILLIC = [
    "Иванов",
    "Петров Сергей",
    "Звонить завтра",
    "Ольга",
    "Шевченко",
    "Кузнецова",
]
JAPANESE = ["田中", "テスト", "山本さくら", "佐藤 太郎", "ありがとう"]
CHINESE = ["王伟", "李娜", "张敏", "刘洋", "客户想要新窗户", "上海"]
KOREAN = ["김민수", "이영희", "박지성", "고객이 원합니다"]
DOS = "CP850 or CP437 (DOS)"
CASES = [
    ("cp1252", "Windows-1252", WESTERN),
    ("cp1252", "Windows-1252", TYPOGRAPHY),
    ("latin-1", "Windows-1252", WESTERN),
    ("iso8859-15", "Windows-1252", WESTERN),
    ("mac-roman", "Mac Roman", WESTERN),
    ("mac-roman", "Mac Roman", TYPOGRAPHY),
    ("cp437", DOS, [name for name in WESTERN if name != "Ángel"]),
    ("cp850", DOS, WESTERN),
    ("cp1250", "Windows-1250", EASTERN),
    ("iso8859-2", "ISO-8859-2", EASTERN),
    ("cp852", "CP852 (DOS)", EASTERN),
    ("mac-latin2", "Mac Central European", EASTERN),
    ("cp1251", "Windows-1251", CYRILLIC),
    ("koi8-r", "KOI8-R", CYRILLIC),
    ("cp866", "CP866 (DOS)", CYRILLIC),
    ("iso8859-5", "ISO-8859-5", CYRILLIC),
    ("mac-cyrillic", "Mac Cyrillic", CYRILLIC),
    ("cp1253", "Windows-1253", ["Παπαδόπουλος", "Νίκος", "Γιώργος"]),
    ("cp1254", "Windows-1254", ["Yıldız", "Şahin", "Gökçe", "Çağlar", "Doğan"]),  # noqa: RUF001
    ("cp1255", "Windows-1255", ["כהן", "לוי משה", "שלום"]),
    ("cp1256", "Windows-1256", ["محمد", "أحمد علي"]),
    ("cp874", "Windows-874", ["สมชาย", "ใจดี"]),
    ("shift-jis", "Shift-JIS", JAPANESE),
    ("cp932", "Shift-JIS", JAPANESE),
    ("euc-jp", "EUC-JP", JAPANESE),
    ("iso2022-jp", "ISO-2022-JP", JAPANESE),
    ("gb2312", "GB18030", CHINESE),
    ("gbk", "GB18030", CHINESE),
    ("gb18030", "GB18030", CHINESE),
    ("hz", "HZ", CHINESE),
    ("big5", "Big5", ["陳志明", "林淑芬", "王美玲", "客戶想要新窗戶"]),
    ("euc-kr", "EUC-KR", KOREAN),
    ("cp949", "EUC-KR", KOREAN),
    ("iso2022-kr", "ISO-2022-KR", KOREAN),
    ("utf-7", "UTF-7", WESTERN),
    ("utf-7", "UTF-7", TYPOGRAPHY),
    ("utf-7", "UTF-7", CYRILLIC),
    *(
        ("utf-7", "UTF-7", [text])
        for text in ("Żółć", "Νίκος", "Nguyễn", "Қазақ", "a\\b", "a~b", "כהן", "محمد")
    ),
    *(
        ("hz", "HZ", [text])
        for text in ("Müller", "José García", "D\u2019Angelo", "Ольга")
    ),
]


def name_of(cells: list[bytes]) -> str | None:
    guess = EncodingGuess()
    guess.add(cell.decode(errors="surrogateescape") for cell in cells)
    return guess.name


@pytest.mark.parametrize(
    ("codec", "name", "cells"), CASES, ids=[f"{c[0]}-{n}" for n, c in enumerate(CASES)]
)
def test_likely_encoding_is_named(codec: str, name: str, cells: list[str]) -> None:
    assert name_of([cell.encode(codec) for cell in cells]) == name


@pytest.mark.parametrize("name", WESTERN)
@pytest.mark.parametrize("text", ["{}", "Call {} again", "{}, in June"])
def test_one_western_cell_is_windows_1252(name: str, text: str) -> None:
    assert name_of([text.format(name).encode("cp1252")]) == "Windows-1252"


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"Sold", id="ascii"),
        pytest.param("Nuñez".encode(), id="utf-8"),
        pytest.param(b"\xff", id="one-byte"),
        pytest.param(b"Nu\xc3", id="utf-8-cut-off"),
        pytest.param(b"call \xe2\x80", id="sign-cut-off"),
        pytest.param(bytes(range(0x80, 0x100)), id="all"),
    ],
)
def test_unlikely_cells_have_no_name(cell: bytes) -> None:
    assert name_of([cell]) is None


@pytest.mark.parametrize(
    "text",
    [
        "ann+AOk-x@example.com", "ann+AOk@example.com", "+1-800-555-0100", "~{ok}~", "~{}~",
        "rated A+-ish", "a B+AC-unit", "call +AI-team", "+IBM-", "roof+BBQ-pit", "roof+Attic",
        "+Aug", "+Augustine", "+ABC123", "+Backyard", "+IBMers", "+Hot-tub", "+BALTIMORE", "+AAAAAA", "~{a~b}", "\x1b[31mred", "C+And-d", "1+1=2", "a+b", "+Ann-", "~ 5 {x} ~",
    ],
)  # fmt: skip
def test_ordinary_text_is_in_no_seven_bit_encoding(text: str) -> None:
    assert name_of([text.encode()]) is None


@given(st.lists(st.binary(max_size=40), max_size=8), st.integers(0, 8))
def test_guess_does_not_depend_on_how_cells_are_grouped(
    cells: list[bytes], size: int
) -> None:
    """Chunks differ between attempts, and the report must not."""
    texts = [cell.decode(errors="surrogateescape") for cell in cells]
    guess = EncodingGuess()
    guess.add(texts[:size])
    guess.add(texts[size:])

    assert guess.name == name_of(cells)


def test_first_cells_decide() -> None:
    cells = ["Иванов".encode("cp1251")] * MAX_CELLS

    assert name_of(cells + ["Nuñez".encode("cp1252")] * 1000) == "Windows-1251"
