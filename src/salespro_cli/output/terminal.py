"""Print text that contains names from elsewhere; every command prints through here.

File names, object keys and bucket names may hold escape sequences, which a terminal obeys.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import TextIO

import click
from rich.cells import cell_len

from salespro_core.report.text_report import replace_unprintable


def echo(text: str, *, err: bool = False) -> None:
    """Print one line, with a space for each control or invisible character."""
    click.echo(replace_unprintable(text), err=err)


def echo_error(text: str) -> None:
    """Print one line on stderr; a terminal shows it in several, broken between words."""
    line = replace_unprintable(text)
    if sys.stderr.isatty():
        line = "\n".join(fold(line, terminal_width(sys.stderr)))
    click.echo(line, err=True)


def echo_lines(text: str, *, unbroken: str | None = None) -> None:
    """Print text of several lines, whose names have no line ends of their own.

    A terminal would break long lines inside a word; they are broken between words.

    Args:
        text: printed as it is if standard output is not a terminal.
        unbroken: a path that people copy; lines that contain it are not broken.
    """
    width = terminal_width(sys.stdout) if sys.stdout.isatty() else 0
    for line in map(replace_unprintable, text.split("\n")):
        is_broken = width and not (unbroken and unbroken in line)
        click.echo("\n".join(fold(line, width)) if is_broken else line)


def echo_sentence(text: str, *, unbroken: str | None = None) -> None:
    """Print one line; a terminal shows it in several, broken between words."""
    echo_lines(
        replace_unprintable(text), unbroken=unbroken and replace_unprintable(unbroken)
    )


def terminal_width(stream: TextIO) -> int:
    """Characters per line of the terminal that the stream is; 80 if it is none."""
    with suppress(ValueError, OSError):
        return int(
            os.environ.get("COLUMNS") or os.get_terminal_size(stream.fileno())[0]
        )
    return 80


def fold(line: str, width: int) -> Iterator[str]:
    """The line in parts that fit the width, broken at spaces; longer words stay whole.

    The next parts are indented two more than the line.
    """
    text = line.lstrip(" ")
    indent = " " * (len(line) - len(text))
    part = indent
    for word in text.split(" "):
        if part.strip() and cell_len(part) + 1 + cell_len(word) > width:
            yield part
            part = indent + "  " + word
        else:
            part = part + " " + word if part.strip() else part + word
    yield part


def echo_json(value: object, *, indent: int | None = None) -> None:
    """Print JSON in ASCII, so that each control character is escaped."""
    click.echo(json_text(value, indent=indent))


def json_text(value: object, *, indent: int | None = None) -> str:
    """JSON in ASCII, in which each control character is escaped."""
    # JSON leaves DEL as it is.
    return json.dumps(value, indent=indent).replace("\x7f", "\\u007f")


def discard_stdout() -> None:
    """After an error in writing: Python would fail once more when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
