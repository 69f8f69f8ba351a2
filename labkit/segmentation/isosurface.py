"""Where the structure ends: the isosurface of the grey values, as far as the mask allows.

Its points lie on the edges between neighbouring voxels, one inside and one outside, and
never leave them.  So it is closed, and no part of it passes through another.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import trimesh
from scipy import ndimage

from labkit.compiled import compiled, in_threads
from labkit.errors import SegmentationError
from labkit.segmentation.gating import follow_mask
from labkit.segmentation.pieces import Box, Mask, bounding_box
from labkit.surface import contour, signed_distances
from labkit.volume import AIR_HU, Array, Volume

_HALVINGS = 12
_CHUNK = 100_000


@dataclass(frozen=True)
class Isosurface:
    """A closed surface between voxels.

    Parameters
    ----------
    points_lps_mm : (n, 3) float64, mm, LPS.
    triangles : (m, 3) int32, oriented outwards.
    gated : (n,) bool: set by the mask, not by the grey value.
    cut_off : (n,) bool: set by the end of the scan.
    """

    points_lps_mm: Array
    triangles: npt.NDArray[np.int32]
    gated: npt.NDArray[np.bool_]
    cut_off: npt.NDArray[np.bool_]


def isosurface(volume: Volume, mask: Mask, threshold_hu: int) -> Isosurface:
    """Where the masked grey values cross the threshold, in LPS mm.

    Flying edges find the crossings, and a cubic through four voxels places each on its
    edge: a straight line through two moves the surface of thin and of coarsely sampled
    bone.  Where the mask cuts through bone, or reaches beyond it, the surface follows the
    blurred mask; at the end of the scan it is flat, half a voxel beyond the last centre.

    Raises
    ------
    SegmentationError
        The mask is empty.
    """
    box = _box(mask)
    grey = _padded(volume.voxels[box], min(AIR_HU, threshold_hu))
    follow_mask(grey[1:-1, 1:-1, 1:-1], mask[box] > 0, threshold_hu, volume.spacing_mm)
    points, triangles = _contour(grey, threshold_hu, box, 1)
    del grey
    gated, cut_off = _place(points, volume, threshold_hu + 0.5)
    return Isosurface(points, triangles, gated, cut_off)


def off_grey_values_mm(
    volume: Volume, mask: Mask, threshold_hu: int, points_lps_mm: Array
) -> Array:
    """(n,) float64, mm: how far points lie from where the grey values alone end a structure.

    Positive is outside.  Looked for in the box of the mask, and elsewhere only where there is
    nothing of it: a nearer place outside that box does not count.

    Parameters
    ----------
    points_lps_mm : (n, 3) float64, mm, LPS.
    """
    box = _box(mask)
    found = _contour(volume.voxels[box], threshold_hu, box, 0)
    if not len(found[1]):
        whole = (slice(0, None),) * 3
        padded = _padded(volume.voxels, min(AIR_HU, threshold_hu))
        found = _contour(padded, threshold_hu, whole, 1)
    if not len(found[1]):
        return np.zeros(len(points_lps_mm))
    points = volume.to_lps(found[0])
    distance_mm = np.abs(
        signed_distances(points_lps_mm, trimesh.Trimesh(points, found[1], process=False))
    )
    # In an open surface only the grey value tells the side.
    hu = ndimage.map_coordinates(
        volume.voxels,
        volume.to_ijk(points_lps_mm).T[::-1],
        order=1,
        mode="nearest",
        output=np.float32,
    )
    return np.where(hu > threshold_hu + 0.5, -distance_mm, distance_mm)


def _box(mask: Mask) -> Box:
    """The part of the scan that holds the structure, two voxels beyond it."""
    box = bounding_box(mask, (2, 2, 2))
    if box is None:
        raise SegmentationError(
            "an empty mask",
            expected="at least one voxel of the structure",
            where="02_segmentation",
            fix="lower the threshold",
        )
    return box


def _contour(
    hu: npt.NDArray[np.int16], threshold_hu: int, box: Box, padding: int
) -> tuple[Array, npt.NDArray[np.int32]]:
    """Points (n, 3), as voxels i, j, k of the scan, and triangles of a part of it."""
    points, triangles = contour(hu, threshold_hu + 0.5)  # no whole number is the level
    points += np.array([part.start for part in box[::-1]]) - padding
    return points, triangles


def _padded(hu: npt.NDArray[np.int16], value: int) -> npt.NDArray[np.int16]:
    padded = np.full([count + 2 for count in hu.shape], value, np.int16)
    padded[1:-1, 1:-1, 1:-1] = hu
    return padded


def _place(
    points: Array, volume: Volume, level: float
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Move the points, from voxels i, j, k to mm, LPS, to where a cubic crosses the level.

    Returns which of them the mask, and the scan's end, set.  A cubic through four equally
    spaced values (Lagrange), its root by bisection.
    """
    gated, cut_off = np.zeros((2, len(points)), np.bool_)
    to_lps = np.ascontiguousarray(volume.ijk_to_lps[:3])

    def place(begin: int) -> None:
        part = slice(begin, begin + _CHUNK)
        _place_part(points[part], volume.voxels, level, gated[part], cut_off[part])
        _to_lps(points[part], to_lps)

    in_threads(place, range(0, len(points), _CHUNK))
    return gated, cut_off


@compiled
def _place_part(
    points: Array,
    voxels: npt.NDArray[np.int16],
    level: float,
    gated: npt.NDArray[np.bool_],
    cut_off: npt.NDArray[np.bool_],
) -> None:
    at, hu = np.empty(3, np.int64), np.empty(4)
    for n in range(len(points)):
        axis, most = 0, -1.0
        for other in range(3):
            at[other] = int(np.rint(points[n, other]))
            off = abs(points[n, other] - at[other])
            if off > most:
                axis, most = other, off
        low, last = int(np.floor(points[n, axis])), voxels.shape[2 - axis] - 1
        if low < 0 or low >= last:
            points[n, axis] = low + 0.5
            cut_off[n] = True
            continue
        for other in range(3):  # beside a cut end they lie beyond the scan
            at[other] = min(max(at[other], 0), voxels.shape[2 - other] - 1)
        for sample in range(4):
            at[axis] = min(max(low + sample - 1, 0), last)
            hu[sample] = voxels[at[2], at[1], at[0]] - level
        if (hu[1] > 0) == (hu[2] > 0):
            gated[n] = True
        else:
            points[n, axis] = low + _root(hu[0], hu[1], hu[2], hu[3])


@compiled
def _to_lps(points: Array, matrix: Array) -> None:
    """In place, as `Volume.to_lps`: a product of matrices would start threads of its own."""
    for n in range(len(points)):
        i, j, k = points[n, 0], points[n, 1], points[n, 2]
        for axis in range(3):
            lps = i * matrix[axis, 0] + j * matrix[axis, 1] + k * matrix[axis, 2]
            points[n, axis] = lps + matrix[axis, 3]


@compiled
def _root(before: float, a: float, b: float, after: float) -> float:
    """Where between 0 and 1 the cubic through values at −1, 0, 1, 2 is nought."""
    cubic = (-before + 3 * a - 3 * b + after) / 6
    square = (before - 2 * a + b) / 2
    slope = -before / 3 - a / 2 + b - after / 6
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if (((cubic * middle + square) * middle + slope) * middle + a) * a > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
