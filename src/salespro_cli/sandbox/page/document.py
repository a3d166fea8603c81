"""The HTML document of the page, with its style and its script inside."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Final

from salespro_cli.sandbox.local_aws import UPLOADS
from salespro_core.report import html_report

# moto holds an upload in memory, twice while it arrives.
MAX_UPLOAD_BYTES: Final = 200_000_000
_FOLDER = files(__package__ or "")


def _read(name: str) -> str:
    return _FOLDER.joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


# The colours and shapes of the reports.
_STYLE = files(html_report).joinpath("report.css").read_text("utf-8") + _read(
    "page.css"
)
_SCRIPT = _read("page.js")
CONTENT_SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src {_hash(_STYLE)}; script-src {_hash(_SCRIPT)}; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def document() -> str:
    """The document, which loads nothing else."""
    text = _read("page.html")
    for name, part in {
        "{bucket}": UPLOADS,
        "{max_bytes}": str(MAX_UPLOAD_BYTES),
        "{style}": _STYLE,
        "{script}": _SCRIPT,
    }.items():
        text = text.replace(name, part)
    return text
