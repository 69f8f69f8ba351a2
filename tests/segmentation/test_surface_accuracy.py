"""Where the surface lies, against formulas; what each option moves, and how far at most."""

from dataclasses import replace

import numpy as np
import pytest
import pyvista
import trimesh

from labkit.parameters import Segmentation
from labkit.segmentation import extract_surface, extraction, segment
from labkit.segmentation.editing import two_sided_mm
from labkit.segmentation.isosurface import isosurface
from labkit.segmentation.smoothing import (
    ITERATIONS,
    PASS_BAND,
    chebyshev_weights,
    filtered,
    point_normals,
    smoothing_shift,
)
from labkit.surface import mesh_of, signed_distances, solid
from labkit.volume import Array, Volume
from tests.segmentation.surfaces import (
    HALF,
    TURNED,
    ball_scan,
    edge,
    grid_mm,
    middle_lps_mm,
    scan_of,
    wall,
)


def _with(parameters: Segmentation, **changes: object) -> Segmentation:
    return parameters.model_copy(update=changes)


def test_a_noisy_ball_is_true_to_a_few_hundredths_of_a_millimetre() -> None:
    """The acceptance of the surface: 0.7 x 0.7 x 1.25 mm, blur 0.5 mm, noise 20 HU."""
    volume = ball_scan(20.0, noise_hu=20, shape_ijk=(72, 72, 44))
    surface = extract_surface(volume, segment(volume, HALF), HALF)
    off = np.linalg.norm(surface.mesh.vertices - middle_lps_mm(volume), axis=1) - 20
    assert off.std() <= 0.03
    assert abs(off.mean()) <= 0.01
    assert surface.mesh.volume == pytest.approx(4 / 3 * np.pi * 20**3, rel=0.002)


@pytest.mark.parametrize(("bound_mm", "left"), [(0.02, 0.95), (0.05, 0.8), (0.2, 0.65)])
def test_smoothing_takes_noise_out_and_keeps_its_bound(bound_mm: float, left: float) -> None:
    volume = ball_scan(noise_hu=40)
    mask, full = segment(volume, HALF), _with(HALF, decimation_bound_mm=0.0)
    raw = extract_surface(volume, mask, _with(full, smoothing_bound_mm=0.0))
    smooth = extract_surface(volume, mask, _with(full, smoothing_bound_mm=bound_mm))
    raw_mm, smooth_mm = (
        np.linalg.norm(found.mesh.vertices - middle_lps_mm(volume), axis=1) - 12
        for found in (raw, smooth)
    )
    for one, other in ((smooth.mesh, raw.mesh), (raw.mesh, smooth.mesh)):
        assert np.abs(signed_distances(one.vertices, other)).max() <= bound_mm + 1e-6
    assert smooth_mm.std() < left * raw_mm.std()
    assert abs(smooth_mm.mean() - raw_mm.mean()) < 0.005
    assert smooth.mesh.volume == pytest.approx(raw.mesh.volume, rel=2e-3)
    assert [step.name for step in smooth.steps] == ["smoothing"]


def test_smoothing_does_not_wear_off_the_tips_of_rough_bone() -> None:
    x, y, z = grid_mm((24, 24, 16))
    grain = np.random.default_rng(0).normal(size=x.shape)
    volume = scan_of(edge(6 - np.sqrt(x**2 + y**2 + z**2)) * (grain > 0))
    mask, full = segment(volume, HALF), _with(HALF, decimation_bound_mm=0.0)
    raw, smooth = (
        extract_surface(volume, mask, _with(full, smoothing_bound_mm=bound)).mesh
        for bound in (0.0, 0.05)
    )
    assert np.abs(signed_distances(raw.vertices, smooth)).max() <= 0.05 + 1e-6


def test_what_smoothing_reports_is_the_distance_between_the_surfaces() -> None:
    volume = ball_scan(noise_hu=40)
    start = isosurface(volume, segment(volume, HALF), HALF.threshold_hu)
    shift_mm, off_mm = smoothing_shift(start.points_lps_mm, start.triangles, 0.05)
    before = trimesh.Trimesh(start.points_lps_mm, start.triangles, process=False)
    true_mm = signed_distances(start.points_lps_mm + shift_mm, before)
    assert (np.abs(off_mm) >= np.abs(true_mm) - 1e-5).all()
    assert np.mean(np.abs(off_mm - true_mm) < 1e-5) > 0.99


@pytest.mark.parametrize("far_mm", [0.0, 1000.0])
def test_the_filter_and_the_normals_are_those_of_vtk(far_mm: float) -> None:
    volume = ball_scan(noise_hu=60)
    start = isosurface(volume, segment(volume, HALF), HALF.threshold_hu)
    points = start.points_lps_mm - start.points_lps_mm.mean(axis=0)
    judge = pyvista.PolyData.from_regular_faces(points, np.asarray(start.triangles, int))
    smooth = judge.smooth_taubin(
        n_iter=ITERATIONS, pass_band=PASS_BAND, edge_angle=180, feature_angle=180
    )
    found = filtered(points + far_mm, start.triangles) - far_mm
    assert np.abs(found - smooth.points).max() < 5e-6
    assert np.abs(found - points).max() > 0.05
    normals = judge.compute_normals(cell_normals=False, split_vertices=False).point_data["Normals"]
    assert np.abs(point_normals(points, start.triangles) - normals).max() < 1e-6


def test_the_filter_keeps_what_is_smooth_and_takes_out_what_is_rough() -> None:
    """Its response to the frequencies from 0 to 2, a sum of cosines."""
    frequency = np.linspace(0, 2, 50)
    angle = np.arccos(1 - frequency / 2)
    response = chebyshev_weights() @ np.cos(np.outer(np.arange(ITERATIONS + 1), angle))
    assert response[0] == pytest.approx(1, abs=1e-5)
    assert response[frequency <= PASS_BAND] == pytest.approx(1, abs=2e-3)
    assert np.abs(response[frequency >= 1.3]).max() < 1e-2


def test_points_that_were_not_moved_count_in_the_distance_both_ways() -> None:
    volume = ball_scan(noise_hu=20)
    full = extract_surface(volume, segment(volume, HALF), _with(HALF, decimation_bound_mm=0.0)).mesh
    light = mesh_of(solid(full.vertices, full.faces, "a ball").simplify(0.02))
    places, signed_mm = two_sided_mm(full.vertices, full.faces, light)
    here = len(full.vertices)
    assert signed_mm[:here] == pytest.approx(-signed_distances(full.vertices, light), abs=1e-5)
    assert signed_mm[here:] == pytest.approx(signed_distances(places[here:], full), abs=1e-5)
    assert 0.1 < np.mean(signed_mm[:here] == 0) < 0.99


@pytest.mark.parametrize("sign", [-1, 1])
def test_what_the_mask_sets_is_measured_from_where_the_grey_values_end(sign: int) -> None:
    """A mask that stops 4 mm inside the ball's surface, or reaches as far beyond it."""
    volume = ball_scan()
    radius = np.linalg.norm(np.stack(grid_mm((48, 48, 30))), axis=0)
    mask = (radius < 12 + 4 * sign).astype(np.uint8)
    surface = extract_surface(volume, mask, _with(HALF, decimation_bound_mm=0.0))
    gate = surface.steps[0]
    assert gate.name == "gate"
    assert np.sign(gate.distances.mean_mm) == sign
    assert gate.distances.median_mm == pytest.approx(4, abs=0.6)
    assert gate.volume_change_mm3 == pytest.approx(
        4 / 3 * np.pi * ((12 + 4 * sign) ** 3 - 12**3), rel=0.05
    )


def test_smoothing_leaves_a_thin_plate_as_thick_as_it_is() -> None:
    x, y, z = grid_mm((56, 40, 16))
    volume = scan_of(wall(x, 30) * wall(y, 20) * wall(z, 2.0), noise_hu=20)
    mask = segment(volume, HALF)
    raw, smooth = (
        extract_surface(volume, mask, _with(HALF, smoothing_bound_mm=bound))
        for bound in (0.0, 0.05)
    )
    assert smooth.mesh.volume == pytest.approx(raw.mesh.volume, rel=0.01)


def _shell(thickness_mm: float) -> tuple[Volume, Array]:
    """A round wall of radius 10 mm as thick as this."""
    x, y, z = grid_mm((44, 44, 28))
    radius = np.sqrt(x**2 + y**2 + z**2)
    volume = scan_of(wall(radius - 10, thickness_mm), noise_hu=10)
    return volume, middle_lps_mm(volume)


@pytest.mark.parametrize(("thickness_mm", "within_mm"), [(1.2, 0.55), (1.5, 0.4), (2.5, 0.1)])
def test_the_local_half_height_comes_nearer_to_the_thickness_of_walls(
    thickness_mm: float, within_mm: float
) -> None:
    """A threshold low enough to keep thin bone draws all of it 0.8 mm too thick."""
    volume, middle = _shell(thickness_mm)
    low = Segmentation(threshold_hu=200, fill_holes_mm3=0.0, decimation_bound_mm=0.0)
    error_mm = []
    for bound_mm in (0.0, 0.5):
        own = _with(low, half_height_bound_mm=bound_mm)
        found = extract_surface(volume, segment(volume, low), own)
        radius = np.linalg.norm(found.mesh.vertices - middle, axis=1)
        thickness = radius[radius > 10].mean() - radius[radius < 10].mean()
        error_mm.append(abs(thickness - thickness_mm))
    step = found.steps[0]
    assert step.name == "half height"
    assert step.distances.max_mm <= 0.5
    assert error_mm[0] > 0.7
    assert error_mm[1] < within_mm


def test_where_the_mask_cuts_through_bone_the_surface_is_smooth() -> None:
    """A slanting cut: the mask's steps are half a voxel high, the surface's a fifth of that."""
    volume = ball_scan()
    _, j, i = (axis.astype(float) for axis in np.indices(volume.voxels.shape))
    height = (i + 0.3 * j - (i + 0.3 * j)[volume.voxels > 475].mean() - 0.25) / np.hypot(1, 0.3)
    mask = segment(volume, HALF) * (height < 0).astype(np.uint8)
    surface = extract_surface(volume, mask, _with(HALF, decimation_bound_mm=0.0))
    points = volume.to_ijk(surface.mesh.vertices)
    centre = volume.to_ijk(middle_lps_mm(volume)[None])
    inner = np.linalg.norm((points - centre) * volume.spacing_mm, axis=1) < 9
    off = (points @ np.array([1, 0.3, 0]))[inner] / np.hypot(1, 0.3)
    assert inner.sum() > 100
    assert off.std() < 0.15
    gate = surface.steps[0]
    assert gate.name == "gate"
    assert gate.volume_change_mm3 == pytest.approx(-surface.mesh.volume, rel=0.2)
    assert 0.1 < surface.gated_share < 0.6


def test_what_the_end_of_the_scan_cuts_off_is_flat() -> None:
    x, y, z = grid_mm((40, 40, 24))
    share = edge(12 - np.sqrt((x + 14) ** 2 + y**2 + z**2))
    volume = scan_of(share, noise_hu=20)
    parameters = _with(HALF, decimation_bound_mm=0.0, smoothing_bound_mm=0.0)
    surface = extract_surface(volume, segment(volume, HALF), parameters)
    i = volume.to_ijk(surface.mesh.vertices)[:, 0]
    end = np.isclose(i, -0.5, atol=1e-3)
    assert end.sum() > 100
    assert i.min() >= -0.501


def test_the_anisotropy_and_the_direction_of_the_voxels_do_not_show() -> None:
    """The same ball in a scan turned by a half: the same surface, turned."""
    volume = ball_scan()
    turned = replace(volume, direction=TURNED @ np.diag([-1.0, -1.0, 1.0]))
    one, two = (extract_surface(v, segment(v, HALF), HALF).mesh for v in (volume, turned))
    assert one.volume == pytest.approx(two.volume, rel=1e-3)
    assert np.allclose(one.extents, two.extents, atol=0.02)


def test_the_bound_holds_also_where_the_first_try_goes_too_far(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(extraction, "FIRST_TOLERANCE", 4.0)
    volume = ball_scan(noise_hu=20)
    surface = extract_surface(volume, segment(volume, HALF), HALF)
    step = surface.steps[-1]
    assert step.name == "decimation"
    assert 0.02 < step.distances.max_mm <= HALF.decimation_bound_mm
    assert len(surface.mesh.faces) < surface.full_triangles / 2


def test_the_steps_add_up_to_numbers_for_the_record() -> None:
    volume = ball_scan(noise_hu=20)
    surface = extract_surface(volume, segment(volume, HALF), HALF)
    metrics = {name: value for step in surface.steps for name, value in step.metrics().items()}
    assert metrics["smoothing_max_mm"] <= 0.05
    assert metrics["decimation_max_mm"] <= HALF.decimation_bound_mm
    for step in surface.steps:
        assert len(step.points_lps_mm) == len(step.signed_mm) <= 20_000
    assert metrics["decimation_volume_change_mm3"] < 0  # chords lie inside of a ball
    assert metrics["decimation_mean_mm"] < 0
