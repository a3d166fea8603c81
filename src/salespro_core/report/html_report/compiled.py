"""A template as Jinja compiles it, kept as Python keeps its modules: in __pycache__."""

from __future__ import annotations

import hashlib
import os
import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from jinja2.bccache import Bucket, BytecodeCache

DIGEST_BYTES = 32
_JINJA = version("jinja2")


class Compiled(BytecodeCache):
    """Keeps one template, since to compile it takes longer than all else of a report.

    Jinja sees to it that what is kept is for this version of Python, and was made of what
    `get_source_checksum` tells apart.
    """

    def __init__(self, name: str, *, options: Path, folder: Path | None = None) -> None:
        """Look for it beside this module.

        Args:
            name: of the template; there is one for each version of Python.
            options: the source file that has those of its environment.
            folder: another one.
        """
        folder = folder or Path(__file__).parent / "__pycache__"
        self.path = folder / f"{name}.{sys.implementation.cache_tag}.jinja"
        self._options = options

    def get_source_checksum(self, source: str) -> str:
        """What the template, its options and the compiler are."""
        return hashlib.sha256(
            source.encode() + self._options.read_bytes() + _JINJA.encode()
        ).hexdigest()

    def load_bytecode(self, bucket: Bucket) -> None:
        """Read what is kept; what is broken is made anew."""
        with suppress(OSError):
            kept = self.path.read_bytes()
            digest, body = kept[:DIGEST_BYTES], kept[DIGEST_BYTES:]
            # Jinja fails on what is cut off.
            if hashlib.sha256(body).digest() == digest:
                bucket.bytecode_from_string(body)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep it, if that is wanted of modules, too; where nothing may be written, not."""
        if sys.dont_write_bytecode:
            return
        # In one go, since others may be reading it.
        aside = self.path.with_suffix(f".{os.getpid()}")
        with suppress(OSError):
            self.path.parent.mkdir(exist_ok=True)
            body = bucket.bytecode_to_string()
            aside.write_bytes(hashlib.sha256(body).digest() + body)
            aside.replace(self.path)
        with suppress(OSError):  # of a disk that is full
            aside.unlink(missing_ok=True)
