"""The path of the nozzle, as it is in the G-code: all of it from a corner, one layer from above."""

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from labkit.slicing.features import ROLES, Role, role_of
from labkit.slicing.toolpath import Toolpath
from labkit.views.ink import INK, PAPER
from labkit.views.live_layers import LiveLayers
from labkit.views.live_planes import LivePicture, Stage
from labkit.views.picture import (
    BLUE,
    GREEN,
    ORANGE,
    ORDER,
    SKY,
    VERMILION,
    Picture,
    edge_letters,
    new_figure,
    picture_of,
    scale_bar,
)
from labkit.volume import Array

ROLE_COLOURS: dict[Role, str] = {
    "outer wall": VERMILION,
    "inner wall": ORANGE,
    "solid": BLUE,
    "infill": SKY,
    "support": GREEN,
    "beside the part": "#8a8a8a",
}

_SIZE_PX = (1200, 620)
_MOST_LINES = 150_000
_POINTS_PER_PX = 0.72
_USUAL_WIDTH_MM = 0.45
"""Where a file does not state the width of its lines."""

Bed = tuple[tuple[float, float], tuple[float, float]]


def toolpath(
    stage: Stage, moves: Toolpath, *, bed_mm: Bed | None = None, title: str = ""
) -> Picture:
    """All lines from a corner, and the middle layer from above; by hand a slider for the layers.

    Parameters
    ----------
    stage : when it is headless, the picture is all.
    moves : mm, the printer's own axes.
    bed_mm : low and high corner of the bed, X and Y; drawn if given.
    title : a heading.
    """
    lays = moves.layer >= 0
    lays &= (moves.extruded_mm > 0) & (moves.start[:, :2] != moves.end[:, :2]).any(axis=1)
    if not lays.any():
        raise ValueError("no line is laid in any layer")
    lines = np.flatnonzero(lays)
    picture = _picture(moves, lines, bed_mm, title)
    if stage.headless:
        return picture
    return LivePicture(picture, LiveLayers(moves, lines, colours=ROLE_COLOURS, title=title))


def _picture(
    moves: Toolpath, lines: npt.NDArray[np.intp], bed_mm: Bed | None, title: str
) -> Picture:
    roles = np.array([role_of(name) for name in moves.features])[moves.feature[lines]]
    layers = moves.layer[lines]
    first, last = int(layers.min()), int(layers.max())
    part = lines[roles != "beside the part"] if (roles != "beside the part").any() else lines
    ends = np.concatenate([moves.start[part], moves.end[part]])
    low, high = ends.min(axis=0), ends.max(axis=0)

    figure = new_figure(*_SIZE_PX, title)
    whole = figure.add_axes((0.01, 0.03, 0.5, 0.83))
    _from_a_corner(whole, moves, _thinned(lines, roles), Normalize(first, max(last, first + 1)))
    if bed_mm is not None:
        _on_the_bed(figure.add_axes((0.01, 0.03, 0.13, 0.2)), bed_mm, low, high)
    whole.set_title("all layers, from the front right", fontsize=10, color=INK)
    bar = figure.add_axes((0.5, 0.12, 0.012, 0.6))
    figure.colorbar(ScalarMappable(Normalize(first, max(last, first + 1)), ORDER), cax=bar)
    bar.set_title("layer", fontsize=9, color=INK)

    middle = int(np.median(layers[np.isin(lines, part)]))
    chosen = layers == middle
    above = figure.add_axes((0.57, 0.08, 0.42, 0.74))
    z_mm = float(moves.end[lines[chosen][-1], 2])
    _from_above(figure, above, moves, lines[chosen], roles[chosen])
    above.set_title(f"layer {middle + 1}, Z {z_mm:.2f} mm, from above", fontsize=10, color=INK)

    size = " × ".join(
        f"{mm:.1f} mm ({axis})" for mm, axis in zip(high - low, ("X", "Y", "Z"), strict=True)
    )
    count = last - first + 1
    figure.text(0.99, 0.975, f"{size} · {count} layers", ha="right", va="top", fontsize=9)
    alt = f"{title + ': ' if title else ''}the nozzle's path of {size} in {count} layers"
    if bed_mm is not None:
        width_mm, depth_mm = np.subtract(bed_mm[1], bed_mm[0])
        alt += f" on a bed of {width_mm:g} × {depth_mm:g} mm"
    shown = ", ".join(name for name in ROLES if name in set(roles[chosen]))
    alt += "; all of it from the front right corner, and from above, X to the right and "
    return picture_of(figure, f"{alt}front at the bottom, layer {middle + 1}: {shown}.")


def _thinned(lines: npt.NDArray[np.intp], roles: npt.NDArray[np.str_]) -> npt.NDArray[np.intp]:
    """Lines enough to show the whole: where there are too many, those seen from outside."""
    if len(lines) <= _MOST_LINES:
        return lines
    outside = np.isin(roles, ("outer wall", "support", "beside the part"))
    kept = lines[outside] if outside.any() else lines
    return kept[:: -(-len(kept) // _MOST_LINES)]


def _seen(points: Array) -> Array:
    """(n, 2) float64, mm: right and up for a viewer who stands above the front right corner."""
    right = np.array([1, 1, 0]) / np.sqrt(2)
    towards = np.array([1, -1, 0.9]) / np.linalg.norm([1, -1, 0.9])
    return np.asarray(points @ np.stack([right, np.cross(towards, right)]).T)


def _from_a_corner(
    ax: Axes, moves: Toolpath, lines: npt.NDArray[np.intp], scale: Normalize
) -> None:
    ends = np.stack([_seen(moves.start[lines]), _seen(moves.end[lines])], axis=1)
    # seen from above, what hides a line lies higher: layers from the bed up, as they are printed
    colours = ORDER(scale(moves.layer[lines]))
    # the side that faces the light is brighter, else a wall would be one flat colour
    way = moves.end[lines, :2] - moves.start[lines, :2]
    facing = np.abs(way[:, 0]) / np.maximum(np.linalg.norm(way, axis=1), 1e-9)
    colours[:, :3] *= (0.7 + 0.3 * facing)[:, None]
    drawn = LineCollection(list(ends), colors=colours, linewidths=1.1)
    ax.add_collection(drawn)
    _finish(ax)


def _on_the_bed(ax: Axes, bed_mm: Bed, low: Array, high: Array) -> None:
    """Where on the bed the part lies, from above."""
    for corner, size, style in (
        (bed_mm[0], np.subtract(bed_mm[1], bed_mm[0]), {"fill": False}),
        (low[:2], high[:2] - low[:2], {"facecolor": ORANGE}),
    ):
        ax.add_patch(Rectangle(tuple(corner), *size, edgecolor=INK, lw=1, **style))
    ax.set_title("on the bed", fontsize=8, color=INK)
    _finish(ax)


def _from_above(
    figure: Figure,
    ax: Axes,
    moves: Toolpath,
    lines: npt.NDArray[np.intp],
    roles: npt.NDArray[np.str_],
) -> None:
    drawn = LineCollection(list(np.stack([moves.start[lines], moves.end[lines]], axis=1)[:, :, :2]))
    drawn.set_color([ROLE_COLOURS[role] for role in roles])
    drawn.set_capstyle("round")
    ax.add_collection(drawn)
    _finish(ax, 0.14)  # room for the scale
    figure.draw_without_rendering()
    left, right = ax.get_xlim()
    mm_per_px = (right - left) / ax.get_window_extent().width
    width_mm = np.where(moves.width_mm[lines] > 0, moves.width_mm[lines], _USUAL_WIDTH_MM)
    drawn.set_linewidth(np.maximum(width_mm / mm_per_px * _POINTS_PER_PX, 0.3).tolist())
    there = [role for role in ROLES if role in set(roles)]
    figure.legend(
        handles=[Patch(color=ROLE_COLOURS[role], label=role) for role in there],
        loc="lower right",
        ncols=len(there),
        fontsize=8,
        frameon=False,
    )
    scale_bar(ax, right - left, color=INK, rim="white")
    edge_letters(ax, "left", "right", "back", "front", color=INK, rim=PAPER, fontsize=9)


def _finish(ax: Axes, above_and_below: float = 0.05) -> None:
    ax.set_aspect("equal", adjustable="datalim")
    ax.autoscale()
    ax.margins(0.05, above_and_below)
    ax.set_axis_off()
