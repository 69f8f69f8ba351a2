"""How far points lie from a surface that is near: exactly, and fast for millions of them."""

import numpy as np
import numpy.typing as npt

from labkit.compiled import bounds_of, compiled, grouped, in_threads

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.integer]

SAME_MM = 1e-9
"""Distances that differ by less belong to one place on the surface: the rounding of 64 bits."""

_LEAST = 1_000
_FACE, _EDGE = 2 * np.pi, np.pi


def near_distances(points: Array, surface: Array, triangles: Indices, reach_mm: float) -> Array:
    """(n,) float64, mm: signed distance of points from a surface; NaN where it is out of reach.

    Positive is outside.  The sign is that of the pseudonormal of the nearest place, weighted by
    angle (Baerentzen and Aanaes 2005, doi 10.1109/TVCG.2005.49); triangles without area do not
    count.

    Parameters
    ----------
    points : (n, 3), mm; best in an order in which neighbours follow each other.
    surface, triangles : (m, 3), mm, and (k, 3): points of the surface, in the same frame, and
        its triangles, oriented outwards.
    reach_mm : up to where the surface is looked for: short, the time grows with it.
    """
    least, side = np.full(len(points), np.inf), np.zeros(len(points))
    # The threads share no point: each takes a slab of them, and all triangles near it.
    parts = [np.arange(len(points), dtype=np.int32)]
    if len(points) > _LEAST:
        axis = np.subtract(*bounds_of(points, parts[0])).argmin()
        first = points[:, axis] < np.median(points[:, axis])
        parts = [np.flatnonzero(side).astype(np.int32) for side in (first, ~first)]

    def seen(part: npt.NDArray[np.int32]) -> None:
        low, high = bounds_of(points, part)
        cell_mm, shape = _cells(low, high, len(part), reach_mm)
        order, start = _by_cell(points, part, low, cell_mm, shape)
        grid = order, start, low, high, cell_mm, shape
        _visit(points, *grid, surface, triangles, reach_mm, least, side)

    in_threads(seen, (part for part in parts if len(part)))
    least[least > reach_mm] = np.nan
    np.copysign(least, side, out=least)
    return least


def _cells(
    low: Array, high: Array, count: int, reach_mm: float
) -> tuple[float, npt.NDArray[np.int64]]:
    """Side of the cells, mm, and how many there are along each axis: about one for a point."""
    cell_mm = max(reach_mm, float(np.cbrt(np.prod(np.maximum(high - low, reach_mm)) / count)))
    return cell_mm, ((high - low) / cell_mm).astype(np.int64) + 1


@compiled
def _by_cell(
    points: Array,
    part: npt.NDArray[np.int32],
    low: Array,
    cell_mm: float,
    shape: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """The points of a part by their cell, and where each cell begins."""
    cell = np.empty(len(part), np.int32)
    for n in range(len(part)):
        key = 0
        for axis in range(3):
            key = key * shape[axis] + int((points[part[n], axis] - low[axis]) / cell_mm)
        cell[n] = key
    return grouped(part, cell, shape[0] * shape[1] * shape[2])


@compiled
def nearest_in_triangle(
    px: float,
    py: float,
    pz: float,
    ux: float,
    uy: float,
    uz: float,
    wx: float,
    wy: float,
    wz: float,
) -> tuple[float, float, int]:
    """Shares of the two edges at the nearest place of a triangle (0, u, w) to p, and its kind.

    The kind is 0 in the face, 1 to 3 on the edges u, w and between them, 4 to 6 at the corners
    0, u, w (Ericson 2005, Real-Time Collision Detection, section 5.1.5).
    """
    a, b = px * ux + py * uy + pz * uz, px * wx + py * wy + pz * wz
    if a <= 0 and b <= 0:
        return 0.0, 0.0, 4
    uu, ww, uw = (
        ux * ux + uy * uy + uz * uz,
        wx * wx + wy * wy + wz * wz,
        ux * wx + uy * wy + uz * wz,
    )
    if a >= uu and b - uw <= a - uu:
        return 1.0, 0.0, 5
    if b >= ww and a - uw <= b - ww:
        return 0.0, 1.0, 6
    u, w = ww * a - uw * b, uu * b - uw * a
    if w <= 0 and a >= 0 and a <= uu:
        return a / uu, 0.0, 1
    if u <= 0 and b >= 0 and b <= ww:
        return 0.0, b / ww, 2
    square = uu * ww - uw * uw
    if u + w >= square:
        share = (b - uw - a + uu) / (uu - 2 * uw + ww)
        return 1 - share, share, 3
    return u / square, w / square, 0


@compiled
def _angle(ux: float, uy: float, uz: float, wx: float, wy: float, wz: float) -> float:
    size = np.sqrt((ux * ux + uy * uy + uz * uz) * (wx * wx + wy * wy + wz * wz))
    return float(np.arccos(max(-1.0, min(1.0, (ux * wx + uy * wy + uz * wz) / max(size, 1e-300)))))


@compiled
def _weight(kind: int, ux: float, uy: float, uz: float, wx: float, wy: float, wz: float) -> float:
    """The angle at which a triangle (0, u, w) takes part in the pseudonormal of a place of it."""
    if kind == 4:
        return _angle(ux, uy, uz, wx, wy, wz)
    if kind == 5:
        return _angle(-ux, -uy, -uz, wx - ux, wy - uy, wz - uz)
    if kind == 6:
        return _angle(-wx, -wy, -wz, ux - wx, uy - wy, uz - wz)
    return _EDGE if kind else _FACE


@compiled
def _box(
    surface: Array,
    i: int,
    j: int,
    k: int,
    reach_mm: float,
    low: Array,
    high: Array,
    box_low: Array,
    box_high: Array,
) -> bool:
    """The box around what a triangle reaches, and whether it meets that of the points."""
    for axis in range(3):
        a, b, c = surface[i, axis], surface[j, axis], surface[k, axis]
        box_low[axis] = min(a, b, c) - reach_mm
        box_high[axis] = max(a, b, c) + reach_mm
        if box_low[axis] > high[axis] or box_high[axis] < low[axis]:
            return False
    return True


@compiled
def _visit(
    points: Array,
    order: npt.NDArray[np.int32],
    start: npt.NDArray[np.int32],
    low: Array,
    high: Array,
    cell_mm: float,
    shape: npt.NDArray[np.int64],
    surface: Array,
    triangles: Indices,
    reach_mm: float,
    least: Array,
    side: Array,
) -> None:
    """Keep how near each triangle is to the points in its reach, where it is the nearest."""
    box_low, box_high = np.empty(3), np.empty(3)
    first, last = np.empty(3, np.int64), np.empty(3, np.int64)
    for t in range(len(triangles)):
        i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        if not _box(surface, i, j, k, reach_mm, low, high, box_low, box_high):
            continue
        for axis in range(3):
            first[axis] = int(max(box_low[axis] - low[axis], 0.0) / cell_mm)
            last[axis] = min(int((box_high[axis] - low[axis]) / cell_mm), shape[axis] - 1)
        ox, oy, oz = surface[i, 0], surface[i, 1], surface[i, 2]
        ux, uy, uz = surface[j, 0] - ox, surface[j, 1] - oy, surface[j, 2] - oz
        wx, wy, wz = surface[k, 0] - ox, surface[k, 1] - oy, surface[k, 2] - oz
        nx, ny, nz = uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx
        size = np.sqrt(nx * nx + ny * ny + nz * nz)
        if size == 0:
            continue
        for x in range(first[0], last[0] + 1):
            for y in range(first[1], last[1] + 1):
                row = (x * shape[1] + y) * shape[2]
                # the cells of a row follow each other
                for p in order[start[row + first[2]] : start[row + last[2] + 1]]:
                    px, py, pz = points[p, 0], points[p, 1], points[p, 2]
                    # All six at once: a branch at each would be guessed wrongly too often.
                    along = (box_low[0] <= px) & (px <= box_high[0])
                    across = (box_low[1] <= py) & (py <= box_high[1])
                    if not (along & across & (box_low[2] <= pz) & (pz <= box_high[2])):
                        continue
                    px, py, pz = px - ox, py - oy, pz - oz
                    limit = least[p] + SAME_MM
                    if abs(px * nx + py * ny + pz * nz) > limit * size:
                        continue  # its plane is farther than what was found
                    u, w, kind = nearest_in_triangle(px, py, pz, ux, uy, uz, wx, wy, wz)
                    px, py, pz = px - u * ux - w * wx, py - u * uy - w * wy, pz - u * uz - w * wz
                    far = np.sqrt(px * px + py * py + pz * pz)
                    if far > limit:
                        continue
                    if far < least[p] - SAME_MM:
                        side[p] = 0.0
                    if far > SAME_MM:  # nearer than that it lies on the surface: no sides there
                        weight = _weight(kind, ux, uy, uz, wx, wy, wz)
                        side[p] += weight * (px * nx + py * ny + pz * nz) / size
                    least[p] = min(least[p], far)
