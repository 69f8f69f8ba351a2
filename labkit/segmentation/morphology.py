"""Opening and closing by an exact ball in mm, on voxels of any proportions.

A ball is a stack of runs of voxels along i.  A mask widened along i by each run's length,
which takes a few operations per voxel whatever the length, and then moved by each run's
place, gives the same voxels as a distance map cut at the radius, in less time and with two
bytes per voxel in place of twenty.

What lies beyond the scan is neither structure nor background: a structure that the field
of view cuts off keeps its cut face as it is.
"""

import math
from collections import defaultdict

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from labkit.segmentation.pieces import bounding_box
from labkit.segmentation.runs import Inside
from labkit.volume import Array

ROUNDING = 1e-6
"""Relative: a voxel at exactly the radius is inside, whatever its spacing was rounded to."""


def dilated(mask: Inside, spacing_mm: Array, radius_mm: float) -> Inside:
    """All voxels (k, j, i) whose centre lies within ``radius_mm`` of one of the mask's."""
    box = bounding_box(mask, _reach(spacing_mm, radius_mm))
    result = mask.copy()
    if box is not None:
        result[box] = _dilated(mask[box], spacing_mm, radius_mm)
    return result


def opened(mask: Inside, spacing_mm: Array, radius_mm: float) -> Inside:
    """What a ball of ``radius_mm`` covers that stays inside the mask (k, j, i).

    Thin bridges, spikes and specks go; flat and wide places stay where they are.
    """
    box = bounding_box(mask, (1, 1, 1))
    result = mask.copy()
    if box is not None:
        core = ~_dilated(~mask[box], spacing_mm, radius_mm)
        result[box] = _dilated(core, spacing_mm, radius_mm)
    return result


def closed(mask: Inside, spacing_mm: Array, radius_mm: float) -> Inside:
    """The mask (k, j, i), with all that a ball of ``radius_mm`` cannot reach from outside.

    Small holes, cracks and notches are closed; flat and wide places stay where they are.
    """
    reach_k, reach_j, reach_i = _reach(spacing_mm, radius_mm)
    box = bounding_box(mask, (reach_k + 1, reach_j + 1, reach_i + 1))
    result = mask.copy()
    if box is not None:
        wide = _dilated(mask[box], spacing_mm, radius_mm)
        result[box] = ~_dilated(~wide, spacing_mm, radius_mm)
    return result


def _reach(spacing_mm: Array, radius_mm: float) -> tuple[int, int, int]:
    """How many voxels the radius is along k, j and i."""
    along_i, along_j, along_k = (_count(radius_mm, float(step)) for step in spacing_mm)
    return along_k, along_j, along_i


def _count(length_mm: float, step_mm: float) -> int:
    return math.floor(length_mm / step_mm * (1 + ROUNDING))


def _dilated(mask: Inside, spacing_mm: Array, radius_mm: float) -> Inside:
    """The same inside an array whose sides nothing comes in through."""
    step_i, step_j, step_k = (float(step) for step in spacing_mm)
    reach_k, reach_j, _ = _reach(spacing_mm, radius_mm)
    runs: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for k in range(-reach_k, reach_k + 1):
        for j in range(-reach_j, reach_j + 1):
            left = radius_mm**2 * (1 + 2 * ROUNDING) - (k * step_k) ** 2 - (j * step_j) ** 2
            if left >= 0:
                runs[_count(math.sqrt(left), step_i)].append((k, j))
    result = np.zeros_like(mask)
    for half, places in sorted(runs.items()):
        wide = _widened(mask, half)
        for k, j in places:
            result[_moved(k, mask.shape[0]), _moved(j, mask.shape[1])] |= wide[
                _moved(-k, mask.shape[0]), _moved(-j, mask.shape[1])
            ]
    return result


def _widened(mask: Inside, half: int) -> npt.NDArray[np.bool_]:
    if half == 0:
        return mask
    wide = ndimage.maximum_filter1d(
        mask.view(np.uint8), 2 * half + 1, axis=2, mode="constant", cval=0
    )
    return np.asarray(wide).view(np.bool_)


def _moved(by: int, length: int) -> slice:
    """Of an axis of ``length``, the places that have a partner ``by`` places before them."""
    return slice(min(max(by, 0), length), max(length + min(by, 0), 0))
