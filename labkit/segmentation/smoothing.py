"""Noise taken out of a surface, without shrinking it and within a measured bound."""

import numpy as np
import numpy.typing as npt
import pyvista
import trimesh

from labkit.surface import signed_distances
from labkit.volume import Array

ITERATIONS, PASS_BAND = 20, 0.1
"""Windowed sinc filter (Taubin, Zhang and Golub 1996, doi 10.1007/BFb0015544)."""

LEAST_SHARE = 0.2
"""Of the way smoothing would move a point that has to stay near; less is not worth its time."""


def smoothing_shift(
    points_lps_mm: Array, triangles: npt.NDArray[np.int64], bound_mm: float
) -> tuple[Array, Array]:
    """How smoothing moves each point: (n, 3) float64, mm; and off the surface, (n,), mm.

    Points slide along the surface freely, which does not change it but evens its triangles.
    The two surfaces lie at most the bound apart, measured from the points of each: a point
    that would leave the one before stops on the way, a tip that would wear off stays.
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
    suspects, share = np.linalg.norm(shift_mm, axis=1) > bound_mm, 0.5
    worn = _worn_off(points_lps_mm, triangles, shift_mm, bound_mm, suspects)
    while worn.any():
        around = np.unique(triangles[worn[triangles].any(axis=1)])
        shift_mm[around] *= share
        off_mm[around] = signed_distances(points_lps_mm[around] + shift_mm[around], before)
        beyond = np.abs(off_mm) > bound_mm
        shift_mm[beyond], off_mm[beyond] = 0.0, 0.0
        share = share / 2 if share > LEAST_SHARE else 0.0
        suspects[:] = False
        suspects[around] = True
        suspects[triangles[suspects[triangles].any(axis=1)]] = True
        worn = _worn_off(points_lps_mm, triangles, shift_mm, bound_mm, suspects)
    return shift_mm, off_mm


def _worn_off(
    points_lps_mm: Array,
    triangles: npt.NDArray[np.int64],
    shift_mm: Array,
    bound_mm: float,
    suspects: npt.NDArray[np.bool_],
) -> npt.NDArray[np.bool_]:
    """(n,) bool: suspects that lie farther than the bound from where smoothing puts the surface."""
    worn = suspects.copy()
    if worn.any():
        after = trimesh.Trimesh(points_lps_mm + shift_mm, triangles, process=False)
        worn[worn] = np.abs(signed_distances(points_lps_mm[worn], after)) > bound_mm
    return worn


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
