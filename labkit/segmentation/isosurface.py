"""Where the structure ends: the isosurface of the grey values, as far as the mask allows.

Its points lie on the edges between neighbouring voxels, one inside and one outside, and
never leave them.  So it is closed, and no part of it passes through another.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyvista
from scipy import ndimage

from labkit.errors import SegmentationError
from labkit.volume import AIR_HU, Array, Volume

GATE_BLUR = 1.0
"""Standard deviation, in the coarsest voxel spacing, that turns the steps of the mask into a
smooth surface where the mask, and not the grey value, ends the structure."""

LEAST_CONTRAST_HU = 100.0
"""Of structure against threshold, where the mask takes in what is darker."""

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


def isosurface(
    volume: Volume, mask: npt.NDArray[np.uint8], threshold_hu: int, *, gate: bool = True
) -> Isosurface:
    """Where the masked grey values cross the threshold, in LPS mm.

    Flying edges find the crossings, and a cubic through four voxels places each on its
    edge: a straight line through two moves the surface of thin and of coarsely sampled
    bone.  Where the mask cuts through bone, or reaches beyond it, the surface follows the
    blurred mask; at the end of the scan it is flat, half a voxel beyond the last centre.

    Parameters
    ----------
    gate : without it, everything in the scan at this grey value, for comparison.

    Raises
    ------
    SegmentationError
        The mask is empty.
    """
    box = box_around(mask) if gate else tuple(slice(0, count) for count in mask.shape)
    grey = _padded(volume.voxels[box], min(AIR_HU, threshold_hu))
    if gate:
        _gate(grey, mask[box] > 0, threshold_hu, volume.spacing_mm)
    image = pyvista.ImageData(dimensions=grey.shape[::-1])
    image.point_data["hu"] = grey.ravel()
    # Between two whole numbers no grey value equals the level: no degenerate triangles.
    contour = image.contour(
        [threshold_hu + 0.5],
        scalars="hu",
        method="flying_edges",
        compute_normals=False,
        compute_scalars=False,
    )
    start_ijk = np.array([part.start for part in box[::-1]]) - 1
    points_ijk = np.asarray(contour.points, float) + start_ijk
    gated, cut_off = _place(points_ijk, volume.voxels, threshold_hu + 0.5)
    triangles = np.asarray(contour.regular_faces, np.int64)
    return Isosurface(volume.to_lps(points_ijk), triangles, gated, cut_off)


def box_around(mask: npt.NDArray[np.uint8]) -> tuple[slice, ...]:
    """The part (k, j, i) of the mask that holds the structure, two voxels beyond it."""
    if not mask.any():
        raise SegmentationError(
            "an empty mask",
            expected="at least one voxel of the structure",
            where="02_segmentation",
            fix="lower the threshold",
        )
    return tuple(
        slice(max(part.start - 2, 0), part.stop + 2)
        for part in ndimage.find_objects((mask > 0).view(np.uint8))[0]
    )


def _padded(hu: npt.NDArray[np.int16], value: int) -> npt.NDArray[np.int16]:
    padded = np.full([count + 2 for count in hu.shape], value, np.int16)
    padded[1:-1, 1:-1, 1:-1] = hu
    return padded


def _gate(
    grey: npt.NDArray[np.int16],
    inside: npt.NDArray[np.bool_],
    threshold_hu: int,
    spacing_mm: Array,
) -> None:
    """Make the grey values agree with the mask about what is inside."""
    hu = grey[1:-1, 1:-1, 1:-1]
    above = hu > threshold_hu
    typical_hu = float(np.median(hu[inside][::101]))
    contrast_hu = max(typical_hu - threshold_hu, LEAST_CONTRAST_HU)
    left_out, added = above & ~inside, inside & ~above
    for sign, strange, far_hu in ((1, left_out, AIR_HU), (-1, added, threshold_hu + 1)):
        if not strange.any():
            continue
        beside = inside if sign > 0 else ~(inside | above)
        region = _touching(strange, beside)
        if region is None:
            hu[strange] = far_hu
            continue
        part, odd, other = hu[region].astype(np.float32), strange[region], beside[region]
        hu[strange] = far_hu
        ramp = (0.5 - _blurred(odd, spacing_mm)) * 2 * contrast_hu
        wanted = np.minimum(sign * (part - threshold_hu - 0.5), ramp)
        wanted[odd] = np.minimum(wanted[odd], -0.5)
        wanted[other] = np.maximum(wanted[other], 0.5)
        wanted = np.clip(np.rint(sign * wanted + threshold_hu + 0.5), -(2**15), 2**15 - 1)
        changed = odd | other
        hu[region][changed] = wanted[changed].astype(np.int16)


def _touching(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> tuple[slice, ...] | None:
    """The box around all voxels of ``a`` that share a face with one of ``b``."""
    low, high = np.array(a.shape), np.zeros(3, int)
    for axis in range(3):
        first = tuple(slice(None, -1) if n == axis else slice(None) for n in range(3))
        second = tuple(slice(1, None) if n == axis else slice(None) for n in range(3))
        for here, there in ((first, second), (second, first)):
            found = a[here] & b[there]
            if found.any():
                place = ndimage.find_objects(found.view(np.uint8))[0]
                low = np.minimum(low, [part.start for part in place])
                high = np.maximum(high, [part.stop + 1 for part in place])
    if not high.any():
        return None
    return tuple(
        slice(max(int(start) - 5, 0), int(stop) + 5) for start, stop in zip(low, high, strict=True)
    )


def _blurred(voxels: npt.NDArray[np.bool_], spacing_mm: Array) -> npt.NDArray[np.float32]:
    sigma = GATE_BLUR * spacing_mm.max() / spacing_mm[::-1]
    return np.asarray(
        ndimage.gaussian_filter(voxels.astype(np.float32), sigma, mode="nearest", truncate=3.0)
    )


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
