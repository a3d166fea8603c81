"""Names of the folders that contain reports, safe in a bucket and on a disk.

An ordinary object key is used as it is.  In any other, unsafe characters are replaced and
long names are cut; then a digest of the whole key keeps different keys apart.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

from salespro_core.model.object_key import MAX_KEY_BYTES

# A file name on most file systems.
_MAX_NAME_BYTES = 255
_LONGEST_FILE = "report.html"  # no file of a report has a longer name
_DIGEST_LENGTH = 32
# A key that already ends like this could be mistaken for a shortened one.
_DIGEST = re.compile(rf"~[0-9a-f]{{{_DIGEST_LENGTH}}}$")


def bucket_folder(object_key: str, version: str) -> str:
    """The key prefix of a report, ending in a slash: `object_key/version/`.

    Two different uploads have different folders, and each file in a folder has a key of at
    most 1,024 bytes, the limit of S3.
    """
    version = folder_name(version)
    max_bytes = MAX_KEY_BYTES - len(f"/{version}/{_LONGEST_FILE}".encode())
    names = object_key.split("/")
    if all(map(_is_plain, names)) and len(object_key.encode()) <= max_bytes:
        return f"{object_key}/{version}/"
    parts = [_made_safe(name) for name in names]
    readable = "/".join(part for part in parts if part)
    return f"{_with_digest(readable, object_key, max_bytes)}/{version}/"


def folder_name(name: str) -> str:
    """One folder of at most 255 bytes for this file name."""
    if "/" not in name and _is_plain(name):
        return name
    return _with_digest(
        _made_safe(name.replace("/", "_")), name, max_bytes=_MAX_NAME_BYTES
    )


def _is_plain(name: str) -> bool:
    return (
        name == name.strip(" ").rstrip(".")
        and name != ""
        and not any(map(_is_unsafe, name))
        and len(name.encode()) <= _MAX_NAME_BYTES
        and not _DIGEST.search(name)
    )


def _made_safe(name: str) -> str:
    """The name without unsafe characters, short enough for a digest after it.

    Empty for `.`, `..` and other names of dots and spaces.
    """
    text = "".join("_" if _is_unsafe(c) else c for c in name).strip(" ").rstrip(". ")
    return _cut(text, _MAX_NAME_BYTES - _DIGEST_LENGTH - 1)


def _with_digest(readable: str, key: str, max_bytes: int) -> str:
    digest = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()
    suffix = f"~{digest[:_DIGEST_LENGTH]}"
    return _cut(readable, max_bytes - len(suffix)).rstrip("/") + suffix


def _cut(text: str, max_bytes: int) -> str:
    # "ignore" drops the character that the cut splits.
    return text.encode()[:max_bytes].decode(errors="ignore").rstrip(". ")


def _is_unsafe(character: str) -> bool:
    if character.isprintable():
        return character == "\\"
    # A terminal would show another name than that of the folder, and XML cannot hold some of
    # these characters.  Spaces of other widths are ordinary in Japanese names.
    return unicodedata.category(character) != "Zs"
