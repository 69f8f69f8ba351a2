"""Distances from a near surface, with VTK as the judge."""

import numpy as np
import pytest
import trimesh

from labkit.compiled import in_threads
from labkit.nearest import near_distances
from labkit.surface import signed_distances


def _near(points: np.ndarray, mesh: trimesh.Trimesh, reach_mm: float) -> np.ndarray:
    return near_distances(np.asarray(points, float), mesh.vertices, mesh.faces, reach_mm)


def _bumpy(noise_mm: float) -> trimesh.Trimesh:
    ball = trimesh.creation.icosphere(3, 10.0)
    moved = np.random.default_rng(1).normal(0, noise_mm, ball.vertices.shape)
    return trimesh.Trimesh(ball.vertices + moved, ball.faces, process=False)


@pytest.mark.parametrize("noise_mm", [0.0, 0.05])
@pytest.mark.parametrize("offset_mm", [0.0, 2000.0])
def test_it_is_the_distance_that_vtk_measures(noise_mm: float, offset_mm: float) -> None:
    mesh = _bumpy(noise_mm)
    mesh.vertices += offset_mm
    drawn = np.random.default_rng(2).normal(size=(30_000, 3))
    radius = np.random.default_rng(3).uniform(9, 11, (30_000, 1))
    points = offset_mm + drawn / np.linalg.norm(drawn, axis=1, keepdims=True) * radius
    found, judge = _near(points, mesh, 0.5), signed_distances(points, mesh)
    within = np.abs(judge) <= 0.5
    assert 0.3 < within.mean() < 0.7
    assert np.isnan(found[~within]).all()
    assert found[within] == pytest.approx(judge[within], abs=1e-6)


def test_beside_edges_and_corners_the_sign_is_that_of_the_body() -> None:
    """Where several triangles are as near, one of them alone would give the wrong side."""
    spike = trimesh.creation.cone(radius=0.3, height=6.0, sections=5)
    groove = trimesh.creation.box((4.0, 4.0, 4.0))
    groove.vertices[groove.vertices[:, 0] > 0] *= [0.1, 1, 1]
    for mesh in (spike, groove):
        points = mesh.vertices.repeat(400, axis=0)
        points += np.random.default_rng(4).normal(0, 0.05, points.shape)
        found = _near(points, mesh, 1.0)
        assert found == pytest.approx(signed_distances(points, mesh), abs=1e-9)
        assert (found > 0).any() and (found < 0).any()


def test_triangles_of_all_sizes_and_ones_without_area_are_seen() -> None:
    block = trimesh.creation.box((100.0, 80.0, 60.0))
    fine = trimesh.creation.icosphere(4, 0.5)
    fine.apply_translation([0, 0, 30.4])
    vertices = np.vstack([block.vertices, fine.vertices])
    both = trimesh.Trimesh(vertices, np.vstack([block.faces, fine.faces + 8]), process=False)
    empty = np.vstack([both.faces, [[0, 0, 1], [2, 2, 2]]])
    drawn = np.random.default_rng(5).uniform([-50, -40, 29.6], [50, 40, 30.4], (5000, 3))
    points = np.vstack([drawn, fine.vertices * [1, 1, 1.001]])
    found = near_distances(points, both.vertices, empty, 0.5)
    judge = signed_distances(points, both)
    near = np.abs(judge) <= 0.5
    assert near.mean() > 0.9
    assert np.abs(found[near]) == pytest.approx(np.abs(judge[near]), abs=1e-9)


def test_a_point_of_the_surface_lies_on_it() -> None:
    mesh = _bumpy(0.05)
    assert (_near(mesh.vertices, mesh, 0.1) == 0).all()
    assert np.abs(_near(mesh.triangles_center, mesh, 0.1)).max() < 1e-12


def test_a_single_point_or_none_or_points_in_a_plane_are_points_too() -> None:
    mesh = trimesh.creation.box((2.0, 2.0, 2.0))
    assert _near(np.empty((0, 3)), mesh, 0.1).shape == (0,)
    assert _near(np.array([[0.0, 0, 1.05]]), mesh, 0.1) == pytest.approx([0.05])
    flat = np.stack(np.meshgrid(*np.linspace(-0.9, 0.9, (40)).reshape(1, -1).repeat(2, 0)), -1)
    level = np.column_stack([flat.reshape(-1, 2), np.full(flat[..., 0].size, 0.95)])
    assert _near(level, mesh, 0.1) == pytest.approx(-0.05)
    assert np.isnan(_near(level, mesh, 0.01)).all()


def test_threads_give_back_in_order_what_they_were_given() -> None:
    assert in_threads(lambda n: n * n, range(20)) == [n * n for n in range(20)]
