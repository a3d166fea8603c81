"""The colors of the page have enough contrast in the light and in the dark scheme."""

from __future__ import annotations

import re
from importlib import resources

import pytest

CSS = (
    resources.files("salespro_core.report.html_report")
    .joinpath("report.css")
    .read_text("utf-8")
)
# The scheme's color variables, by name without the dashes.
Colors = dict[str, str]
SCHEMES: dict[str, Colors] = {
    name: dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
    for name, block in zip(
        ("light", "dark"),
        re.findall(r":root \{(.*?)\}", CSS, re.DOTALL),
        strict=False,
    )
}
TEXTS = [
    *((ink, on) for ink in ("ink", "quiet", "link") for on in ("paper", "card")),
    *((severity, f"{severity}-tint") for severity in ("ok", "warning", "failed")),
]
COUNTS = ("created", "updated", "unchanged", "stale", "duplicate", "rejected")
SHAPES = [*((name, "paper") for name in (*COUNTS, "sales")), ("sales", "card")]


def contrast(first: str, second: str) -> float:
    """Source: WCAG 2.2, "relative luminance" and "contrast ratio"."""

    def luminance(color: str) -> float:
        channels = [int(color[index : index + 2], 16) / 255 for index in (1, 3, 5)]
        red, green, blue = (
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
            for c in channels
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted(map(luminance, (first, second)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_and_shapes_have_the_contrast_of_wcag_aa(scheme: str) -> None:
    """4.5 to 1 for text, 3 to 1 for shapes."""
    colors = SCHEMES[scheme]

    assert len(colors) == 21
    assert [p for p in TEXTS if contrast(*(colors[name] for name in p)) < 4.5] == []
    assert [p for p in SHAPES if contrast(*(colors[name] for name in p)) < 3] == []
