"""Locks on files (flock): the kernel releases them when their holder ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """A file descriptor for appending; the file is created for this user alone.

    Raises:
        OSError: the file cannot be opened, or is a symbolic link.
    """
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
    file = os.open(path, flags, 0o600)
    try:
        yield file
    finally:
        os.close(file)


@contextmanager
def locked(path: Path, kind: int = fcntl.LOCK_EX) -> Iterator[int]:
    """The file's descriptor, once it is locked.

    Raises:
        OSError: see `opened`.
    """
    with opened(path) as file:
        fcntl.flock(file, kind)
        try:
            yield file
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)  # or a forked child would keep it


def try_exclusive(file: int) -> bool:
    """Lock the file if no other process has it locked, and return whether it did."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
