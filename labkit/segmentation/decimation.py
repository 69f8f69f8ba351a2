"""A surface with fewer triangles: points that hardly shape it are folded into a neighbour.

The error of a fold is that of its quadric (Garland and Heckbert 1997, doi
10.1145/258734.258849).  A fold is made only where it leaves the surface a closed manifold: the
link condition (Dey, Edelsbrunner, Guha and Nekhayev 1999, Publications de l'Institut
Mathématique 66, 23-45).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labkit.compiled import compiled, in_threads
from labkit.surface import Indices
from labkit.volume import Array

Short = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]
Parts = npt.NDArray[np.int8]
_Quadrics = npt.NDArray[np.float32]
_Told = tuple[Parts, Flags, int, Parts, float]

FIRST_SHARE = 0.5
"""Of the tolerance, in the first sweep: the cheapest folds come first."""

WORTH_A_SWEEP = 0.05
"""Of the points: when a sweep folds fewer, it was the last."""

LEAST_COSINE = 0.5
"""Of the turn of a triangle: one that turns by more than 60° in one fold may fold over."""

LEAST_HEIGHT = 0.1
"""Of a triangle's longest side: flatter ones have no reliable normal."""

_MOST_SWEEPS = 40
_PARTS = 6
_LEAST_PART = 10_000
_MOST = 40
"""Neighbours of a point."""


@dataclass(frozen=True)
class HalfEdges:
    """Triangles as half-edges: number h runs from ``corner[h]`` to the next corner of h // 3.

    Parameters
    ----------
    corner : (3 m,) int32: the points of the triangles; −1 where a triangle is gone.
    twin : (3 m,) int32: the half-edge that runs the other way; −1 without one.
    first : (n,) int32: a half-edge that leaves each point; −1 for a point without triangles.
    single : (n,) bool: points whose triangles are one closed fan, and their edges of two triangles
        each, as on a manifold.
    """

    corner: Short
    twin: Short
    first: Short
    single: Flags

    @property
    def manifold(self) -> bool:
        """Whether the triangles make a closed surface that is manifold everywhere."""
        return bool((self.single | (self.first < 0)).all())


def half_edges(triangles: Indices, count: int) -> HalfEdges:
    """The half-edges of triangles (m, 3) of so many points."""
    corner = triangles.astype(np.int32).ravel()
    twin, first, single = _paired(corner, count)
    return HalfEdges(corner, twin, first, single)


def folded(
    points: Array, edges: HalfEdges, tolerance_mm: float
) -> tuple[Array, npt.NDArray[np.int32]]:
    """Fewer of the points (k, 3), mm, and the triangles (j, 3) between them.

    Points that are kept stay where they are.  Where the surface was a closed manifold it is one
    afterwards; where it was not, nothing changes.  The half-edges are used up.

    Parameters
    ----------
    points : (n, 3) float64, mm; neighbours near each other in the array, as contours have them.
    tolerance_mm : the root mean square, by area, of the distances from the planes of all
        triangles that a point stands for.  Single points were found up to 7 times as far.
    """
    _fold_all(points, edges, tolerance_mm)
    left = edges.corner.reshape(-1, 3)
    left = left[left[:, 0] >= 0]
    kept = edges.first >= 0
    return points[kept], (np.cumsum(kept, dtype=np.int32) - 1)[left]


def _fold_all(points: Array, edges: HalfEdges, tolerance_mm: float) -> None:
    corner, twin, first = edges.corner, edges.twin, edges.first
    quadrics, touched = _quadrics(points, corner), np.zeros(len(points), np.int8)
    settled = np.zeros(len(points), np.bool_)
    size = max(_LEAST_PART, -(-len(points) // _PARTS))
    for sweep in range(_MOST_SWEEPS):
        share = 1.0 if sweep else FIRST_SHARE
        # Each part is a thread's own, but for its border; the next sweep has other borders.
        offset = size // 2 * (sweep % 2)
        part_of = _part_of(corner, len(points), size, offset)
        settled &= sweep > 1
        told = touched, settled, sweep + 1, part_of, (share * tolerance_mm) ** 2

        def fold(begin: int, told: _Told = told) -> int:
            mine = max(begin, 0), min(begin + size, len(points))
            return _sweep(points, corner, twin, first, edges.single, quadrics, *told, *mine)

        gone = sum(in_threads(fold, range(-offset, len(points), size)))
        if sweep and gone < WORTH_A_SWEEP * np.count_nonzero(first >= 0):
            break


@compiled
def _next(h: int) -> int:
    return h - 2 if h % 3 == 2 else h + 1


@compiled
def _before(h: int) -> int:
    return h + 2 if h % 3 == 0 else h - 1


@compiled
def _paired(corner: Short, count: int) -> tuple[Short, Short, Flags]:
    """Twin of each half-edge, first half-edge and single fan of each point."""
    start = np.zeros(count + 1, np.int32)
    for h in range(len(corner)):
        start[min(corner[h], corner[_next(h)]) + 1] += 1
    for v in range(count):
        start[v + 1] += start[v]
    held = np.empty(len(corner), np.int32)
    for h in range(len(corner)):
        v = min(corner[h], corner[_next(h)])
        held[start[v]] = h
        start[v] += 1
    twin = np.full(len(corner), -1, np.int32)
    doubled = np.zeros(count, np.bool_)
    begin = 0
    for v in range(count):
        for i in range(begin, start[v]):
            h = held[i]
            a, b = corner[h], corner[_next(h)]
            for j in range(i + 1, start[v]):
                g = held[j]
                one, two = corner[g], corner[_next(g)]
                if one == a and two == b:  # four triangles on one edge
                    doubled[a] = doubled[b] = True
                elif one == b and two == a and twin[h] < 0 and twin[g] < 0:
                    twin[h], twin[g] = g, h
        begin = start[v]
    first, fan = np.full(count, -1, np.int32), np.zeros(count, np.int32)
    for h in range(len(corner)):
        first[corner[h]] = h
        fan[corner[h]] += 1
    single = np.zeros(count, np.bool_)
    for v in range(count):
        h = first[v]
        for n in range(fan[v]):
            h = twin[_before(h)]
            if h < 0 or h == first[v]:
                single[v] = h >= 0 and n + 1 == fan[v] and not doubled[v]
                break
    return twin, first, single


@compiled
def _quadrics(points: Array, corner: Short) -> _Quadrics:
    """(n, 10): of each point, about itself: xx, xy, xz, yy, yz, zz; x, y, z; 1."""
    quadrics = np.zeros((len(points), 10), np.float32)
    for t in range(0, len(corner), 3):
        a, b, c = points[corner[t]], points[corner[t + 1]], points[corner[t + 2]]
        x, y, z = _cross(
            b[0] - a[0], b[1] - a[1], b[2] - a[2], c[0] - a[0], c[1] - a[1], c[2] - a[2]
        )
        size = np.sqrt(x * x + y * y + z * z)
        if size > 0:
            for n in range(3):
                q = quadrics[corner[t + n]]
                q[0] += x * x / size
                q[1] += x * y / size
                q[2] += x * z / size
                q[3] += y * y / size
                q[4] += y * z / size
                q[5] += z * z / size
    return quadrics


@compiled
def _cross(
    ux: float, uy: float, uz: float, wx: float, wy: float, wz: float
) -> tuple[float, float, float]:
    return uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx


@compiled
def _at(q: _Quadrics, x: float, y: float, z: float) -> float:
    """The sum of area times squared distance of a place from the planes of a quadric."""
    square: float = (
        q[9]
        + 2 * (q[6] * x + q[7] * y + q[8] * z)
        + x * (q[0] * x + 2 * (q[1] * y + q[2] * z))
        + y * (q[3] * y + 2 * q[4] * z)
        + z * z * q[5]
    )
    return square


@compiled
def _part_of(corner: Short, count: int, size: int, offset: int) -> Parts:
    """(n,): which part each point belongs to; −1 where neighbours belong to another."""
    part_of = np.empty(count, np.int8)
    for v in range(count):
        part_of[v] = (v + offset) // size
    for t in range(0, len(corner), 3):
        a, b, c = corner[t], corner[t + 1], corner[t + 2]
        if a >= 0:
            part = (a + offset) // size
            if part != (b + offset) // size or part != (c + offset) // size:
                part_of[a] = part_of[b] = part_of[c] = -1
    return part_of


@compiled
def _sweep(
    points: Array,
    corner: Short,
    twin: Short,
    first: Short,
    single: Flags,
    quadrics: _Quadrics,
    touched: Parts,
    settled: Flags,
    sweep: int,
    part_of: Parts,
    square_mm2: float,
    begin: int,
    end: int,
) -> int:
    """Fold points, none beside another of this sweep, where it costs least; how many."""
    gone = 0
    around, cost = np.empty(_MOST, np.int32), np.empty(_MOST)
    for v in range(begin, end):
        if settled[v] or part_of[v] < 0 or first[v] < 0 or touched[v] == sweep or not single[v]:
            continue
        count = _costs(points, corner, twin, first, single, quadrics, part_of, v, around, cost)
        while count:
            best = 0
            for n in range(1, count):
                if cost[n] < cost[best]:
                    best = n
            if not cost[best] < square_mm2:
                settled[v] = cost[best] < np.inf  # for as long as nothing changes beside it
                break
            if _may_fold(points, corner, twin, first, part_of, around[:count], around[best]):
                for n in range(count):
                    u = corner[_next(around[n])]
                    touched[u], settled[u] = sweep, False
                _fold(points, corner, twin, first, quadrics, around[:count], around[best])
                gone += 1
                break
            cost[best] = np.inf
    return gone


@compiled
def _costs(
    points: Array,
    corner: Short,
    twin: Short,
    first: Short,
    single: Flags,
    quadrics: _Quadrics,
    part_of: Parts,
    v: int,
    around: Short,
    cost: Array,
) -> int:
    """How many half-edges leave a point; which, and the mean square, mm2, of a fold along each.

    None for a point with too many neighbours, or with one of another part.
    """
    mine, count, h = quadrics[v], 0, first[v]
    while count < _MOST:
        u = corner[_next(h)]
        if part_of[u] != part_of[v]:
            return 0
        theirs = quadrics[u]
        x, y, z = (
            points[u, 0] - points[v, 0],
            points[u, 1] - points[v, 1],
            points[u, 2] - points[v, 2],
        )
        area = mine[0] + mine[3] + mine[5] + theirs[0] + theirs[3] + theirs[5]
        square = (_at(mine, x, y, z) + theirs[9]) / max(area, 1e-30)
        cost[count] = max(square, 0.0) if single[u] else np.inf  # rounding may be below 0
        around[count] = h
        count += 1
        h = twin[_before(h)]
        if h == first[v]:
            return count
    return 0


@compiled
def _may_fold(
    points: Array,
    corner: Short,
    twin: Short,
    first: Short,
    part_of: Parts,
    around: Short,
    along: int,
) -> bool:
    """Whether the surface stays a manifold, and no triangle turns over or becomes a needle."""
    v, u = corner[along], corner[_next(along)]
    count, common, h = 0, 0, first[u]
    while True:
        w = corner[_next(h)]
        if part_of[w] != part_of[v]:
            return False
        count += 1
        for n in range(len(around)):
            common += corner[_next(around[n])] == w
        h = twin[_before(h)]
        if h == first[u]:
            break
    if common != 2 or not 7 <= count + len(around) <= _MOST:
        return False  # seven: of two points with three neighbours nothing would be left
    here, there = points[v], points[u]
    for n in range(len(around)):
        h = around[n]
        if h == along or _before(h) == twin[along]:
            continue  # a triangle on the edge itself goes
        a, b = points[corner[_next(h)]], points[corner[_before(h)]]
        ex, ey, ez = b[0] - a[0], b[1] - a[1], b[2] - a[2]
        x, y, z = there[0] - a[0], there[1] - a[1], there[2] - a[2]
        ox, oy, oz = _cross(ex, ey, ez, here[0] - a[0], here[1] - a[1], here[2] - a[2])
        nx, ny, nz = _cross(ex, ey, ez, x, y, z)
        old, new = ox * ox + oy * oy + oz * oz, nx * nx + ny * ny + nz * nz
        turn = ox * nx + oy * ny + oz * nz
        if turn <= 0 or turn * turn < LEAST_COSINE**2 * new * old:
            return False
        longest = max(
            ex * ex + ey * ey + ez * ez,
            x * x + y * y + z * z,
            (x - ex) ** 2 + (y - ey) ** 2 + (z - ez) ** 2,
        )
        if new < (LEAST_HEIGHT * longest) ** 2:
            return False
    return True


@compiled
def _fold(
    points: Array,
    corner: Short,
    twin: Short,
    first: Short,
    quadrics: _Quadrics,
    around: Short,
    along: int,
) -> None:
    """Take a point into the one at the other end of a half-edge, and its quadric with it."""
    v, u = corner[along], corner[_next(along)]
    mine, sum_ = quadrics[v], quadrics[u]
    x, y, z = points[u, 0] - points[v, 0], points[u, 1] - points[v, 1], points[u, 2] - points[v, 2]
    sum_[9] += _at(mine, x, y, z)
    sum_[6] += mine[6] + mine[0] * x + mine[1] * y + mine[2] * z
    sum_[7] += mine[7] + mine[1] * x + mine[3] * y + mine[4] * z
    sum_[8] += mine[8] + mine[2] * x + mine[4] * y + mine[5] * z
    for n in range(6):
        sum_[n] += mine[n]
    for n in range(len(around)):
        corner[around[n]] = u
    for h in (along, twin[along]):
        one, two = twin[_next(h)], twin[_before(h)]
        twin[one], twin[two] = two, one
        first[corner[one]], first[corner[two]] = one, two
        corner[h - h % 3] = -1
    first[v] = -1
