"""Thresholds that are measured lie where the edge has half its height."""

from pathlib import Path

import numpy as np
import pytest
from scipy.special import erf

from labkit.errors import SegmentationError
from labkit.parameters import Segmentation
from labkit.segmentation import choose_threshold
from labkit.volume import Volume

SPACING = np.array([0.7, 0.7, 1.25])
BLUR_MM = 0.5


def _scan(wall_mm: float = 99.0, noise_hu: float = 0.0, outside_hu: float = -50.0) -> Volume:
    """A ball of 1000 HU and 15 mm radius, hollow behind its wall; blurred by the scanner."""
    k, j, i = np.meshgrid(*(np.arange(n) for n in (36, 60, 60)), indexing="ij")
    away = np.sqrt(((i - 30.2) * 0.7) ** 2 + ((j - 29.7) * 0.7) ** 2 + ((k - 17.6) * 1.25) ** 2)
    hu = np.full(away.shape, outside_hu, float)
    for radius, height in ((15.0, 1000 - outside_hu), (15.0 - wall_mm, -1050.0)):
        hu += height * 0.5 * (1 + erf((radius - away) / (np.sqrt(2) * BLUR_MM)))
    hu += np.random.default_rng(2).normal(0, noise_hu, hu.shape) if noise_hu else 0
    return Volume(np.rint(hu).astype(np.int16), np.zeros(3), SPACING, np.eye(3))


HU_PER_MM = 1050 / (BLUR_MM * np.sqrt(2 * np.pi))
"""How steep the edge is: a threshold off by as many HU moves the surface by 1 mm."""


@pytest.mark.parametrize("noise_hu", [0, 20, 60])
@pytest.mark.parametrize("start_hu", [325, 475, 625])
def test_the_half_height_is_found_from_150_hu_away(start_hu: int, noise_hu: float) -> None:
    volume = _scan(noise_hu=noise_hu)
    found = choose_threshold(volume, Segmentation(threshold_hu=start_hu), "half height")
    assert abs(found.hu - 475) / HU_PER_MM <= 0.01
    assert found.spread_hu < 15 + noise_hu / 2
    assert found.inside_hu == pytest.approx(1000, abs=20)
    assert found.outside_hu == pytest.approx(-50, abs=20)
    assert found.thin_share < 0.05


def test_a_wall_that_never_reaches_its_grey_value_is_not_measured() -> None:
    """Treece 2010: the half height of a cortex thinner than the blur is too low."""
    thick = choose_threshold(_scan(wall_mm=4.0), Segmentation(threshold_hu=400), "half height")
    assert abs(thick.hu - 475) / HU_PER_MM <= 0.02
    with pytest.raises(SegmentationError, match="levels off on both sides"):
        choose_threshold(_scan(wall_mm=0.8), Segmentation(threshold_hu=300), "half height")


def test_bone_beside_air_is_not_measured_as_if_it_were_in_tissue() -> None:
    with pytest.raises(SegmentationError, match="levels off on both sides"):
        choose_threshold(_scan(outside_hu=-1000), Segmentation(), "half height")
    skin = Segmentation(structure="skin", threshold_hu=-300)
    volume = _scan(outside_hu=-1000)
    volume.voxels[:] = np.interp(volume.voxels, [-1000, 1000], [-1000, 50]).astype(np.int16)
    found = choose_threshold(volume, skin, "half height")
    assert found.hu == pytest.approx(-475, abs=10)


def test_otsu_parts_bone_from_tissue_where_air_fills_most_of_the_scan() -> None:
    volume = _scan(noise_hu=20)
    volume.voxels[:, :20] = -1000
    found = choose_threshold(volume, Segmentation(), "otsu")
    assert 300 < found.hu < 650


def test_a_measured_threshold_that_does_not_fit_the_structure_is_refused() -> None:
    with pytest.raises(SegmentationError, match="for skin"):
        choose_threshold(_scan(), Segmentation(structure="skin", threshold_hu=-300), "otsu")


def test_without_any_contrast_there_is_nothing_to_measure() -> None:
    flat = Volume(np.full((9, 9, 9), 40, np.int16), np.zeros(3), SPACING, np.eye(3))
    with pytest.raises(SegmentationError, match="grey values from 40 to 40"):
        choose_threshold(flat, Segmentation(), "otsu")


@pytest.mark.parametrize("start_hu", [200, 450])
def test_the_samples_cortex_is_found_between_its_muscle_and_its_bone(
    sample_volume: Volume, start_hu: int
) -> None:
    """1200 HU in 50 HU by its formula, half of it 625; most of its cortex is thin."""
    parameters = Segmentation(threshold_hu=start_hu, components=2)
    found = choose_threshold(sample_volume, parameters, "half height")
    assert found.hu == pytest.approx(625, abs=15)
    assert found.thin_share > 0.5


def test_a_real_thigh(real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from labkit.scan import choose, discover, read_volume  # noqa: PLC0415

    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    volume = read_volume(choose(discover(real_data / "ct_knee_sts013").series))
    found = [
        choose_threshold(volume, Segmentation(threshold_hu=hu), "half height").hu
        for hu in (250, 450)
    ]
    assert abs(found[0] - found[1]) < 25
    assert 600 < found[0] < 750  # muscle at 50, dense shafts at 1350 HU
    assert 500 < choose_threshold(volume, Segmentation(), "otsu").hu < 650
