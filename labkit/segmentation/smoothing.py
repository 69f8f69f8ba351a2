"""Noise taken out of a surface, without shrinking it and within a measured bound."""

import numpy as np
import numpy.typing as npt

from labkit.compiled import compiled, in_threads, mean_of
from labkit.nearest import nearest_in_triangle
from labkit.surface import Indices
from labkit.volume import Array

ITERATIONS, PASS_BAND = 20, 0.1
"""Windowed sinc filter (Taubin, Zhang and Golub 1996, doi 10.1007/BFb0015544)."""

WINDOW = (0.355768, 0.487396, 0.144232, 0.012604)
"""Cosines of the filter's window (Nuttall 1981, doi 10.1109/TASSP.1981.1163506)."""

LEAST_SHARE = 0.2
"""Of the way smoothing would move a point that has to stay near; less is not worth its time."""

_MARGIN = 1e-4
"""Of the bound: what rounding may cost."""

_NEAR_ONE = 1e-3
"""How exactly the filter passes what has the frequency of the pass band."""

_CHUNK = 100_000

_Flags = npt.NDArray[np.bool_]
_Short = npt.NDArray[np.int32]


def smoothing_shift(
    points_lps_mm: Array, triangles: Indices, bound_mm: float
) -> tuple[Array, Array]:
    """How smoothing moves each point: (n, 3) float64, mm; and off the surface, (n,), mm.

    Points slide along the surface freely, which does not change it but evens its triangles.
    The two surfaces lie at most the bound apart, measured from the points of each: a point
    that would leave the one before stops on the way, and so do those around a tip that would
    wear off.
    """
    shift_mm = filtered(points_lps_mm, triangles) - points_lps_mm
    outwards_mm = np.einsum("ij,ij->i", shift_mm, point_normals(points_lps_mm, triangles))
    np.abs(outwards_mm, out=outwards_mm)
    shift_mm *= np.minimum(1, 0.95 * bound_mm / np.maximum(outwards_mm, 1e-9))[:, None]
    off_mm, worn_mm = outwards_mm, np.zeros(len(shift_mm))
    changed, share = np.ones(len(shift_mm), bool), 0.5

    def measure(way: tuple[Array, bool]) -> None:
        _move_off(points_lps_mm, triangles, shift_mm, changed, *way)

    while changed.any():
        in_threads(measure, ((off_mm, False), (worn_mm, True)))
        far = np.maximum(np.abs(off_mm), np.abs(worn_mm)) > (1 - _MARGIN) * bound_mm
        stopped = _with_neighbours(far, triangles)
        shift_mm[stopped] *= share
        share = share / 2 if share > LEAST_SHARE else 0.0
        changed = _with_neighbours(stopped, triangles)
    return shift_mm, off_mm


def filtered(points: Array, triangles: Indices) -> Array:
    """(n, 3) float64, mm: the points of a closed surface after the windowed sinc filter.

    A sum of Chebyshev polynomials of the means over neighbours.
    """
    start, neighbours = _neighbours(triangles, len(points))
    weights, middle = chebyshev_weights(), mean_of(points)
    before, now = points - middle, np.empty_like(points)
    total: Array = weights[0] * before

    def add(weight: float, twice: float, before: Array, after: Array) -> None:
        def rows(begin: int) -> None:
            end = min(begin + _CHUNK, len(points))
            _next_term(start, neighbours, before, after, total, weight, twice, begin, end)

        in_threads(rows, range(0, len(points), _CHUNK))

    add(weights[1], 1.0, before, now)
    for weight in weights[2:]:
        add(weight, 2.0, now, before)
        before, now = now, before
    total += middle  # apart from it: the weights add up to one within 2e-6 only
    return total


def chebyshev_weights() -> Array:
    """(21,) float64: of the polynomials, from 0; the pass band is left as it is, to 0.001."""
    order = np.arange(ITERATIONS + 1)
    steps = order * np.pi / (ITERATIONS + 1)
    window = np.array(WINDOW) @ np.cos(np.outer(np.arange(len(WINDOW)), steps))
    wide = edge = np.arccos(1 - PASS_BAND / 2)
    slopes = order * (np.sin(order * edge) / np.sin(edge) + order % 2)
    while True:  # in VTK's steps, which come from below: to give the same filter
        weights = 2 * window * np.sin(order * wide) / (np.maximum(order, 1) * np.pi)
        weights[0] = window[0] * wide / np.pi
        short = 1 - weights @ np.cos(order * edge)
        if short < _NEAR_ONE:
            return np.asarray(weights)
        wide += short / (weights @ slopes)


def point_normals(points: Array, triangles: Indices) -> Array:
    """(n, 3) float64: the outward unit normal of each point, the mean of its triangles'."""
    normals = _summed_normals(points, triangles)
    normals /= np.maximum(np.linalg.norm(normals, axis=1), 1e-30)[:, None]
    return normals


@compiled
def _neighbours(triangles: Indices, count: int) -> tuple[_Short, _Short]:
    """Where the neighbours of each point begin, and the neighbours."""
    # In a closed surface every edge is run through once in each direction.
    start = np.zeros(count + 2, np.int32)
    for t in range(len(triangles)):
        for n in range(3):
            start[triangles[t, n] + 2] += 1
    for v in range(2, count + 2):
        start[v] += start[v - 1]
    neighbour = np.empty(3 * len(triangles), np.int32)
    for t in range(len(triangles)):
        for n in range(3):
            v = triangles[t, n]
            neighbour[start[v + 1]] = triangles[t, n - 2]
            start[v + 1] += 1
    return start[:-1], neighbour


@compiled
def _next_term(
    start: _Short,
    neighbour: _Short,
    now: Array,
    after: Array,
    total: Array,
    weight: float,
    twice: float,
    begin: int,
    end: int,
) -> None:
    """Put the next polynomial in the place of the one before, and add it to the total.

    The first of them follows from the one before it alone: ``twice`` is 1 then, else 2.
    """
    for v in range(begin, end):
        x = y = z = 0.0
        for n in range(start[v], start[v + 1]):
            w = neighbour[n]
            x += now[w, 0]
            y += now[w, 1]
            z += now[w, 2]
        share = 0.5 / max(start[v + 1] - start[v], 1)
        for axis, mean in enumerate((x, y, z)):
            term = twice * (0.5 * now[v, axis] + share * mean)
            if twice > 1:
                term -= after[v, axis]
            after[v, axis] = term
            total[v, axis] += weight * term


@compiled
def _summed_normals(points: Array, triangles: Indices) -> Array:
    normals = np.zeros(points.shape)
    for t in range(len(triangles)):
        a, b, c = points[triangles[t, 0]], points[triangles[t, 1]], points[triangles[t, 2]]
        ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
        wx, wy, wz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
        x, y, z = uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx
        size = max(np.sqrt(x * x + y * y + z * z), 1e-30)
        for n in range(3):
            v = triangles[t, n]
            normals[v, 0] += x / size
            normals[v, 1] += y / size
            normals[v, 2] += z / size
    return normals


@compiled
def _move_off(
    points: Array, triangles: Indices, shift: Array, changed: _Flags, off: Array, back: bool
) -> None:
    """Set, for what changed, how far each point lies from the triangles it was in, once moved.

    That is the distance from the whole surface wherever those are the nearest, and more where
    they are not: what is within a bound by this is so.  Positive is outside of the nearest.
    On the way back the moved surface is left.
    """
    after, sign = (1.0, -1.0) if back else (0.0, 1.0)
    for v in range(len(points)):
        if changed[v]:
            off[v] = np.sqrt(shift[v, 0] ** 2 + shift[v, 1] ** 2 + shift[v, 2] ** 2)
    for t in range(len(triangles)):
        for n in range(3):
            v = triangles[t, n]
            if not changed[v]:
                continue
            i, j = triangles[t, n - 2], triangles[t, n - 1]
            here, one, two = points[v], points[i], points[j]
            sx, sy, sz = shift[v, 0], shift[v, 1], shift[v, 2]
            ux = one[0] - here[0] + after * (shift[i, 0] - sx)
            uy = one[1] - here[1] + after * (shift[i, 1] - sy)
            uz = one[2] - here[2] + after * (shift[i, 2] - sz)
            wx = two[0] - here[0] + after * (shift[j, 0] - sx)
            wy = two[1] - here[1] + after * (shift[j, 1] - sy)
            wz = two[2] - here[2] + after * (shift[j, 2] - sz)
            px, py, pz = sign * sx, sign * sy, sign * sz
            u, w, _ = nearest_in_triangle(px, py, pz, ux, uy, uz, wx, wy, wz)
            dx, dy, dz = px - u * ux - w * wx, py - u * uy - w * wy, pz - u * uz - w * wz
            square = dx * dx + dy * dy + dz * dz
            if square <= off[v] ** 2:
                outside = (
                    px * (uy * wz - uz * wy) + py * (uz * wx - ux * wz) + pz * (ux * wy - uy * wx)
                )
                off[v] = np.copysign(np.sqrt(square), outside)


@compiled
def _with_neighbours(chosen: _Flags, triangles: Indices) -> _Flags:
    wider = chosen.copy()
    for t in range(len(triangles)):
        if chosen[triangles[t, 0]] or chosen[triangles[t, 1]] or chosen[triangles[t, 2]]:
            wider[triangles[t, 0]] = wider[triangles[t, 1]] = wider[triangles[t, 2]] = True
    return wider
