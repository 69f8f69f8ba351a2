from dataclasses import replace
from pathlib import Path

import nrrd
import numpy as np
import pytest
from scipy.special import erf

from labkit.errors import SegmentationError
from labkit.parameters import Segmentation
from labkit.segmentation import (
    edges_touched,
    extract_surface,
    segment,
    write_mask,
)
from labkit.surface import distances, read_stl, write_stl
from labkit.volume import Array, Volume

SPACING = np.array([0.7, 0.7, 1.25])
DIRECTION = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])  # turned: an easy way to be wrong
ORIGIN = np.array([-20.0, 35.0, 700.0])


def _ball_scan(*balls: tuple[tuple[float, float, float], float], noise_hu: float = 0) -> Volume:
    """Balls of 1000 HU in −50 HU, blurred by the scanner (σ 0.5 mm); centres and radii in mm,
    measured from voxel 0 along i, j, k."""
    steps = [np.arange(count) * step for count, step in zip((72, 60, 40), SPACING, strict=True)]
    z, y, x = np.meshgrid(*steps[::-1], indexing="ij")
    hu = np.full(x.shape, -50.0)
    for (a, b, c), radius in balls:
        depth = radius - np.sqrt((x - a) ** 2 + (y - b) ** 2 + (z - c) ** 2)
        hu += 1050 * 0.5 * (1 + erf(depth / (np.sqrt(2) * 0.5)))
    hu += np.random.default_rng(1).normal(0, noise_hu, hu.shape) if noise_hu else 0
    return Volume(np.rint(hu).astype(np.int16), ORIGIN, SPACING, DIRECTION)


BIG, SMALL = ((18.1, 20.2, 22.3), 12.0), ((40.0, 20.0, 22.0), 5.0)
HALF = Segmentation(threshold_hu=475)


def _to_lps(centre: tuple[float, float, float]) -> Array:
    return np.asarray(DIRECTION @ np.array(centre) + ORIGIN)


def test_the_surface_lies_where_the_ball_ends() -> None:
    """B1 of the benchmarks: no bias per axis above 0.1 mm on anisotropic voxels."""
    volume = _ball_scan(BIG, noise_hu=20)
    surface = extract_surface(volume, segment(volume, HALF), HALF)
    centre, radius = _to_lps(BIG[0]), BIG[1]
    off = np.linalg.norm(surface.mesh.vertices - centre, axis=1) - radius
    assert abs(off.mean()) < 0.02
    assert off.std() < 0.06
    assert np.abs(surface.mesh.bounds.mean(axis=0) - centre).max() < 0.1
    assert np.abs(surface.mesh.extents - 2 * radius).max() < 0.25
    assert surface.mesh.volume == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.01)
    assert surface.mesh.is_watertight
    assert surface.mesh.is_winding_consistent


def test_the_lighter_surface_keeps_its_bound() -> None:
    volume = _ball_scan(BIG, noise_hu=20)
    mask = segment(volume, HALF)
    for bound_mm in (0.0, 0.02, 0.1):
        parameters = HALF.model_copy(update={"decimation_bound_mm": bound_mm})
        surface = extract_surface(volume, mask, parameters)
        moved_mm = [s.distances.max_mm for s in surface.steps if s.name == "decimation"]
        assert len(moved_mm) == (bound_mm > 0)
        assert all(0 < mm <= bound_mm for mm in moved_mm)
        assert (len(surface.mesh.faces) < surface.full_triangles) == (bound_mm > 0)


def test_only_the_largest_pieces_are_kept() -> None:
    volume = _ball_scan(BIG, SMALL)
    one = extract_surface(volume, segment(volume, HALF), HALF)
    both = HALF.model_copy(update={"components": 2})
    two = extract_surface(volume, segment(volume, both), both)
    assert one.mesh.body_count == 1
    assert two.mesh.body_count == 2
    assert two.mesh.volume / one.mesh.volume == pytest.approx(1 + (5 / 12) ** 3, rel=0.02)


def _hollow(radius: float) -> Volume:
    volume = _ball_scan(BIG)
    inner = _ball_scan((BIG[0], radius)).voxels
    return Volume(volume.voxels - inner - 50, ORIGIN, SPACING, DIRECTION)


def test_cavities_up_to_the_limit_are_filled_and_larger_ones_kept() -> None:
    volume = _hollow(5.0)  # 524 mm3
    for limit_mm3, solid in ((1000.0, True), (100.0, False)):
        parameters = HALF.model_copy(update={"fill_holes_mm3": limit_mm3})
        surface = extract_surface(volume, segment(volume, parameters), parameters)
        full = 4 / 3 * np.pi * 12**3
        expected = full if solid else full - 4 / 3 * np.pi * 5**3
        assert surface.mesh.volume == pytest.approx(expected, rel=0.01)
        assert surface.mesh.is_watertight


def test_what_runs_out_of_the_scan_is_closed_and_said() -> None:
    volume = _ball_scan(((0.0, 20.0, 22.0), 10.0))
    mask = segment(volume, HALF)
    assert edges_touched(mask) == ["first column"]
    surface = extract_surface(volume, mask, HALF)
    assert surface.mesh.is_watertight
    assert surface.mesh.volume == pytest.approx(2 / 3 * np.pi * 1000, rel=0.08)


@pytest.mark.parametrize("threshold_hu", [1400, 120])
def test_nothing_or_everything_above_the_threshold_is_refused(threshold_hu: int) -> None:
    volume = _ball_scan(BIG)
    hu = volume.voxels if threshold_hu == 1400 else volume.voxels * 0 + 500
    flat = Volume(hu.astype(np.int16), ORIGIN, SPACING, DIRECTION)
    with pytest.raises(SegmentationError, match="of the scan lies above"):
        segment(flat, Segmentation(threshold_hu=threshold_hu))


def test_a_threshold_outside_the_structures_window_is_refused_with_the_nearest() -> None:
    with pytest.raises(SegmentationError) as caught:
        segment(_ball_scan(BIG), Segmentation(structure="skin", threshold_hu=300))
    assert "threshold_hu = -150" in caught.value.fix


def test_a_threshold_in_hu_says_nothing_of_other_grey_values() -> None:
    volume = replace(_ball_scan(BIG), unit="arbitrary")
    with pytest.raises(SegmentationError, match="no physical unit"):
        segment(volume, HALF)


def test_noise_without_a_structure_of_printable_size_is_refused() -> None:
    hu = np.full((20, 20, 20), -50, np.int16)
    hu[10, 10, 10] = 1000
    volume = Volume(hu, ORIGIN, SPACING * 0.5, DIRECTION)
    with pytest.raises(SegmentationError, match="nothing larger than 1 mm3"):
        extract_surface(volume, segment(volume, HALF), HALF)


@pytest.mark.parametrize("seed", range(5))
def test_a_rough_surface_is_closed_also_after_stl(tmp_path: Path, seed: int) -> None:
    """Noise as coarse as bone trabeculae makes every ambiguous case of the cells."""
    noise = np.random.default_rng(seed).normal(300, 300, (24, 24, 24))
    volume = Volume(noise.astype(np.int16), ORIGIN, SPACING, DIRECTION)
    parameters = Segmentation(threshold_hu=300)
    surface = extract_surface(volume, segment(volume, parameters), parameters)
    write_stl(surface.mesh, tmp_path / "s.stl")
    back = read_stl(tmp_path / "s.stl")
    assert back.is_watertight
    assert back.volume == pytest.approx(surface.mesh.volume, rel=1e-3)


def test_signed_distances_have_sign_and_size() -> None:
    volume = _ball_scan(BIG)
    mesh = extract_surface(volume, segment(volume, HALF), HALF).mesh
    centre = _to_lps(BIG[0])
    for radius in (11.0, 13.0):
        points = centre + radius * np.array([[1, 0, 0], [0, 1, 0], [0, 0, -1], [-1, 0, 0]])
        found = distances(points, mesh)
        assert found.mean_mm == pytest.approx(radius - 12, abs=0.05)
        assert found.max_mm == pytest.approx(1, abs=0.15)


def test_the_mask_opens_in_place_with_its_name(tmp_path: Path) -> None:
    volume = _ball_scan(BIG)
    mask = segment(volume, HALF)
    write_mask(mask, volume, "bone", tmp_path / "mask.seg.nrrd")
    data, header = nrrd.read(str(tmp_path / "mask.seg.nrrd"), index_order="F")
    assert (np.transpose(data) == mask).all()
    assert header["space"] == "left-posterior-superior"
    assert np.allclose(header["space directions"].T, DIRECTION * SPACING)
    assert np.allclose(header["space origin"], ORIGIN)
    assert header["Segment0_Name"] == "bone"
    assert header["Segment0_Extent"] == "0 71 0 59 0 39"


def test_the_samples_bones_are_true_to_their_formula(sample_volume: Volume) -> None:
    parameters = Segmentation(threshold_hu=625, components=2)
    surface = extract_surface(sample_volume, segment(sample_volume, parameters), parameters)
    assert surface.mesh.is_watertight
    left, right = sorted(
        surface.mesh.split(only_watertight=False)[:2], key=lambda m: m.bounds[0][0]
    )
    assert left.extents[0] > right.extents[0]  # the radius, the wider one, on the patient's right
