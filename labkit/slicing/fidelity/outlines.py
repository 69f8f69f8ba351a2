"""Outlines of each layer: as the outer walls will lay it down, and as the part has it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import manifold3d
import numpy as np
import numpy.typing as npt
import trimesh

from labkit.slicing.features import role_of
from labkit.slicing.layering import Layers, motion_rank
from labkit.slicing.toolpath import Toolpath

Array = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Area: TypeAlias = manifold3d.CrossSection
Edges: TypeAlias = tuple[Array, Array, Whole, Whole]

ROUND = manifold3d.JoinType.Round
SEGMENTS = 16
"""Corners of a round join: 0.004 mm off at half a line of 0.45 mm."""

CLOSED_MM = 1.0
"""A run of wall whose ends are nearer than this is a loop: slicers leave a gap at the seam."""

_BESIDE = 1.3
_SAME_WIDTH_MM = 0.01


@dataclass(frozen=True)
class Wall:
    """One run of an outer wall without a break: its centre line and mean width, mm.

    ``thin``: it is all there is of a thin wall, though it may run in a ring.
    """

    points: Array
    width_mm: float
    line: int
    thin: bool = False

    @property
    def gap_mm(self) -> float:
        """From its end to its start, mm."""
        return float(np.hypot(*(self.points[-1] - self.points[0])))

    @property
    def closed(self) -> bool:
        """Whether it is a loop: thin walls may be so short that their ends are near, too."""
        if self.thin or len(self.points) < 4:
            return False
        length = float(np.hypot(*np.diff(self.points, axis=0).T).sum())
        return self.gap_mm < min(CLOSED_MM, length / 4)


def outer_walls(
    toolpath: Toolpath, layers: Layers, width_mm: Array
) -> tuple[list[list[Wall]], dict[int, list[Wall]]]:
    """The outer walls of each layer, and walls over air that seem to be inner ones, by layer.

    Parameters
    ----------
    width_mm : (n,) float64, of the line that each move of the tool path lays.

    A run goes on over lines that only set a speed, and over a change between wall and
    overhang: only a travel or a retraction ends it.
    """
    kinds = np.array([_kind(name) for name in toolpath.features])[toolpath.feature]
    layer = layers.of_move
    rank = motion_rank(toolpath)
    rows = np.flatnonzero((kinds > 0) & toolpath.extruding & (layer >= 0))
    found: list[list[Wall]] = [[] for _ in range(len(layers))]
    overhangs: list[tuple[int, Wall]] = []
    if not len(rows):
        return found, {}
    ends = (np.diff(rank[rows]) != 1) | (layer[rows[1:]] != layer[rows[:-1]])
    begin = np.maximum.accumulate(np.where(np.r_[True, ends], np.arange(len(rows)), 0))
    # an inner wall may run on into the outer one: what the last wall was that is no overhang
    plain = kinds[rows] != 3
    before = np.maximum.accumulate(np.where(plain, np.arange(len(rows)), -1))[:-1]
    known = plain[1:] & (before >= begin[1:])
    turns = known & ((kinds[rows][1:] == 2) != (kinds[rows][before] == 2))
    for run in np.split(rows, np.flatnonzero(ends | turns) + 1):
        kind = kinds[run]
        if (kind == 2).any():
            continue
        points = np.vstack([toolpath.start[run[:1], :2], toolpath.end[run, :2]])
        outer = run[kind == 1] if (kind == 1).any() else run
        way = np.hypot(*(toolpath.end[outer, :2] - toolpath.start[outer, :2]).T)
        width = float(np.average(width_mm[outer], weights=way))
        wall = Wall(points, width, int(toolpath.line[run[0]]))
        if (kind == 1).any():
            found[layer[run[0]]].append(wall)
        else:
            overhangs.append((int(layer[run[0]]), wall))
    numbers = {at for at, _ in overhangs}
    inner = {
        at: _add_overhangs([wall for number, wall in overhangs if number == at], found[at])
        for at in numbers
    }
    return found, inner


def _add_overhangs(walls: list[Wall], outer: list[Wall]) -> list[Wall]:
    """Of walls that are all overhang, add those that are outer ones; the others are returned.

    Of those that run side by side one is an outer wall: around the part the largest, around
    a hole the smallest; none where they run beside a wall that is named.  Of a ring of two
    lines one is taken for an inner wall: only the part can tell.
    """
    named = list(outer)
    beside: list[list[Wall]] = []
    for wall in sorted(walls, key=lambda one: -float(np.ptp(one.points, axis=0).prod())):
        known = next((group for group in beside if _beside(wall, group)), None)
        if known is None:
            beside.append([wall])
        else:
            known.append(wall)
    left = []
    for group in beside:
        if any(_beside(wall, named) for wall in group):
            left += group
            continue
        chosen = group[-1] if _depth(group[0].points[0], outer) % 2 else group[0]
        outer.append(chosen)
        left += [wall for wall in group if wall is not chosen]
    return left


def _depth(point: Array, walls: list[Wall]) -> int:
    """How many of the closed walls go around a point."""
    depth = 0
    for wall in walls:
        if wall.closed:
            a, b = wall.points, np.roll(wall.points, -1, axis=0)
            crosses = (a[:, 1] > point[1]) != (b[:, 1] > point[1])
            a, b = a[crosses], b[crosses]
            at = a[:, 0] + (point[1] - a[:, 1]) * (b[:, 0] - a[:, 0]) / (b[:, 1] - a[:, 1])
            depth += int((at > point[0]).sum() % 2)
    return depth


def _kind(name: str) -> int:
    """1: outer wall, 2: inner wall, 3: a wall over air, which may be either; 0: no wall."""
    role, words = role_of(name), name.casefold()
    if "overhang" in words:
        return 3
    if role == "inner wall":
        return 0 if "gap" in words else 2
    return 1 if role == "outer wall" else 0


def _beside(wall: Wall, others: list[Wall]) -> bool:
    """Whether a wall that is all overhang runs along an outer wall: it is an inner one then."""
    near = np.full(len(wall.points), np.inf)
    for other in others:
        a, way = other.points[:-1], np.diff(other.points, axis=0)
        square = np.maximum((way**2).sum(axis=1), 1e-12)
        offset = wall.points[:, None] - a
        share = np.clip((offset * way).sum(axis=2) / square, 0, 1)
        away = offset - share[..., None] * way
        near = np.minimum(near, np.sqrt((away**2).sum(axis=2)).min(axis=1))
    return float(np.mean(near < _BESIDE * wall.width_mm)) > 0.8


def printed_area(walls: list[Wall]) -> Area:
    """What outer walls enclose, with their width; what is enclosed twice is a hole.

    Walls that do not close are thin walls, as wide as they are stated.
    """
    loops = [wall for wall in walls if wall.closed]
    if loops:
        least = min(wall.width_mm for wall in loops)
        enclosed = Area([wall.points[:-1] for wall in loops], manifold3d.FillRule.EvenOdd)
        area = enclosed.offset(least / 2, ROUND, 2.0, SEGMENTS)
        for wall in loops:
            if wall.width_mm > least + _SAME_WIDTH_MM:
                area += _band(wall)
    else:
        area = Area()
    thin = [rim for wall in walls if not wall.closed for rim in _rims(wall)]
    return area + Area(thin, manifold3d.FillRule.NonZero) if thin else area


def _band(wall: Wall) -> Area:
    inside = Area([wall.points[:-1]], manifold3d.FillRule.EvenOdd)
    half = wall.width_mm / 2
    outer = inside.offset(half, ROUND, 2.0, SEGMENTS)
    return outer - inside.offset(-half, ROUND, 2.0, SEGMENTS)


def _rims(wall: Wall) -> list[Array]:
    """Each line of a thin wall as a rectangle, (4, 2) float64, mm, anticlockwise."""
    way = np.diff(wall.points, axis=0)
    unit = way / np.hypot(*way.T)[:, None]
    across = np.column_stack([-unit[:, 1], unit[:, 0]]) * wall.width_mm / 2
    a, b = wall.points[:-1], wall.points[1:]
    return list(np.stack([a - across, b - across, b + across, a + across], axis=1))


class Sections:
    """Sections of a part at heights, whether its surface is closed or not.

    Parameters
    ----------
    part : in the printer's frame but for ``shift_mm``, which is added, (3,) mm.
    """

    def __init__(
        self, part: trimesh.Trimesh | manifold3d.Manifold, shift_mm: npt.ArrayLike = (0, 0, 0)
    ) -> None:
        shift = np.asarray(shift_mm, float)
        self._mesh: trimesh.Trimesh | None = None
        if isinstance(part, manifold3d.Manifold):
            self._body = part.translate(shift)
        else:
            mesh = part.copy()
            mesh.merge_vertices()
            mesh.apply_translation(shift)
            self._body = manifold3d.Manifold(
                manifold3d.Mesh64(
                    vert_properties=np.asarray(mesh.vertices, np.float64),
                    tri_verts=np.asarray(mesh.faces, np.uint64),
                )
            )
            if self._body.status() != manifold3d.Error.NoError or self._body.volume() <= 0:
                self._mesh = mesh
        box = self._mesh.bounds.ravel() if self._mesh else np.array(self._body.bounding_box())
        self.low, self.high = box[:3], box[3:]

    @property
    def exact(self) -> bool:
        """Whether the surface is closed, so that its sections are too."""
        return self._mesh is None

    def at(self, z_mm: float) -> Area:
        """The section at a height, mm."""
        if self._mesh is None:
            return self._body.slice(z_mm)
        cut = self._mesh.section(plane_origin=[0, 0, z_mm], plane_normal=[0, 0, 1])
        if cut is None:
            return Area()
        loops = [path[:, :2] for path in cut.discrete if len(path) > 3]
        return Area(loops, manifold3d.FillRule.EvenOdd)


def edges(area: Area) -> tuple[Array, Array]:
    """Start and end of all edges of an area, (n, 2) float64 each, mm; the material on the left."""
    loops = [np.asarray(loop) for loop in area.to_polygons()]
    if not loops:
        return np.empty((0, 2)), np.empty((0, 2))
    return np.vstack(loops), np.vstack([np.roll(loop, -1, axis=0) for loop in loops])


def edges_of(areas: Sequence[Area]) -> Edges:
    """Start, end, layer and number of the contour of all edges of areas, (n, …) each."""
    loops, layer = [], []
    for number, area in enumerate(areas):
        for loop in area.to_polygons():
            loops.append(np.asarray(loop))
            layer.append(number)
    if not loops:
        nothing = np.empty(0, np.int64)
        return np.empty((0, 2)), np.empty((0, 2)), nothing, nothing
    sizes = [len(loop) for loop in loops]
    return (
        np.vstack(loops),
        np.vstack([np.roll(loop, -1, axis=0) for loop in loops]),
        np.repeat(np.array(layer), sizes),
        np.repeat(np.arange(len(loops)), sizes),
    )


def opened(area: Area, radius_mm: float) -> Area:
    """What a disc of this radius can reach inside an area."""
    inner = area.offset(-radius_mm, ROUND, 2.0, SEGMENTS)
    return inner.offset(radius_mm, ROUND, 2.0, SEGMENTS)


def apart(one: Area, other: Area) -> float:
    """What lies in only one of two areas, mm²."""
    return float(one.area() + other.area() - 2 * (one ^ other).area())
