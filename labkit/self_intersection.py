"""Where a surface passes through itself.

A manifold body may: its triangles are joined properly, and still cross.  Slicers then
fill or leave out what lies between.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labkit.volume import Array

Indices = npt.NDArray[np.int64]

ROUNDING_MM = 1e-6
"""What passes through by less only touches: far below the 32-bit numbers of STL."""

FLAT = 0.05
"""Cosine: triangles that lean more against the direction of their fan prove nothing."""

_CHUNK = 20_000


@dataclass(frozen=True)
class _Grid:
    """Triangles of one size, and smaller ones, by the cell of a grid in which they lie."""

    cell_mm: float
    origin: Array
    steps: Indices
    mine: Indices
    key_of_mine: Indices
    smaller: Indices
    key_of_smaller: Indices


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
    unfolded = _unfolded(points, triangles)
    corners = points[triangles]
    boxes = corners.min(axis=1), corners.max(axis=1)

    def crossing(some: tuple[_Grid, slice]) -> Indices:
        pairs = _overlapping(*boxes, *some)
        pairs = pairs[_in_question(triangles, pairs, unfolded)]
        return pairs[_cross(points, triangles, pairs)]

    some = (
        (grid, slice(start, start + _CHUNK))
        for grid in _grids(*boxes)
        for start in range(0, len(grid.mine), _CHUNK)
    )
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        found = list(threads.map(crossing, some))
    pairs = np.concatenate([np.empty((0, 2), np.int64), *found])
    return np.unique(np.sort(pairs, axis=1), axis=0)


def _unfolded(points: Array, triangles: Indices) -> npt.NDArray[np.bool_]:
    """(n,) bool: points whose triangles lie side by side, seen from one direction.

    All face that way, and go round the point once: then no two of them can cross (Volino and
    Magnenat-Thalmann 1994, doi 10.1111/1467-8659.1330155).
    """
    corners = points[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)
    at, count = triangles.ravel(), len(points)
    direction = np.stack(
        [np.bincount(at, np.repeat(normals[:, n], 3), minlength=count) for n in range(3)], axis=1
    )
    direction = direction / np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-30)
    least = np.full(count, np.inf)
    np.minimum.at(least, at, np.einsum("mij,mj->mi", direction[triangles], normals).ravel())
    # Round the point once: of its edges, one goes from below to above some line through it.
    across = np.cross(direction, np.eye(3)[np.abs(direction).argmin(axis=1)])
    lines, rises = across[triangles], np.zeros(count)
    for n in range(3):
        one, two = (
            np.einsum("ij,ij->i", lines[:, n], corners[:, (n + step) % 3] - corners[:, n])
            for step in (1, 2)
        )
        rises += np.bincount(triangles[:, n], (one <= 0) & (two > 0), minlength=count)
    return np.asarray((least > FLAT) & (rises == 1))


def _in_question(
    triangles: Indices, pairs: Indices, unfolded: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Pairs that share no corner, or one that is not known to be unfolded."""
    one, two = triangles[pairs[:, 0]], triangles[pairs[:, 1]]
    shared, known = np.zeros((2, len(pairs)), np.int8)
    for n in range(3):
        same = (two == one[:, n, None]).any(axis=1)
        shared += same
        known += same & unfolded[one[:, n]]
    return np.asarray((shared < 2) & (known == 0))


def _grids(low: Array, high: Array) -> Iterator[_Grid]:
    """Grids for triangles by their size, each twice as coarse as the one before.

    In its own grid a triangle meets those of its size and smaller ones, which lie there by
    their centre.
    """
    size, centre = (high - low).max(axis=1), (low + high) / 2
    finest_mm = max(float(np.median(size)), ROUNDING_MM)
    level = np.ceil(np.log2(np.maximum(size / finest_mm, 1))).astype(int)
    origin = low.min(axis=0)
    for this in np.unique(level):
        cell_mm = finest_mm * 2.0**this
        shape = np.floor((high.max(axis=0) - origin) / cell_mm).astype(np.int64) + 4
        steps = np.array([shape[1] * shape[2], shape[2], 1])
        key = (np.floor((centre - origin) / cell_mm).astype(np.int64) + 1) @ steps
        mine, smaller = (
            chosen[np.argsort(key[chosen], kind="stable")]
            for chosen in (np.flatnonzero(level == this), np.flatnonzero(level < this))
        )
        yield _Grid(cell_mm, origin, steps, mine, key[mine], smaller, key[smaller])


def _overlapping(low: Array, high: Array, grid: _Grid, part: slice) -> Indices:
    """(n, 2) int64: the pairs of these and other triangles whose boxes overlap, each once."""
    some = grid.mine[part]
    place = np.arange(part.start, part.start + len(some))
    first = np.floor((low[some] - grid.origin) / grid.cell_mm - 0.5).astype(np.int64) + 1
    last = np.floor((high[some] - grid.origin) / grid.cell_mm + 0.5).astype(np.int64) + 1
    found = [np.empty((0, 2), np.int64)]
    for x, y in np.ndindex(3, 3):
        row = first + np.array([x, y, 0])
        within = (row[:, :2] <= last[:, :2]).all(axis=1)
        start = row[within] @ grid.steps
        ends = np.stack([start, start + (last - first)[within, 2] + 1])
        for others, keys in (
            (grid.mine, grid.key_of_mine),
            (grid.smaller, grid.key_of_smaller),
        ):
            begin, end = np.searchsorted(keys, ends)
            if others is grid.mine:  # the other way round it is the same pair
                begin, end = np.maximum([begin, end], place[within] + 1)
            counts = end - begin
            one = np.repeat(some[within], counts)
            run = np.arange(len(one)) + np.repeat(begin - np.cumsum(counts) + counts, counts)
            two = others[run]
            for axis in range(3):
                near = (low[one, axis] <= high[two, axis]) & (low[two, axis] <= high[one, axis])
                one, two = one[near], two[near]
            found.append(np.stack([one, two], axis=1))
    return np.concatenate(found)


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
