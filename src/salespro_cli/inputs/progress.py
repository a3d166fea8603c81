"""A progress bar for a file while it is read."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath
from typing import BinaryIO, NoReturn

from rich.cells import cell_len, set_cell_size
from tqdm import tqdm

from salespro_cli.inputs.signals import DeferredInterrupts
from salespro_cli.output.formatting import WIDE_COLUMNS
from salespro_cli.output.terminal import terminal_width
from salespro_core.errors import ObjectUnavailable
from salespro_core.model.upload import Upload
from salespro_core.report.text_report import replace_unprintable

# In a narrow terminal the bar itself, the speed and the times leave no room for the rest.
_NARROW = "{desc}: {percentage:3.0f}% of {total_fmt}{postfix}"
_NARROW_PIPE = "{desc}: {n_fmt}{postfix}"


@contextmanager
def progress_bar(upload: Upload, *, is_shown: bool) -> Iterator[tqdm[NoReturn]]:
    """The bar of an upload, cleared at the end; without a terminal nothing is shown."""
    width = terminal_width(sys.stderr)
    narrow = _NARROW_PIPE if upload.size_bytes is None else _NARROW
    with tqdm(
        total=upload.size_bytes,
        unit="B",
        unit_scale=True,
        unit_divisor=1024,
        desc=_short_name(upload.object_key, max_width=width // 3),
        bar_format=None if width >= WIDE_COLUMNS else narrow,
        leave=False,
        disable=None if is_shown else True,  # None: shown only in a terminal
    ) as bar:
        yield bar


def _short_name(path: str, max_width: int) -> str:
    """The name of the file, with an ellipsis in its middle if it is long."""
    name = replace_unprintable(PurePath(path).name)
    if cell_len(name) <= max_width:
        return name
    half = max(1, (max_width - 1) // 2)
    start, end = set_cell_size(name, half), set_cell_size(name[::-1], half)[::-1]
    # Half of a wide character is replaced by a space.
    return f"{start.rstrip()}…{end.lstrip()}"


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
