"""A progress bar for a file while it is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, NoReturn

from tqdm import tqdm

from salespro_cli.inputs.signals import DeferredInterrupts
from salespro_core.errors import ObjectUnavailable


class ProgressStream:
    """A binary stream that moves a progress bar as it is read."""

    def __init__(
        self,
        stream: BinaryIO,
        name: str,
        bar: tqdm[NoReturn],
        interrupts: DeferredInterrupts,
    ) -> None:
        self._stream = stream
        self._name = name
        self._bar = bar
        self._interrupts = interrupts
        self.seekable = stream.seekable

    def read(self, size: int = -1) -> bytes:
        """The next bytes; a signal may interrupt the wait for them.

        Raises:
            ObjectUnavailable: the disk or the network drive failed.
        """
        with self._os_errors_mapped(), self._interrupts.allowed():
            data = self._stream.read(size)
        self._bar.update(len(data))
        return data

    def seek(self, offset: int) -> int:
        """Go back to the start, and reset the bar.

        Raises:
            ObjectUnavailable: the disk or the network drive failed.
        """
        with self._os_errors_mapped():
            self._stream.seek(offset)
        self._bar.reset()
        return offset

    @contextmanager
    def _os_errors_mapped(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ObjectUnavailable(
                f"Reading {self._name} failed: {error.strerror}."
            ) from error
