"""Rejects emails with something around or inside them, which would join with no user."""

from __future__ import annotations

import re

AROUND_EMAIL = "has other characters around the email, such as < > ; or ?"
SPACE_IN_EMAIL = "has a space inside, which emails do not have"
SECOND_AT = "has more than one @"

# RFC 5321 allows any text in quotes before the @: "ann lee"@example.com
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)+"@[^\s@"()<>\[\],;:?]+')
# A network address instead of a domain: ann@[192.0.2.1]
_IN_BRACKETS = re.compile(r"[^\s()<>\[\]@]+@\[[0-9A-Za-z.:]+\]")
# What mail programs and people write before an email, after it, or between two.
_AROUND = re.compile(
    r"@.*[<>;?,\"]|@.*\..*['`|*\u00ab\u00b4\u00bb\u2018-\u201f\u2039\u203a]"
    r"|\A[(<\[].*\S@\S|\A\{.*\S@\S.*\}\Z|\S@\S.*[()\]]|[()].*\S@\S",
    re.DOTALL,
)
_DOMAIN = re.compile(r"\s*\S+\.\w")


def is_quoted_email(text: str) -> bool:
    """Whether it is an email with quotes before its @: they are part of it."""
    return _QUOTED.fullmatch(text) is not None


def check_email(text: str) -> None:
    """Refuse an email with something else; a name without @ is kept.

    Args:
        text: an email or the name of an account, without space around it.

    Raises:
        ValueError: it is surely not the email that SalesPro wrote.
    """
    if "@" not in text or _IN_BRACKETS.fullmatch(text):
        return
    if _AROUND.search(text):
        raise ValueError(AROUND_EMAIL)
    before, _, after = text.rpartition("@")
    # Names of accounts may begin with @.
    if "@" in before and (before.strip("@") or "." in after):
        raise ValueError(SECOND_AT)
    if any(map(str.isspace, text)) and _is_email(before, after):
        raise ValueError(SPACE_IN_EMAIL)


def _is_email(before: str, after: str) -> bool:
    """Whether the text around an @ is that of an email: `Ann @ St. Louis` is a name."""
    if before.endswith(" ") or after.startswith(" ") or not before:
        return _DOMAIN.match(after) is not None
    return "." in after
