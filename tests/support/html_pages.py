"""A page of ours, read as a browser reads it, without one."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"meta", "link", "wbr", "rect", "br"}
_BLOCKS = {"dt", "dd", "td", "th", "p", "li"}


@dataclass
class Page(HTMLParser):
    """What stands on a page.

    Attributes:
        tags: each element's name and attributes, in order.
        texts: what is read, without what stands in the style.
        headings: level and text of each.
        open_tags: what is not closed yet.
    """

    source: str
    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    headings: list[tuple[int, str]] = field(default_factory=list)
    open_tags: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Read all of it."""
        super().__init__()
        self.feed(self.source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.texts.append(" " if tag in _BLOCKS else "")
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag in {"h1", "h2", "h3", "h4"}:
            self.headings.append((int(tag[1]), ""))
        if tag not in _VOID:
            self.open_tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close it; they are closed in the order in which they were opened."""
        if tag not in _VOID:
            assert self.open_tags.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note what is read."""
        if "style" in self.open_tags:
            return
        self.texts.append(data)
        if {"h1", "h2", "h3", "h4"} & set(self.open_tags):
            level, text = self.headings[-1]
            self.headings[-1] = level, text + data

    @property
    def text(self) -> str:
        """All that is read, each run of space one space."""
        return " ".join("".join(self.texts).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        """The attributes of each element of that name."""
        return [attributes for name, attributes in self.tags if name == tag]
