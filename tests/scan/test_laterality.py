"""The side of the sample: its letter R lies where the formula says, and no mirror fits."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from labkit.scan import choose, discover
from labkit.volume import AIR_HU, Volume
from sample_data.phantom import MARK_HU, MARK_STEM_UM, MARK_UM, in_mark, to_local_um, to_lps_mm
from tests.conftest import SAMPLE

_BRIGHT_HU = (MARK_HU + AIR_HU) // 2
_CENTRE_UM = np.add(MARK_UM, (5250, 8000, MARK_STEM_UM // 2))
_REACH_MM = 12.0


def _overlap(volume: Volume) -> float:
    """Dice of the letter and of what is bright around its true place."""
    (centre,) = np.rint(volume.to_ijk(to_lps_mm([_CENTRE_UM]))).astype(int)
    i, j, k = (
        np.arange(max(c - r, 0), c + r)
        for c, r in zip(centre, np.ceil(_REACH_MM / volume.spacing_mm).astype(int), strict=True)
    )
    box = np.ix_(k, j, i)
    grid = np.stack(np.meshgrid(k, j, i, indexing="ij")[::-1], axis=-1).reshape(-1, 3)
    letter = in_mark(*to_local_um(volume.to_lps(grid)))
    bright = volume.voxels[box].ravel() > _BRIGHT_HU
    return float(2 * (bright & letter).sum() / (bright.sum() + letter.sum()))


def test_the_letter_r_lies_on_the_patients_right_where_the_formula_says(
    sample_volume: Volume,
) -> None:
    assert _overlap(sample_volume) > 0.95


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_mirrored_import_would_be_caught(sample_volume: Volume, axis: int) -> None:
    assert _overlap(replace(sample_volume, voxels=np.flip(sample_volume.voxels, axis))) < 0.7


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_so_would_one_that_leaves_the_letter_in_its_place(sample_volume: Volume, axis: int) -> None:
    (centre,) = np.rint(sample_volume.to_ijk(to_lps_mm([_CENTRE_UM]))).astype(int)
    middle = int(centre[2 - axis])
    half = min(middle, 20)
    around = [slice(None)] * 3
    around[axis] = slice(middle - half, middle + half + 1)
    voxels = sample_volume.voxels.copy()
    voxels[tuple(around)] = np.flip(voxels[tuple(around)], axis)
    assert _overlap(replace(sample_volume, voxels=voxels)) < 0.9


def test_the_header_says_the_side_that_the_pixels_show(lab_home: Path) -> None:
    assert choose(discover(SAMPLE).series).laterality == "right"
