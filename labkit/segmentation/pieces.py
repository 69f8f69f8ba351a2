"""Connected pieces of a mask, chosen by size or by a place in them; cavities filled."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from labkit.errors import SegmentationError
from labkit.segmentation.runs import Inside, Runs, connected_runs
from labkit.volume import Array, Volume

Mask = npt.NDArray[np.uint8]
"""(k, j, i): 1 inside, 0 outside, as the stages hand it on."""

Box = tuple[slice, slice, slice]
"""A part of a mask, along k, j and i."""


def connected(mask: Inside) -> Runs:
    """The connected pieces of a mask (k, j, i): 1, 2, 3 … by place.

    Voxels that touch at a corner belong together; what lies between them is then parted by
    faces only, so that a closed shell cannot leak.
    """
    return connected_runs(mask, corners=True)


def largest(pieces: Runs, count: int) -> Inside:
    """The ``count`` largest pieces; of equal ones those that come first in the scan."""
    order = np.argsort(-pieces.sizes[1:], kind="stable")[:count] + 1
    return _kept(pieces, order)


def larger_than(pieces: Runs, spacing_mm: Array, limit_mm3: float) -> Inside:
    """The pieces of at least ``limit_mm3``."""
    large = pieces.sizes * float(np.prod(spacing_mm)) >= limit_mm3
    return _kept(pieces, np.flatnonzero(large[1:]) + 1)


def under_seeds(
    pieces: Runs, volume: Volume, seeds_lps_mm: Sequence[Sequence[float]], box: Box, crop: Box
) -> Inside:
    """The pieces in which the seeds (n, 3), mm, LPS, lie.

    Parameters
    ----------
    box : which part of the volume the pieces cover.
    crop : where they were looked for.

    Raises
    ------
    SegmentationError
        A seed lies outside the scan, or where the structure is not: says what is there.
    """
    first = np.array([part.start for part in box])
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
        known = (here >= 0).all() and (here < pieces.shape).all()
        piece = pieces.at(*here) if known else 0
        if not piece:
            inside = all(side.start <= n < side.stop for n, side in zip(kji, crop, strict=True))
            raise SegmentationError(
                f"a seed where the structure is not: {volume.voxels[tuple(kji)]} {volume.unit}"
                + (", outside the crop box" if not inside else ""),
                expected="a voxel above the threshold that cropping and opening leave in place",
                where=at,
                fix="move the seed into the structure, or lower the threshold",
            )
        chosen.append(piece)
    return _kept(pieces, chosen)


def filled(mask: Inside, spacing_mm: Array, limit_mm3: float) -> Inside:
    """The mask with its enclosed cavities of up to ``limit_mm3`` filled.

    A cavity that reaches a side of the scan is open there, and stays.
    """
    box = bounding_box(mask)
    if box is None or limit_mm3 <= 0:
        return mask
    cavities = connected_runs(mask[box], 1, corners=False)
    fill = cavities.sizes * float(np.prod(spacing_mm)) <= limit_mm3
    fill[cavities.at_the_sides] = False
    if not fill[1:].any():
        return mask
    result = mask.copy()
    cavities.write(fill, result[box])
    return result


def bounding_box(mask: Inside | Mask, margin: Sequence[int] = (0, 0, 0)) -> Box | None:
    """The part of the array (k, j, i) that holds the mask, with a margin; None if empty."""
    hits = [np.asarray(mask.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    return around(hits, margin)


def around(hits: Sequence[npt.NDArray[np.bool_]], margin: Sequence[int]) -> Box | None:
    """The box, with a margin, around what is hit along k, j and i; None if nothing is."""
    sides = []
    for hit, more in zip(hits, margin, strict=True):
        places = np.flatnonzero(hit)
        if not places.size:
            return None
        last = min(int(places[-1]) + more + 1, len(hit))
        sides.append(slice(max(int(places[0]) - more, 0), last))
    return sides[0], sides[1], sides[2]


def _kept(pieces: Runs, values: npt.NDArray[np.integer] | list[int]) -> Inside:
    keep = np.zeros(len(pieces.sizes), np.bool_)
    keep[values] = True
    kept = np.zeros(pieces.shape, np.bool_)
    pieces.write(keep, kept)
    return kept
