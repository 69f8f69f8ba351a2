"""Every surface is closed, manifold and does not pass through itself, or the stage stops."""

import os
from pathlib import Path

import numpy as np
import pytest
import trimesh
from scipy import ndimage

from labkit.errors import ScanError, SegmentationError
from labkit.parameters import Segmentation
from labkit.scan import discover, read_volume
from labkit.segmentation import Surface, SurfaceError, extract_surface, segment
from labkit.segmentation import extraction as at_work
from labkit.self_intersection import self_intersections
from labkit.surface import read_stl, write_stl
from labkit.volume import Volume
from tests.segmentation.surfaces import HALF, ball_scan, edge, grid_mm, scan_of, wall

PHANTOMS = int(os.environ.get("LABKIT_RANDOM_PHANTOMS", "12"))
"""How many random phantoms; 200 for a release."""


def _assert_printable(surface: Surface, folder: Path) -> None:
    mesh = surface.mesh
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert mesh.volume > 0
    assert not len(self_intersections(mesh.vertices, mesh.faces))
    characteristic = 2 * (surface.bodies + surface.cavities - surface.handles)
    assert mesh.euler_number == characteristic
    write_stl(mesh, folder / "surface.stl")
    assert read_stl(folder / "surface.stl").is_watertight


def _random_scan(seed: int) -> Volume:
    """Blobs, plates, touching balls, tunnels or trabeculae, in any mixture."""
    draw = np.random.default_rng(seed)
    x, y, z = grid_mm((36, 34, 22))
    share = np.zeros_like(x)
    for _ in range(draw.integers(1, 5)):
        a, b, c = draw.uniform(-7, 7, 3)
        distance = np.sqrt((x - a) ** 2 + (y - b) ** 2 + (z - c) ** 2)
        match draw.integers(4):
            case 0:
                share = np.maximum(share, edge(draw.uniform(2, 7) - distance))
            case 1:
                plate = wall(x - a + 0.4 * y, draw.uniform(0.6, 2)) * edge(9 - distance)
                share = np.maximum(share, plate)
            case 2:
                share *= 1 - edge(draw.uniform(0.5, 2) - np.hypot(x - a, y - b))
            case _:
                grain = ndimage.gaussian_filter(draw.normal(size=x.shape), 1.0)
                share = np.maximum(share, edge(grain / grain.std()) * edge(7 - distance))
    return scan_of(share, noise_hu=float(draw.choice([0, 20, 100])), seed=seed)


@pytest.mark.parametrize("seed", range(PHANTOMS))
def test_a_random_phantom_gives_a_printable_surface_or_a_reason(seed: int, tmp_path: Path) -> None:
    volume = _random_scan(seed)
    parameters = Segmentation(
        threshold_hu=300,
        components=1 + seed % 3,
        fill_holes_mm3=20.0,
        half_height_bound_mm=0.3 * (seed % 2),
    )
    try:
        surface = extract_surface(volume, segment(volume, parameters), parameters)
    except SegmentationError as stopped:
        assert "nothing larger" in stopped.found or "of the scan lies above" in stopped.found
        return
    _assert_printable(surface, tmp_path)


def test_every_real_scan_gives_a_printable_surface_or_a_reason(
    real_data: Path, tmp_path: Path, lab_home: Path
) -> None:
    found = 0
    for place in ("ct_skull_phantom_1mm", "ct_head_ge_tilt_irregular", "ct_knee_sts013"):
        for series in discover(real_data / place).series:
            if series.refusal or series.geometry.spacing_mm is None:
                continue
            try:
                volume = read_volume(series)
            except ScanError:
                continue
            if volume.unit == "HU":
                parameters = Segmentation(threshold_hu=300)
                mask = segment(volume, parameters)
                _assert_printable(extract_surface(volume, mask, parameters), tmp_path)
                found += 1
    assert found


def test_the_same_scan_gives_the_same_bytes(tmp_path: Path) -> None:
    volume = _random_scan(3)
    for name in ("one.stl", "two.stl"):
        surface = extract_surface(volume, segment(volume, HALF), HALF)
        write_stl(surface.mesh, tmp_path / name)
    assert (tmp_path / "one.stl").read_bytes() == (tmp_path / "two.stl").read_bytes()


def test_a_cavity_goes_with_its_body_and_handles_are_counted() -> None:
    x, y, z = grid_mm((60, 40, 26))
    big, hollow = np.sqrt((x + 8) ** 2 + y**2 + z**2), np.sqrt((x - 12) ** 2 + y**2 + z**2)
    tunnel = edge(2 - np.hypot(x + 8, y))
    share = edge(9 - big) * (1 - tunnel) + edge(7 - hollow) - edge(4 - hollow)
    volume = scan_of(share)
    for bodies, cavities in ((1, 0), (2, 1)):
        parameters = Segmentation(threshold_hu=475, components=bodies, fill_holes_mm3=0.0)
        everything = np.asarray(volume.voxels > 475, np.uint8)
        surface = extract_surface(volume, everything, parameters)
        assert (surface.bodies, surface.cavities, surface.handles) == (bodies, cavities, 1)
        assert surface.dropped_pieces == 2 * (2 - bodies)


def _two_tetrahedra(apart_mm: float) -> tuple[np.ndarray, np.ndarray]:
    points = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    triangles = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    both = np.vstack([points, points * 0.9 + apart_mm])
    return both, np.vstack([triangles, triangles + 4])


def test_bodies_that_pass_through_each_other_are_found_and_others_are_not() -> None:
    assert len(self_intersections(*_two_tetrahedra(0.2)))
    assert not len(self_intersections(*_two_tetrahedra(2.0)))
    assert not len(self_intersections(*_two_tetrahedra(0.01)))  # one inside the other


def _pass_through(points: np.ndarray, triangles: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """The judge: an edge of the one has its ends on both sides of the other, and meets it inside.

    Where it meets the plane is written in shares of the corners, all of them positive inside.
    """
    found = np.zeros(len(pairs), bool)
    for edges_of, other in (pairs.T, pairs.T[::-1]):
        a, b, c = points[triangles[other]].transpose(1, 0, 2)
        normal = np.cross(b - a, c - a)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        for ends in ((0, 1), (1, 2), (2, 0)):
            corners = triangles[edges_of][:, ends]
            apart = ~(corners[:, :, None] == triangles[other][:, None]).any(axis=(1, 2))
            p, q = points[corners].transpose(1, 0, 2)
            here, there = ((end - a) * normal for end in (p, q))
            here, there = here.sum(axis=1), there.sum(axis=1)
            sides = (here * there < 0) & (np.minimum(np.abs(here), np.abs(there)) > 1e-6)
            way = here / np.where(sides, here - there, 1)
            shares = trimesh.triangles.points_to_barycentric(
                np.stack([a, b, c], axis=1), p + way[:, None] * (q - p)
            )
            found |= apart & sides & (shares > 0).all(axis=1)
    return found


def test_all_pairs_that_cross_are_found_whatever_their_sizes() -> None:
    draw = np.random.default_rng(0)
    sizes = np.geomspace(0.05, 8, 300).reshape(-1, 1, 1)
    corners = draw.uniform(0, 10, (300, 1, 3)) + draw.normal(size=(300, 3, 3)) * sizes
    points, triangles = corners.reshape(-1, 3), np.arange(900).reshape(-1, 3)
    every_pair = np.stack(np.triu_indices(300, 1), axis=1)
    crossing = every_pair[_pass_through(points, triangles, every_pair)]
    assert self_intersections(points, triangles).tolist() == crossing.tolist()
    assert len(crossing) > 100


@pytest.mark.parametrize("noise_mm", [0.1, 1.5, 4.0])
def test_no_crossing_is_missed_among_triangles_that_share_a_corner(noise_mm: float) -> None:
    """A ball whose points are thrown about: from none to nearly all of its fans fold."""
    ball = trimesh.creation.icosphere(2, 10.0)
    points = ball.vertices + np.random.default_rng(4).normal(0, noise_mm, ball.vertices.shape)
    triangles = np.asarray(ball.faces)
    pairs = np.stack(np.triu_indices(len(triangles), 1), axis=1)
    shared = (triangles[pairs[:, 0], :, None] == triangles[pairs[:, 1], None]).sum(axis=(1, 2))
    pairs = pairs[shared < 2]
    crossing = pairs[_pass_through(points, triangles, pairs)]
    assert self_intersections(points, triangles).tolist() == crossing.tolist()
    assert bool(len(crossing)) == (noise_mm > 1)


def test_a_surface_that_passes_through_itself_stops_the_stage_and_says_where(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(at_work, "self_intersections", lambda points, faces: np.array([[0, 1]]))
    volume = ball_scan(5.0, shape_ijk=(20, 20, 14))
    with pytest.raises(SurfaceError, match="passes through itself") as caught:
        extract_surface(volume, segment(volume, HALF), HALF)
    assert caught.value.places_lps_mm.shape == (1, 3)
    assert np.abs(caught.value.places_lps_mm - volume.to_lps([[10, 10, 7]])).max() < 6
