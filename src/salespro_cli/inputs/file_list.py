"""The files that the arguments of `salespro import` name, in the order to import them."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from salespro_cli.inputs.sources import STDIN, local_upload_time

ENDINGS = (".csv", ".csv.gz")
_SHOWN_NAMES = 5
_WORKBOOKS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".numbers")


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """One file to import.

    Attributes:
        name: a path, `-` or `s3://bucket/key`, see `sources.open_source`.
        uploaded_at: orders the files; None if it cannot be known.
        problem: why there is nothing to open.
        is_regular: it can be opened twice.
    """

    name: str
    uploaded_at: datetime | None = None
    problem: str | None = None
    is_regular: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FileList:
    """The files of some arguments.

    Attributes:
        files: in the order of their upload times; those without one come first.
        left_out: for each folder, a sentence about its other files.
        is_many: the arguments may name several files: there are several, or one is a
            folder, a pattern or a prefix.
    """

    files: tuple[InputFile, ...]
    left_out: tuple[str, ...]
    is_many: bool


def list_files(arguments: Iterable[str]) -> FileList:
    """The files that the arguments name, each once.

    An argument that names no file becomes an `InputFile` with a problem.
    """
    arguments = list(dict.fromkeys(arguments))
    left_out: list[str] = []
    found: dict[str, InputFile] = {}
    for argument in arguments:
        for file in _expand(argument, left_out):
            found.setdefault(_identity(file.name), file)
    files = list(found.values())
    if len(files) > 1:
        oldest = datetime.min.replace(tzinfo=UTC)
        files = [_with_upload_time(file) for file in files]
        files.sort(key=lambda file: (file.uploaded_at or oldest, file.name))
    return FileList(
        files=tuple(files),
        left_out=tuple(left_out),
        is_many=len(arguments) > 1 or any(map(_names_many, arguments)),
    )


def left_out_sentence(place: str, names: list[str]) -> str:
    """The sentence about the files of a folder or prefix that are not imported."""
    return f"Left out of {place}, not *.csv or *.csv.gz: {_first_names(names)}"


def _first_names(names: list[str]) -> str:
    """The first names, and what to do with workbooks among them."""
    shown = ", ".join(sorted(names)[:_SHOWN_NAMES])
    hidden = len(names) - _SHOWN_NAMES
    more = f" and {hidden:,} more" if hidden > 0 else ""
    has_workbook = any(name.lower().endswith(_WORKBOOKS) for name in names)
    fix = ". Save a workbook as CSV UTF-8 to import it" if has_workbook else ""
    return f"{shown}{more}{fix}"


def is_export_name(name: str) -> bool:
    """Whether a file of a folder is imported, by its name."""
    return name.lower().endswith(ENDINGS)


def _names_many(argument: str) -> bool:
    if argument.startswith("s3://"):
        return argument.endswith("/") or "*" in argument
    return Path(argument).is_dir() or _is_pattern(argument)


def _is_pattern(argument: str) -> bool:
    """Whether it is a quoted pattern; a file may have * or [ in its name."""
    return glob.has_magic(argument) and not os.path.lexists(argument)


def _identity(name: str) -> str:
    """The same for two names of one file."""
    return name if name == STDIN or name.startswith("s3://") else os.path.realpath(name)


def _expand(argument: str, left_out: list[str]) -> Iterator[InputFile]:
    if argument == STDIN or not argument:
        yield InputFile(name=argument)
    elif argument.startswith("s3://"):
        if _names_many(argument):
            yield from _objects(argument, left_out)
        else:
            yield InputFile(name=argument, is_regular=True)
    elif not _is_pattern(argument):
        yield from _path(argument, left_out)
    else:
        # Not Path.glob, which does not take absolute patterns.
        names = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207 -- a pattern, not a path
        for name in names:
            yield from _path(name, left_out)
        if not names:
            yield InputFile(name=argument, problem=f"No file matches: {argument}")


def _path(name: str, left_out: list[str]) -> Iterator[InputFile]:
    path = Path(name)
    if not path.is_dir():
        yield InputFile(name=name, problem=_problem(name), is_regular=path.is_file())
        return
    try:
        entries = sorted(entry.name for entry in os.scandir(path))
    except OSError as error:
        yield InputFile(name=name, problem=f"{error.strerror}: {name}")
        return
    # As in a shell, * leaves out hidden files.
    entries = [entry for entry in entries if not entry.startswith(".")]
    exports = [
        entry
        for entry in entries
        if is_export_name(entry) and not (path / entry).is_dir()
    ]
    for entry in exports:
        yield InputFile(name=str(path / entry), is_regular=(path / entry).is_file())
    others = [
        f"{entry}/" if (path / entry).is_dir() else entry
        for entry in entries
        if entry not in exports
    ]
    if others and exports:
        left_out.append(left_out_sentence(f"{path}/", others))
    if not exports:
        has = f" (it has {_first_names(others)})" if others else ""
        yield InputFile(
            name=name,
            problem=f"No *.csv or *.csv.gz file is in this folder: {name}{has}",
        )


def _problem(name: str) -> str | None:
    """The problem of a file that does not exist; opening it tells any other."""
    try:
        os.lstat(name)
    except FileNotFoundError:
        return f"File not found: {name}"
    except (OSError, ValueError):
        return None
    return None


def _objects(argument: str, left_out: list[str]) -> Iterator[InputFile]:
    # Imported here: boto3 takes long to load, and a file does not need it.
    from salespro_cli.inputs.s3_listing import list_objects  # noqa: PLC0415 -- slow to import; most commands do not need it

    try:
        objects = list_objects(argument)
    except click.ClickException as error:
        yield InputFile(name=argument, problem=error.format_message())
        return
    exports = [o for o in objects if is_export_name(o.uri) or "*" in argument]
    for found in exports:
        yield InputFile(name=found.uri, uploaded_at=found.uploaded_at, is_regular=True)
    others = [o.uri.removeprefix(argument) for o in objects if o not in exports]
    if others:
        left_out.append(left_out_sentence(argument, others))
    if not exports:
        what = "object matches" if "*" in argument else "*.csv or *.csv.gz object is in"
        yield InputFile(name=argument, problem=f"No {what}: {argument}")


def _with_upload_time(file: InputFile) -> InputFile:
    """The file with the time that orders it."""
    if file.problem or file.uploaded_at:
        return file
    if file.name.startswith("s3://"):
        from salespro_cli.inputs.s3_listing import object_upload_time  # noqa: PLC0415 -- slow to import; most commands do not need it

        uploaded_at = object_upload_time(file.name)
    elif file.name == STDIN:
        uploaded_at = datetime.now(UTC)
    else:
        try:
            uploaded_at = local_upload_time(file.name, Path(file.name).stat())
        except OSError:  # opening the file says why
            uploaded_at = None
    return InputFile(
        name=file.name, uploaded_at=uploaded_at, is_regular=file.is_regular
    )
