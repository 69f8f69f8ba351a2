"""Which shells a surface has, and which of them are kept."""

import numpy as np
import pytest
import trimesh
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from labkit.errors import SegmentationError
from labkit.segmentation.isosurface import Isosurface
from labkit.segmentation.shells import _shells, cone_volumes_mm3, largest_bodies


def _surface(*meshes: trimesh.Trimesh) -> Isosurface:
    points = np.vstack([mesh.vertices for mesh in meshes])
    first = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    triangles = np.vstack([mesh.faces + n for mesh, n in zip(meshes, first, strict=False)])
    none = np.zeros(len(points), bool)
    return Isosurface(points, np.asarray(triangles, np.int64), none, none)


def _ball(radius_mm: float, x_mm: float, hollow: bool = False) -> trimesh.Trimesh:
    ball = trimesh.creation.icosphere(2, radius_mm)
    points, triangles = np.add(ball.vertices, [x_mm, 0.03, 0.07]), np.asarray(ball.faces)
    return trimesh.Trimesh(points, triangles[:, ::-1] if hollow else triangles, process=False)


def test_the_shells_are_the_connected_parts_in_the_order_of_their_first_points() -> None:
    draw = np.random.default_rng(0)
    triangles = draw.integers(0, 3000, (900, 3))
    ends = np.vstack([triangles[:, :2], triangles[:, 1:]])
    graph = coo_array((np.ones(len(ends)), ends.T), (3000, 3000))
    total, shell = connected_components(graph, directed=False)
    found_total, found = _shells(3000, triangles)
    assert found_total == total
    assert (found == shell).all()


def test_the_cones_of_a_closed_surface_add_up_to_its_volume() -> None:
    box = trimesh.creation.box((2.0, 3.0, 4.0))
    moved = np.asarray(box.vertices) + 1000
    cones_mm3 = cone_volumes_mm3(moved, np.asarray(box.faces))
    assert cones_mm3.sum() == pytest.approx(24, abs=1e-9)
    assert cones_mm3.min() > 0


def test_a_cavity_stays_with_the_smallest_body_around_it() -> None:
    outer, gap = _ball(10, 0), _ball(9, 0, hollow=True)
    inner, hole = _ball(7, 0), _ball(3, 0, hollow=True)
    beside, other = _ball(8, 30), _ball(2, 30, hollow=True)
    surface = _surface(outer, gap, inner, hole, beside, other)
    for count, cavities in ((1, 1), (2, 2), (3, 3)):
        kept = largest_bodies(surface, count)
        assert (kept.bodies, kept.cavities, kept.dropped) == (count, cavities, 6 - count - cavities)
        sizes_mm3 = cone_volumes_mm3(kept.surface.points_lps_mm, kept.surface.triangles)
        shells = [(outer, gap), (beside, other), (inner, hole)][:count]
        expected_mm3 = sum(mesh.volume for pair in shells for mesh in pair)
        assert sizes_mm3.sum() == pytest.approx(expected_mm3)


def test_noise_alone_is_refused() -> None:
    with pytest.raises(SegmentationError, match="nothing larger than 1 mm3"):
        largest_bodies(_surface(_ball(0.3, 0), _ball(0.2, 3)), 1)
