"""The template is compiled once; what is kept is used only where it is still right."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from jinja2 import DictLoader, Environment

from salespro_core.report.html_report.compiled import Compiled


@pytest.fixture(autouse=True)
def keeping(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine wants of Python."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)


@pytest.fixture
def options(tmp_path: Path) -> Path:
    path = tmp_path / "options.py"
    path.write_text("autoescape = True")
    return path


def kept(folder: Path, options: Path) -> Compiled:
    return Compiled("page.html", options=options, folder=folder / "__pycache__")


def page(text: str, cache: Compiled) -> str:
    """What a fresh process makes of the template."""
    loader = DictLoader({"page.html": text})
    made = Environment(loader=loader, bytecode_cache=cache, autoescape=True)
    return made.get_template("page.html").render(name="Ann")


def plant(cache: Compiled, *, of: str, code: str) -> None:
    """Keep other code for a text, so that its use shows."""
    page(of, cache)
    environment = Environment(autoescape=True)
    bucket = cache.get_bucket(environment, "page.html", None, of)
    bucket.code = environment.compile(code, "page.html")
    cache.dump_bytecode(bucket)


def test_what_is_kept_is_used(tmp_path: Path, options: Path) -> None:
    cache = kept(tmp_path, options)
    plant(cache, of="Hello {{ name }}", code="kept {{ name }}")

    assert page("Hello {{ name }}", cache) == "kept Ann"


def test_what_was_made_of_another_text_is_made_anew(
    tmp_path: Path, options: Path
) -> None:
    cache = kept(tmp_path, options)
    plant(cache, of="Hello {{ name }}", code="kept {{ name }}")

    assert page("Good day {{ name }}", cache) == "Good day Ann"
    assert page("Good day {{ name }}", cache) == "Good day Ann"


def test_what_was_made_with_other_options_is_made_anew(
    tmp_path: Path, options: Path
) -> None:
    """They are compiled into it."""
    cache = kept(tmp_path, options)
    plant(cache, of="Hello {{ name }}", code="kept {{ name }}")
    options.write_text("autoescape = False")

    assert page("Hello {{ name }}", cache) == "Hello Ann"


@pytest.mark.parametrize("size", [0, 1, 20, 40, 200])
def test_what_is_broken_is_made_anew(tmp_path: Path, options: Path, size: int) -> None:
    """By a disk that was full, say; a report is not to fail for it."""
    cache = kept(tmp_path, options)
    page("Hello {{ name }}", cache)
    cache.path.write_bytes(cache.path.read_bytes()[:size])

    assert page("Hello {{ name }}", cache) == "Hello Ann"
    assert cache.path.stat().st_size > size


def test_where_nothing_can_be_kept_the_page_is_made_all_the_same(
    tmp_path: Path, options: Path
) -> None:
    """Such as in Lambda, whose folder is read-only."""
    (tmp_path / "__pycache__").write_text("a file and not a folder")
    cache = kept(tmp_path, options)

    assert page("Hello {{ name }}", cache) == "Hello Ann"


def test_where_python_keeps_nothing_nothing_is_kept(
    tmp_path: Path, options: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    cache = kept(tmp_path, options)

    assert page("Hello {{ name }}", cache) == "Hello Ann"
    assert not cache.path.exists()


def test_nothing_is_left_beside_it(tmp_path: Path, options: Path) -> None:
    cache = kept(tmp_path, options)
    page("Hello {{ name }}", cache)

    assert [path.name for path in cache.path.parent.iterdir()] == [cache.path.name]
