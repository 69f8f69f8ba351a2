"""The part with what was measured on it: each dimension at its place, in its deviation's colour."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import trimesh
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from trimesh.intersections import slice_faces_plane

from labkit.inspection import Measured
from labkit.views.ink import INK, PAPER
from labkit.views.picture import DEVIATION, Picture, new_figure, picture_of
from labkit.views.surfaces import Sight, two_sides
from labkit.views.words import signed
from labkit.volume import Array

_WIDTH_PX, _SIDES_PX, _LINE_PX, _FOOT_PX = 1200, 560, 19, 12
_APART_PX = 26
"""Between dimension lines, so that their labels do not lie over each other."""
_LABEL_PX = (120, 24)
_ALIKE = 0.7
"""The cosine beyond which two lines could be taken for one."""
_UNKNOWN = "#8a8a8a"


class _Dimension(NamedTuple):
    """A line of the plan: its number in the picture, and from where to where it goes, mm."""

    number: int
    one: Measured
    ends: Array | None


def deviations(
    mesh: trimesh.Trimesh,
    features: Sequence[Mapping[str, Any]],
    measured: Sequence[Measured],
    *,
    tolerance_mm: float,
    action_mm: float,
    title: str = "Deviations",
) -> Picture:
    """The part from two sides, with a dimension line for each feature that lies on it.

    A line is drawn where the designed surface has that dimension: between the outermost
    places of the surface inside the feature's box, or, for an opening, across it.  Where
    lines would lie over each other they are moved aside, with thin lines to their place.

    Parameters
    ----------
    mesh : the part, plate frame, mm.
    features : as the design recorded them, boxes in the plate frame, mm, or in the frame
        that ``to_plate`` names.
    measured : the plan with what was measured, deviations in mm.  What is none of
        ``features`` (a coupon beside the part) is named and not drawn.
    tolerance_mm, action_mm : the ends of the colours, and the level that is marked.
    title : a heading.
    """
    known = {str(feature["name"]): feature for feature in features}
    lines = []
    for number, one in enumerate(measured, 1):
        feature = known.get(one.item.feature)
        lines.append(_Dimension(number, one, None if feature is None else ends_of(mesh, feature)))
    words = [_in_words(line) for line in lines]
    height_px = _SIDES_PX + _LINE_PX * len(words) + _FOOT_PX
    figure = new_figure(_WIDTH_PX, height_px, "")
    look: dict[str, Any] = {"va": "top", "color": INK, "parse_math": False}
    figure.text(0.01, 1 - 8 / height_px, title, fontsize=12, **look)
    foot, high = (height_px - _SIDES_PX) / height_px, _SIDES_PX / height_px
    spots = [(left, foot + 0.02 * high, 0.45, 0.83 * high) for left in (0.01, 0.47)]
    sights, size = two_sides(figure, mesh, spots, frame="plate")
    scale = Normalize(-tolerance_mm, tolerance_mm)
    _draw(sights, lines, scale)
    _colour_bar(figure, scale, action_mm, foot, high)
    for n, text in enumerate(words):
        y = foot - _LINE_PX * n / height_px
        figure.text(0.01, y, text, fontsize=9, **look)
    alt = (
        f"{title}: the part, {size}, with dimension lines in the colour of their deviation, "
        f"measured minus designed, tolerance ± {tolerance_mm:g} mm, action beyond "
        f"{action_mm:g} mm: " + "; ".join(words)
    )
    return picture_of(figure, f"{alt}; seen from the front and from above.")


def ends_of(mesh: trimesh.Trimesh, feature: Mapping[str, Any]) -> Array:
    """(2, 3) mm, plate frame: from where to where a feature's dimension goes on a surface.

    Where the surface has nothing in the feature's box, the nominal length at its middle.
    """
    to_plate = np.eye(4) if feature.get("to_plate") is None else np.array(feature["to_plate"])
    region, axis = np.asarray(feature["region_mm"], float), "xyz".index(feature["axis"])
    found = _inside(trimesh.transform_points(mesh.vertices, np.linalg.inv(to_plate)), mesh, region)
    middle = region.mean(axis=0)
    half = float(feature["nominal_mm"]) / 2
    low, high = middle[axis] - half, middle[axis] + half
    if len(found):
        along = found[:, axis]
        if feature.get("kind", "outside") == "outside":
            low, high = along.min(), along.max()
            middle = (found.min(axis=0) + found.max(axis=0)) / 2
        elif (along < middle[axis]).any() and (along >= middle[axis]).any():
            low, high = along[along < middle[axis]].max(), along[along >= middle[axis]].min()
    ends = np.stack([middle, middle])
    ends[:, axis] = low, high
    return np.asarray(trimesh.transform_points(ends, to_plate))


def _inside(vertices: Array, mesh: trimesh.Trimesh, region: Array) -> Array:
    """(n, 3) mm: corners of what a box leaves of the surface; ``vertices`` in the box's frame."""
    corners = vertices[mesh.faces]
    near = (corners.min(axis=1) <= region[1]) & (corners.max(axis=1) >= region[0])
    faces = mesh.faces[near.all(axis=1)]
    for axis in range(3):
        for corner, way in zip(region, (1.0, -1.0), strict=True):
            if not len(faces):
                return np.empty((0, 3))
            normal = np.eye(3)[axis] * way
            vertices, faces, _ = slice_faces_plane(vertices, faces, normal, corner)
    return np.asarray(vertices[np.unique(faces)], float).reshape(-1, 3)


def _in_words(line: _Dimension) -> str:
    one, word = line.one, signed(line.one.verdict)[0]
    said = f"{line.number} {one.item.feature}: "
    if one.deviation_mm is None or one.measured_mm is None:
        said += f"designed {one.item.nominal_mm:.2f} mm, not measured {word}"
    else:
        said += f"designed {one.item.nominal_mm:.2f} mm, measured {one.measured_mm:.2f} mm, "
        said += f"{one.deviation_mm:+.2f} mm {word}"
    return said if line.ends is not None else f"{said} (beside the part, not drawn)"


class _Drawn(NamedTuple):
    """A line that is drawn already, px in its axes: its points, its label, its direction."""

    points: Array
    label: Array
    way: Array


def _draw(sights: Sequence[Sight], lines: Sequence[_Dimension], scale: Normalize) -> None:
    drawn: dict[int, list[_Drawn]] = {n: [] for n in range(len(sights))}
    for line in lines:
        if line.ends is None:
            continue
        seen = [sight.of(line.ends) for sight in sights]
        n = int(np.argmax([np.linalg.norm(ends[1] - ends[0]).round(3) for ends in seen]))
        _draw_line(sights[n], line, seen[n], scale, drawn[n])


def _room_for(ends: Array, drawn: Sequence[_Drawn], half_px: Array) -> tuple[float, Array]:
    """How far aside (px) a line has the most room, and where its label has; all in px."""
    way, across = _directions(ends)
    tries = []
    for lane in (0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5):
        moved = ends + across * lane * _APART_PX
        points = np.linspace(moved[0], moved[1], 24)
        beside = [
            np.linalg.norm(points[:, None] - other.points, axis=2).min()
            for other in drawn
            if abs(other.way @ way) > _ALIKE
        ]
        crowded = _APART_PX - min([*beside, _APART_PX])
        outside = max(float((np.abs(points) + _APART_PX - half_px).max()), 0.0)
        for share in (0.5, 0.3, 0.7, 0.15, 0.85):
            label = moved[0] + share * (moved[1] - moved[0])
            hidden = sum((np.abs(other.label - label) < _LABEL_PX).all() for other in drawn)
            cost = crowded + 4 * outside + _APART_PX * hidden
            tries.append((round(float(cost), 3), abs(lane), abs(share - 0.5), lane, share))
    *_, lane, share = min(tries)
    moved = ends + across * lane * _APART_PX
    return lane * _APART_PX, moved[0] + share * (moved[1] - moved[0])


def _directions(ends: Array) -> tuple[Array, Array]:
    """Unit vectors along a line and across it."""
    way = (ends[1] - ends[0]) / max(float(np.linalg.norm(ends[1] - ends[0])), 1e-9)
    return way, np.array([-way[1], way[0]])


def _draw_line(
    sight: Sight, line: _Dimension, ends: Array, scale: Normalize, drawn: list[_Drawn]
) -> None:
    """A dimension line with its label, beside those that are there already."""
    ax, one = sight.ax, line.one
    mm_per_px = float(np.ptp(ax.get_xlim()) / ax.get_window_extent().width)
    half_px = np.array([np.ptp(ax.get_xlim()), np.ptp(ax.get_ylim())]) / 2 / mm_per_px
    way, across = _directions(ends)
    aside_px, label_px = _room_for(ends / mm_per_px, drawn, half_px)
    shift, label = across * aside_px * mm_per_px, label_px * mm_per_px
    moved = ends + shift
    drawn.append(_Drawn(np.linspace(moved[0], moved[1], 24) / mm_per_px, label_px, way))
    if np.abs(shift).max() > 0:
        for end, place in zip(ends, moved, strict=True):
            ax.plot(*np.stack([end, place]).T, color=INK, lw=0.8, ls=":")
    colour: Any = _UNKNOWN
    text = "not measured"
    if one.deviation_mm is not None:
        colour, text = DEVIATION(scale(one.deviation_mm)), f"{one.deviation_mm:+.2f} mm"
    rim = [withStroke(linewidth=7, foreground=INK)]
    tick = across * 7 * mm_per_px
    for place in moved:
        ax.plot(*np.stack([place - tick, place + tick]).T, color=INK, lw=1.5)
    ax.plot(*moved.T, color=colour, lw=4.5, path_effects=rim, solid_capstyle="butt")
    sign = signed(one.verdict)[0][0]
    flat = abs(way[0]) >= abs(way[1])
    ax.annotate(
        f"{line.number}: {text} {sign}",
        (label[0], label[1]),
        textcoords="offset points",
        xytext=(0, 5) if flat else (6, 0),
        ha="center" if flat else "left",
        va="bottom" if flat else "center",
        fontsize=9,
        fontweight="bold",
        color=INK,
        bbox={"boxstyle": "square,pad=0.15", "facecolor": PAPER, "edgecolor": INK, "lw": 0.6},
    )


def _colour_bar(
    figure: Figure, scale: Normalize, action_mm: float, foot: float, high: float
) -> None:
    bar = figure.add_axes((0.935, foot + 0.08 * high, 0.015, 0.68 * high))
    figure.colorbar(ScalarMappable(scale, DEVIATION), cax=bar, extend="both")
    limit = float(scale.vmax or 0.0)
    reported = min(action_mm, limit)
    levels = sorted({-limit, -reported, 0.0, reported, limit})
    bar.set_yticks(levels, [f"{level:+g}" if level else "0" for level in levels])
    for level in levels:
        bar.axhline(level, color=INK, lw=1)
    bar.set_title("mm\n+ too large", fontsize=9, color=INK)
