"""Bodies, grids and surfaces: what goes from one to the other, and what stems from what."""

import manifold3d
import numpy as np
import pytest

from labkit.design.provenance import points_from, triangles_from
from labkit.design.solids import block, bounds, joined, onto_plate
from labkit.surface import contour, inside, mesh_of, pieces, sampled, solid

BALL = manifold3d.Manifold.sphere(5.0, 64)


def test_cavities_are_no_pieces() -> None:
    hollow = manifold3d.Manifold.sphere(8.0, 64).translate((30, 0, 0)) - BALL.translate((30, 0, 0))
    both = joined([BALL, hollow])
    assert len(both.decompose()) == 3
    assert sorted(piece.volume() for piece in pieces(both)) == pytest.approx(
        [BALL.volume(), hollow.volume() + BALL.volume()]
    )
    assert joined([]).is_empty() and pieces(joined([])) == []


def test_a_box_is_moved_onto_the_plate() -> None:
    body = block((3, -7, 11), (5, 2, 14))
    low, high = bounds(body.translate(onto_plate(*bounds(body))))
    assert low == pytest.approx([-1, -4.5, 0])
    assert high == pytest.approx([1, 4.5, 3])


def test_a_contour_lies_at_the_level_and_looks_towards_what_is_below() -> None:
    z, y, x = np.meshgrid(*(np.arange(-8, 8.1, 0.5),) * 3, indexing="ij")
    values = (6.2 - np.sqrt(x**2 + y**2 + z**2)).astype(np.float32)
    points, triangles = contour(values, 0.0, first=(92.0, -8.0, 2.0), spacing=0.5)
    radii = np.linalg.norm(points - [100.0, 0.0, 10.0], axis=1)
    assert radii == pytest.approx(6.2, abs=0.02)
    body = solid(points, triangles, "the ball")  # oriented outwards, else refused
    assert body.volume() == pytest.approx(4 / 3 * np.pi * 6.2**3, rel=0.01)
    steps, _ = contour(values, 0.0)  # without a place: in steps of the grid
    assert steps * 0.5 + [92.0, -8.0, 2.0] == pytest.approx(points, abs=1e-4)


def test_places_of_a_grid_inside_a_ball_are_those_of_the_formula() -> None:
    ball = mesh_of(manifold3d.Manifold.sphere(5.0, 512))
    first, spacing, shape = np.array([-6.1, -5.7, -6.3]), 0.4, (31, 30, 32)
    at = [first[axis] + spacing * np.arange(shape[axis]) for axis in range(3)]
    radius = np.sqrt(at[0][:, None, None] ** 2 + at[1][:, None] ** 2 + at[2] ** 2)
    sure = np.abs(radius - 5.0) > 0.01  # the ball's facets
    assert np.array_equal(inside(ball, first, shape, spacing)[sure], (radius < 5.0)[sure])


def test_samples_begin_with_the_vertices_and_lie_on_the_surface() -> None:
    mesh = mesh_of(block((0, 0, 0), (10, 20, 30)))
    points = sampled(mesh)
    assert np.array_equal(points[:8], mesh.vertices)
    on_a_side = np.isclose(points, 0) | np.isclose(points, [10, 20, 30])
    assert on_a_side.any(axis=1).all()
    upper = (points[8:, 2] == 30).mean()
    assert upper == pytest.approx(200 / 2200, abs=0.01)  # by area


def test_triangles_are_told_by_the_body_they_stem_from() -> None:
    cube, drill = block((-6, -6, -6), (6, 6, 6)).as_original(), BALL.as_original()
    notched = cube - drill.translate((6, 0, 0))
    mesh = mesh_of(notched)
    from_ball = triangles_from(notched, {drill.original_id()})
    assert np.linalg.norm(mesh.triangles[from_ball] - [6, 0, 0], axis=2) == pytest.approx(5.0)
    flat = np.isclose(np.abs(mesh.triangles[~from_ball]), 6).all(axis=1)
    assert flat.any(axis=1).all()
    assert 0 < from_ball.sum() < len(mesh.faces)
    points = points_from(mesh, notched, drill, most=50)
    assert points.shape == (50, 3)
    radii = np.linalg.norm(points - [6, 0, 0], axis=1)
    assert radii == pytest.approx(5.0, abs=0.05)  # middles of facets lie within the ball
    assert len(points_from(mesh, notched, BALL.as_original(), most=50)) == 0
