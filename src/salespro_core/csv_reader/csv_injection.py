"""Cells that a spreadsheet would run, made plain text; and made what they were again."""

from __future__ import annotations

import re
from dataclasses import replace

from salespro_core.csv_reader.row_blocks import Block

# What begins a formula, also in the wide forms of East Asian keyboards; spreadsheets
# look past space.
# Source: OWASP, "CSV Injection".
_STARTS = "=+\\-@\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
_BARE = rf"(?:[\t\r\n]|\s*[{_STARTS}])"
_MARK = "'"
# The mark is put before marks, too: whatever a cell was, one mark less is that again.
_RISKY = re.compile(f"{_MARK}*{_BARE}")
_NEUTRAL = re.compile(f"{_MARK}+{_BARE}")


def neutral(cell: str) -> str:
    """The cell, with an apostrophe before what a spreadsheet would run."""
    if not cell or cell[0].isalnum() or not _RISKY.match(cell):
        return cell
    return _MARK + cell


def original(cell: str) -> str:
    """What `neutral` made this of; a cell that it did not make is as it was."""
    return cell[1:] if cell.startswith(_MARK) and _NEUTRAL.match(cell) else cell


def originals(block: Block) -> Block:
    """The rows of a rejects file as they were in the file that they come from."""
    rows = [[original(c) if c[:1] == _MARK else c for c in row] for row in block.rows]
    return replace(block, rows=rows)
