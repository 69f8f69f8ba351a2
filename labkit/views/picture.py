"""A static picture with its description, and the look that all pictures share."""

import base64
import io
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from labkit.files import write_whole
from labkit.views.ink import INK, PAPER

# Okabe and Ito 2008 (https://jfly.uni-koeln.de/color/): told apart by every kind of eye
BLUE = "#0072b2"
SKY = "#56b4e9"
ORANGE = "#e69f00"
VERMILION = "#d55e00"
GREEN = "#007a5a"  # darker than theirs, for text on white
BONE = "#e8dfc8"

DEVIATION: Colormap = LinearSegmentedColormap.from_list("deviation", [BLUE, "#f2f2f2", VERMILION])
"""Signed distances: blue is inside (too little), vermilion outside (too much)."""

ORDER: Colormap = LinearSegmentedColormap.from_list(
    "order", ["#00204c", "#3b496c", "#7b7b78", "#bbac69", "#ffe945"]
)
"""What goes up steadily: dark to light, readable in grey."""

_DPI = 100


class Picture:
    """A PNG with the words that stand for it where it cannot be seen.

    A notebook shows it as ``image/png`` only, so that the executed notebook needs
    neither a kernel nor the internet to be read.

    Parameters
    ----------
    png : the bytes of a PNG file.
    alt : what the picture shows, in a sentence or two.
    """

    def __init__(self, png: bytes, alt: str) -> None:
        self.png = png
        self.alt = alt

    def save(self, path: Path) -> Path:
        """Write the PNG to ``path``, whole or not at all; returns ``path``.

        Raises
        ------
        StorageError
            The disk is full or the place cannot be written.
        """
        write_whole(path, self.png)
        return path

    def __repr__(self) -> str:
        return self.alt

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        shown = {"image/png": base64.b64encode(self.png).decode(), "text/plain": self.alt}
        return shown, {"image/png": {"alt": self.alt}}


def new_figure(width_px: int, height_px: int, title: str) -> Figure:
    """An empty figure of that size in the kit's look, with a title where there is one."""
    figure = Figure(figsize=(width_px / _DPI, height_px / _DPI), dpi=_DPI, facecolor=PAPER)
    FigureCanvasAgg(figure)
    if title:
        figure.suptitle(title, x=0.01, y=0.985, ha="left", va="top", fontsize=12, color=INK)
    return figure


def picture_of(figure: Figure, alt: str) -> Picture:
    """The figure as a picture; the same figure gives the same bytes."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return Picture(stream.getvalue(), alt)


def edge_letters(
    axes: Axes,
    left: str,
    right: str,
    top: str,
    bottom: str,
    *,
    color: str = PAPER,
    rim: str = INK,
    fontsize: int = 12,
) -> None:
    """What lies at each edge of the axes, in letters with a rim, readable on any grey."""
    spots = (
        (left, 0.02, 0.5, "left", "center"),
        (right, 0.98, 0.5, "right", "center"),
        (top, 0.5, 0.98, "center", "top"),
        (bottom, 0.5, 0.02, "center", "bottom"),
    )
    for letter, x, y, ha, va in spots:
        axes.text(
            *(x, y, letter),
            ha=ha,
            va=va,
            color=color,
            fontsize=fontsize,
            fontweight="bold",
            transform=axes.transAxes,
            path_effects=[withStroke(linewidth=2.5, foreground=rim)],
        )


def scale_bar(axes: Axes, width_mm: float, *, color: str = PAPER, rim: str = INK) -> None:
    """A bar of a round length, a quarter of the picture or less, with its length in mm."""
    length = max(
        (
            step * 10.0**power
            for power in range(-2, 4)
            for step in (1, 2, 5)
            if step * 10.0**power <= width_mm / 4
        ),
        default=width_mm / 4,
    )
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    start = left + 0.04 * (right - left)
    end = start + (length if right > left else -length)
    level = bottom + 0.05 * (top - bottom)
    effects = [withStroke(linewidth=6, foreground=rim)]
    axes.add_line(Line2D([start, end], [level, level], color=color, lw=3, path_effects=effects))
    axes.text(
        *(start, level + 0.02 * (top - bottom), f"{length:g} mm"),
        color=color,
        fontsize=9,
        va="bottom",
        path_effects=[withStroke(linewidth=2, foreground=rim)],
    )
