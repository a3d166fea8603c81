"""The folder `.salespro/`: the embedded Postgres, and the reports of local imports.

It is looked for in the current folder and above, as git looks for `.git`.
"""

from __future__ import annotations

import os
import pwd
import shlex
import stat
from pathlib import Path

import click

NAME = ".salespro"
# Others may pass through it (the server of root runs as `nobody`), but not list it.
_MODE = 0o711


def find_home() -> Path | None:
    """The nearest `.salespro/`; relative if it is in the current folder.

    The search ends below a folder in which every user can make files, such as /tmp.

    Raises:
        click.ClickException: the folder, or a link of this name, is another user's.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if folder != here and _is_shared(folder):
            return None
        home = Path(NAME) if folder == here else folder / NAME
        if os.path.isdir(home):  # noqa: PTH112 -- false if we may not look
            check_owner(home)
            return home
    return None


def ensure_home() -> Path:
    """The nearest `.salespro/`; if there is none, a new one in the current folder.

    Raises:
        click.ClickException: as `find_home`.
        OSError: it cannot be created.
    """
    if home := find_home():
        return home
    return make_private(Path(NAME), _MODE)


def make_private(folder: Path, mode: int = 0o700) -> Path:
    """Create the folder with this mode, or check that it is ours.

    Raises:
        click.ClickException: the folder, or a link of this name, is another user's.
        OSError: it cannot be created.
    """
    try:
        folder.mkdir(mode)
    except FileExistsError:
        if not folder.is_dir():
            raise NotADirectoryError(None, "Not a directory", str(folder)) from None
        check_owner(folder)
    return folder


def check_owner(folder: Path) -> None:
    """Check that nobody else made this folder, or the link to it, or may change it.

    Raises:
        click.ClickException: another user did, or may.
    """
    for status in (folder.lstat(), folder.stat()):
        if status.st_uid != os.geteuid():
            raise click.ClickException(
                f"{folder} belongs to {_user_name(status.st_uid)}, and you are "
                f"{_user_name(os.geteuid())}: it is not used, since it could lead your "
                "data elsewhere. Run this command in another folder, or as that user."
            )
    mode = folder.stat().st_mode
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        who = "Every user" if mode & stat.S_IWOTH else "The group"
        raise click.ClickException(
            f"{who} may write to {folder}: it is not used, since it could lead your "
            f"data elsewhere. Try: chmod go-w {shlex.quote(str(folder))}"
        )


def short_path(path: str) -> str:
    """The path from the current folder, if it is below it."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return path


def _is_shared(folder: Path) -> bool:
    """Whether every user may make files in it; also if we cannot know."""
    try:
        return bool(folder.stat().st_mode & stat.S_IWOTH)
    except OSError:
        return True


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
