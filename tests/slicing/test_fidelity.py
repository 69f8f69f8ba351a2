"""The solid rebuilt from tool paths against parts of known shape, honest and tampered with."""

from pathlib import Path

import manifold3d
import numpy as np
import pytest
import trimesh

from labkit import equipment
from labkit.errors import SlicingError
from labkit.slicing.fidelity import Fidelity, fidelity, placed_under
from labkit.slicing.slicer import slice_part
from labkit.slicing.toolpath import Toolpath, read_toolpath
from labkit.surface import mesh_of, write_stl

from .signed_parts import INFILL_PERCENT, SignedPart, signed_part

ROUNDING_MM = 0.001
CHORD = 0.002
"""A round bore printed as its polygon of 64 corners, in lines of three digits."""


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> SignedPart:
    return signed_part("box", tmp_path_factory.mktemp("box"))


@pytest.fixture(scope="module")
def ball(tmp_path_factory: pytest.TempPathFactory) -> SignedPart:
    return signed_part("ball", tmp_path_factory.mktemp("ball"))


def _checked(part: SignedPart, path: Toolpath) -> Fidelity:
    return fidelity(
        path,
        part.base.mesh,
        part.base.shift_mm,
        material=equipment.material("PLA"),
        infill_percent=INFILL_PERCENT,
    )


def _sliced(body: manifold3d.Manifold, folder: Path, *, supports: bool = False) -> Fidelity:
    mesh = mesh_of(body)
    write_stl(mesh, folder / "part.stl")
    sliced = slice_part(
        folder / "part.stl",
        folder / "part.gcode",
        printer=equipment.printer("practice"),
        material=equipment.material("PLA"),
        layer_height_mm=0.2,
        infill_percent=INFILL_PERCENT,
        supports=supports,
    )
    return fidelity(read_toolpath(folder / "part.gcode"), mesh, sliced.shift_mm)


def _rules(found: Fidelity) -> set[str]:
    return {one.rule for one in found.deviations if one.severity == "fail"}


def test_areas_and_volume_of_a_box_are_those_of_the_formula(box: SignedPart) -> None:
    """24 × 18 mm less the polygon of a bore with 64 corners; the pocket is 6 × 5 mm."""
    found = _checked(box, box.path)
    bore = 32 * 3**2 * np.sin(2 * np.pi / 64)
    area = 24 * 18 - bore - np.where(found.z_mm > 8.1, 30, 0)
    assert found.area_part_mm2 == pytest.approx(area, abs=1e-3)
    assert found.area_printed_mm2 == pytest.approx(area, rel=CHORD)
    assert found.volume_error == pytest.approx(0, abs=CHORD)
    assert len(found.z_mm) == 60
    assert found.outline_mm < 0.01
    assert found.faithful, found.deviations


def test_sections_of_a_ball_follow_its_circle(ball: SignedPart) -> None:
    found = _checked(ball, ball.path)
    middle = found.z_mm - found.height_mm / 2
    circle = np.pi * (12**2 - (middle - 10) ** 2)
    wide = circle > 150
    assert found.area_printed_mm2[wide] == pytest.approx(circle[wide], rel=0.01)
    assert found.faithful, found.deviations


def test_a_file_of_another_size_is_found(box: SignedPart) -> None:
    larger = box.base.mesh.copy()
    larger.apply_scale(1.02)
    found = fidelity(box.path, larger, placed_under(box.path, larger))
    assert found.volume_error == pytest.approx(24 * 18 / (24.48 * 18.36) - 1, abs=0.01)
    assert {"volume", "contour"} <= _rules(found)


def test_the_place_is_found_from_the_walls(box: SignedPart) -> None:
    assert placed_under(box.path, box.base.mesh) == pytest.approx(
        np.array(box.base.shift_mm), abs=2 * ROUNDING_MM
    )


def test_a_part_as_manifold_gives_the_same(box: SignedPart) -> None:
    body = box.tampering.box()
    found = fidelity(box.path, body, box.base.shift_mm)
    assert found.area_part_mm2 == pytest.approx(_checked(box, box.path).area_part_mm2)


def test_a_surface_with_a_hole_is_cut_all_the_same(box: SignedPart) -> None:
    open_mesh = box.base.mesh.copy()
    top = np.flatnonzero(open_mesh.triangles_center[:, 2] > 11.99)
    open_mesh.update_faces(~np.isin(np.arange(len(open_mesh.faces)), top))
    found = fidelity(box.path, open_mesh, box.base.shift_mm)
    assert found.volume_error == pytest.approx(0, abs=0.003)
    assert any("not closed" in note for note in found.notes)


def test_several_copies_on_a_plate_are_their_union(tmp_path: Path) -> None:
    one = manifold3d.Manifold.cube([10, 10, 4])
    found = _sliced(one + one.translate([15, 3, 0]), tmp_path)
    assert found.area_part_mm2 == pytest.approx(np.full(20, 200.0), abs=1e-3)
    assert found.faithful, found.deviations


def test_walls_over_air_do_not_split_outlines(tmp_path: Path) -> None:
    """A ball on supports: many of its walls are half overhang, some all of them."""
    body = manifold3d.Manifold.sphere(8, 64) - manifold3d.Manifold.cylinder(20, 2, 2, 48, True)
    found = _sliced(body, tmp_path, supports=True)
    assert found.volume_error == pytest.approx(0, abs=0.005)
    assert found.faithful, found.deviations


def test_what_is_too_thin_to_print_is_named_with_its_place(tmp_path: Path) -> None:
    """A fin of 0.1 mm beside a block: PrusaSlicer says nothing of it."""
    block = manifold3d.Manifold.cube([10, 10, 4])
    fin = manifold3d.Manifold.cube([0.1, 12, 4]).translate([14, -1, 0])
    found = _sliced(block + fin, tmp_path)
    (thin,) = [one for one in found.deviations if one.rule == "thin"]
    assert thin.value == pytest.approx(1.2, abs=0.1)
    assert thin.layers == 20
    assert thin.place_mm is not None
    assert thin.place_mm[0] == pytest.approx(125 + 14.05 - 14.1 / 2, abs=0.2)


def test_without_named_walls_it_says_what_is_missing(box: SignedPart, tmp_path: Path) -> None:
    plain = tmp_path / "plain.gcode"
    lines = box.base.gcode.read_text().splitlines()
    plain.write_text("\n".join(line for line in lines if not line.startswith(";TYPE")))
    with pytest.raises(SlicingError, match="outer walls"):
        _checked(box, read_toolpath(plain))


METHODS = (
    "void inserted",
    "layers shifted",
    "scaled",
    "infill removed",
    "temperature",
    "under-extrusion",
    "hidden move",
    "layers swapped",
    "fan",
    "seam weakened",
    "dimension",
)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["box", "ball"])
def test_tampering_is_found_without_the_signed_file(
    method: str, name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    part: SignedPart = request.getfixturevalue(name)
    rng = np.random.default_rng([5, len(method), len(name)])
    what, file = part.tampering.METHODS[method](part.base, rng, tmp_path / "tampered.gcode")
    found = _checked(part, read_toolpath(file))
    assert not found.faithful, what
    assert all(one.message and one.where for one in found.deviations)


@pytest.mark.parametrize("rule", ["flow", "seam"])
def test_a_finding_names_layer_and_line(rule: str, box: SignedPart, tmp_path: Path) -> None:
    text = box.tampering.Text(box.base.gcode)
    rows = text.moves(range(30, 31), "External perimeter")
    long = rows[text.distance_mm[rows] > 10]
    if rule == "flow":
        text.change(int(long[0]), E=round(text.path.extruded_mm[long[0]] * 0.8, 5))
        line = int(text.path.line[long[0]])
    else:
        end = rows[text.distance_mm[rows] > 5][-1]
        x, y = text.path.end[end, :2] - 0.5 * np.sign(
            np.round(text.path.end[end, :2] - text.path.start[end, :2], 2)
        )
        text.change(int(end), X=round(x, 3), Y=round(y, 3))
        line = 0
    found = _checked(box, read_toolpath(text.write(tmp_path / "one.gcode")))
    mine = [one for one in found.deviations if one.rule == rule]
    assert mine, found.deviations
    assert {one.layer for one in mine} == {30}
    if line:
        assert line in {one.line for one in mine}


def test_real_parts_are_what_was_sliced(real_data: Path, tmp_path: Path) -> None:
    """A carpal bone and a hand's tensioner: volume within 1 %, outline within half a line."""
    for stl in (
        real_data / "bones_mesh" / "autoCarpal1_outer.stl",
        real_data / "prosthetic_hand_raptor" / "Print" / "raptor_reloaded_tensioner.stl",
    ):
        mesh = trimesh.load_mesh(stl)
        body = manifold3d.Manifold(
            manifold3d.Mesh(mesh.vertices.astype(np.float32), mesh.faces.astype(np.uint32))
        )
        found = _sliced(body, tmp_path, supports=True)
        assert abs(found.volume_error) < 0.01
        assert found.outline_mm < found.line_mm / 2
        assert found.faithful, found.deviations
