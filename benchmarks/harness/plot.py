"""The chart of `make bench`: the time of each loader as a multiple of the floor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from math import ceil
from pathlib import Path
from typing import Any

# For a panel: (case, loader, ratio) in the order of the table; None without a measurement.
Ratios = Sequence[tuple[str, str, float | None]]

# The palette of Okabe and Ito, which colour-blind people can distinguish.
COLOURS = (
    *("#999999", "#0072B2", "#56B4E9", "#009E73", "#F0E442"),
    *("#E69F00", "#CC79A7", "#D55E00", "#000000"),
)
COLUMNS = 2


def ratios(docs: Path, panels: Mapping[int, Ratios]) -> str:
    """Draw `images/speed.svg` in `docs`, and return the Markdown that shows it."""
    import matplotlib as mpl  # noqa: PLC0415 -- slow to import

    mpl.use("svg")
    # A fixed salt makes the file reproducible. Text is drawn as paths, so fonts do not matter.
    mpl.rcParams.update({"svg.hashsalt": "salespro", "font.size": 10})
    from matplotlib import pyplot as plt  # noqa: PLC0415 -- after the backend is set

    columns = min(COLUMNS, len(panels))
    lines = ceil(len(panels) / columns)
    figure, axes = plt.subplots(
        lines, columns, figsize=(5.5 * columns, 6.5 * lines), sharex=True, squeeze=False
    )
    # One colour for a loader in all panels.
    loaders = {loader: None for panel in panels.values() for _, loader, _ in panel}
    colours = dict(zip(loaders, cycle(COLOURS), strict=False))
    for ax, (rows, panel) in zip(axes.flat, panels.items(), strict=False):
        _panel(ax, f"{rows:,} rows", panel, colours)
    most = max(
        [1.0, *(ratio or 0.0 for panel in panels.values() for *_, ratio in panel)]
    )
    axes[0][0].set_xlim(0.5, 3 * most)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="lower center", ncols=3, frameon=False, fontsize=9
    )
    figure.tight_layout(rect=(0, 0.1 / lines, 1, 1))
    path = docs / "images" / "speed.svg"
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, facecolor="white", metadata={"Date": None})
    return "![Seconds of each loader as a multiple of the floor, by case](images/speed.svg)"


def _panel(
    ax: Any,  # noqa: ANN401 -- untyped
    title: str,
    panel: Ratios,
    colours: Mapping[str, str],
) -> None:
    cases = list(dict.fromkeys(case for case, _, _ in panel))
    loaders = list(dict.fromkeys(loader for _, loader, _ in panel))
    height = 0.8 / len(loaders)
    for number, loader in enumerate(loaders):
        known = {case: ratio for case, name, ratio in panel if name == loader}
        positions = [case_index + number * height for case_index in range(len(cases))]
        widths = [known.get(case) or 0.0 for case in cases]
        ax.barh(
            positions,
            widths,
            height,
            label=loader,
            color=colours[loader],
        )
        for position, width in zip(positions, widths, strict=True):
            if width:
                label = (
                    f"{width:.1f}"
                    if width < 10  # noqa: PLR2004 -- two digits fit beside the bar
                    else f"{width:.0f}"
                )
                ax.text(width * 1.05, position, label, va="center", fontsize=8)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.axvline(1, color="#999999", linewidth=0.8)
    ax.set_yticks([p + 0.4 - height / 2 for p in range(len(cases))], cases)
    ax.set_ylim(len(cases) - 0.1, -0.3)
    ax.set_title(title)
    ax.set_xlabel("times the floor (logarithmic)")
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
