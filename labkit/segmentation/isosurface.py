"""Where the structure ends: the isosurface of the grey values, as far as the mask allows.

Its points lie on the edges between neighbouring voxels, one inside and one outside, and
never leave them.  So it is closed, and no part of it passes through another.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import trimesh
from scipy import ndimage

from labkit.errors import SegmentationError
from labkit.segmentation.gating import follow_mask
from labkit.segmentation.pieces import Box, Mask, bounding_box
from labkit.surface import contour, signed_distances
from labkit.volume import AIR_HU, Array, Volume

_HALVINGS = 12
_CHUNK = 500_000


@dataclass(frozen=True)
class Isosurface:
    """A closed surface between voxels.

    Parameters
    ----------
    points_lps_mm : (n, 3) float64, mm, LPS.
    triangles : (m, 3) int64, oriented outwards.
    gated : (n,) bool: set by the mask, not by the grey value.
    cut_off : (n,) bool: set by the end of the scan.
    """

    points_lps_mm: Array
    triangles: npt.NDArray[np.int64]
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
    points_ijk, triangles = _contour(grey, threshold_hu, box, 1)
    del grey
    gated, cut_off = _place(points_ijk, volume.voxels, threshold_hu + 0.5)
    return Isosurface(volume.to_lps(points_ijk), triangles, gated, cut_off)


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
) -> tuple[Array, npt.NDArray[np.int64]]:
    """Points (n, 3), as voxels i, j, k of the scan, and triangles of a part of it."""
    points, triangles = contour(hu, threshold_hu + 0.5)  # no whole number is the level
    return points + (np.array([part.start for part in box[::-1]]) - padding), triangles


def _padded(hu: npt.NDArray[np.int16], value: int) -> npt.NDArray[np.int16]:
    padded = np.full([count + 2 for count in hu.shape], value, np.int16)
    padded[1:-1, 1:-1, 1:-1] = hu
    return padded


def _place(
    points_ijk: Array, voxels: npt.NDArray[np.int16], level: float
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Move the points to where a cubic crosses the level; which the mask, and the scan's end, set.

    A cubic through four equally spaced values (Lagrange), its root by bisection.
    """
    gated, cut_off = np.zeros((2, len(points_ijk)), bool)
    last = np.array(voxels.shape[::-1]) - 1
    for start in range(0, len(points_ijk), _CHUNK):
        points = points_ijk[start : start + _CHUNK]
        row = np.arange(len(points))
        axis = np.abs(points - np.rint(points)).argmax(axis=1)
        low = np.floor(points[row, axis])
        on_edge = np.rint(points).astype(np.int64)
        samples = []
        for offset in (-1, 0, 1, 2):
            at = on_edge.copy()
            at[row, axis] = low + offset
            i, j, k = np.clip(at, 0, last).T
            samples.append(voxels[k, j, i] - level)
        before, a, b, after = samples
        ends = (low < 0) | (low + 1 > last[axis])
        by_grey = (np.sign(a) != np.sign(b)) & ~ends
        t = _root(before, a, b, after)
        points[row[ends], axis[ends]] = low[ends] + 0.5
        points[row[by_grey], axis[by_grey]] = (low + t)[by_grey]
        gated[start : start + _CHUNK] = ~by_grey & ~ends
        cut_off[start : start + _CHUNK] = ends
    return gated, cut_off


def _root(before: Array, a: Array, b: Array, after: Array) -> Array:
    """Where between 0 and 1 the cubic through values at −1, 0, 1, 2 is nought."""
    cubic = (-before + 3 * a - 3 * b + after) / 6
    square = (before - 2 * a + b) / 2
    slope = -before / 3 - a / 2 + b - after / 6
    low, high = np.zeros(len(a)), np.ones(len(a))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        same = (((cubic * middle + square) * middle + slope) * middle + a) * a > 0
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return (low + high) / 2
