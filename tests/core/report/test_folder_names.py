"""Folders of reports: within the limits of S3 and of file systems, and never shared."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salespro_core.report.folder_names import bucket_folder, folder_name

VERSION = "3sL4kqtJlcpXroDTDmJ-rmSpXd3dIbrHY"
DIGEST = re.compile(r"~[0-9a-f]{32}$")
# Any code point, lone surrogates included.
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), min_size=1)
ORDINARY_KEYS = [
    "SalesPro2025-06-18.csv",
    "june exports/Müller + Söhne 2025-06-18.csv",
    "dryrun/SALES.CSV.GZ",
    ".hidden/.csv",
    "売上　六月/レポート.csv",
    "a/b/c/d/e.csv",
    "50% (final) [v2] 'x' \"y\" <z>?*|:.csv",
    f"{'d' * 251}.csv",
]
STRANGE_NAMES = [
    "",
    ".",
    "..",
    "...",
    " ",
    " a",
    "a ",
    "a.",
    "a\\b",
    "a\0b",
    "a\x1b[2Jb",
    "a\x7fb",
    "a\x9bb",
    "a\nb",
    "a\u2028b",
    "a\u202eb",
    "a\u200bb",
    "a\u00adb",
    "a\u061cb",
    "a\ufeffb",
    "a\ue000b",
    "a\U000e0041b",
    "a\ud800b",
    "a\uffffb",
    "a" * 256,
    "ü" * 128,
    "😀" * 64,
    f"a~{'0' * 32}",
]


@pytest.mark.parametrize("key", ORDINARY_KEYS)
def test_ordinary_key_is_the_folder_of_its_reports(key: str) -> None:
    assert bucket_folder(key, VERSION) == f"{key}/{VERSION}/"
    name = key.rpartition("/")[2]
    assert folder_name(name) == name


@pytest.mark.parametrize("name", STRANGE_NAMES)
def test_strange_name_is_made_safe_with_a_digest(name: str) -> None:
    assert DIGEST.search(folder_name(name))
    for key in (name, f"a/{name}/b.csv", f"{name}/b.csv", f"a/{name}"):
        folder = bucket_folder(key, VERSION).removesuffix(f"/{VERSION}/")
        assert DIGEST.search(folder)
        assert all(map(_is_safe, folder.split("/")))


@pytest.mark.parametrize("letter", ["a", "ü", "€", "😀"])
def test_key_of_each_length_has_a_report_of_at_most_1024_bytes(letter: str) -> None:
    folders = set()
    width = len(letter.encode())
    for length in range(1, 1024 // width + 1):
        for key in (letter * length, _with_slashes(letter * length)):
            folder = bucket_folder(key, VERSION)
            folders.add(folder)
            assert len(f"{folder}report.html".encode()) <= 1024
            assert all(map(_is_safe, folder.split("/")[:-1]))
    assert len(folders) >= 1024 // width


def test_long_keys_that_differ_in_the_last_character_have_different_reports() -> None:
    keys = [f"{'k' * 1019}{i}.csv" for i in range(10)]

    assert len({bucket_folder(key, VERSION) for key in keys}) == 10
    assert len({folder_name(key) for key in keys}) == 10


def test_long_version_is_shortened_too() -> None:
    folder = bucket_folder("k" * 1024, "v" * 1024)

    assert len(f"{folder}report.html".encode()) <= 1024
    assert folder != bucket_folder("k" * 1024, "v" * 1023)


def test_name_of_each_ascii_character_is_safe() -> None:
    names = [f"a{chr(code)}b.csv" for code in range(128)]

    folders = [folder_name(name) for name in names]

    assert all(map(_is_safe, folders))
    assert len(set(folders)) == 128
    changed = [code for code in range(128) if folders[code] != names[code]]
    assert changed == [*range(32), ord("/"), ord("\\"), 127]


@given(keys=st.lists(ANY_TEXT, min_size=2, max_size=2, unique=True))
def test_two_keys_never_share_a_folder(keys: list[str]) -> None:
    first, second = keys

    assert bucket_folder(first, VERSION) != bucket_folder(second, VERSION)
    assert folder_name(first) != folder_name(second)


@given(key=ANY_TEXT)
def test_folder_of_another_key_is_not_that_of_a_key_made_safe(key: str) -> None:
    """Otherwise whoever uploads could overwrite the report of another file."""
    made_safe = bucket_folder(key, VERSION).removesuffix(f"/{VERSION}/")

    if made_safe != key:
        assert bucket_folder(made_safe, VERSION) != bucket_folder(key, VERSION)


@given(key=ANY_TEXT)
def test_folder_is_safe_for_any_text(key: str) -> None:
    for name in (*bucket_folder(key, VERSION).split("/")[:-1], folder_name(key)):
        assert _is_safe(name)


def _with_slashes(text: str) -> str:
    return "/".join(text[i : i + 20] for i in range(0, len(text), 20))[: len(text)]


def _is_safe(name: str) -> bool:
    return (
        name.strip(" .") != ""
        and name[-1] not in " ."
        and len(name.encode()) <= 255
        and not any(unicodedata.category(c) in {"Cc", "Cs"} for c in name)
        and not {"/", "\\", "\u202e"} & set(name)
    )
