"""A parser for the report's HTML page: elements, texts and headings, without a browser."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"meta", "link", "wbr", "rect", "br"}
_BLOCKS = {"dt", "dd", "td", "th", "p", "li"}
_HEADINGS = {"h1", "h2", "h3"}


@dataclass
class Page(HTMLParser):
    """A parsed page.

    Attributes:
        tags: the name and the attributes of each element, in order.
        texts: the visible texts, in order; the style is left out.
        headings: the level and the text of each heading.
        open_tags: elements that are not closed; empty for a well-formed page.
    """

    source: str
    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    headings: list[tuple[int, str]] = field(default_factory=list)
    open_tags: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Parse the page."""
        super().__init__()
        self.feed(self.source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record the element; a block separates the texts before and after it."""
        self.texts.append(" " if tag in _BLOCKS else "")
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag in _HEADINGS:
            self.headings.append((int(tag[1]), ""))
        if tag not in _VOID:
            self.open_tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the element.

        Raises:
            AssertionError: another element must be closed first.
        """
        if tag not in _VOID:
            assert self.open_tags.pop() == tag

    def handle_data(self, data: str) -> None:
        """Record the text."""
        if "style" in self.open_tags:
            return
        self.texts.append(data)
        if _HEADINGS & set(self.open_tags):
            level, text = self.headings[-1]
            self.headings[-1] = level, text + data

    @property
    def text(self) -> str:
        """All visible text, with one space for each run of white space."""
        return " ".join("".join(self.texts).split())

    def find_all(self, tag: str) -> list[dict[str, str]]:
        """The attributes of each element with this name."""
        return [attributes for name, attributes in self.tags if name == tag]
