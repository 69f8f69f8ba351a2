"""Which closed shells of a surface are kept: the largest bodies and their own cavities."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from labkit.errors import SegmentationError
from labkit.segmentation.isosurface import Isosurface
from labkit.volume import Array

SMALLEST_PIECE_MM3 = 1.0
"""Shells below this are noise of a few voxels."""

_CHUNK = 100_000


@dataclass(frozen=True)
class Shells:
    """The shells that were kept, and how many of each kind.

    ``dropped`` counts the islands and cavities that were left out.
    """

    surface: Isosurface
    bodies: int
    cavities: int
    dropped: int


def largest_bodies(surface: Isosurface, count: int) -> Shells:
    """The ``count`` largest bodies, each with its cavities above 1 mm3.

    A cavity of a body that is left out goes with it.

    Raises
    ------
    SegmentationError
        No body is larger than 1 mm3.
    """
    points, triangles = surface.points_lps_mm, surface.triangles
    total, shell = _shells(len(points), triangles)
    shell_of = shell[triangles[:, 0]]
    volumes_mm3 = np.bincount(shell_of, cone_volumes_mm3(points, triangles), minlength=total)
    order = np.argsort(-volumes_mm3, kind="stable")
    bodies = [int(n) for n in order if volumes_mm3[n] > SMALLEST_PIECE_MM3]
    if not bodies:
        raise SegmentationError(
            f"nothing larger than {SMALLEST_PIECE_MM3:g} mm3",
            expected="a structure of printable size",
            where="02_segmentation",
            fix="lower the threshold",
        )
    kept = bodies[:count]
    hollow = [int(n) for n in order if volumes_mm3[n] < -SMALLEST_PIECE_MM3]
    cavities = []
    for cavity in hollow:
        triangle = triangles[np.argmax(shell_of == cavity)]
        place = points[triangle].mean(axis=0)
        around = (
            body
            for body in reversed(bodies)
            if len(bodies) == 1 or _contains(points, triangles[shell_of == body], place)
        )
        if next(around, None) in kept:
            cavities.append(cavity)
    keep = np.zeros(total, bool)
    keep[kept + cavities] = True
    return Shells(_only(surface, keep[shell]), len(kept), len(cavities), total - int(keep.sum()))


def cone_volumes_mm3(points: Array, triangles: npt.NDArray[np.int64]) -> Array:
    """(m,) float64, mm3: the volume between each triangle and one place; a closed surface's sum."""
    middle, volumes_mm3 = points.mean(axis=0), np.empty(len(triangles))
    for start in range(0, len(triangles), _CHUNK):
        part = slice(start, start + _CHUNK)
        a, b, c = (points[triangles[part, n]] - middle for n in range(3))
        volumes_mm3[part] = np.einsum("ij,ij->i", a, np.cross(b, c)) / 6
    return volumes_mm3


def _shells(count: int, triangles: npt.NDArray[np.int64]) -> tuple[int, npt.NDArray[np.int32]]:
    # SciPy works with 32 bits, and would copy wider ones.
    ends = np.concatenate([triangles[:, :2], triangles[:, 1:]]).astype(np.int32)
    graph = coo_array((np.ones(len(ends), np.int8), (ends[:, 0], ends[:, 1])), (count, count))
    total, shell = connected_components(graph, directed=False)
    return int(total), shell


def _contains(points: Array, triangles: npt.NDArray[np.int64], place: Array) -> bool:
    """Whether a ray from the place, along x, leaves the shell an odd number of times."""
    corners = points[triangles] - place
    low, high = corners[:, :, 1:].min(axis=1), corners[:, :, 1:].max(axis=1)
    corners = corners[(low <= 0).all(axis=1) & (high >= 0).all(axis=1)]
    a, b, c = (corners[:, n] for n in range(3))
    weights = np.stack([_cross_yz(b, c), _cross_yz(c, a), _cross_yz(a, b)], axis=1)
    hit = (weights > 0).all(axis=1) | (weights < 0).all(axis=1)
    depth = np.einsum("ij,ij->i", weights[hit], corners[hit, :, 0]) / weights[hit].sum(axis=1)
    return int((depth > 0).sum()) % 2 == 1


def _cross_yz(a: Array, b: Array) -> Array:
    return np.asarray(a[:, 1] * b[:, 2] - a[:, 2] * b[:, 1])


def _only(surface: Isosurface, keep: npt.NDArray[np.bool_]) -> Isosurface:
    if keep.all():
        return surface
    place = np.cumsum(keep) - 1
    triangles = place[surface.triangles[keep[surface.triangles[:, 0]]]]
    return Isosurface(
        surface.points_lps_mm[keep], triangles, surface.gated[keep], surface.cut_off[keep]
    )
