from pathlib import Path
from typing import Any

import manifold3d
import numpy as np
import pytest
import trimesh

from labkit import equipment
from labkit.case import Order
from labkit.design.prosthesis.bores import bores, plug, wall_around
from labkit.design.prosthesis.hand_parts import scaled
from labkit.errors import DesignError
from labkit.parameters import Prosthesis
from labkit.slicing.slicer import slice_part
from labkit.surface import mesh_of, signed_distances, write_stl

from .limbs import assert_features, beside, designer
from .proving import RANDOM_PARTS, assert_printable, assert_refused_outside
from .shapes import PLACE

SMALL = {"length_mm": 45.0, "step_mm": 1.0, "foot_mm": 14.0, "flare_length_mm": 8.0}


def _stump(radius: float = 18.0, length: float = 60.0) -> trimesh.Trimesh:
    """A residual limb along S: a capsule, its distal end down."""
    mesh = trimesh.creation.capsule(height=length, radius=radius, count=[48, 48])
    mesh.apply_translation(PLACE)
    return mesh


@pytest.fixture
def prosthesis(order: Order) -> Any:
    """``prosthesis(surface, **parameters)``: designed."""
    return designer(order, "prosthesis", SMALL)


def _link(path: Path, *, bore: float = 4.0) -> Path:
    """A hand part: a block with a bore across, a wide one, a slot and a blind bore from above."""
    body = manifold3d.Manifold.cube((40, 16, 12), True)
    for diameter, x in ((bore, -12.0), (9.0, 2.0)):
        across = manifold3d.Manifold.cylinder(20, diameter / 2, diameter / 2, 64, True)
        body -= across.rotate((90, 0, 0)).translate((x, 0, 0))
    blind = manifold3d.Manifold.cylinder(7, 1.5, 1.5, 48)
    body -= blind.translate((14, 0, -1))
    body -= manifold3d.Manifold.cube((3, 3, 40), True).translate((8.5, 5, 0))
    mesh_of(body).export(path)
    return path


def test_a_socket_is_a_cup_with_its_clearance_wall_and_foot(prosthesis: Any) -> None:
    limb = _stump()
    part = prosthesis(limb, clearance_mm=2.0, distal_mm=4.0, wall_mm=2.5)
    assert_printable(part)
    assert_features(part, tolerance_mm=0.05)
    inside = part.mesh.copy().apply_transform(part.plate_to_patient)
    assert signed_distances(inside.vertices, limb).min() > 2.0 - 0.05
    tip = beside(0, 0, -48)
    assert inside.bounds[0, 2] == pytest.approx(tip[2] - 2 - 4 - 2.5 - 8, abs=0.05)
    assert part.metrics["clearance_error_p95_mm"] < 0.05
    assert part.metrics["wall_p01_mm"] > 0.9 * 2.5
    assert {check.verdict for check in part.checks} == {"pass"}


def test_the_vent_goes_through_the_foot_and_can_be_left_out(prosthesis: Any) -> None:
    open_, shut = (prosthesis(_stump(), vent_mm=diameter) for diameter in (4.0, 0.0))
    length = 8.0 + 3.0  # foot and wall
    lost = shut.mesh.volume - open_.mesh.volume
    assert lost == pytest.approx(np.pi * 4 * length, rel=0.03)


def test_a_socket_for_an_arm_held_up_ends_where_the_hand_would_be(prosthesis: Any) -> None:
    part = prosthesis(_stump(), distal_end="superior")
    sole = trimesh.transform_points([[0, 0, 0]], part.plate_to_patient)[0]
    assert sole[2] > PLACE[2] + 48


def test_bores_are_found_whatever_their_direction_and_slots_are_none(tmp_path: Path) -> None:
    mesh = trimesh.load_mesh(_link(tmp_path / "link.stl"))
    turn = trimesh.transformations.random_rotation_matrix(np.array([0.2, 0.7, 0.4]))
    for part in (mesh, mesh.copy().apply_transform(turn)):
        found = [bore.diameter_mm for bore in bores(part)]
        assert found == pytest.approx([3.0, 4.0, 9.0], abs=1e-3)
    through = bores(mesh)[1]
    assert np.linalg.norm(through.end - through.start) == pytest.approx(16, abs=1e-3)
    assert plug(mesh, through).volume() == pytest.approx(16 * 32 * np.sin(2 * np.pi / 64) * 4)
    assert wall_around(mesh, through, 4.0) == pytest.approx(6 - 2, abs=0.05)
    assert not bores(trimesh.creation.cylinder(radius=3, height=9))  # a pin is no bore


@pytest.mark.parametrize("scale", [0.8, 1.2, 1.5])
def test_small_bores_keep_their_size_when_a_part_is_scaled(tmp_path: Path, scale: float) -> None:
    mesh = trimesh.load_mesh(_link(tmp_path / "link.stl"))
    part = scaled(mesh, scale, hardware_up_to_mm=6.0)
    after = bores(part.mesh)
    assert [b.diameter_mm for b in after] == pytest.approx([3.0, 4.0, 9.0 * scale], abs=0.01)
    middle = (after[1].start + after[1].end) / 2
    assert middle == pytest.approx(np.array([-12.0, 0, 0]) * scale, abs=0.01)
    assert part.change.max_mm < 1e-4
    area = [32 * np.sin(2 * np.pi / 64) * 4, 24 * np.sin(2 * np.pi / 48) * 2.25]
    drill = 48 * np.sin(2 * np.pi / 96)
    gained = area[0] * scale**2 * 16 * scale - drill * 4 * 16 * scale
    gained += area[1] * scale**2 * 7 * scale - drill * 2.25 * 7 * scale
    # a wider drill goes a little beyond the bottom of the blind bore
    assert part.volume_change_mm3 == pytest.approx(gained, abs=1.0 if scale > 1 else 6.0)


def test_hand_parts_follow_the_measures_and_lie_beside_each_other(
    prosthesis: Any, tmp_path: Path
) -> None:
    for name in ("a.stl", "b.stl", "c.stl"):
        _link(tmp_path / name)
    (tmp_path / "readme.txt").write_text("not a part")
    values = {"kind": "hand parts", "parts": str(tmp_path), "parts_unit": "mm"}
    part = prosthesis(_stump(), **values, limb_measure_mm=84.0, part_measure_mm=70.0)
    assert part.metrics["scale"] == pytest.approx(1.2)
    assert_printable(part)
    assert_features(part)
    assert len(part.objects) == part.bodies == 3
    boxes = [each.mesh.bounds for each in part.objects]
    for n, one in enumerate(boxes):
        for other in boxes[n + 1 :]:
            gap = np.maximum(other[0] - one[1], one[0] - other[1])
            assert gap.max() > 5
    assert [row["measured_mm"] for row in part.details["bores"]] == [3.0, 4.0] * 3
    assert "scaled to 120 %" in part.caveats[0]
    assert "printed pin" in part.warnings[0]


def test_the_second_size_of_a_growth_plan_is_as_large_as_planned(
    prosthesis: Any, tmp_path: Path
) -> None:
    values = {"kind": "hand parts", "parts": str(_link(tmp_path / "a.stl")), "parts_unit": "mm"}
    plan = {"growth": "measurements", "measurements": "0, 60; 24, 66", "adjustment_percent": 5.0}
    part = prosthesis(_stump(), **values, **plan, size=2)
    second = part.details["sizes"][1]
    assert part.metrics["scale"] == pytest.approx(second["scale"], abs=1e-4)
    assert any("growing child" in caveat for caveat in part.caveats)
    with pytest.raises(DesignError, match="what the growth plan holds"):
        prosthesis(_stump(), **values, **plan, size=9)


def test_a_mirrored_part_is_its_mirror_image(prosthesis: Any, tmp_path: Path) -> None:
    values = {"kind": "hand parts", "parts": str(_link(tmp_path / "a.stl")), "parts_unit": "mm"}
    plain, other = (
        prosthesis(_stump(), laterality=side, **values, mirror=mirror, scanned_side="right")
        for side, mirror in (("right", False), ("left", True))
    )
    assert other.mesh.center_mass[0] == pytest.approx(-plain.mesh.center_mass[0], abs=1e-6)
    assert any("mirrored" in caveat for caveat in other.caveats)
    assert np.linalg.det(plain.plate_to_patient[:3, :3]) == pytest.approx(1)
    assert np.linalg.det(other.plate_to_patient[:3, :3]) == pytest.approx(-1)
    with pytest.raises(DesignError, match="not mirrored"):
        prosthesis(_stump(), laterality="left", **values, scanned_side="right")


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"foot_mm": 80.0}, "make the foot narrower"),
        ({"length_mm": 200.0}, "at most the 96 mm"),
        ({"kind": "hand parts"}, "name the folder"),
        ({"kind": "hand parts", "parts": "LINK"}, "no unit for a STL file"),
        ({"kind": "hand parts", "parts": "LINK", "limb_measure_mm": 80.0}, "or neither"),
        ({"kind": "hand parts", "parts": "LINK", "size": 3}, "1 to 1"),
        (
            {"kind": "hand parts", "parts": "LINK", "limb_measure_mm": 80, "part_measure_mm": 30},
            "50 to 200 %",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(
    prosthesis: Any, tmp_path: Path, parameters: dict[str, Any], says: str
) -> None:
    if parameters.get("parts"):
        parameters = parameters | {"parts": str(_link(tmp_path / "link.stl"))}
    with pytest.raises(DesignError) as caught:
        prosthesis(_stump(), **parameters)
    assert says in str(caught.value)


def test_a_part_that_cannot_be_closed_is_refused_with_its_place(
    prosthesis: Any, tmp_path: Path
) -> None:
    mesh = trimesh.load_mesh(_link(tmp_path / "link.stl"))
    mesh.update_faces(mesh.face_normals[:, 2] < 0.9)  # the top is missing
    mesh.export(tmp_path / "open.stl")
    with pytest.raises(DesignError) as caught:
        prosthesis(_stump(), kind="hand parts", parts=str(tmp_path / "open.stl"), parts_unit="mm")
    assert "hand part 1" in str(caught.value)
    assert any(digit.isdigit() for digit in caught.value.where)


def test_random_parameters_give_printable_sockets(prosthesis: Any) -> None:
    rng = np.random.default_rng(11)
    for _ in range(RANDOM_PARTS):
        flare_length = float(rng.uniform(3, 14))
        part = prosthesis(
            _stump(float(rng.uniform(12, 25)), 60.0),
            clearance_mm=float(rng.uniform(0, 12)),
            wall_mm=float(rng.uniform(1.2, 8)),
            distal_mm=float(rng.uniform(0, 15)),
            foot_mm=float(rng.uniform(10, 20)),
            foot_height_mm=float(rng.uniform(3, 40)),
            vent_mm=float(rng.uniform(0, 9)),
            flare_length_mm=flare_length,
            flare_mm=float(rng.uniform(0, min(8, flare_length / 2))),
            length_mm=float(rng.uniform(42, 60)),
            step_mm=float(rng.uniform(1.5, 2.5)),
        )
        assert_printable(part)


def test_random_scales_give_printable_parts_with_their_bores(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    for _ in range(RANDOM_PARTS):
        bore = float(rng.uniform(2.0, 5.9))
        mesh = trimesh.load_mesh(_link(tmp_path / "link.stl", bore=bore))
        part = scaled(mesh, float(rng.uniform(0.5, 2.0)), hardware_up_to_mm=6.0)
        assert part.mesh.is_watertight
        assert all(row["measured_mm"] is not None for row in part.bores)
        found = sorted(row["measured_mm"] for row in part.bores)
        assert found == pytest.approx(sorted([3.0, bore]), abs=0.02)


def test_what_lies_outside_the_envelope_is_refused_by_name() -> None:
    assert_refused_outside(Prosthesis)


@pytest.mark.parametrize("seed", range(3))
def test_sockets_are_sliced(prosthesis: Any, seed: int, tmp_path: Path, lab_home: Path) -> None:
    rng = np.random.default_rng(seed)
    part = prosthesis(
        _stump(float(rng.uniform(14, 22))),
        wall_mm=float(rng.uniform(1.2, 5)),
        distal_mm=float(rng.uniform(0, 10)),
        step_mm=2.0,
    )
    write_stl(part.mesh, tmp_path / "part.stl")
    slice_part(
        tmp_path / "part.stl",
        tmp_path / "part.gcode",
        printer=equipment.printer("practice"),
        material=equipment.material("PLA"),
        layer_height_mm=0.3,
        infill_percent=10,
        supports=False,
    )
    assert (tmp_path / "part.gcode").stat().st_size > 10_000


def test_the_raptor_hand_at_120_percent_keeps_its_bores(prosthesis: Any, real_data: Path) -> None:
    folder = real_data / "prosthetic_hand_raptor" / "Print"
    part = prosthesis(
        _stump(), kind="hand parts", parts=str(folder), parts_unit="mm", scale_percent=120.0
    )
    assert_printable(part)
    assert len(part.objects) == 9
    assert (part.mesh.extents < (250, 210, 210)).all(), "the set fits the practice printer"
    rows = part.details["bores"]
    assert len(rows) > 40
    for row in rows:
        assert row["measured_mm"] == pytest.approx(row["diameter_mm"], abs=0.01), row
        assert row["off_axis_mm"] < 0.01
    for edit in part.edits:
        assert edit.distances.max_mm < 0.01
    files = sorted(folder.glob("*.stl"))
    for file, each in zip(files, part.objects, strict=True):
        drawn = trimesh.load_mesh(file)
        assert each.mesh.extents == pytest.approx(1.2 * drawn.extents, abs=1e-3)
        assert each.mesh.volume >= drawn.volume * 1.2**3 - 1e-3
