"""The flags that set what environment variables set too; a flag wins.

A flag becomes its variable, so that every reader of the environment sees it, also another
process.  The core names the variable in its errors; `name_flags` names the flag instead.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

import click
from click.core import ParameterSource

# Variable -> flag, for the flags on this command line.
_given: dict[str, str] = {}

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _flag(flag: str, metavar: str, help_text: str) -> Decorator:
    """The option `--some-name`, whose variable is `SOME_NAME`."""
    return _flag_of(
        flag.removeprefix("--").replace("-", "_").upper(), flag, metavar, help_text
    )


def _flag_of(variable: str, flag: str, metavar: str, help_text: str) -> Decorator:
    def store(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
        _given.pop(variable, None)
        if (
            value is None
            or ctx.get_parameter_source(str(param.name)) != ParameterSource.COMMANDLINE
        ):
            return
        if not value.strip():
            # Such as "$UNSET" in a script, which must not lead to another database.
            raise click.BadParameter("it is empty.", ctx, param, f"'{flag}'")
        os.environ[variable] = value
        _given[variable] = flag

    return click.option(
        flag,
        metavar=metavar,
        envvar=variable,
        show_envvar=True,
        expose_value=False,
        callback=store,
        shell_complete=lambda _ctx, _param, text: [
            word
            for word in metavar.split("|")
            if "|" in metavar and word.startswith(text)
        ],
        help=help_text,
    )


database_flag = _flag_of(
    "DATABASE_URL",
    "--database",
    "URL",
    "The database; without it, the embedded Postgres of .salespro/.",
)
_IMPORT_FLAGS = (
    _flag("--batch-size", "ROWS", "Rows per statement; 500 by default."),
    _flag("--checkpoint-rows", "ROWS", "Rows per commit; 5000 by default."),
    _flag(
        "--max-rejected-rows", "ROWS", "Refuse a file with more rejected rows than this."
    ),
    _flag("--max-rejected-percent", "PERCENT", "The same in percent of the rows."),
    _flag(
        "--invalid-values",
        "reject|null",
        "null: leave out an invalid optional value, and import the row.",
    ),
    _flag(
        "--keep-changes-days",
        "DAYS",
        "Days for which an import can be explained and undone; 30 by default, 0 for none.",
    ),
    _flag(
        "--source-timezone",
        "ZONE",
        "Time zone of times without an offset, such as America/New_York; UTC by default.",
    ),
)  # fmt: skip


def import_flags(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags of the settings of an import."""
    for flag in reversed(_IMPORT_FLAGS):
        command = flag(command)
    return command


def name_flags(message: str) -> str:
    """The message with the flag instead of the variable, where the flag was used."""
    for variable, flag in _given.items():
        message = re.sub(rf"\b{variable}\b", flag, message)
    return message
