"""From grey values to a mask: pieces, seeds, crop, necks, several structures."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.errors import SegmentationError
from labkit.parameters import Segmentation, places
from labkit.segmentation import labels_of, segment
from labkit.segmentation.pieces import connected, filled, larger_than, largest
from labkit.segmentation.presets import PRESETS, check_threshold
from labkit.segmentation.splitting import split_at_necks
from labkit.volume import Array, Volume
from tests.segmentation.labelled import AXIAL, OBLIQUE

SPACING = np.array([0.7, 0.7, 1.25])
ORIGIN = np.array([-20.0, 35.0, 700.0])
BONE = Segmentation(threshold_hu=475)
Ball = tuple[float, float, float, float]


def _scan(*balls: Ball, direction: Array = AXIAL) -> Volume:
    """Balls of 1000 HU in −50 HU; centres and radii in mm from voxel 0 along i, j, k."""
    k, j, i = np.ogrid[:40, :60, :90]
    hu = np.full((40, 60, 90), -50, np.int16)
    for a, b, c, radius in balls:
        away2 = (i * 0.7 - a) ** 2 + (j * 0.7 - b) ** 2 + (k * 1.25 - c) ** 2
        hu[away2 < radius**2] = 1000
    return Volume(hu, ORIGIN, SPACING, direction)


def _bone(**steps: object) -> Segmentation:
    return Segmentation.model_validate({"threshold_hu": 475, **steps})


def _lps(volume: Volume, *mm: float) -> str:
    """A place in mm from voxel 0, as a parameter names it."""
    return ", ".join(f"{n:.4f}" for n in volume.direction @ np.array(mm) + volume.origin_lps_mm)


LEFT, RIGHT, SMALL = (15.0, 20.0, 25.0, 10.0), (45.0, 20.0, 25.0, 8.0), (30.0, 36.0, 25.0, 2.0)


@pytest.mark.parametrize("direction", [AXIAL, OBLIQUE])
def test_seeds_choose_the_pieces_they_lie_in(direction: Array) -> None:
    volume = _scan(LEFT, RIGHT, SMALL, direction=direction)
    seeds = _lps(volume, 45, 20, 25) + "; " + _lps(volume, 30, 36, 25)
    mask = segment(volume, _bone(seeds_lps_mm=seeds))
    assert (mask == segment(_scan(RIGHT, SMALL), _bone(components=2))).all()


def test_a_seed_that_misses_is_refused_with_what_lies_there() -> None:
    volume = _scan(LEFT)
    for place, said in (((45, 20, 25), "not: -50 HU"), ((500, 0, 0), "outside the scan")):
        with pytest.raises(SegmentationError, match=said) as refused:
            segment(volume, _bone(seeds_lps_mm=_lps(volume, *place)))
        assert "crop box" not in str(refused.value).splitlines()[0]


def test_pieces_by_number_and_by_size() -> None:
    found = connected(_scan(LEFT, RIGHT, SMALL).voxels > 475)
    assert connected(largest(found, 2)).piece.max() == 2
    assert connected(larger_than(found, SPACING, 100)).piece.max() == 2
    assert connected(larger_than(found, SPACING, 10)).piece.max() == 3
    assert not larger_than(found, SPACING, 1e6).any()


def test_pieces_of_one_size_are_taken_in_the_order_of_the_scan() -> None:
    mask = np.zeros((3, 3, 9), np.bool_)
    mask[1, 1, ::2] = True
    assert largest(connected(mask), 2)[1, 1].tolist() == [True, False, True] + [False] * 6


def test_a_cavity_is_filled_up_to_its_size_and_only_where_it_is_closed() -> None:
    mask = np.zeros((12, 12, 12), np.bool_)
    mask[2:10, 2:10, 2:10] = True
    mask[4:6, 4:6, 4:6] = False  # 8 mm3
    assert filled(mask, np.ones(3), 8.0).sum() == 512
    assert filled(mask, np.ones(3), 7.9).sum() == 504
    cut = mask[:5]
    assert (filled(cut, np.ones(3), 100.0) == cut).all()


corners_mm = st.tuples(*[st.floats(-5, 70)] * 3)


@settings(max_examples=30, deadline=None)
@given(corners_mm, corners_mm, st.sampled_from([AXIAL, OBLIQUE]), st.sampled_from([0.0, 1.5]))
def test_the_mask_never_leaves_the_crop_box(
    one: Array, other: Array, direction: Array, close_mm: float
) -> None:
    volume = _scan(LEFT, RIGHT, SMALL, direction=direction)
    crop = _lps(volume, *one) + "; " + _lps(volume, *other)
    low, high = np.sort(places(crop), axis=0)
    try:
        mask = segment(volume, _bone(crop_lps_mm=crop, close_mm=close_mm))
    except SegmentationError as error:  # a box beside the structure, or within it
        assert "crop" in str(error) or "lies above" in str(error)
        return
    points = volume.to_lps(np.argwhere(mask)[:, ::-1])
    assert ((points >= low - 1e-5) & (points <= high + 1e-5)).all()
    assert len(points) > 0


def test_a_crop_box_elsewhere_is_refused_with_where_the_scan_lies() -> None:
    with pytest.raises(SegmentationError, match="no voxel of the scan"):
        segment(_scan(LEFT), _bone(crop_lps_mm="900, 900, 0; 910, 910, 10"))
    with pytest.raises(SegmentationError, match="two corners"):
        segment(_scan(LEFT), _bone(crop_lps_mm="1, 2, 3"))


def _touching(gap_mm: float) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Two balls of radius 12 mm whose centres are ``gap_mm`` apart, and the nearer half."""
    a, b = (20.0, 20.0, 25.0, 12.0), (20.0 + gap_mm, 20.0, 25.0, 12.0)
    nearer = np.arange(90) * 0.7 < 20 + gap_mm / 2
    return _scan(a, b).voxels > 475, np.broadcast_to(nearer, (40, 60, 90))


def test_touching_balls_are_parted_where_they_are_narrowest() -> None:
    mask, first = _touching(21.0)  # the neck is 11.6 mm wide
    bodies = split_at_necks(mask, SPACING, 14.0)
    assert set(np.unique(bodies)) == {0, 1, 2}
    assert ((bodies > 0) == mask).all()
    assert ((bodies == 1) == (mask & first)).mean() > 0.999
    assert split_at_necks(mask, SPACING, 9.0).max() == 1


def test_hollow_bones_are_parted_as_if_they_were_solid() -> None:
    mask, first = _touching(21.0)
    shell = mask & ~(_scan((20, 20, 25, 10.0), (41, 20, 25, 10.0)).voxels > 475)
    shell = shell[14:]  # the marrow is open at the first image
    bodies = split_at_necks(shell, SPACING, 14.0)
    assert set(np.unique(bodies)) == {0, 1, 2}
    assert ((bodies == 1) == (shell & first[14:])).mean() > 0.999


def test_of_touching_bones_the_one_under_the_seed_is_kept() -> None:
    volume = _scan((20, 20, 25, 12), (41, 20, 25, 11))
    steps = _bone(seeds_lps_mm=_lps(volume, 41, 20, 25), split_neck_mm=14.0)
    i = np.argwhere(segment(volume, steps))[:, 2] * 0.7
    assert i.min() > 29
    assert i.max() == pytest.approx(51.5, abs=0.8)


def test_what_opening_takes_apart_is_chosen_once_more() -> None:
    volume = _scan(LEFT, RIGHT)
    volume.voxels[19:21, 27:30, 20:65] = 1000  # a bridge
    assert segment(volume, BONE)[:, :, 65:].any()
    assert not segment(volume, _bone(open_mm=3.0))[:, :, 50:].any()


def test_an_opening_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(SegmentationError, match="nothing is left"):
        segment(_scan(SMALL), _bone(open_mm=5.0))


def test_an_earlier_structure_keeps_its_voxels() -> None:
    volume = _scan((20, 20, 25, 12), (35, 20, 25, 8))
    one, two = (segment(_scan(ball), BONE) for ball in ((20, 20, 25, 12), (35, 20, 25, 8)))
    labels = labels_of([one, two])
    assert ((labels == 1) == (one > 0)).all()
    assert ((labels == 2) == ((two > 0) & (one == 0))).all()
    assert ((labels > 0) == (segment(volume, BONE) > 0)).all()


def test_the_same_scan_gives_the_same_bytes() -> None:
    volume = _scan(LEFT, RIGHT, SMALL)
    noisy = volume.voxels + np.random.default_rng(1).integers(-400, 400, volume.voxels.shape)
    volume = replace(volume, voxels=noisy.astype(np.int16))
    before = volume.voxels.copy()
    steps = _bone(open_mm=1.0, close_mm=1.5, split_neck_mm=3.0)
    assert segment(volume, steps).tobytes() == segment(volume, steps).tobytes()
    assert (volume.voxels == before).all()


@pytest.mark.parametrize("structure", PRESETS)
def test_every_preset_fits_its_own_window_and_names_its_source(structure: str) -> None:
    preset = PRESETS[structure]  # type: ignore[index]
    check_threshold(Segmentation(structure=structure, threshold_hu=preset.threshold_hu))  # type: ignore[arg-type]
    assert preset.source
