"""Where a surface passes through itself.

A manifold body may: its triangles are joined properly, and still cross.  Slicers then
fill or leave out what lies between.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from labkit.volume import Array

Indices = npt.NDArray[np.int64]

ROUNDING_MM = 1e-6
"""What passes through by less only touches: far below the 32-bit numbers of STL."""

_CHUNK = 50_000


def self_intersections(points: Array, triangles: Indices) -> Indices:
    """(n, 2) int64: pairs of triangles that pass through each other.

    Parameters
    ----------
    points : (n, 3) float64, mm.
    triangles : (m, 3) int64.

    Restrictions
    ------------
    Triangles that only touch, lie in one plane, or share an edge do not count.
    """
    found = [
        pairs[_cross(points, triangles, pairs)]
        for pairs in _candidates(points[triangles], triangles)
    ]
    pairs = np.concatenate([np.empty((0, 2), np.int64), *found])
    return np.unique(np.sort(pairs, axis=1), axis=0)


def _candidates(corners: Array, triangles: Indices) -> Iterator[Indices]:
    """Pairs whose boxes overlap and that share no edge.

    Triangles are sorted by size into levels of a grid, twice as coarse from each to the
    next.  In its own level a triangle meets those of its size and smaller ones, which lie
    there by their centre.
    """
    low, high = corners.min(axis=1), corners.max(axis=1)
    size, centre = (high - low).max(axis=1), (low + high) / 2
    level = np.ceil(np.log2(np.maximum(size, np.median(size)))).astype(int)
    origin = low.min(axis=0)
    for this in np.unique(level):
        cell_mm = 2.0**this
        smaller = np.flatnonzero(level <= this)
        shape = np.floor((high.max(axis=0) - origin) / cell_mm).astype(np.int64) + 4
        steps = np.array([shape[1] * shape[2], shape[2], 1])
        key = (np.floor((centre[smaller] - origin) / cell_mm).astype(np.int64) + 1) @ steps
        order = np.argsort(key, kind="stable")
        smaller, key = smaller[order], key[order]
        mine = np.flatnonzero(level == this)
        for some in np.array_split(mine, len(mine) // _CHUNK + 1):
            first = np.floor((low[some] - origin) / cell_mm - 0.5).astype(np.int64) + 1
            last = np.floor((high[some] - origin) / cell_mm + 0.5).astype(np.int64) + 1
            for x, y in np.ndindex(3, 3):
                row = first + np.array([x, y, 0])
                within = (row[:, :2] <= last[:, :2]).all(axis=1)
                start = np.searchsorted(key, row[within] @ steps)
                end_of_row = row[within] @ steps + (last - first)[within, 2]
                counts = np.searchsorted(key, end_of_row, "right") - start
                one = np.repeat(some[within], counts)
                run = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
                two = smaller[np.repeat(start, counts) + run]
                near = (level[two] < this) | (one < two)
                for axis in range(3):
                    one, two = one[near], two[near]
                    near = (low[one, axis] <= high[two, axis]) & (low[two, axis] <= high[one, axis])
                pairs = np.stack([one[near], two[near]], axis=1)
                yield pairs[_shared(triangles, pairs).sum(axis=(1, 2)) < 2]


def _shared(triangles: Indices, pairs: Indices) -> npt.NDArray[np.bool_]:
    """(n, 3, 3) bool: which corner of the first is which of the second."""
    return np.asarray(triangles[pairs[:, 0], :, None] == triangles[pairs[:, 1], None, :])


def _cross(points: Array, triangles: Indices, pairs: Indices) -> npt.NDArray[np.bool_]:
    """Whether an edge of the one passes through the inside of the other."""
    crossing = np.zeros(len(pairs), bool)
    for one, two in ((pairs[:, 0], pairs[:, 1]), (pairs[:, 1], pairs[:, 0])):
        a, b, c = (points[triangles[two, n]] for n in range(3))
        normal = np.cross(b - a, c - a)
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
        height = np.stack(
            [
                np.einsum("ij,ij->i", points[triangles[one, n]] - a, normal)
                * ~(triangles[one, n, None] == triangles[two]).any(axis=1)
                for n in range(3)
            ],
            axis=1,
        )
        for n, m in ((0, 1), (1, 2), (2, 0)):
            apart = height[:, n] * height[:, m] < 0
            deep = np.minimum(np.abs(height[:, n]), np.abs(height[:, m])) > ROUNDING_MM
            through = np.flatnonzero(apart & deep)
            p, q = (points[triangles[one[through], end]] for end in (n, m))
            sides = [
                _six_volumes(p, q, first[through], second[through])
                for first, second in ((a, b), (b, c), (c, a))
            ]
            signs = np.sign(np.stack(sides, axis=1))
            crossing[through] |= np.abs(signs.sum(axis=1)) == 3
    return crossing


def _six_volumes(p: Array, q: Array, a: Array, b: Array) -> Array:
    """Six times the signed volumes of the tetrahedra p, q, a, b."""
    return np.asarray(np.einsum("ij,ij->i", np.cross(q - p, a - p), b - p))
