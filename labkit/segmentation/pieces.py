"""Connected pieces of a mask, chosen by size or by a place in them; cavities filled."""

from collections.abc import Sequence
from typing import Any, Literal

import cc3d
import numpy as np
import numpy.typing as npt

from labkit.compiled import compiled, in_threads
from labkit.errors import SegmentationError
from labkit.volume import Array, Volume

Mask = npt.NDArray[np.uint8]
"""(k, j, i): 1 inside, 0 outside, as the stages hand it on."""

Inside = npt.NDArray[np.bool_]
"""(k, j, i): the same while it is worked on."""

Labels = npt.NDArray[np.unsignedinteger[Any]]
Box = tuple[slice, slice, slice]
"""A part of a mask, along k, j and i."""

NEIGHBOURS: Literal[26] = 26
"""Voxels that touch at a corner belong together; what lies between them is then parted by
faces only (6), so that a closed shell cannot leak."""


def connected(mask: Inside) -> Labels:
    """The connected pieces of a mask (k, j, i): 0 outside, else 1, 2, 3 … by place."""
    return np.asarray(cc3d.connected_components(mask, connectivity=NEIGHBOURS, binary_image=True))


def largest(pieces: Labels, count: int) -> Inside:
    """The ``count`` largest pieces; of equal ones those that come first in the scan."""
    sizes = _sizes(pieces)
    order = np.argsort(-sizes[1:].astype(np.int64), kind="stable")[:count] + 1
    return _kept(pieces, order, len(sizes))


def larger_than(pieces: Labels, spacing_mm: Array, limit_mm3: float) -> Inside:
    """The pieces of at least ``limit_mm3``."""
    sizes = _sizes(pieces)
    large = sizes * float(np.prod(spacing_mm)) >= limit_mm3
    return _kept(pieces, np.flatnonzero(large[1:]) + 1, len(sizes))


def under_seeds(
    pieces: Labels, volume: Volume, seeds_lps_mm: Sequence[Sequence[float]], box: Box | None = None
) -> Inside:
    """The pieces in which the seeds (n, 3), mm, LPS, lie.

    ``box`` says which part of the volume the pieces cover; without it, all.

    Raises
    ------
    SegmentationError
        A seed lies outside the scan, or where the structure is not: says what is there.
    """
    first = np.array([part.start for part in box] if box else [0, 0, 0])
    chosen = []
    for seed in seeds_lps_mm:
        kji = np.rint(volume.to_ijk(np.reshape(seed, (1, 3)))[0]).astype(int)[::-1]
        at = "seed {:g}, {:g}, {:g} mm (LPS)".format(*seed)
        if (kji < 0).any() or (kji >= volume.voxels.shape).any():
            raise SegmentationError(
                "a seed outside the scan",
                expected="a place inside the structure",
                where=at,
                fix="choose the seed on a slice of this scan",
            )
        here = kji - first
        inside = (here >= 0).all() and (here < pieces.shape).all()
        if not inside or not pieces[tuple(here)]:
            raise SegmentationError(
                f"a seed where the structure is not: {volume.voxels[tuple(kji)]} {volume.unit}"
                + (", outside the crop box" if not inside else ""),
                expected="a voxel above the threshold that cropping and opening leave in place",
                where=at,
                fix="move the seed into the structure, or lower the threshold",
            )
        chosen.append(pieces[tuple(here)])
    return _kept(pieces, np.array(chosen), int(pieces.max()) + 1)


def filled(mask: Inside, spacing_mm: Array, limit_mm3: float) -> Inside:
    """The mask with its enclosed cavities of up to ``limit_mm3`` filled.

    A cavity that reaches a side of the scan is open there, and stays.
    """
    box = bounding_box(mask)
    if box is None or limit_mm3 <= 0:
        return mask
    cavities = cc3d.connected_components(~mask[box], connectivity=6, binary_image=True)
    fill = _sizes(cavities) * float(np.prod(spacing_mm)) <= limit_mm3
    fill[0] = False
    for axis in range(3):
        for end in (0, -1):
            fill[np.unique(cavities.take(end, axis))] = False
    result = mask.copy()
    result[box] |= fill[cavities]
    return result


def bounding_box(mask: Inside | Mask, margin: Sequence[int] = (0, 0, 0)) -> Box | None:
    """The part of the array (k, j, i) that holds the mask, with a margin; None if empty."""
    sides = []
    for axis, more in enumerate(margin):
        hits = np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis})))
        if not hits.size:
            return None
        last = min(int(hits[-1]) + more + 1, mask.shape[axis])
        sides.append(slice(max(int(hits[0]) - more, 0), last))
    return sides[0], sides[1], sides[2]


def _sizes(pieces: Labels) -> npt.NDArray[np.int64]:
    """How many voxels each value has."""
    count = int(pieces.max()) + 1
    sizes = in_threads(lambda slab: _counts(slab, count), _slabs(pieces))
    return np.asarray(np.sum(sizes, axis=0))


def _kept(pieces: Labels, values: npt.NDArray[Any], count: int) -> Inside:
    keep = np.zeros(count, np.bool_)
    keep[values] = True
    kept = np.empty(pieces.shape, np.bool_)
    slabs = zip(_slabs(pieces), _slabs(kept), strict=True)
    in_threads(lambda pair: _look_up(keep, *pair), slabs)
    return kept


def _slabs(voxels: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    return np.array_split(voxels, 4)


@compiled
def _counts(slab: Labels, count: int) -> npt.NDArray[np.int64]:
    sizes = np.zeros(count, np.int64)
    for k in range(slab.shape[0]):
        for j in range(slab.shape[1]):
            for i in range(slab.shape[2]):
                sizes[slab[k, j, i]] += 1
    return sizes


@compiled
def _look_up(keep: npt.NDArray[np.bool_], slab: Labels, kept: Inside) -> None:
    for k in range(slab.shape[0]):
        for j in range(slab.shape[1]):
            for i in range(slab.shape[2]):
                kept[k, j, i] = keep[slab[k, j, i]]
