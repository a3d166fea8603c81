"""The HTML page: one file without scripts, which makes no requests."""

from __future__ import annotations

import base64
import hashlib
from contextlib import suppress
from functools import cache
from pathlib import Path

from jinja2 import (
    DictLoader,
    Environment,
    FileSystemBytecodeCache,
    StrictUndefined,
    Template,
)
from jinja2.bccache import Bucket
from markupsafe import Markup

from salespro_core.model.outcome import Outcome
from salespro_core.report.html_report.format import replace_invisible
from salespro_core.report.html_report.page_model import PageLimits, build_page_model

# Mail servers and phones handle a page of this size easily.
MAX_PAGE_BYTES = 300_000
# Tried in this order until the page is small enough.  Escaping makes a character up to six
# bytes long, so that a page full of quotes can exceed the limit.
_LIMITS = (
    PageLimits(cell_length=160, reasons=40, examples=10, changes=20),
    PageLimits(cell_length=80, reasons=20, examples=5, changes=10),
    PageLimits(cell_length=40, reasons=10, examples=3, changes=3),
)
_FOLDER = Path(__file__).parent


def as_html(outcome: Outcome, rejects_file: str | None = None) -> str:
    """The report of an import or a dry run, as one page smaller than MAX_PAGE_BYTES.

    Text from the file is escaped: the page shows it as it is.

    Args:
        outcome: its cells are shown.
        rejects_file: the location of the rejects file, if there is one; the page links to
            `rejects.csv` in its own folder.
    """
    page = ""
    for limits in _LIMITS:
        model = build_page_model(outcome, rejects_file, limits)
        page = template().render(**model, css=_css(), css_hash=_css_hash()).lstrip()
        if len(page.encode()) < MAX_PAGE_BYTES:
            break
    return page


@cache
def template() -> Template:
    """The compiled template; it is compiled once and kept next to this module."""
    source = (_FOLDER / "report.html").read_text(encoding="utf-8")
    environment = Environment(
        # By its text: with a path, the key would differ between build and Lambda.
        loader=DictLoader({"report.html": source}),
        bytecode_cache=_BytecodeCache(
            str(_FOLDER / "__pycache__"), f"report-{_options_hash()}-%s.jinja"
        ),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html")


class _BytecodeCache(FileSystemBytecodeCache):
    """Jinja's cache, where the folder may be missing or read-only, as in Lambda."""

    def load_bytecode(self, bucket: Bucket) -> None:
        """Load the compiled template, if it is there and readable."""
        with suppress(OSError):
            super().load_bytecode(bucket)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the compiled template, if the folder can be written."""
        with suppress(OSError):
            super().dump_bytecode(bucket)


def _options_hash() -> str:
    """Changes with the options of the environment, which Jinja's key does not contain."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]


def _visible(value: object) -> object:
    """Make a value of the template visible; Jinja escapes it afterwards."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return replace_invisible(value)
    return value


@cache
def _css() -> Markup:
    css = (_FOLDER / "report.css").read_text(encoding="utf-8")
    return Markup(css)  # noqa: S704 -- a file of this package


@cache
def _css_hash() -> str:
    """The hash of the page's style, so that its policy allows no other style."""
    return base64.b64encode(hashlib.sha256(_css().encode()).digest()).decode()
