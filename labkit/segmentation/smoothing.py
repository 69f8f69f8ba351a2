"""Noise taken out of a surface, without shrinking it and within a measured bound."""

import numpy as np
import numpy.typing as npt
import pyvista

from labkit.volume import Array

ITERATIONS, PASS_BAND = 20, 0.1
"""Windowed sinc filter (Taubin, Zhang and Golub 1996, doi 10.1007/BFb0015544)."""

LEAST_SHARE = 0.2
"""Of the way smoothing would move a point that has to stay near; less is not worth its time."""

_MARGIN = 1e-4
"""Of the bound: what rounding may cost."""

_CHUNK = 100_000
_TINY = np.float32(1e-30)
_Floats = npt.NDArray[np.float32]


def smoothing_shift(
    points_lps_mm: Array, triangles: npt.NDArray[np.int64], bound_mm: float
) -> tuple[Array, Array]:
    """How smoothing moves each point: (n, 3) float64, mm; and off the surface, (n,), mm.

    Points slide along the surface freely, which does not change it but evens its triangles.
    The two surfaces lie at most the bound apart, measured from the points of each: a point
    that would leave the one before stops on the way, and so do those around a tip that would
    wear off.
    """
    mesh, normals = with_normals(points_lps_mm, triangles)
    smooth = mesh.smooth_taubin(
        n_iter=ITERATIONS, pass_band=PASS_BAND, edge_angle=180, feature_angle=180
    )
    shift_mm = np.asarray(smooth.points, float) - np.asarray(mesh.points, float)
    del mesh, smooth
    outwards_mm = np.abs(np.einsum("ij,ij->i", shift_mm, normals))
    shift_mm *= np.minimum(1, 0.95 * bound_mm / np.maximum(outwards_mm, 1e-9))[:, None]
    off_mm, worn_mm = np.zeros((2, len(shift_mm)))
    changed, around, share = np.ones(len(shift_mm), bool), triangles, 0.5
    while len(around):
        after = points_lps_mm + shift_mm
        off_mm[changed] = _moved_off_mm(points_lps_mm, around, shift_mm)[changed]
        worn_mm[changed] = _moved_off_mm(after, around, -shift_mm)[changed]
        far = np.maximum(np.abs(off_mm), np.abs(worn_mm)) > (1 - _MARGIN) * bound_mm
        stopped = _with_neighbours(far, triangles)
        shift_mm[stopped] *= share
        share = share / 2 if share > LEAST_SHARE else 0.0
        changed = _with_neighbours(stopped, triangles)
        around = triangles[changed[triangles].any(axis=1)]
    return shift_mm, off_mm


def _moved_off_mm(points: Array, triangles: npt.NDArray[np.int64], shift_mm: Array) -> Array:
    """(n,) float64, mm: how far each point, once moved, lies from the triangles it is in.

    That is the distance from the whole surface wherever those are the nearest, and more where
    they are not: what is within a bound by this is so.  Positive is outside of the nearest.
    """
    # Differences of neighbours are small: 32 bits hold them to less than a nanometre.
    shift = shift_mm.astype(np.float32)
    least, side = _dot(shift, shift), np.zeros(len(shift), np.float32)
    for start in range(0, len(triangles), _CHUNK):
        part = triangles[start : start + _CHUNK]
        corners = points[part]
        edges = (np.roll(corners, -1, axis=1) - corners).astype(np.float32)
        normals: _Floats = np.cross(edges[:, 0], edges[:, 1])
        for n in range(3):
            at, away = part[:, n], shift[part[:, n]]
            squared = _squared_from_triangle(away, edges[:, n], -edges[:, n - 1])
            np.minimum.at(least, at, squared)
            nearest = squared <= least[at]
            side[at[nearest]] = _dot(away[nearest], normals[nearest])
    return np.copysign(np.sqrt(least, dtype=np.float64), side)


def _squared_from_triangle(away: _Floats, one: _Floats, two: _Floats) -> _Floats:
    """Squared distance from the triangle (0, one, two), by the shares of its two edges.

    Beside the triangle the nearest place of either edge counts, beyond it one of the third
    edge, which need not be its nearest.
    """
    aa, bb, ab = _dot(one, one), _dot(two, two), _dot(one, two)
    a, b = _dot(away, one), _dot(away, two)
    square = np.maximum(aa * bb - ab * ab, _TINY)
    u, v = (bb * a - ab * b) / square, (aa * b - ab * a) / square
    left, right = u < 0, v < 0
    u = np.where(right, np.clip(a / np.maximum(aa, _TINY), 0, 1), np.maximum(u, 0))
    v = np.where(left, np.clip(b / np.maximum(bb, _TINY), 0, 1), np.maximum(v, 0))
    u[left], v[right & ~left] = 0, 0
    beyond = np.maximum(u + v, 1)
    u, v = (u / beyond)[:, None], (v / beyond)[:, None]
    off: _Floats = np.asarray(away - u * one - v * two, np.float32)
    return _dot(off, off)


def _dot(a: _Floats, b: _Floats) -> _Floats:
    return np.asarray(np.einsum("ij,ij->i", a, b))


def _with_neighbours(
    chosen: npt.NDArray[np.bool_], triangles: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    wider = chosen.copy()
    if chosen.any():
        wider[triangles[chosen[triangles].any(axis=1)]] = True
    return wider


def with_normals(
    points_lps_mm: Array, triangles: npt.NDArray[np.int64]
) -> tuple[pyvista.PolyData, Array]:
    """The surface about its middle, and the outward unit normals (n, 3) of its points."""
    # VTK filters compute in 32 bits, which are too few for places far from the origin.
    centred = points_lps_mm - points_lps_mm.mean(axis=0)
    mesh = pyvista.PolyData.from_regular_faces(centred, np.asarray(triangles, int))
    normals = mesh.compute_normals(
        cell_normals=False, split_vertices=False, consistent_normals=False
    ).point_data["Normals"]
    return mesh, np.asarray(normals, float)
