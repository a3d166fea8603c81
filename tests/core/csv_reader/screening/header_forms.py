"""Headers as they may appear again among the rows."""

from __future__ import annotations

from tests.core.csv_reader.damage import LABELS

EXPORTS = ("appointments", "users")
OTHER = {"appointments": "users", "users": "appointments"}


def headers(export: str) -> dict[str, str]:
    """The header of an export as it may appear again."""
    labels = LABELS[export]
    return {
        "as-it-is": ",".join(labels),
        "quoted": ",".join(f'"{label}"' for label in labels),
        "byte-order-mark": "\ufeff" + ",".join(labels),
        "byte-order-mark-and-quotes": "\ufeff"
        + ",".join(f'"{label}"' for label in labels),
        "spaces-and-quotes": ", ".join(f'"{label}"' for label in labels),
        "spaces": " , ".join(labels),
        "upper-case": ",".join(labels).upper(),
        "lower-case": ",".join(labels).lower(),
        "invisible-characters": ",".join(f"\u200b{label}\u00ad" for label in labels),
        "no-break-spaces": ",".join(f"\u00a0{label}" for label in labels),
        "trailing-comma": ",".join(labels) + ",",
    }


def other_headers(export: str) -> dict[str, str]:
    """Headers under which the rows have another meaning."""
    labels = LABELS[export]
    return {
        "other-order": ",".join(reversed(labels)),
        "two-swapped": ",".join([labels[0], labels[2], labels[1], *labels[3:]]),
        "key-last": ",".join([*labels[1:], labels[0]]),
        "key-last-and-upper-case": ",".join([*labels[1:], labels[0]]).upper(),
        "key-last-and-quoted": ", ".join(f'"{it}"' for it in [*labels[1:], labels[0]]),
        "unknown-label-first": ",".join(["Notes", *labels[:-1]]),
        "one-column-missing": ",".join([*labels[:3], *labels[4:]]),
        "one-column-more": ",".join([labels[0], "Notes", *labels[1:]]),
        "one-column-renamed": ",".join([*labels[:-1], "Notes"]),
        "key-only": labels[0] + ",Notes" * (len(labels) - 1),
        "without-key": ",".join(labels[1:]),
        "other-export": ",".join(LABELS[OTHER[export]]),
        "other-export-and-byte-order-mark": "\ufeff" + ",".join(LABELS[OTHER[export]]),
    }
