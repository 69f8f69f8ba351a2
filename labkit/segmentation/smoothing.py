"""Noise taken out of a surface, without shrinking it and within a measured bound."""

import numpy as np
import numpy.typing as npt
import pyvista
import trimesh

from labkit.surface import signed_distances
from labkit.volume import Array

ITERATIONS, PASS_BAND = 20, 0.1
"""Windowed sinc filter (Taubin, Zhang and Golub 1996, doi 10.1007/BFb0015544)."""


def smoothing_shift(
    points_lps_mm: Array, triangles: npt.NDArray[np.int64], bound_mm: float
) -> tuple[Array, Array]:
    """How smoothing moves each point: (n, 3) float64, mm; and off the surface, (n,), mm.

    Points slide along the surface freely, which does not change it but evens its triangles,
    and leave it by at most the bound, measured: those that would go farther stop on the way.
    """
    mesh, _ = with_normals(points_lps_mm, triangles)
    smooth = mesh.smooth_taubin(
        n_iter=ITERATIONS, pass_band=PASS_BAND, edge_angle=180, feature_angle=180
    )
    shift_mm = np.asarray(smooth.points, float) - np.asarray(mesh.points, float)
    before = trimesh.Trimesh(points_lps_mm, triangles, process=False)
    off_mm = signed_distances(points_lps_mm + shift_mm, before)
    far = np.abs(off_mm) > bound_mm
    if far.any():
        shift_mm[far] *= 0.95 * bound_mm / np.abs(off_mm[far, None])
        off_mm[far] = signed_distances(points_lps_mm[far] + shift_mm[far], before)
        still = np.abs(off_mm) > bound_mm
        shift_mm[still], off_mm[still] = 0.0, 0.0
    return shift_mm, off_mm


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
