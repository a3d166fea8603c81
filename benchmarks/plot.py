"""The picture of `make bench`: how many times the floor each way takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# Of each panel: the case, the way and its ratio, in the order of the table.
Ratios = Sequence[tuple[str, str, float | None]]

# Okabe and Ito's palette, which people of all sorts of sight can tell apart.
COLOURS = ("#999999", "#0072B2", "#56B4E9", "#E69F00", "#CC79A7", "#D55E00")


def ratios(docs: Path, panels: Mapping[int, Ratios]) -> str:
    """Draw `images/speed.svg` beside the page, and return what shows it there."""
    import matplotlib as mpl  # noqa: PLC0415 -- heavy

    mpl.use("svg")
    # The same picture gives the same file; its letters are drawn, on any machine alike.
    mpl.rcParams.update({"svg.hashsalt": "salespro", "font.size": 10})
    from matplotlib import pyplot as plt  # noqa: PLC0415 -- and its backend is set

    figure, axes = plt.subplots(
        1, len(panels), figsize=(5.5 * len(panels), 6.5), sharex=True, squeeze=False
    )
    for ax, (rows, found) in zip(axes[0], panels.items(), strict=True):
        _panel(ax, f"{rows:,} rows", found)
    most = max(
        [1.0, *(ratio or 0.0 for found in panels.values() for *_, ratio in found)]
    )
    axes[0][0].set_xlim(0.5, 3 * most)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="lower center", ncols=3, frameon=False, fontsize=9
    )
    figure.tight_layout(rect=(0, 0.1, 1, 1))
    place = docs / "images" / "speed.svg"
    place.parent.mkdir(exist_ok=True)
    figure.savefig(place, facecolor="white", metadata={"Date": None})
    return (
        "![Seconds of each way as a multiple of the floor, by case](images/speed.svg)"
    )


def _panel(ax: Any, title: str, found: Ratios) -> None:  # noqa: ANN401 -- untyped
    cases = list(dict.fromkeys(case for case, _, _ in found))
    ways = list(dict.fromkeys(way for _, way, _ in found))
    height = 0.8 / len(ways)
    for number, way in enumerate(ways):
        known = {case: ratio for case, w, ratio in found if w == way}
        places = [p + number * height for p in range(len(cases))]
        widths = [known.get(case) or 0.0 for case in cases]
        ax.barh(places, widths, height, label=way, color=COLOURS[number % len(COLOURS)])
        for place, width in zip(places, widths, strict=True):
            if width:
                told = f"{width:.1f}" if width < 10 else f"{width:.0f}"  # noqa: PLR2004
                ax.text(width * 1.05, place, told, va="center", fontsize=8)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.axvline(1, color="#999999", linewidth=0.8)
    ax.set_yticks([p + 0.4 - height / 2 for p in range(len(cases))], cases)
    ax.set_ylim(len(cases) - 0.1, -0.3)
    ax.set_title(title)
    ax.set_xlabel("times the floor (logarithmic)")
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
