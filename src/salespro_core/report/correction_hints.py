"""How to correct a rejected row: one or two sentences for each reason."""

from __future__ import annotations

import re

# The reasons come from `exports.columns`, `exports.column_types`, `csv_reader` and
# `postgres`; a test checks that each has a hint.
_HINTS = (
    (
        r"is empty",
        (
            "Fill in the id that the row has in SalesPro; without an id the row cannot be "
            "stored."
        ),
    ),
    (
        r"is longer than (\d+) characters",
        r"Shorten it to \1 characters, the maximum of the table.",
    ),
    (
        r"contains a NUL character",
        "Delete the NUL character, or export again.",
    ),
    (
        r"has 0x1A before it.*",
        "Upload the files one by one, or delete the character before the id.",
    ),
    (
        r"contains an invisible character.*",
        "Type the cell again by hand: copied text may contain characters without ink.",
    ),
    (
        (
            r"is a number such as 1\.23457E\+18.*|is a date, to which a spreadsheet.*"
            r"|is an error value of a spreadsheet.*|is a time of day, to which a spreadsheet.*"
        ),
        (
            "A spreadsheet has changed it, and the original is lost: export the file again, "
            "and upload it without opening it in a spreadsheet."
        ),
    ),
    (
        r"has an = or ' before it.*",
        "Write only the id, without =, quotes and apostrophe.",
    ),
    (
        r"has quotes or other marks around it|has a character that ids do not have.*",
        "Write only the id, without the marks.",
    ),
    (
        (
            r"is not an id: .*|is the label of a total, .*|is a word such as NULL.*|has a space inside, which ids.*"
            r"|is TRUE or FALSE, perhaps in another language.*"
        ),
        "The row is no row of the export: leave it out.",
    ),
    (
        r"contains U\+FFFD: .*",
        "Export the file again: a program that could not read its encoding has changed it.",
    ),
    (
        r"is not a timestamp .*",
        (
            "Write it as 2025-06-06T00:16:45.538Z. If a spreadsheet changed it, the seconds "
            "are lost: copy the cell from the original export, or export the file again."
        ),
    ),
    (
        r"is not a date .*",
        "Write it as 2025-06-18, or with the month first as 06/18/2025.",
    ),
    (
        r"is not a day of the calendar \(read as month, day\).*",
        (
            "Correct the day. If the day comes first in your file, write the date as "
            "2025-06-18."
        ),
    ),
    (
        r"is not a day of the calendar",
        "Write a day and a time that exist.",
    ),
    (r"is beyond the years 1 to 9999", "Correct the year."),
    (
        r"is not an amount .*",
        (
            "Write a plain number such as 23245.09 with at most two decimals, or leave the "
            "cell blank."
        ),
    ),
    (
        r"has more than \d+ digits before the point",
        "Correct the amount: it is too large for the table.",
    ),
    (r"is not TRUE or FALSE .*", "Write TRUE or FALSE; a blank cell means FALSE."),
    (
        r"has other characters around the email.*|has a space inside, which emails.*|has more than one @",
        "Keep one email without other characters, such as ann@example.com.",
    ),
    (r"holds an office id .*", "Correct the id in the parentheses after the office."),
    (
        r"has \d+ cells where the header has \d+",
        (
            "A missing or extra comma has moved the cells. Put quotes around a text that "
            "contains a comma, and check that each cell is below its label."
        ),
    ),
    (
        r"goes on with the header of another file.*",
        (
            "Delete the header after the last cell of the row, or upload the files one by "
            "one."
        ),
    ),
    (
        r"repeats the header|has the label .* as its id",
        "The row is not data: delete it.",
    ),
    (
        r"is not UTF-8 text",
        "Type the unreadable letters again and save the file as CSV UTF-8.",
    ),
    (
        r"has a quote that is never closed.*",
        'Close the quote; if the quote is part of the text, write it twice ("").',
    ),
    (
        r"has a line break in a cell that is not quoted",
        "Remove the line break, or put quotes around the whole cell.",
    ),
    (
        r"is cut off.*",
        "The file ends in the middle of this row: export it again and upload all of it.",
    ),
    (
        r"has a quote in a cell that is not quoted|has text after a closing quote",
        (
            'Put quotes around the whole cell, and write each quote in it twice (""), not '
            "with a backslash."
        ),
    ),
    (
        r"has a cell that is too long .*|is too long to be read",
        "Shorten the cell, or look for a missing quote.",
    ),
    (
        r"has a character that .*, the database's encoding, lacks",
        "Replace the character, or have the tables moved to a database in UTF8.",
    ),
    (
        r"is skipped by a trigger of the table",
        (
            "A trigger of the warehouse decides which rows are stored: ask the "
            "administrator of the database for its rule, and correct the row."
        ),
    ),
    (
        r"is refused by Postgres .*",
        (
            "The row breaks a rule of the table: ask the administrator of the database for "
            "the rule, and correct the row."
        ),
    ),
)
DEFAULT_HINT = "Correct the row in rejects.csv and upload that file."


def correction_hint(reason: str) -> str:
    """How to correct a problem with this reason."""
    for pattern, hint in _HINTS:
        if match := re.fullmatch(pattern, reason, re.DOTALL):
            return match.expand(hint)
    return DEFAULT_HINT
