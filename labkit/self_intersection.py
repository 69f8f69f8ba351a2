"""Where a surface passes through itself.

A manifold body may: its triangles are joined properly, and still cross.  Slicers then
fill or leave out what lies between.
"""

import numpy as np
import numpy.typing as npt

from labkit.compiled import compiled, grouped, in_threads
from labkit.volume import Array

Indices = npt.NDArray[np.int64]
_Short = npt.NDArray[np.int32]
_Boxes = npt.NDArray[np.float32]
_Grid = tuple[_Short, _Boxes, _Short, float, npt.NDArray[np.int8]]

ROUNDING_MM = 1e-6
"""What passes through by less only touches: far below the 32-bit numbers of STL."""

FLAT = 0.05
"""Cosine: triangles that lean more against the direction of their fan prove nothing."""

_HALF = 0.501
"""Of a cell, and what rounding may add."""

_CHUNK = 50_000


def self_intersections(points: Array, triangles: Indices) -> Indices:
    """(n, 2) int64: pairs of triangles that pass through each other.

    Parameters
    ----------
    points : (n, 3) float64, mm.
    triangles : (m, 3) int64, of a closed surface; or such that share no points.

    Restrictions
    ------------
    Triangles that only touch, lie in one plane, or share an edge do not count.
    """
    if not len(triangles):
        return np.empty((0, 2), np.int64)
    points, corners = np.ascontiguousarray(points, float), np.asarray(triangles, np.int32)
    unfolded = _unfolded(points, corners)
    boxes = _boxes(points, corners)
    x, y, z = (boxes[:, 3:] - boxes[:, :3]).T
    size = np.maximum(np.maximum(x, y), z)  # not along the rows: that takes ten times as long
    finest_mm = max(float(np.median(size)), ROUNDING_MM)
    level = np.ceil(np.log2(np.maximum(size / finest_mm, 1))).astype(np.int8)
    del size, x, y, z
    found = [np.empty((0, 2), np.int32)]
    # Each grid is twice as coarse as the one before.  In its own a triangle meets those of its
    # size and smaller ones, which lie there by their centre.
    for this in np.unique(level):
        cell_mm = finest_mm * 2.0**this
        held = np.flatnonzero(level <= this).astype(np.int32)
        order, start = _by_cell(boxes, held, cell_mm)
        mine = np.flatnonzero(level == this).astype(np.int32)
        grid = order, boxes[order], start, cell_mm, level

        def crossing(some: _Short, grid: _Grid = grid) -> _Short:
            return _crossing(points, corners, boxes, unfolded, *grid, some)

        found += in_threads(crossing, np.array_split(mine, -(-len(mine) // _CHUNK)))
    pairs = np.concatenate(found).astype(np.int64)
    return np.unique(np.sort(pairs, axis=1), axis=0)


@compiled
def _boxes(points: Array, triangles: _Short) -> _Boxes:
    """(m, 6): the lowest and the highest corner of a box around each triangle, rounded outwards."""
    boxes = np.empty((len(triangles), 6), np.float32)
    for t in range(len(triangles)):
        for axis in range(3):
            a = points[triangles[t, 0], axis]
            b = points[triangles[t, 1], axis]
            c = points[triangles[t, 2], axis]
            low, high = np.float32(min(a, b, c)), np.float32(max(a, b, c))
            boxes[t, axis] = np.nextafter(low, np.float32(-np.inf))
            boxes[t, axis + 3] = np.nextafter(high, np.float32(np.inf))
    return boxes


@compiled
def _unfolded(points: Array, triangles: _Short) -> npt.NDArray[np.bool_]:
    """(n,) bool: points whose triangles lie side by side, seen from one direction.

    All face that way, and go round the point once: then no two of them can cross (Volino and
    Magnenat-Thalmann 1994, doi 10.1111/1467-8659.1330155).
    """
    ways = np.zeros((len(points), 3))
    for again in range(2):
        if again:
            rises, facing = np.zeros(len(points), np.int8), np.ones(len(points), np.bool_)
        for t in range(len(triangles)):
            a, b, c = points[triangles[t, 0]], points[triangles[t, 1]], points[triangles[t, 2]]
            normal = _normal(a, b, c)
            for n in range(3):
                v = triangles[t, n]
                if not again:
                    for axis in range(3):
                        ways[v, axis] += normal[axis]
                    continue
                x, y, z = ways[v]
                size = max(np.sqrt(x * x + y * y + z * z), 1e-30)
                if (x * normal[0] + y * normal[1] + z * normal[2]) / size <= FLAT:
                    facing[v] = False
                # Round the point once: of its edges, one goes from below to above some line.
                if abs(x) <= abs(y) and abs(x) <= abs(z):
                    x, y, z = 0.0, z, -y
                elif abs(y) <= abs(z):
                    x, y, z = -z, 0.0, x
                else:
                    x, y, z = y, -x, 0.0
                p, q = points[triangles[t, n - 2]], points[triangles[t, n - 1]]
                one = (
                    x * (p[0] - points[v, 0])
                    + y * (p[1] - points[v, 1])
                    + z * (p[2] - points[v, 2])
                )
                two = (
                    x * (q[0] - points[v, 0])
                    + y * (q[1] - points[v, 1])
                    + z * (q[2] - points[v, 2])
                )
                if one <= 0 < two and rises[v] < 2:
                    rises[v] += 1
    return np.asarray(facing & (rises == 1))


@compiled
def _normal(a: Array, b: Array, c: Array) -> tuple[float, float, float]:
    """Of unit length; shorter where a triangle has hardly any area."""
    ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    wx, wy, wz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    x, y, z = uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx
    size = max(np.sqrt(x * x + y * y + z * z), 1e-12)
    return x / size, y / size, z / size


@compiled
def _bucket(x: int, y: int, z: int, count: int) -> int:
    # Cells that share a bucket only bring more triangles to compare (Teschner et al. 2003,
    # Optimized Spatial Hashing for Collision Detection of Deformable Objects); here those along
    # z follow each other in memory.
    return (((x * 73856093) ^ (y * 19349663)) + z) & (count - 1)


@compiled
def _by_cell(boxes: _Boxes, held: _Short, cell_mm: float) -> tuple[_Short, _Short]:
    """The triangles by the bucket of the cell of their centre, and where each bucket begins."""
    count = 1
    while count < len(held):
        count *= 2
    bucket = np.empty(len(held), np.int32)
    for n in range(len(held)):
        box = boxes[held[n]]
        x = int(np.floor((box[0] + box[3]) / 2 / cell_mm))
        y = int(np.floor((box[1] + box[4]) / 2 / cell_mm))
        z = int(np.floor((box[2] + box[5]) / 2 / cell_mm))
        bucket[n] = _bucket(x, y, z, count)
    return grouped(held, bucket, count)


@compiled
def _crossing(
    points: Array,
    triangles: _Short,
    boxes: _Boxes,
    unfolded: npt.NDArray[np.bool_],
    order: _Short,
    near: _Boxes,
    start: _Short,
    cell_mm: float,
    level: npt.NDArray[np.int8],
    some: _Short,
) -> _Short:
    """(n, 2): the pairs of these triangles and others of the grid that cross."""
    found, hits = np.empty((64, 2), np.int32), np.empty(64, np.int32)
    count, buckets = 0, len(start) - 1
    first, last = np.empty(3, np.int64), np.empty(3, np.int64)
    for one in some:
        for axis in range(3):  # a centre lies half a cell at most from where its triangle ends
            first[axis] = int(np.floor(boxes[one, axis] / cell_mm - _HALF))
            last[axis] = int(np.floor(boxes[one, axis + 3] / cell_mm + _HALF))
        met = 0
        for x in range(first[0], last[0] + 1):
            for y in range(first[1], last[1] + 1):
                z = first[2]
                while z <= last[2]:
                    bucket = _bucket(x, y, z, buckets)
                    others = min(last[2] - z, buckets - 1 - bucket)  # those along z follow
                    z += others + 1
                    begin, end = start[bucket], start[bucket + others + 1]
                    if met + end - begin > len(hits):
                        hits = np.append(hits, np.empty(len(hits) + end - begin, np.int32))
                    met = _met(near, begin, end, boxes[one], hits, met)
        for place in hits[:met]:
            two = order[place]
            if two <= one and level[two] == level[one]:
                continue  # the other way round it is the same pair
            if not _in_question(triangles, one, two, unfolded):
                continue
            if _cross(points, triangles, one, two) or _cross(points, triangles, two, one):
                if count == len(found):
                    found = np.append(found, np.empty_like(found), axis=0)
                found[count, 0], found[count, 1] = one, two
                count += 1
    return found[:count].copy()


@compiled
def _met(near: _Boxes, begin: int, end: int, box: _Boxes, hits: _Short, met: int) -> int:
    """Add the places whose box meets one to the hits; how many there are now."""
    low_x, low_y, low_z = box[0], box[1], box[2]
    high_x, high_y, high_z = box[3], box[4], box[5]
    for place in range(begin, end):
        hits[met] = place
        # Without branches: one in ten meets, and each wrong guess takes as long as the rest.
        along = (near[place, 0] <= high_x) & (near[place, 3] >= low_x)
        across = (near[place, 1] <= high_y) & (near[place, 4] >= low_y)
        met += along & across & (near[place, 2] <= high_z) & (near[place, 5] >= low_z)
    return met


@compiled
def _in_question(triangles: _Short, one: int, two: int, unfolded: npt.NDArray[np.bool_]) -> bool:
    """Whether they share no corner, or one that is not known to be unfolded."""
    shared = 0
    for n in range(3):
        v = triangles[one, n]
        if v in (triangles[two, 0], triangles[two, 1], triangles[two, 2]):
            shared += 1
            if unfolded[v]:
                return False
    return shared < 2


@compiled
def _cross(points: Array, triangles: _Short, one: int, two: int) -> bool:
    """Whether an edge of the one passes through the inside of the other."""
    i, j, k = triangles[two, 0], triangles[two, 1], triangles[two, 2]
    a, b, c = points[i], points[j], points[k]
    normal = _normal(a, b, c)
    for n in range(3):
        v, w = triangles[one, n], triangles[one, n - 2]
        if v in (i, j, k) or w in (i, j, k):
            continue
        p, q = points[v], points[w]
        here, there = _height(p, a, normal), _height(q, a, normal)
        if here * there >= 0 or min(abs(here), abs(there)) <= ROUNDING_MM:
            continue
        ab, bc, ca = _six_volumes(p, q, a, b), _six_volumes(p, q, b, c), _six_volumes(p, q, c, a)
        if (ab > 0 and bc > 0 and ca > 0) or (ab < 0 and bc < 0 and ca < 0):
            return True
    return False


@compiled
def _height(p: Array, a: Array, normal: tuple[float, float, float]) -> float:
    height: float = (
        (p[0] - a[0]) * normal[0] + (p[1] - a[1]) * normal[1] + (p[2] - a[2]) * normal[2]
    )
    return height


@compiled
def _six_volumes(p: Array, q: Array, a: Array, b: Array) -> float:
    """Six times the signed volume of the tetrahedron p, q, a, b."""
    ux, uy, uz = q[0] - p[0], q[1] - p[1], q[2] - p[2]
    wx, wy, wz = a[0] - p[0], a[1] - p[1], a[2] - p[2]
    volume: float = (
        (uy * wz - uz * wy) * (b[0] - p[0])
        + (uz * wx - ux * wz) * (b[1] - p[1])
        + (ux * wy - uy * wx) * (b[2] - p[2])
    )
    return volume
