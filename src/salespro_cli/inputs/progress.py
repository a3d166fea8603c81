"""A file that is read, shown on a bar."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, NoReturn

from tqdm import tqdm

from salespro_cli.inputs.signals import Interrupts
from salespro_core.errors import ObjectUnavailable


class Reader:
    """What is asked for of a stream, shown on the bar."""

    def __init__(
        self, stream: BinaryIO, name: str, bar: tqdm[NoReturn], interrupts: Interrupts
    ) -> None:
        self._stream = stream
        self._name = name
        self._bar = bar
        self._interrupts = interrupts
        self.seekable = stream.seekable

    def read(self, size: int = -1) -> bytes:
        """The next bytes; Ctrl-C is let through while they are waited for."""
        with self._told(), self._interrupts.welcome():
            piece = self._stream.read(size)
        self._bar.update(len(piece))
        return piece

    def seek(self, offset: int) -> int:
        """Go back to the start, with the bar."""
        with self._told():
            self._stream.seek(offset)
        self._bar.reset()
        return offset

    @contextmanager
    def _told(self) -> Iterator[None]:
        """A disk, or a network drive, that has gone away is told in our words."""
        try:
            yield
        except OSError as error:
            raise ObjectUnavailable(
                f"Reading {self._name} failed: {error.strerror}."
            ) from error
