"""Printability against plates, balls, pins and towers whose dimensions are known."""

from pathlib import Path

import numpy as np
import pytest
import trimesh

from labkit import equipment
from labkit.design import Part, PrintObject, printability
from labkit.design.printability.layers import layers
from labkit.design.printability.standing import needed_deg, overhangs, standing
from labkit.design.printability.thickness import gaps, walls
from labkit.surface import solid

Corners = tuple[tuple[float, float, float], tuple[float, float, float]]


@pytest.fixture(autouse=True)
def _lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "home"))


def _boxes(*corners: Corners) -> trimesh.Trimesh:
    union = trimesh.boolean.union(
        [trimesh.creation.box(bounds=each) for each in corners], engine="manifold"
    )
    assert isinstance(union, trimesh.Trimesh)
    return union


def _verdicts(mesh: trimesh.Trimesh, **changes: object) -> dict[str, str]:
    mesh = mesh.copy()
    mesh.apply_translation([0, 0, -mesh.bounds[0, 2]])
    printer = equipment.printer("practice").model_copy(update=changes)
    found = printability(Part((PrintObject("part", mesh),), np.eye(4)), printer)
    worse = {check.name for check in found.checks if check.verdict != "pass"}
    assert set(found.places) == worse, "every check that does not pass says where"
    return {check.name: check.verdict for check in found.checks}


@pytest.mark.parametrize("thick_mm", [0.4, 1.0, 5.0])
def test_a_plates_thickness_is_exact(thick_mm: float) -> None:
    plate = trimesh.creation.box((30, 20, thick_mm))
    plate.apply_transform(trimesh.transformations.rotation_matrix(0.7, (1, 2, 3)))
    found = walls(plate, reach_mm=8)
    assert found.exceeded(5.0)[0] == pytest.approx(thick_mm, rel=1e-3)
    assert found.area_below_mm2(thick_mm * 1.01) == pytest.approx(2 * 30 * 20, rel=1e-6)


def test_a_balls_thickness_is_its_diameter_everywhere() -> None:
    ball = trimesh.creation.icosphere(subdivisions=4, radius=3)
    found = walls(ball, reach_mm=8)
    assert found.mm.min() > 6 * 0.98
    assert found.mm.max() < 6 * 1.02
    assert found.of_faces(ball).max() < 6 * 1.02


@pytest.mark.parametrize("gap_mm", [0.2, 0.8])
def test_the_gap_between_two_blocks_is_exact(gap_mm: float) -> None:
    two = _boxes(((0, 0, 0), (10, 10, 10)), ((10 + gap_mm, 0, 0), (20, 10, 10)))
    found = gaps(two, reach_mm=4)
    assert found.mm.min() == pytest.approx(gap_mm, rel=1e-3)
    assert found.area_below_mm2(gap_mm * 1.01) == pytest.approx(200, rel=1e-6)
    assert found.exceeded()[1][0] == pytest.approx(10 + gap_mm / 2, abs=gap_mm)


def test_the_edge_of_a_block_is_no_thin_wall_but_a_blade_is() -> None:
    assert np.isinf(walls(trimesh.creation.box((20, 20, 20)), reach_mm=8).mm).all()
    found = walls(_wedge(30.0, 10.0), reach_mm=8)
    assert found.mm.min() < 0.5
    assert found.exceeded()[1][0] < 3, "at the tip"


def _wedge(length: float, thick: float) -> trimesh.Trimesh:
    """A blade along y: nothing at x = 0, ``thick`` at the other end."""
    profile = [(0, 0), (length, 0), (length, thick)]
    return _hull([(x, y, z) for x, z in profile for y in (0, 20)])


def _hull(points: list[tuple[float, float, float]]) -> trimesh.Trimesh:
    hull: trimesh.Trimesh = trimesh.convex.convex_hull(np.array(points, float))
    return hull


def test_each_rule_is_broken_by_the_part_that_breaks_it_and_by_no_other() -> None:
    cube = _verdicts(trimesh.creation.box((20, 20, 20)))
    assert set(cube.values()) == {"pass"}
    cases = {
        "thinnest wall": _boxes(((0, 0, 0), (20, 20, 2)), ((5, 9, 0), (15, 9.6, 10))),
        "narrowest gap": _boxes(((0, 0, 0), (10, 10, 10)), ((10.2, 0, 0), (20, 10, 10))),
        "thinnest pin": _boxes(((0, 0, 0), (20, 20, 2)), ((9, 9, 0), (9.9, 9.9, 12))),
        "tipping angle": _boxes(((0, 0, 0), (3, 3, 60))),
    }
    for name, mesh in cases.items():
        worse = {check for check, verdict in _verdicts(mesh).items() if verdict != "pass"}
        assert worse == {name}
    assert _verdicts(trimesh.creation.box((20, 20, 211)))["fits the printer"] == "fail"
    assert _verdicts(trimesh.creation.box((251, 20, 20)))["fits the printer"] == "fail"


def test_a_thin_wall_is_not_lost_on_a_large_part() -> None:
    large = _boxes(((0, 0, 0), (200, 200, 50)), ((90, 100, 50), (110, 100.6, 60)))
    assert _verdicts(large)["thinnest wall"] == "action"


def test_a_hollow_body_traps_powder_but_not_filament() -> None:
    outer, inner = trimesh.creation.box((20, 20, 20)), trimesh.creation.box((10, 10, 10))
    hollow = trimesh.boolean.difference([outer, inner], engine="manifold")
    assert isinstance(hollow, trimesh.Trimesh)
    assert _verdicts(hollow)["trapped volume"] == "pass"
    assert _verdicts(hollow, fills_cavities=True)["trapped volume"] == "action"
    drained = trimesh.boolean.difference(
        [hollow, trimesh.creation.box(bounds=((-1, -1, -11), (1, 1, 0)))], engine="manifold"
    )
    assert isinstance(drained, trimesh.Trimesh)
    assert _verdicts(drained, fills_cavities=True)["trapped volume"] == "pass"


def test_the_overhang_of_a_roof_begins_at_its_angle() -> None:
    for lean_deg, hangs in ((40, False), (50, True)):
        slope = 10 * np.tan(np.radians(lean_deg))
        profile = [(0, 0), (10, 0), (0, 10), (10 + slope, 10)]
        leaning = _hull([(x, y, z) for x, z in profile for y in (0, 10)])
        found = overhangs(leaning, max_overhang_deg=45)
        assert (found.area_mm2 > 0) is hangs
        if hangs:
            assert found.footprint_mm2 == pytest.approx(slope * 10)
            assert found.volume_mm3 == pytest.approx(slope * 10 * 5, rel=0.35)
            assert found.steepest_deg == pytest.approx(lean_deg)


def test_what_begins_in_the_air_is_found_once_and_in_its_place() -> None:
    table = _boxes(((0, 0, 0), (40, 30, 4)), ((0, 0, 0), (8, 8, 20)), ((0, 0, 16), (40, 30, 20)))
    stalactite = _boxes(
        ((0, 0, 0), (40, 30, 4)),
        ((0, 0, 0), (8, 8, 20)),
        ((0, 0, 16), (40, 30, 20)),
        ((30, 20, 10), (34, 24, 17)),
    )
    for mesh, count in ((table, 0), (stalactite, 1)):
        body = solid(mesh.vertices, mesh.faces, "part")
        found = layers(body, layer_height_mm=0.3, feature_mm=1.2)
        assert len(found.islands) == count
    assert found.islands[0] == pytest.approx((32, 22, 10), abs=0.3)


def test_a_pin_has_its_diameter_and_the_tip_of_a_cone_is_none() -> None:
    pin = trimesh.creation.cylinder(radius=0.5, height=10, sections=64)
    pin.apply_translation([0, 0, 5])
    found = layers(solid(pin.vertices, pin.faces, "pin"), layer_height_mm=0.3, feature_mm=1.2)
    assert found.pin_mm == pytest.approx(1.0, rel=0.01)
    assert found.bottom_mm2 == pytest.approx(np.pi / 4, rel=0.01)
    cone = trimesh.creation.cone(radius=10, height=10)
    found = layers(solid(cone.vertices, cone.faces, "cone"), layer_height_mm=0.3, feature_mm=1.2)
    assert np.isinf(found.pin_mm)


def test_a_tower_tips_at_the_angle_of_its_half_width_over_its_half_height() -> None:
    tower = trimesh.creation.box((10, 30, 80))
    tower.apply_translation([0, 0, 40])
    assert standing(tower).tipping_deg == pytest.approx(np.degrees(np.arctan2(5, 40)))
    assert standing(tower).contact_mm2 == pytest.approx(300)
    ball = trimesh.creation.icosphere(radius=10)
    ball.apply_translation([0, 0, 10])
    assert standing(ball).tipping_deg == 0
    assert needed_deg(9806.65) == pytest.approx(45)
