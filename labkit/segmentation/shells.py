"""Which closed shells of a surface are kept: the largest bodies and their own cavities."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labkit.compiled import compiled, mean_of
from labkit.errors import SegmentationError
from labkit.segmentation.isosurface import Isosurface
from labkit.surface import Indices
from labkit.volume import Array

SMALLEST_PIECE_MM3 = 1.0
"""Shells below this are noise of a few voxels."""


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
    volumes_mm3, first = _measured(total, shell, triangles, cone_volumes_mm3(points, triangles))
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
        place = points[triangles[first[cavity]]].mean(axis=0)
        around = (
            body
            for body in reversed(bodies)
            if len(bodies) == 1 or _contains(points, triangles, shell, body, place)
        )
        if next(around, None) in kept:
            cavities.append(cavity)
    keep = np.zeros(total, bool)
    keep[kept + cavities] = True
    return Shells(_only(surface, keep[shell]), len(kept), len(cavities), total - int(keep.sum()))


@compiled
def _measured(
    total: int, shell: npt.NDArray[np.int32], triangles: Indices, cones_mm3: Array
) -> tuple[Array, npt.NDArray[np.int32]]:
    """(total,): the volume, mm3, and the first triangle of each shell."""
    volumes_mm3, first = np.zeros(total), np.full(total, -1, np.int32)
    for t in range(len(triangles)):
        this = shell[triangles[t, 0]]
        volumes_mm3[this] += cones_mm3[t]
        if first[this] < 0:
            first[this] = t
    return volumes_mm3, first


def cone_volumes_mm3(points: Array, triangles: Indices) -> Array:
    """(m,) float64, mm3: the volume between each triangle and one place; a closed surface's sum."""
    points, triangles = np.asarray(points), np.asarray(triangles)
    volumes_mm3 = np.empty(len(triangles))
    _fill_cones(points, triangles, mean_of(points), volumes_mm3)
    return volumes_mm3


@compiled
def _fill_cones(points: Array, triangles: Indices, middle: Array, volumes: Array) -> None:
    for t in range(len(triangles)):
        a, b, c = points[triangles[t, 0]], points[triangles[t, 1]], points[triangles[t, 2]]
        ax, ay, az = a[0] - middle[0], a[1] - middle[1], a[2] - middle[2]
        bx, by, bz = b[0] - middle[0], b[1] - middle[1], b[2] - middle[2]
        cx, cy, cz = c[0] - middle[0], c[1] - middle[1], c[2] - middle[2]
        x, y, z = by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx
        volumes[t] = (ax * x + ay * y + az * z) / 6


@compiled
def _shells(count: int, triangles: Indices) -> tuple[int, npt.NDArray[np.int32]]:
    """How many shells there are, and the shell (n,) of each point, by its first point."""
    root = np.arange(count, dtype=np.int32)
    for t in range(len(triangles)):
        for n in range(1, 3):
            a, b = triangles[t, 0], triangles[t, n]
            while root[a] != a:
                root[a] = root[root[a]]
                a = root[a]
            while root[b] != b:
                root[b] = root[root[b]]
                b = root[b]
            root[max(a, b)] = min(a, b)
    total = 0
    for v in range(count):  # a root comes before all that hang from it
        if root[v] == v:
            root[v] = total
            total += 1
        else:
            root[v] = root[root[v]]
    return total, root


@compiled
def _contains(
    points: Array,
    triangles: Indices,
    shell: npt.NDArray[np.int32],
    body: int,
    place: Array,
) -> bool:
    """Whether a ray from the place, along x, leaves a shell an odd number of times."""
    inside = False
    for t in range(len(triangles)):
        i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        if shell[i] != body:
            continue
        a, b, c = points[i], points[j], points[k]
        ay, by, cy = a[1] - place[1], b[1] - place[1], c[1] - place[1]
        if min(ay, by, cy) > 0 or max(ay, by, cy) < 0:
            continue
        az, bz, cz = a[2] - place[2], b[2] - place[2], c[2] - place[2]
        one, two, three = by * cz - bz * cy, cy * az - cz * ay, ay * bz - az * by
        if (one > 0 and two > 0 and three > 0) or (one < 0 and two < 0 and three < 0):
            deep = one * (a[0] - place[0]) + two * (b[0] - place[0]) + three * (c[0] - place[0])
            if deep / (one + two + three) > 0:
                inside = not inside
    return inside


def _only(surface: Isosurface, keep: npt.NDArray[np.bool_]) -> Isosurface:
    if keep.all():
        return surface
    place = np.cumsum(keep, dtype=np.int32) - 1
    triangles = place[surface.triangles[keep[surface.triangles[:, 0]]]]
    return Isosurface(
        surface.points_lps_mm[keep], triangles, surface.gated[keep], surface.cut_off[keep]
    )
