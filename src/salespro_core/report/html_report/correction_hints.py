"""What to do about a problem, in a sentence."""

from __future__ import annotations

import re

# The reasons are those of `kinds`, `columns`, `records`, `resync` and `database`; a test
# holds the two together.
_ADVICE = (
    (
        r"is empty",
        "Fill in the id that the row has in SalesPro; without it no row can be found again.",
    ),
    (
        r"is longer than (\d+) characters",
        r"Shorten it to \1 characters: the table has no room for more.",
    ),
    (
        r"contains a NUL character",
        "Delete the character that is no text, or export again.",
    ),
    (
        r"is not a timestamp .*",
        (
            "Write it as 2025-06-06T00:16:45.538Z. If a spreadsheet changed it, take the cell "
            "from the original export: the seconds are lost."
        ),
    ),
    (
        r"is not a date .*",
        "Write it as 2025-06-18, or with the month first as 06/18/2025.",
    ),
    (
        r"is not a day of the calendar \(read as month, day\)",
        "Correct the day; where the day stands first, write it as 2025-06-18.",
    ),
    (r"is not a day of the calendar", "There is no such day or time: correct it."),
    (r"is beyond the years 1 to 9999", "Correct the year."),
    (
        r"is not an amount .*",
        (
            "Write a plain number such as 23245.09, with two decimals at most; or leave it "
            "blank."
        ),
    ),
    (
        r"has more than \d+ digits before the point",
        "The amount is too large for the table: correct it.",
    ),
    (r"is not TRUE or FALSE .*", "Write TRUE or FALSE; blank is FALSE."),
    (r"holds an office id .*", "Correct the id in the parentheses behind the office."),
    (
        r"has \d+ cells where the header has \d+",
        (
            "A comma too many or too few has moved the cells: put quotes around a text that has "
            "a comma, and see that each cell stands below its label."
        ),
    ),
    (
        r"is not UTF-8 text",
        "Type the strange letters again and save the file as CSV UTF-8.",
    ),
    (
        r"has a quote that is never closed.*",
        'Close the quote, or write it twice ("") where it is part of the text.',
    ),
    (
        r"is cut off.*",
        "The file ends in the middle of this row: export it again and upload all of it.",
    ),
    (
        r"has a quote in a cell that is not quoted|has text behind a closing quote",
        'Put quotes around the whole cell, and write each quote in it twice ("").',
    ),
    (
        r"has a cell that is too long .*",
        "Shorten the cell, or look for a missing quote.",
    ),
    (
        r"is refused by Postgres .*",
        (
            "The table has a rule of its own that this row breaks: ask whoever looks after the "
            "database what the rule wants, and correct the row."
        ),
    ),
)
OTHERWISE = "Correct it in rejects.csv and upload that file."


def advice(reason: str) -> str:
    """How to correct what is wrong."""
    for pattern, told in _ADVICE:
        if match := re.fullmatch(pattern, reason, re.DOTALL):
            return match.expand(told)
    return OTHERWISE
