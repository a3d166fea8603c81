"""Print text that contains names from elsewhere; every command prints through here.

File names, object keys and bucket names may hold escape sequences, which a terminal obeys.
"""

from __future__ import annotations

import json

import click

from salespro_core.report.text_report import replace_unprintable


def echo(text: str, *, err: bool = False) -> None:
    """Print one line, with a space for each control or invisible character."""
    click.echo(replace_unprintable(text), err=err)


def echo_lines(text: str) -> None:
    """Print text of several lines, whose names have no line ends of their own."""
    click.echo("\n".join(map(replace_unprintable, text.split("\n"))))


def echo_json(value: object, *, indent: int | None = None) -> None:
    """Print JSON in ASCII, so that each control character is escaped."""
    # JSON leaves DEL as it is.
    click.echo(json.dumps(value, indent=indent).replace("\x7f", "\\u007f"))
