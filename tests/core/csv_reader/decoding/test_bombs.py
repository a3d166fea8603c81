"""Files that are small and become large: memory stays flat, and reading ends."""

from __future__ import annotations

import gzip
import io
import tracemalloc

import pytest

from salespro_core.csv_reader.decoding.text_lines import MAX_LINE_BYTES
from salespro_core.csv_reader.decoding.text_stream import open_text
from salespro_core.errors import UnreadableObject

LARGE_BYTES = 64 * 1024**2
# The longest line and its copies as bytes, as text and in buffers.
MEMORY_BYTES = 3 * MAX_LINE_BYTES


def nested(piece: bytes, levels: int) -> bytes:
    """A header and `piece`, repeated up to a large file, in gzip inside gzip."""
    body = b"_id,resultFullString\n" + piece * (LARGE_BYTES // len(piece))
    for level in range(levels):
        body = gzip.compress(body, 9 if level else 1, mtime=0)
    return body


@pytest.mark.parametrize("levels", [1, 2, 3])
@pytest.mark.parametrize(
    ("piece", "is_refused"),
    [
        pytest.param(b"a1," + b"x" * 1000 + b"\n", False, id="rows"),
        pytest.param(bytes(1024), True, id="nul"),
        pytest.param(b"\x1a" * 1024, True, id="dos-ends"),
        pytest.param(b'"' * 1024, True, id="quotes"),
    ],
)
def test_gzip_bomb_is_read_in_bounded_memory(
    piece: bytes, levels: int, *, is_refused: bool
) -> None:
    body = nested(piece, levels)
    assert len(body) < LARGE_BYTES // 100 or levels == 1
    was_refused = False
    tracemalloc.start()
    try:
        for _ in open_text(io.BytesIO(body)):
            pass
    except UnreadableObject:
        was_refused = True
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert was_refused == is_refused
    assert peak < MEMORY_BYTES


def test_gzip_that_expands_to_gzip_again_and_again_is_refused() -> None:
    body = b"_id\n"
    for _ in range(50):
        body = gzip.compress(body, mtime=0)

    with pytest.raises(
        UnreadableObject, match="compressed with gzip more than 3 times"
    ):
        open_text(io.BytesIO(body))
