"""Which object keys are dry runs, and which are refused."""

from __future__ import annotations

import re
import unicodedata
from operator import add
from urllib.parse import unquote

DRY_RUN_PREFIX = "dryrun/"
# Source: Amazon S3 User Guide, "Naming Amazon S3 objects".
MAX_KEY_BYTES = 1024

# In the plural, or with the ending of a file.
_MISTYPED = re.compile("dryruns?(?:csv)?(?:gz)?")
_SEPARATOR = re.compile(r"[/\\\u2044\u2215\u29f5\u29f8]")
# Letters that look like those of "dryrun" and that NFKD keeps apart.  The Greek capitals come
# first: in lower case they look like other letters.
_CAPITALS = str.maketrans({"\u03a5": "y", "\u039d": "n"})
_LOOK_ALIKES = str.maketrans(
    {
        **dict.fromkeys("\u0501\u1d05\u0257\u0256\u0111\u13a0", "d"),
        **dict.fromkeys("\u0433\u0280\u027e\u027c\u027d\u1d26\uab47", "r"),
        **dict.fromkeys("\u0443\u04af\u03b3\u028f\u01b4\u0263\u1eff", "y"),
        **dict.fromkeys("\u057d\u03c5\u1d1c\u028b\ua79f", "u"),
        **dict.fromkeys("\u043f\u0578\u057c\u03b7\u0274\u0272\u0273", "n"),
    }
)


def is_dry_run(object_key: str) -> bool:
    """Whether the upload is only reported on, without writing to the tables."""
    return object_key.startswith(DRY_RUN_PREFIX)


def is_mistyped_dry_run(object_key: str) -> bool:
    """Whether a folder of the key reads as `dryrun`, but the key is no dry run.

    Case, accents, look-alike letters and all characters but letters and digits are ignored,
    and a backslash separates folders: `Dryrun/x.csv`, `/dryrun/x.csv`, `dry-run/x.csv`,
    `june/dryrun/x.csv`.  So are the plural, the ending of a file, and a folder `dry/` with a
    folder `run/` in it.  A longer name such as `dryrun-archive/` and a name with another
    letter such as `dryrn/` is another folder.
    """
    if is_dry_run(object_key):
        return False
    text = unicodedata.normalize("NFKD", unquote(object_key)).translate(_CAPITALS)
    *folders, _ = _SEPARATOR.split(text.casefold().translate(_LOOK_ALIKES))
    names = ["".join(filter(str.isalnum, name)) for name in folders]
    names = list(filter(None, names))
    pairs = map(add, names, names[1:])
    return any(map(_MISTYPED.fullmatch, (*names, *pairs)))


def refusal_of_dry_run(location: str) -> str:
    """Why an upload with a mistyped `dryrun/` is refused, and what to do."""
    return (
        f"{location} was not imported: its key names a dry-run folder, but a dry run needs "
        f"a key that starts with {DRY_RUN_PREFIX} in exactly this spelling. Upload it to "
        f"{DRY_RUN_PREFIX} for a dry run, or to a folder with another name to import it."
    )


def reason_not_storable(object_key: str) -> str | None:
    """Why the history cannot store this key; None if it can."""
    if "\0" in object_key:
        return "the object key has a NUL character, which Postgres cannot store"
    if _utf8(object_key) != object_key:
        return "the object key is not valid Unicode (it has a lone surrogate)"
    if len(object_key.encode()) > MAX_KEY_BYTES:
        return f"the object key has more than {MAX_KEY_BYTES:,} bytes, the limit of S3"
    return None


def loggable(text: str) -> str:
    r"""At most 1,024 characters, with `\udcXX` for each lone surrogate.

    UTF-8 cannot encode those, and a log line with one would be lost.
    """
    return _utf8(text[:MAX_KEY_BYTES])


def _utf8(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()
