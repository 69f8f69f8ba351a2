from pathlib import Path

import numpy as np
import pytest
import trimesh

from labkit import equipment
from labkit.design import Feature, Part, PrintObject, propose, turned
from labkit.equipment import PrinterProfile
from labkit.volume import Array


@pytest.fixture
def printer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PrinterProfile:
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "home"))
    return equipment.printer("practice")


def _table() -> trimesh.Trimesh:
    """A top on one leg, 40 × 30 × 18 mm: as it stands it needs support under the top."""
    boxes = (((0, 0, 0), (8, 8, 14)), ((0, 0, 14), (40, 30, 18)))
    table = trimesh.boolean.union(
        [trimesh.creation.box(bounds=each) for each in boxes], engine="manifold"
    )
    assert isinstance(table, trimesh.Trimesh)
    table.apply_translation([-20, -15, 0])
    return table


def _part(mesh: trimesh.Trimesh, to_patient: Array | None = None, **more: object) -> Part:
    place = np.eye(4) if to_patient is None else to_patient
    return Part((PrintObject("part", mesh),), place, **more)  # type: ignore[arg-type]


def test_a_table_is_turned_over_and_the_reason_says_why(printer: PrinterProfile) -> None:
    proposal = propose(_part(_table()), printer)
    assert proposal.chosen.name == "top down"
    assert proposal.chosen.support_mm3 == 0
    assert "0 mm3 of support instead of" in proposal.reason
    assert proposal.compared[0] is proposal.chosen
    assert len(proposal.compared) >= 6


def test_a_cube_is_left_as_it_is(printer: PrinterProfile) -> None:
    cube = trimesh.creation.box(bounds=((-5, -5, 0), (5, 5, 10)))
    assert propose(_part(cube), printer).chosen.name == "as designed"


def test_the_part_and_its_features_go_along_and_back_into_the_patient(
    printer: PrinterProfile,
) -> None:
    to_patient = trimesh.transformations.rotation_matrix(0.4, (1, 1, 0), (3, 2, 1))
    feature = Feature("leg", "x", 8.0, ((-21.0, -16.0, 2.0), (-11.0, -6.0, 12.0)))
    part = _part(_table(), to_patient, features=[feature])
    for orientation in propose(part, printer).compared:
        after = turned(part, orientation)
        low, high = after.mesh.bounds
        assert low[2] == pytest.approx(0, abs=1e-9)
        assert (low + high)[:2] == pytest.approx((0, 0), abs=1e-9)
        assert after.mesh.is_watertight
        assert np.linalg.det(after.plate_to_patient[:3, :3]) == pytest.approx(1)
        moved, still = after.mesh.copy(), part.mesh.copy()
        moved.apply_transform(after.plate_to_patient)
        still.apply_transform(part.plate_to_patient)
        assert np.allclose(moved.vertices, still.vertices, atol=1e-9)
        assert _extent(after.mesh, after.features[0]) == pytest.approx(8.0, abs=1e-4)


def _extent(mesh: trimesh.Trimesh, feature: Feature) -> float:
    """The material inside the feature's box, along its axis, measured on the mesh."""
    box = trimesh.creation.box(bounds=feature.region_mm)
    if feature.to_plate is not None:
        box.apply_transform(np.array(feature.to_plate))
    inside = trimesh.boolean.intersection([mesh, box], engine="manifold")
    assert isinstance(inside, trimesh.Trimesh)
    return float(np.ptp(inside.vertices @ np.array(feature.direction)))


def test_a_turn_by_a_right_angle_leaves_plain_boxes_and_axes() -> None:
    feature = Feature("width", "x", 8.0, ((0.0, 1.0, 2.0), (3.0, 5.0, 7.0)))
    after = feature.turned(trimesh.transformations.rotation_matrix(np.pi / 2, (0, 0, 1)))
    assert (after.axis, after.to_plate) == ("y", None)
    assert np.allclose(after.region_mm, ((-5, 0, 2), (-1, 3, 7)))
    assert np.allclose(after.direction, (0, 1, 0))
    askew = feature.turned(trimesh.transformations.rotation_matrix(0.3, (0, 0, 1)))
    assert askew.axis == "x"
    assert askew.direction == pytest.approx((np.cos(0.3), np.sin(0.3), 0))


def test_critical_surfaces_and_the_load_weigh_in(printer: PrinterProfile) -> None:
    rod = trimesh.creation.box(bounds=((-5, -5, 0), (5, 5, 60)))
    upright = propose(_part(rod, pulled_along=(0, 0, 1)), printer)
    assert upright.chosen.height_mm == pytest.approx(10)
    assert upright.chosen.across_layers == pytest.approx(0)
    under_the_top = ((-13.0, -16.0, 13.9), (21.0, 16.0, 14.1))
    rated = propose(_part(_table(), critical=(under_the_top,)), printer).compared
    present = next(each for each in rated if each.name == "as designed")
    assert present.critical_mm2 > 900
    assert rated[0].critical_mm2 == 0


def test_what_fits_in_no_way_is_left_and_said(printer: PrinterProfile) -> None:
    giant = trimesh.creation.box(bounds=((-200, -200, 0), (200, 200, 400)))
    proposal = propose(_part(giant), printer)
    assert proposal.chosen.name == "as designed"
    assert "in no other way" in proposal.reason
