"""Folding points into neighbours: it stays a closed manifold, near, and the same every time."""

import os

import manifold3d
import numpy as np
import pytest
import trimesh

from labkit.segmentation.decimation import folded, half_edges
from labkit.segmentation.editing import two_sided_mm
from labkit.segmentation.isosurface import isosurface
from tests.segmentation.surfaces import HALF, ball_scan, scan_of


def _folded(mesh: trimesh.Trimesh, tolerance_mm: float) -> trimesh.Trimesh:
    edges = half_edges(np.asarray(mesh.faces), len(mesh.vertices))
    points, triangles = folded(np.asarray(mesh.vertices), edges, tolerance_mm)
    return trimesh.Trimesh(points, triangles, process=False)


def _noisy_ball(radius_mm: float = 16.0) -> trimesh.Trimesh:
    shape_ijk = (int(3.5 * radius_mm), int(3.5 * radius_mm), int(2 * radius_mm))
    volume = ball_scan(radius_mm, 20, shape_ijk)
    start = isosurface(volume, (volume.voxels > 475).astype(np.uint8), HALF.threshold_hu)
    return trimesh.Trimesh(start.points_lps_mm, start.triangles, process=False)


def _judged(mesh: trimesh.Trimesh) -> manifold3d.Manifold:
    body = manifold3d.Manifold(
        manifold3d.Mesh64(np.asarray(mesh.vertices), np.asarray(mesh.faces, np.uint64))
    )
    assert body.status() == manifold3d.Error.NoError
    return body


@pytest.mark.parametrize("tolerance_mm", [0.005, 0.02, 0.1])
def test_what_is_left_is_the_same_body_with_fewer_triangles(tolerance_mm: float) -> None:
    full = _noisy_ball()
    light = _folded(full, tolerance_mm)
    body = _judged(light)
    assert body.num_tri() == len(light.faces) < len(full.faces)
    assert light.euler_number == full.euler_number
    assert light.volume == pytest.approx(full.volume, rel=0.01)
    _, signed_mm = two_sided_mm(full.vertices, full.faces, light)
    assert np.sqrt((signed_mm**2).mean()) < 1.5 * tolerance_mm
    assert np.abs(signed_mm).max() < 8 * tolerance_mm


def test_a_higher_tolerance_leaves_fewer_triangles_and_none_leaves_all() -> None:
    full = _noisy_ball()
    counts = [len(_folded(full, tolerance).faces) for tolerance in (0.0, 0.002, 0.01, 0.05)]
    assert counts[0] == len(full.faces)
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] < counts[0] / 3


def test_points_that_are_left_have_not_moved() -> None:
    full = _noisy_ball()
    kept = {tuple(point) for point in _folded(full, 0.02).vertices}
    assert kept < {tuple(point) for point in np.asarray(full.vertices)}


def test_what_is_flat_needs_no_triangles_and_edges_stay() -> None:
    box = trimesh.creation.box((10.0, 8.0, 6.0))
    for _ in range(5):
        box = box.subdivide()
    light = _folded(box, 1e-6)
    assert len(light.faces) < len(box.faces) / 20
    assert light.volume == pytest.approx(480, abs=1e-6)
    assert light.extents == pytest.approx([10, 8, 6])
    _judged(light)


def test_tunnels_stay_open_and_the_smallest_body_stays_one() -> None:
    ring = trimesh.creation.torus(8.0, 2.0, major_sections=120, minor_sections=40)
    light = _folded(ring, 5.0)
    assert light.euler_number == 0
    assert len(light.faces) < len(ring.faces)
    _judged(light)
    smallest = trimesh.Trimesh(
        [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]],
        process=False,
    )
    assert len(_folded(smallest, 100.0).faces) == 4


def test_where_bodies_touch_nothing_changes_and_it_is_said() -> None:
    one = trimesh.creation.box((2.0, 2.0, 2.0)).subdivide().subdivide()
    other = one.copy()
    other.apply_translation([2, 2, 0])  # they share an edge
    faces = np.vstack([one.faces, other.faces + len(one.vertices)])
    both = trimesh.Trimesh(np.vstack([one.vertices, other.vertices]), faces, process=False)
    both.merge_vertices()
    edges = half_edges(np.asarray(both.faces), len(both.vertices))
    on_edge = (np.abs(both.vertices[:, :2] - 1) < 1e-9).all(axis=1)
    assert on_edge.sum() == 5
    assert not edges.manifold
    assert (~edges.single == on_edge).all()
    points, triangles = folded(np.asarray(both.vertices), edges, 1e-6)
    left = {tuple(point) for point in points}
    assert {tuple(point) for point in np.asarray(both.vertices)[on_edge]} <= left
    light = trimesh.Trimesh(points, triangles, process=False)
    assert len(triangles) < len(both.faces)
    assert light.volume == pytest.approx(16)


def test_edges_of_four_triangles_are_not_manifold() -> None:
    a, b, c, d, top, low = range(6)
    upper = [[a, b, top], [b, c, top], [c, d, top], [d, a, top]]
    lower = [[b, a, low], [c, b, low], [d, c, low], [a, d, low]]
    sphere = np.array(upper + lower)
    assert half_edges(sphere, 6).manifold
    inner = [[a, c, b], [a, d, c], [a, b, c], [a, c, d]]  # a flat pillow with the same edges
    edges = half_edges(np.array(upper + lower + inner), 6)
    assert not edges.manifold
    assert not edges.single[[a, b, c, d]].any()
    assert edges.single[[top, low]].all()


def test_a_surface_with_a_hole_is_not_closed() -> None:
    ball = trimesh.creation.icosphere(2)
    assert half_edges(np.asarray(ball.faces), len(ball.vertices)).manifold
    assert not half_edges(np.asarray(ball.faces[1:]), len(ball.vertices)).manifold


def test_grains_that_touch_everywhere_come_out_as_they_went_in() -> None:
    grain = np.random.default_rng(2).normal(size=(20, 20, 20))
    volume = scan_of((grain > 0).astype(float))
    start = isosurface(volume, (volume.voxels > 475).astype(np.uint8), HALF.threshold_hu)
    full = trimesh.Trimesh(start.points_lps_mm, start.triangles, process=False)
    light = _folded(full, 0.02)
    assert len(light.faces) < len(full.faces)
    assert light.volume == pytest.approx(full.volume, rel=0.01)
    _judged(light)


def test_more_processors_leave_the_same_triangles(monkeypatch: pytest.MonkeyPatch) -> None:
    full = _noisy_ball(24.0)
    assert len(full.vertices) > 10_000  # in several parts
    found = []
    for count in (1, 5):
        monkeypatch.setattr(os, "cpu_count", lambda count=count: count)
        found.append(_folded(full, 0.02))
    assert (found[0].faces == found[1].faces).all()
