"""The grammar of CSV, as regular expressions."""

from __future__ import annotations

import re

# The grammar of RFC 4180.  Possessive quantifiers: no backtracking in a cell of megabytes.
UNCLOSED_CELL = r'"[^"]*+(?:""[^"]*+)*+'
_CELL = rf'(?:{UNCLOSED_CELL}"|[^",\r\n]*+)'
ROW = re.compile(rf"{_CELL}(?:,{_CELL})*+(?:\r\n?|\n)?")
COMPLETE_CELLS = re.compile(rf"(?:{_CELL},)*+")
UNCLOSED_ROW = re.compile(rf"(?:{_CELL},)*+{UNCLOSED_CELL}")
