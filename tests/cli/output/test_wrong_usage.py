"""Errors of wrong usage: each says in a sentence what is expected."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from salespro_cli.commands.parameters import ImportId, Number, Seconds
from salespro_cli.main import cli
from tests.support.terminal import Terminal

PARAMETERS = [
    (name, parameter)
    for name, command in cli.commands.items()
    for parameter in command.params
]
NUMBERS = [
    (name, option, type_)
    for name, parameter in PARAMETERS
    if isinstance(type_ := parameter.type, Number | Seconds)
    for option in parameter.opts
]
NO_NUMBERS = ["abc", "", "1,5", "nan", "0x10", "-"]


def test_every_option_with_a_number_is_found() -> None:
    assert {
        ("history", "--limit"), ("show", "--limit"), ("changes", "--limit"), ("watch", "--interval"),
        ("sample", "--seed"), ("sample", "--rows"), ("sandbox", "--port"),
        ("analyze", "--days"), ("import", "--jobs"), ("import", "-j"),
        ("upload-link", "--hours"), ("upload-link", "--max-mb"),
    } == {(name, option) for name, option, _ in NUMBERS}  # fmt: skip


def test_no_parameter_has_a_number_type_of_click() -> None:
    """Its errors speak of ranges and of valid integers."""
    for name, parameter in PARAMETERS:
        if not isinstance(parameter.type, Number | Seconds):
            kinds = (click.types.IntParamType, click.types.FloatParamType)
            assert not isinstance(parameter.type, kinds), (name, parameter.name)


@pytest.mark.parametrize(("name", "option", "type_"), NUMBERS)
def test_error_of_a_number_says_what_is_expected(
    name: str, option: str, type_: Number | Seconds
) -> None:
    values = [*NO_NUMBERS]
    if type_.min is not None:
        values += [str(type_.min - 1)]
    if type_.max is not None:
        values += [str(type_.max + 1), "9" * 40]
    for value in values:
        done = CliRunner().invoke(cli, [name, option, value])
        assert done.exit_code == 2
        assert f"'{option}'" in done.output
        kind = "whole number" if isinstance(type_, Number) else "number of seconds"
        assert f": {value!r} is not a {kind}" in done.output
        for bound in (type_.min, type_.max):
            assert bound is None or f" {bound}" in done.output.split("is not a ")[1]
        assert not re.search("range|valid (number|integer|float)|<=", done.output)


@pytest.mark.parametrize(
    ("name", "argument"),
    [("report", "ID"), ("show", "ID"), ("changes", "IMPORT"), ("undo", "IMPORT")],
)
@pytest.mark.parametrize("value", ["abc", "0", "1.5", ""])
def test_error_of_an_id_says_what_is_expected(
    name: str, argument: str, value: str
) -> None:
    assert any(isinstance(p.type, ImportId) for p in cli.commands[name].params)

    done = CliRunner().invoke(cli, [name, value])

    assert done.exit_code == 2
    error = f"'{argument}': {value!r} is not the number of an import, such as 7"
    assert error in done.output


@pytest.mark.parametrize(
    "option",
    [
        *("batch-size", "checkpoint-rows", "max-rejected-rows", "max-rejected-percent"),
        "keep-changes-days",
    ],
)
@pytest.mark.parametrize("value", ["abc", "-1", "nan", "9999999999"])
def test_error_of_a_numeric_setting_says_what_is_expected(
    terminal: Terminal, option: str, value: str
) -> None:
    done = terminal.run("import", f"--{option}", value, "a.csv")

    assert done.code == 2
    assert re.search(rf"--{option} must be a number .*from \d+ to [\d,]+", done.err)


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("history", "--json", "extra"), "(extra). Try: salespro history --help"),
        (("watch", "a", "b"), "(a b). Try: salespro watch --help"),
        (("changes",), "with --id. Try: salespro changes --help"),
        (("changes", "7", "--id", "A"), "with --id. Try: salespro changes --help"),
        (("undo",), "'IMPORT'. Try: salespro undo --help"),
        (("import",), "'FILE...'. Try: salespro import --help"),
        (("histroy",), "? Try: salespro --help"),
    ],
)
def test_sentence_ends_before_the_command_to_try(
    terminal: Terminal, args: tuple[str, ...], sentence: str
) -> None:
    done = terminal.run(*args)

    assert done.code == 2
    assert done.err.rstrip("\n").endswith(sentence)


@pytest.mark.parametrize("command", ["import", "sample"])
@pytest.mark.parametrize("name", ["-dash.csv", "-x.csv.gz", "--dash.csv", "-d 1.CSV"])
def test_file_whose_name_begins_with_a_dash_needs_its_folder(
    terminal: Terminal, command: str, name: str
) -> None:
    done = terminal.run(command, name)

    assert done.code == 2
    shown = f"'./{name}'" if " " in name else f"./{name}"
    assert f" If it is a file, write {shown}. Try: " in done.err


def test_wrong_option_is_no_file(terminal: Terminal) -> None:
    Path(terminal.folder / "-z").touch()

    assert "If it is a file" not in terminal.run("history", "--limt", "3").err
    assert "write ./-z." in terminal.run("import", "-z").err


@pytest.mark.parametrize("name", cli.commands)
def test_help_describes_numbers_in_words(name: str) -> None:
    done = CliRunner().invoke(cli, [name, "--help"])

    assert not re.search(r"[<>]=|INTEGER|FLOAT|RANGE", done.output)
