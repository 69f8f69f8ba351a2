"""Whether the inside of a part is filled: hollow places, cut lines, open skins, thin infill."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labkit.slicing.deviation import Deviation, in_layers, runs
from labkit.slicing.features import role_of
from labkit.slicing.fidelity.outlines import Area, edges
from labkit.slicing.layering import SAME_HEIGHT_MM, Layers, motion_rank
from labkit.slicing.nearness import Lines, samples
from labkit.slicing.setpoints import stated_number
from labkit.slicing.toolpath import Toolpath

Array = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

STEP_MM = 1.0
MOST_POINTS = 3_000_000
REACH_MM = 6.0

CUT_MM = 1.5
"""From the end of a line of infill to the next line; files of PrusaSlicer: at most 0.9 mm."""

HOLLOW = 1.25
HOLLOW_MM = 0.5
"""A place is hollow if the nearest line is farther than this factor of the usual, and so much."""

_ROUND = 1.05
_CELL_LINES = {
    **dict.fromkeys(("rectilinear", "alignedrectilinear", "monotonic", "line", "zigzag"), 1.0),
    "grid": 2.0,  # half of the lines each way
}
_WIDEST_CELL = 3.0
"""Width of the cells of an infill pattern, in spacings of its lines; others at most the last."""

OPEN_MM = 0.35
"""Where all should be filled: from a point to the edge of the nearest line."""

OPEN_MM2 = 2.0
DENSITY = 0.4
"""How much less than asked for, relative, in layers with room for infill."""

ROOM = 0.35
ROOM_MM3 = 10.0
"""What walls and solid lines leave of a layer: a share, and a volume."""

LITTLE_ROOM = 0.15
NEARLY_NONE = 0.2
"""In less room only infill that is nearly missing is a deviation."""

BARE_MM = 5.0
BARE = 0.02

OUTSIDE_MM = 0.2
SUPPORT_MM = 0.6
OUTSIDE_LENGTH_MM = 0.5


@dataclass(frozen=True)
class Inside:
    """Points inside the sections of a part, on one lattice for all layers, mm.

    ``points`` (n, 2) float64, ``layer`` (n,) int64; ``mask`` (layers, rows, columns) bool:
    which points of the lattice, from ``low`` on, are inside; ``empty`` (n,) float64: from
    each point to the edge of the nearest line, negative where it lies on one; ``line`` (n,)
    the move.
    """

    points: Array
    layer: Whole
    mask: Mask
    empty: Array
    line: Whole
    low: Array
    step_mm: float

    def contains(self, points: Array, layer: Whole) -> Mask:
        """(n,) bool: whether the nearest point of the lattice is inside the part."""
        column, row = np.floor((points - self.low) / self.step_mm).astype(np.int64).T
        rows, columns = self.mask.shape[1:]
        known = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
        found = np.zeros(len(points), bool)
        found[known] = self.mask[layer[known], row[known], column[known]]
        return found

    def grid(self, values: Array) -> Array:
        """(layers, rows, columns) float64: values of the points, −∞ outside."""
        grid = np.full(self.mask.shape, -np.inf)
        grid[self.mask] = values
        return grid


def inside_of(sections: Sequence[Area], lines: Lines, rows: Whole, half_width_mm: Array) -> Inside:
    """The lattice inside sections, and how far each point is from the nearest line.

    Parameters
    ----------
    lines : all lines of the part; ``rows`` says which move each is, ``half_width_mm`` (n,)
        half its width.
    """
    boxes = np.array([area.bounds() for area in sections if not area.is_empty()])
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    square = sum(area.area() for area in sections)
    box = float(np.prod(high - low)) * len(sections)
    step = max(STEP_MM, np.sqrt(max(square / MOST_POINTS, box / (20 * MOST_POINTS))))
    x = np.arange(low[0] + step / 2, high[0], step)
    y = np.arange(low[1] + step / 2, high[1], step)
    mask = np.stack([_inside(area, x, y) for area in sections])
    layer, row, column = np.nonzero(mask)
    points = np.column_stack([x[column], y[row]])
    distance, line, _ = lines.nearest(points, layer)
    known = line >= 0
    empty = np.where(known, distance - np.where(known, half_width_mm[line], 0), REACH_MM)
    return Inside(points, layer, mask, empty, np.where(known, rows[line], -1), low, step)


def _inside(area: Area, x: Array, y: Array) -> Mask:
    """(rows, columns) bool: which points of a lattice lie in an area; even-odd, row by row."""
    turns = np.zeros((len(y), len(x) + 1), np.int64)
    a, b = edges(area)
    if len(a):
        step = y[1] - y[0] if len(y) > 1 else 1.0
        low, high = np.minimum(a[:, 1], b[:, 1]), np.maximum(a[:, 1], b[:, 1])
        first = np.ceil((low - y[0]) / step).astype(np.int64).clip(0)
        last = np.ceil((high - y[0]) / step).astype(np.int64).clip(max=len(y))
        count = np.maximum(last - first, 0)
        edge = np.repeat(np.arange(len(a)), count)
        row = first[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count)
        share = (y[row] - a[edge, 1]) / (b[edge, 1] - a[edge, 1])
        at = a[edge, 0] + share * (b[edge, 0] - a[edge, 0])
        np.add.at(turns, (row, np.searchsorted(x, at)), 1)
    return np.asarray(np.cumsum(turns, axis=1)[:, :-1] % 2 == 1)


def hollows(
    toolpath: Toolpath,
    layers: Layers,
    inside: Inside,
    infill_percent: float | None,
    settings: dict[str, str],
) -> Iterator[Deviation]:
    """Places in the infill that are emptier than its pattern leaves them."""
    is_infill = _is_role(toolpath, "infill")
    sparse = (inside.line >= 0) & is_infill[inside.line]
    if not sparse.any():
        return
    width = float(np.median(toolpath.width_mm[is_infill]))
    if infill_percent and width > 0:
        cell = _CELL_LINES.get(settings.get("fill_pattern", ""), _WIDEST_CELL)
        height = float(np.median(layers.height_mm))
        # lines are set as far apart as their rounded sides allow: 100 % has no gaps
        spacing = (width - height * (1 - np.pi / 4)) / (infill_percent / 100)
        usual = max(cell * spacing / 2 - width / 2, 0.0)
        limit = _ROUND * usual + HOLLOW_MM
    else:
        # by layers, so that a hollow of a few layers does not change what is usual
        most = np.zeros(len(layers))
        np.maximum.at(most, inside.layer[sparse], inside.empty[sparse])
        usual = float(np.percentile(most[most > 0], 90)) if (most > 0).any() else 0.0
        limit = HOLLOW * usual + HOLLOW_MM
    yield from _places(
        layers,
        inside,
        inside.empty > limit,
        "void",
        lambda value: (
            f"a hollow place: the nearest line is {value:.1f} mm away, in this infill "
            f"it is at most {usual:.1f} mm"
        ),
        limit,
        least_points=1,
    )


def skins(layers: Layers, inside: Inside, settings: dict[str, str]) -> Iterator[Deviation]:
    """Top and bottom faces, as thick as the settings say, that are not filled."""
    empty = inside.grid(inside.empty)
    for side, key, step in (("top", "top_solid_layers", 1), ("bottom", "bottom_solid_layers", -1)):
        stated = stated_number(settings, key)
        deep = int(1 if stated is None else stated)
        if not deep:
            continue
        mask = inside.mask
        beyond = np.zeros_like(mask)
        if step == 1:
            beyond[:-1] = mask[1:]
        else:
            beyond[1:] = mask[:-1]
        face = _inner(mask & ~beyond)
        solid = face.copy()
        for number in range(1, deep):
            if step == 1:
                solid[:-number] |= face[number:] & mask[:-number]
            else:
                solid[number:] |= face[:-number] & mask[number:]
        open_ = solid & (empty > OPEN_MM)
        yield from _places(
            layers,
            inside,
            open_[inside.mask],
            "skin",
            f"a {side} face that is not filled, {{:.1f}} mm to the next line".format,
            OPEN_MM,
            least_points=int(np.ceil(OPEN_MM2 / inside.step_mm**2)),
        )


def _inner(mask: Mask) -> Mask:
    """The points whose eight neighbours in the layer are chosen too."""
    padded = np.pad(mask, ((0, 0), (1, 1), (1, 1)))
    inner = mask.copy()
    rows, columns = mask.shape[1:]
    for down in range(3):
        for right in range(3):
            inner &= padded[:, down : down + rows, right : right + columns]
    return inner


def cut_lines(toolpath: Toolpath, layers: Layers, rows: Whole) -> Iterator[Deviation]:
    """Lines of infill that end in the air instead of at a wall.

    ``rows`` are the moves that lay down the part, in order.
    """
    infill = _is_role(toolpath, "infill")[rows]
    mine, others = rows[infill], rows[~infill]
    if not len(mine) or not len(others):
        return
    rank, layer = motion_rank(toolpath)[mine], layers.of_move[mine]
    ends = np.flatnonzero((np.diff(rank) != 1) | (np.diff(layer) != 0))
    first, last = mine[np.r_[0, ends + 1]], mine[np.r_[ends, len(mine) - 1]]
    points = np.vstack([toolpath.start[first, :2], toolpath.end[last, :2]])
    moves = np.r_[first, last]
    walls = Lines(
        toolpath.start[others, :2], toolpath.end[others, :2], layers.of_move[others], REACH_MM
    )
    distance, _, _ = walls.nearest(points, layers.of_move[moves])
    distance = np.minimum(distance, REACH_MM)
    bad = distance > CUT_MM
    for begin, count in runs(layers.of_move[moves[bad]]):
        here = bad & (layers.of_move[moves] >= begin) & (layers.of_move[moves] < begin + count)
        at = int(np.flatnonzero(here)[distance[here].argmax()])
        yield in_layers(
            layers,
            "cut",
            begin,
            count,
            float(distance[at]),
            CUT_MM,
            "mm",
            f"{here.sum()} ends of infill lines in the air, up to {distance[at]:.1f} mm from the "
            "next line",
            (float(points[at, 0]), float(points[at, 1])),
            line=int(toolpath.line[moves[at]]),
        )


def density(
    toolpath: Toolpath,
    layers: Layers,
    area_mm2: Array,
    filament_mm2: float,
    infill_percent: float | None,
) -> Iterator[Deviation]:
    """Infill that is much thinner than asked for, else than in the other layers.

    Infill's plastic over the volume that walls and solid lines leave free.  Small areas come
    out denser, since the infill's ends run along the walls: only too little is a deviation.
    """
    infill = _is_role(toolpath, "infill")
    plastic = np.maximum(toolpath.extruded_mm, 0) * filament_mm2
    sparse = layers.total(np.where(infill, plastic, 0))
    rest = layers.total(np.where(infill, 0, plastic))
    room = area_mm2 * layers.height_mm - rest
    space = area_mm2 * layers.height_mm
    wide = (room > ROOM * space) & (room > ROOM_MM3)
    some = (room > LITTLE_ROOM * space) & (room > ROOM_MM3) & ~wide
    if not wide.any():
        return
    share = 100 * sparse / np.where(wide | some, room, np.inf)
    usual = float(np.median(share[wide]))
    wanted = usual if infill_percent is None else infill_percent
    least = np.where(wide, 1 - DENSITY, NEARLY_NONE) * wanted
    for first, count in runs(np.flatnonzero((wide | some) & (share < least))):
        value = float(share[first : first + count].mean())
        yield in_layers(
            layers,
            "infill",
            first,
            count,
            value,
            float(least[first]),
            "%",
            f"infill of {value:.1f} % instead of {wanted:.0f} %",
        )


def outside(
    toolpath: Toolpath, layers: Layers, inside: Inside, rims: tuple[Array, Array, Whole]
) -> Iterator[Deviation]:
    """Lines of the part that lie beside it, and support inside it.

    ``rims`` are start, end and layer of the edges of the part's sections.
    """
    z = toolpath.end[:, 2]
    at = np.searchsorted(layers.z_mm, z - SAME_HEIGHT_MM)
    bottom = np.append(layers.z_mm - layers.height_mm, np.inf)[at]
    support = _is_role(toolpath, "support") & toolpath.extruding & (z > bottom + SAME_HEIGHT_MM)
    near = Lines(*rims, OUTSIDE_MM + SUPPORT_MM)
    for chosen, sign, limit, words in (
        (layers.of_move >= 0, 1, OUTSIDE_MM, "are laid down beside the part"),
        (support, -1, SUPPORT_MM, "of support are laid down inside the part"),
    ):
        rows = np.flatnonzero(chosen)
        points, line = samples(toolpath.start[rows, :2], toolpath.end[rows, :2], STEP_MM)
        layer = at[rows][line]
        distance, edge, side = near.nearest(points, layer)
        far = np.where(inside.contains(points, layer), -1, 1)
        wrong = np.where(edge >= 0, (distance > limit) & (side == sign), far == sign)
        share = toolpath.distance_mm[rows] / np.maximum(np.bincount(line, minlength=len(rows)), 1)
        length = np.bincount(layer[wrong], share[line[wrong]], len(layers))
        for first, count in runs(np.flatnonzero(length > OUTSIDE_LENGTH_MM)):
            place = int(np.flatnonzero(wrong & (layer >= first) & (layer < first + count))[0])
            longest = float(length[first : first + count].max())
            yield in_layers(
                layers,
                "hidden",
                first,
                count,
                longest,
                OUTSIDE_LENGTH_MM,
                "mm",
                f"{longest:.1f} mm of lines in a layer {words}",
                (float(points[place, 0]), float(points[place, 1])),
                line=int(toolpath.line[rows[line[place]]]),
            )


def walls(
    layers: Layers,
    sections: Sequence[Area],
    lines: Lines,
    half_width_mm: Array,
    width_mm: float,
) -> Iterator[Deviation]:
    """Stretches of the second line of the wall that are missing."""
    bands = [edges(area.offset(-1.5 * width_mm)) for area in sections]
    start, end = (np.vstack([band[side] for band in bands]) for side in (0, 1))
    number = np.repeat(np.arange(len(bands)), [len(band[0]) for band in bands])
    if not len(start):
        return
    points, edge = samples(start, end, STEP_MM)
    layer = number[edge]
    distance, line, _ = lines.nearest(points, layer)
    known = line >= 0
    empty = np.where(known, distance - np.where(known, half_width_mm[line], 0), REACH_MM)
    piece = np.hypot(*(end - start).T) / np.bincount(edge, minlength=len(start))
    bare = empty > OPEN_MM / 2
    open_mm = np.bincount(layer[bare], piece[edge[bare]], len(layers))
    whole_mm = np.bincount(layer, piece[edge], len(layers))
    for first, count in runs(np.flatnonzero(open_mm > BARE_MM + BARE * whole_mm)):
        here = np.flatnonzero(bare & (layer >= first) & (layer < first + count))
        at = int(here[empty[here].argmax()])
        longest = float(open_mm[first : first + count].max())
        yield in_layers(
            layers,
            "wall",
            first,
            count,
            longest,
            BARE_MM,
            "mm",
            f"{longest:.1f} mm of the wall's second line are missing in a layer",
            (float(points[at, 0]), float(points[at, 1])),
        )


def _is_role(toolpath: Toolpath, role: str) -> Mask:
    return np.array([role_of(name) == role for name in toolpath.features])[toolpath.feature]


def _places(
    layers: Layers,
    inside: Inside,
    bad: Mask,
    rule: str,
    words: Callable[[float], str],
    limit: float,
    least_points: int,
) -> Iterator[Deviation]:
    number = np.bincount(inside.layer[bad], minlength=len(layers))
    for first, count in runs(np.flatnonzero(number >= least_points)):
        here = np.flatnonzero(bad & (inside.layer >= first) & (inside.layer < first + count))
        at = int(here[inside.empty[here].argmax()])
        value = float(inside.empty[at])
        yield in_layers(
            layers,
            rule,
            first,
            count,
            value,
            limit,
            "mm",
            words(value),
            (float(inside.points[at, 0]), float(inside.points[at, 1])),
        )
