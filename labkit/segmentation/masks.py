"""Which voxels belong to the structure."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from labkit.errors import SegmentationError
from labkit.parameters import Segmentation, places
from labkit.segmentation import pieces
from labkit.segmentation.morphology import closed, opened
from labkit.segmentation.pieces import Box
from labkit.segmentation.presets import PRESETS, check_threshold
from labkit.segmentation.runs import Inside, Runs, runs_of
from labkit.segmentation.splitting import split_at_necks
from labkit.segmentation.thresholds import (
    Threshold,
    ThresholdMethod,
    half_height_threshold,
    otsu_threshold,
)
from labkit.volume import Array, Volume

ROUNDING = 1e-6
"""In voxels or mm: a voxel whose centre lies on a side of the crop box is inside."""


def segment(volume: Volume, parameters: Segmentation) -> npt.NDArray[np.uint8]:
    """The mask (k, j, i) uint8 of the structure: 1 inside, 0 outside.

    In this order: voxels above ``threshold_hu``; crop box; the pieces under the seeds, or
    else the largest ones (26 neighbours), without those that are too small; opening;
    closing; splitting at necks; of what came apart the same choice once more; enclosed
    cavities up to ``fill_holes_mm3`` filled.  The result never leaves the crop box.

    Restrictions
    ------------
    Touching bones are one piece unless they are split.  Metal and contrast agent lie above
    the threshold too.

    Raises
    ------
    SegmentationError
        Nothing, or nearly everything, lies above the threshold; a crop box or a seed lies
        elsewhere; nothing is left in the end; or the grey values are not in HU, so that a
        threshold in HU means nothing.
    """
    check_threshold(parameters)
    check_unit(volume)
    corners = _corners_lps_mm(parameters)
    crop = _box(volume, corners)
    within = _within(volume, crop, corners)
    near = _near(volume, crop, within, parameters)
    box = _part(crop, near)
    above = volume.voxels[box] > parameters.threshold_hu
    if within.size > 1:
        within = within[near]
        above &= within
    structure = _chosen(pieces.connected(above), volume, box, crop, parameters)
    del above
    for radius_mm, operator in ((parameters.open_mm, opened), (parameters.close_mm, closed)):
        if radius_mm > 0:
            structure = operator(structure, volume.spacing_mm, radius_mm) & within
    if parameters.split_neck_mm > 0:
        bodies = split_at_necks(structure, volume.spacing_mm, parameters.split_neck_mm)
        structure = _chosen(runs_of(bodies), volume, box, crop, parameters)
    elif parameters.open_mm > 0 or parameters.close_mm > 0:
        structure = _chosen(pieces.connected(structure), volume, box, crop, parameters)
    structure = pieces.filled(structure, volume.spacing_mm, parameters.fill_holes_mm3)
    if within.size > 1:
        structure &= within
    if not structure.any():
        raise SegmentationError(
            "nothing is left of the structure",
            expected="pieces that are large enough, and thick enough for the opening",
            where="02_segmentation",
            fix="choose a smaller open_mm or smallest_piece_mm3",
        )
    if structure.shape == volume.voxels.shape:
        return structure.view(np.uint8)
    mask = np.zeros(volume.voxels.shape, np.uint8)
    mask[box] = structure
    return mask


def choose_threshold(
    volume: Volume,
    parameters: Segmentation,
    method: ThresholdMethod,
    mask: npt.NDArray[np.uint8] | None = None,
) -> Threshold:
    """The threshold, in HU, to segment with: the one that is set, or one that is measured.

    Measured in the crop box; the half height on the surface that the set threshold gives,
    or on that of a mask (k, j, i), against soft tissue for bones and teeth, against anything
    for skin.

    Raises
    ------
    SegmentationError
        There is nothing to measure, or what was measured does not fit the structure.
    """
    if method == "set":
        check_threshold(parameters)
        return Threshold(parameters.threshold_hu, "set")
    check_unit(volume)
    if method == "otsu":
        box = _box(volume, _corners_lps_mm(parameters))
        found = otsu_threshold(replace(volume, voxels=volume.voxels[box]))
    else:
        if mask is None:
            mask = segment(volume, parameters)
        beside_hu = PRESETS[parameters.structure].beside_hu
        found = half_height_threshold(volume, mask, parameters.threshold_hu, beside_hu)
    check_threshold(parameters.model_copy(update={"threshold_hu": found.hu}))
    return found


def labels_of(masks: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    """Several structures in one array (k, j, i) uint8: 0 outside, 1 for the first mask.

    Where masks overlap the voxel stays with the earlier one.
    """
    labels = np.zeros_like(masks[0])
    for value, mask in enumerate(masks, start=1):
        labels[(labels == 0) & (mask > 0)] = value
    return labels


def edges_touched(mask: npt.NDArray[np.uint8]) -> list[str]:
    """Which sides of the field of view the structure runs into: it is cut off there."""
    sides = {
        "first image": mask[0],
        "last image": mask[-1],
        "first row": mask[:, 0],
        "last row": mask[:, -1],
        "first column": mask[:, :, 0],
        "last column": mask[:, :, -1],
    }
    return [name for name, side in sides.items() if side.any()]


def check_unit(volume: Volume) -> None:
    """See that the grey values are in HU, in which thresholds are given.

    Raises
    ------
    SegmentationError
        They are not.
    """
    if volume.unit != "HU":
        raise SegmentationError(
            "a scan whose grey values have no physical unit (MR, or a file of unknown origin)",
            expected="grey values in HU, in which threshold_hu is given",
            where="01_scan/volume.nrrd",
            fix="import a CT of the region: the surface is taken from the grey values",
        )


def _near(volume: Volume, crop: Box, within: Inside, parameters: Segmentation) -> Box:
    """The part of the crop box that holds all above the threshold, and what closing may reach."""
    voxels, threshold_hu = volume.voxels[crop], parameters.threshold_hu
    images, rows, columns = (np.zeros(count, np.bool_) for count in voxels.shape)
    count = 0
    for k, image in enumerate(voxels):  # image by image: no array as large as the scan
        above = image > threshold_hu
        if within.size > 1:
            above &= within[k]
        if found := np.count_nonzero(above):
            count += int(found)
            images[k] = True
            rows |= above.any(axis=1)
            columns |= above.any(axis=0)
    share = count / voxels.size / float(within.mean())
    if not 1e-6 < share < 0.999:
        raise SegmentationError(
            f"{share:.2%} of the scan lies above {threshold_hu} HU",
            expected="a structure that stands out from its surroundings",
            where=f"grey values from {voxels.min()} to {voxels.max()} HU",
            fix="choose a threshold inside that range, or another series",
        )
    reach = np.ceil(parameters.close_mm / volume.spacing_mm[::-1]).astype(int) + 2
    near = pieces.around((images, rows, columns), reach.tolist())
    return near or (slice(None),) * 3


def _part(box: Box, part: Box) -> Box:
    """Where in the scan a part of a box of it lies."""
    k, j, i = (
        slice(whole.start + some.start, whole.start + some.stop)
        for whole, some in zip(box, part, strict=True)
    )
    return k, j, i


def _chosen(found: Runs, volume: Volume, box: Box, crop: Box, parameters: Segmentation) -> Inside:
    if seeds := places(parameters.seeds_lps_mm):
        kept = pieces.under_seeds(found, volume, seeds, box, crop)
    else:
        kept = pieces.largest(found, parameters.components)
    if parameters.smallest_piece_mm3 > 0:
        kept &= pieces.larger_than(found, volume.spacing_mm, parameters.smallest_piece_mm3)
    return kept


def _corners_lps_mm(parameters: Segmentation) -> Array | None:
    """The lowest and the highest corner (2, 3) of the crop box, mm, LPS; None without one."""
    corners = np.sort(np.array(places(parameters.crop_lps_mm)), axis=0)
    if not corners.size:
        return None
    if len(corners) != 2 or not (corners[0] < corners[1]).all():
        raise SegmentationError(
            f"crop_lps_mm = {parameters.crop_lps_mm!r}",
            expected="two corners that differ along each axis: x, y, z; x, y, z in mm (LPS)",
            where="02_segmentation",
            fix="leave it empty to keep the whole scan",
        )
    return corners


def _box(volume: Volume, corners_lps_mm: Array | None) -> Box:
    """The smallest part of the array (k, j, i) that holds the crop box."""
    shape = volume.voxels.shape
    if corners_lps_mm is None:
        return slice(0, shape[0]), slice(0, shape[1]), slice(0, shape[2])
    ijk = volume.to_ijk(np.where(list(np.ndindex(2, 2, 2)), *corners_lps_mm))
    first = np.maximum(np.ceil(ijk.min(axis=0) - ROUNDING).astype(int), 0)[::-1]
    last = np.minimum(np.floor(ijk.max(axis=0) + ROUNDING).astype(int) + 1, shape[::-1])[::-1]
    if (first >= last).any():
        raise _beside(volume)
    k, j, i = (slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
    return k, j, i


def _within(volume: Volume, box: Box, corners_lps_mm: Array | None) -> Inside:
    """Which voxels of the part have their centre in the crop box; one value if all have."""
    if corners_lps_mm is None:
        return np.ones((1, 1, 1), np.bool_)
    low, high = corners_lps_mm + np.array([[-ROUNDING], [ROUNDING]])
    step = volume.direction * volume.spacing_mm
    k, j, i = (np.arange(part.start, part.stop) for part in box)
    within = np.ones((len(k), len(j), len(i)), np.bool_)
    for axis in range(3):
        plane = volume.origin_lps_mm[axis] + step[axis, 1] * j[:, None] + step[axis, 0] * i
        for n, along in enumerate(step[axis, 2] * k):
            within[n] &= (plane + along >= low[axis]) & (plane + along <= high[axis])
    if not within.any():
        raise _beside(volume)
    return within


def _beside(volume: Volume) -> SegmentationError:
    ends = volume.to_lps(np.stack([np.zeros(3), np.array(volume.voxels.shape[::-1]) - 1]))
    return SegmentationError(
        "a crop box that holds no voxel of the scan",
        expected="corners inside the scan",
        where="the scan runs from {} to {} mm (LPS)".format(*np.rint(ends).astype(int)),
        fix="change crop_lps_mm, or leave it empty to keep the whole scan",
    )
