import manifold3d
import pytest

from labkit.design.pores import measure, voxels
from labkit.surface import mesh_of

BLOCK = manifold3d.Manifold.cube((30, 30, 30), center=True)


def _chamber(x: float, radius: float) -> manifold3d.Manifold:
    return manifold3d.Manifold.sphere(radius, 96).translate((x, 0, 0))


def _channel(x: float, diameter: float) -> manifold3d.Manifold:
    return manifold3d.Manifold.cylinder(20, diameter / 2, diameter / 2, 96).translate((x, 0, 0))


def test_a_chamber_is_as_wide_as_it_is_and_reached_through_its_neck() -> None:
    body = BLOCK - _chamber(0, 6) - _channel(0, 3)
    found = measure(mesh_of(body), mesh_of(BLOCK), 0.3)
    assert found.reachable == 1
    assert found.check().verdict == "pass"
    assert 12 - 3 * found.voxel_mm < found.largest_mm <= 12
    necks = measure(mesh_of(body), mesh_of(BLOCK), 0.15)
    assert necks.voxel_mm == pytest.approx(0.21, abs=0.01)  # three million voxels, no more
    assert 3 - 12 / 16 - 3 * found.voxel_mm < found.throat_mm <= 3  # a rung, and voxels
    assert found.porosity == pytest.approx(1 - body.volume() / BLOCK.volume(), abs=0.003)


def test_a_closed_chamber_is_not_reached() -> None:
    body = BLOCK - _chamber(-7, 5) - _channel(-7, 4) - _chamber(7, 5)
    open_mm3 = (_chamber(-7, 5) + (_channel(-7, 4) ^ BLOCK)).volume()
    found = measure(mesh_of(body), mesh_of(BLOCK), 0.4)
    assert found.reachable == pytest.approx(
        open_mm3 / (open_mm3 + _chamber(7, 5).volume()), abs=0.01
    )
    assert found.throat_mm == 0  # one of two pores has no way in
    assert (found.check().value, found.check().verdict) == (found.reachable, "fail")


def test_a_body_without_void_has_no_pores() -> None:
    found = measure(mesh_of(BLOCK), mesh_of(BLOCK), 1.0)
    assert (found.porosity, found.pores, found.throat_mm, found.largest_mm) == (0, 0, 0, 0)


def test_voxels_fill_the_volume() -> None:
    ball = mesh_of(_chamber(3, 8))
    assert voxels(ball, ball.bounds, 0.25).sum() * 0.25**3 == pytest.approx(ball.volume, rel=0.01)
