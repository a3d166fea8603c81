"""Escapes cells that a spreadsheet would run as formulas, and removes the escape again."""

from __future__ import annotations

import re
from dataclasses import replace

from salespro_core.csv_reader.block import Block

# First characters of a formula, with their full-width forms; spreadsheets skip white
# space before them.
# Source: OWASP, "CSV Injection".
_FORMULA_STARTS = "=+\\-@\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
_FORMULA = rf"(?:[\t\r\n]|\s*[{_FORMULA_STARTS}])"
_ESCAPE = "'"
# A formula after apostrophes is escaped, too, so that removing one apostrophe always
# restores the cell.
_NEEDS_ESCAPE = re.compile(f"{_ESCAPE}*{_FORMULA}")
_ESCAPED = re.compile(f"{_ESCAPE}+{_FORMULA}")


def escape_formula(cell: str) -> str:
    """The cell, with an apostrophe before it if a spreadsheet would run it."""
    if not cell or cell[0].isalnum() or not _NEEDS_ESCAPE.match(cell):
        return cell
    return _ESCAPE + cell


def unescape_formula(cell: str) -> str:
    """The cell before `escape_formula`; a cell without an escape is unchanged."""
    return cell[1:] if cell.startswith(_ESCAPE) and _ESCAPED.match(cell) else cell


def unescape_block(block: Block) -> Block:
    """Rows of a rejects file, with their cells as in the rejected file."""
    rows = [
        [unescape_formula(cell) if cell[:1] == _ESCAPE else cell for cell in row]
        for row in block.rows
    ]
    return replace(block, rows=rows)
