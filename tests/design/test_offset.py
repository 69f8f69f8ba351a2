import numpy as np
import pytest
import trimesh

from labkit.design import offset
from labkit.design.bores import fitted_bore
from labkit.design.offset import distance_field
from labkit.design.solids import block, rod
from labkit.errors import DesignError
from labkit.surface import mesh_of, signed_distances

from .shapes import ball


def _field(surface: trimesh.Trimesh, level_mm: float, step_mm: float) -> offset.DistanceField:
    low, high = surface.bounds
    margin = max(level_mm, 0) + 2 * step_mm
    return distance_field(
        surface,
        low - margin,
        high + margin,
        spacing_mm=step_mm,
        levels_mm=(level_mm, level_mm),
    )


@pytest.mark.parametrize("level_mm", [-2.0, 0.2, 3.0])
def test_a_ball_grows_and_shrinks_to_the_ball_of_the_formula(level_mm: float) -> None:
    surface = ball(12, at=(0, 0, 0))
    grown = _field(surface, level_mm, 0.5).within(level_mm)
    radius = np.linalg.norm(mesh_of(grown).vertices, axis=1)
    assert radius == pytest.approx(12 + level_mm, abs=0.03)  # the ball itself has flat facets
    assert grown.volume() == pytest.approx(4 / 3 * np.pi * (12 + level_mm) ** 3, rel=0.01)


def test_the_offset_of_a_cylinder_keeps_its_distance_and_is_never_too_near_inside() -> None:
    surface = trimesh.creation.cylinder(radius=8, height=30, sections=128)
    inner = mesh_of(_field(surface, -2.0, 0.5).within(-2.0))
    walls = -signed_distances(inner.vertices, surface)
    assert walls.min() > 1.99
    assert np.percentile(walls, 95) < 2.05
    assert inner.extents == pytest.approx([12, 12, 26], abs=0.02)


def test_an_offset_too_large_for_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offset, "MAXIMUM_SAMPLES", 1000)
    with pytest.raises(DesignError, match=r"at steps of 0\.5 mm"):
        _field(ball(12), -2.0, 0.5)


def test_a_bore_is_found_where_it_is_and_not_where_it_was_meant() -> None:
    start, end = np.array([1.0, 2.0, -20.0]), np.array([3.0, 1.0, 20.0])
    drilled = mesh_of(block((-10, -10, -10), (10, 10, 10)) - rod(start, end, 4.0))
    true = (end - start) / np.linalg.norm(end - start)
    found = fitted_bore(drilled, start, true, largest_mm=6, what="hole 1")
    assert found.diameter_mm == pytest.approx(4.0, abs=1e-3)
    assert found.angle_deg(true) < 0.01
    assert found.off_axis_mm(start) < 1e-3
    aside, aslant = start + np.array([0.3, 0.0, 0.0]), true + np.array([0.01, 0.0, 0.0])
    found = fitted_bore(drilled, aside, aslant / np.linalg.norm(aslant), largest_mm=6, what="1")
    assert found.off_axis_mm(aside) == pytest.approx(0.3 * np.sqrt(1 - true[0] ** 2), abs=1e-3)
    assert found.angle_deg(aslant / np.linalg.norm(aslant)) == pytest.approx(0.572, abs=0.01)
    with pytest.raises(DesignError, match="no bore where hole 2"):
        fitted_bore(drilled, start + np.array([8.0, 0, 0]), true, largest_mm=4, what="hole 2")
