"""The page itself: one file, without a script and without a request to anywhere."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources
from pathlib import Path

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup

from salespro_core.model.outcome import Outcome
from salespro_core.report.html_report.compiled import Compiled
from salespro_core.report.html_report.format import visible
from salespro_core.report.html_report.page_model import Limits, view

# What a mail server and a phone take without a thought.
MOST_BYTES = 300_000
# Tried one after the other until the page is small enough.  An escaped character takes up
# to six bytes, so that the first is too large for a page of quotes and nothing else.
_LIMITS = (
    Limits(characters=160, reasons=40, examples=10, changes=20),
    Limits(characters=80, reasons=20, examples=5, changes=10),
    Limits(characters=40, reasons=10, examples=3, changes=3),
)


def as_html(outcome: Outcome, rejects_file: str | None = None) -> str:
    """The report of an import or a dry run, as one page below MOST_BYTES.

    Whatever a cell, a label or a key holds is shown as text.

    Args:
        outcome: what to report; the cells in it are shown.
        rejects_file: where all rejects are, if there are any; they lie beside the page.
    """
    page = ""
    for limits in _LIMITS:
        shown = view(outcome, rejects_file, limits)
        page = _template().render(**shown, css=_css(), css_hash=_css_hash()).lstrip()
        if len(page.encode()) < MOST_BYTES:
            break
    return page


def get_ready() -> None:
    """Load what a page is made of, which takes longer than to make one."""
    _template()
    _css()


def _shown(value: object) -> object:
    """What an expression puts on the page; it is escaped behind this."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value)
    return value


@cache
def _template() -> Template:
    environment = Environment(
        # Not PackageLoader, which puts the path of this machine into what is compiled.
        loader=FunctionLoader(_text),
        bytecode_cache=Compiled("report.html", options=Path(__file__)),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html")


@cache
def _css() -> Markup:
    return Markup(_text("report.css"))  # noqa: S704 -- our own


def _text(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def _css_hash() -> str:
    """Of what stands between the style tags: no other style may come to the page."""
    return base64.b64encode(hashlib.sha256(_css().encode()).digest()).decode()
