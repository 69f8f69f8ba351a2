"""Parts from other programs: units asked, sizes true, damage refused."""

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import trimesh

from labkit.cli import main
from labkit.design import read_part
from labkit.design.imported import UNITS
from labkit.errors import DesignError

from .shapes import crossing_bar
from .step import block_step

needs_cad = pytest.mark.skipif(
    find_spec("cascadio") is None, reason="the extra `cad` is not installed"
)
CORE = "threemf_conformance/examples/core"
VERIFY = "threemf_conformance/validation tests/_archive/3mf-Verify"


@pytest.fixture
def block() -> trimesh.Trimesh:
    box: trimesh.Trimesh = trimesh.creation.box(bounds=((1, 2, 3), (11, 22, 33)))
    return box


@pytest.mark.parametrize("kind", ["stl", "obj", "ply", "off"])
@pytest.mark.parametrize("unit", list(UNITS))
def test_a_surface_comes_in_the_unit_that_was_said(
    tmp_path: Path, block: trimesh.Trimesh, kind: str, unit: str
) -> None:
    path = tmp_path / f"part.{kind}"
    block.apply_scale(0.1)
    block.export(path)
    part = read_part(path, unit)
    assert part.mesh.extents == pytest.approx(np.array([1, 2, 3]) * UNITS[unit], rel=1e-5)
    assert part.mesh.is_watertight
    assert (part.unit, part.unit_from) == (unit, "a person")
    assert len(part.sha256) == 64


@pytest.mark.parametrize("kind", ["stl", "obj"])
def test_no_unit_is_guessed_and_the_sizes_help_to_choose(
    tmp_path: Path, block: trimesh.Trimesh, kind: str
) -> None:
    block.export(tmp_path / f"part.{kind}")
    with pytest.raises(DesignError) as caught:
        read_part(tmp_path / f"part.{kind}")
    for size in ("mm: 10 × 20 × 30 mm", "m: 1e+04 × 2e+04 × 3e+04 mm", "inch: 254 × 508 × 762 mm"):
        assert size in caught.value.fix
    with pytest.raises(DesignError, match="'furlong'"):
        read_part(tmp_path / f"part.{kind}", "furlong")


@needs_cad
@pytest.mark.parametrize(("unit", "mm"), [("mm", 1.0), ("inch", 25.4), ("m", 1000.0)])
def test_step_is_in_the_unit_that_the_file_says(tmp_path: Path, unit: str, mm: float) -> None:
    size = np.array([10.0, 20.0, 30.0]) / (100 if unit == "m" else 1)
    (tmp_path / "part.step").write_text(block_step(tuple(size), unit), encoding="ascii")
    part = read_part(tmp_path / "part.step")
    assert part.mesh.extents == pytest.approx(size * mm, rel=1e-5)
    assert part.mesh.volume == pytest.approx(np.prod(size * mm), rel=1e-5)
    assert part.mesh.is_watertight
    assert part.unit_from == "the file"


@needs_cad
def test_a_damaged_step_is_refused(tmp_path: Path) -> None:
    whole = block_step((10, 20, 30), "mm")
    for number, text in enumerate(("garbage", whole[: len(whole) // 2], whole[:300])):
        path = tmp_path / f"{number}.stp"
        path.write_text(text, encoding="ascii")
        with pytest.raises(DesignError, match="cannot be read as STEP"):
            read_part(path)


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("part.docx", b"PK", "a .docx file"),
        ("part", b"solid", "a nameless file"),
        ("part.stl", b"", "is empty"),
        ("part.stl", b"solid x\nendsolid x\n", "holds no triangles"),
        ("part.stl", b"\x00" * 84, "holds no triangles"),
        ("part.stl", b"\x00" * 80 + b"\xff\xff\xff\x7f", "part.stl"),
        ("part.obj", b"v 1 2\nf 1 2 9\n", "part.obj"),
        ("part.ply", b"ply\nformat nothing\n", "cannot be read"),
        ("part.3mf", b"PK\x03\x04 cut off", "no valid 3MF"),
        ("part.vtp", b"<VTKFile", "part.vtp"),
    ],
)
def test_what_is_no_part_is_refused_in_words(
    tmp_path: Path, name: str, content: bytes, found: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DesignError) as caught:
        read_part(tmp_path / name, "mm")
    assert found in caught.value.found


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DesignError, match="is not there"):
        read_part(tmp_path / "part.stl", "mm")


def test_coordinates_that_are_no_places_are_refused(tmp_path: Path, block: trimesh.Trimesh) -> None:
    for wrong in (np.inf, np.nan, 3.4e38):
        moved = block.copy()
        moved.vertices[0, 0] = wrong
        (tmp_path / "part.obj").write_text(
            "".join(f"v {x} {y} {z}\n" for x, y, z in moved.vertices)
            + "".join(f"f {a} {b} {c}\n" for a, b, c in moved.faces + 1)
        )
        with pytest.raises(DesignError):
            read_part(tmp_path / "part.obj", "mm")


def test_3mf_examples_of_the_consortium_are_read(real_data: Path) -> None:
    files = sorted((real_data / CORE).glob("*.3mf"))
    assert len(files) == 8
    parts = {path.stem: read_part(path) for path in files}
    assert parts["box"].mesh.extents == pytest.approx((10, 20, 30))
    assert len(parts["multiple_cylinders"].objects) == 6, "one object, placed six times"
    assert len({each.name for each in parts["multiple_cylinders"].objects}) == 6
    assert len(parts["cube_gears"].objects) == 17


def test_3mf_files_that_must_pass_are_read(real_data: Path) -> None:
    # their multiproperties count up to index 3 in a group of two materials: against
    # chapter 5 of the materials extension, lib3mf refuses them
    beyond = {"Chapter3.4.2_MetaData_Resources_Build", "Chapter3.4.3a_MustNotOutputNonReferenced"}
    files = sorted((real_data / VERIFY / "MUSTPASS").glob("*.3mf"))
    assert len(files) == 13
    for path in files:
        if any(name in path.name for name in beyond):
            with pytest.raises(DesignError, match="MultiPropertyGroup"):
                read_part(path)
        else:
            assert read_part(path).mesh.is_watertight, path.name


def test_3mf_files_that_must_fail_are_refused(real_data: Path) -> None:
    # lib3mf reads these three: an unused name space, metadata without a name, a colour
    # without a value.  None of it is shape, and only the shape is taken
    shape_is_whole = ("MissingColorValue", "UndefinedNameSpace", "MissingMetadataName")
    files = sorted((real_data / VERIFY / "MUSTFAIL").glob("*.3mf"))
    assert len(files) == 38
    for path in files:
        if any(name in path.name for name in shape_is_whole):
            assert read_part(path).mesh.is_watertight, path.name
        else:
            with pytest.raises(DesignError, match="no valid 3MF"):
                read_part(path)


def test_3mf_in_inches_becomes_mm_and_no_other_unit_is_taken(real_data: Path) -> None:
    path = real_data / "mesh_broken_trimesh" / "featuretype.3MF"
    assert read_part(path).mesh.extents == pytest.approx((127.0, 63.5, 34.925))
    with pytest.raises(DesignError, match="the file itself says inch"):
        read_part(path, "mm")


def test_bones_in_metres_come_out_in_their_size(real_data: Path) -> None:
    radius = next((real_data / "bones_opensim_vtp").rglob("arm_r_radius.vtp"))
    assert 200 < read_part(radius, "m").mesh.extents.max() < 280
    with pytest.raises(DesignError, match="no unit"):
        read_part(radius)


def test_the_command_says_what_is_wrong_and_where(
    tmp_path: Path,
    block: trimesh.Trimesh,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "home"))
    block.export(tmp_path / "block.stl")
    codes = {}
    for unit, words in (("mm", ["--unit", "mm"]), ("m", ["--unit", "m"]), ("none", [])):
        with pytest.raises(SystemExit) as left:
            main(["part", "check", str(tmp_path / "block.stl"), "--json", *words])
        codes[unit] = left.value.code
        said = json.loads(capsys.readouterr().out)
        if unit == "m":
            assert said["error"]["type"] == "DesignError", "30 m: no part"
        elif unit == "none":
            assert "mm: 10 × 20 × 30 mm" in said["error"]["fix"]
        else:
            assert said["unit"] == "mm"
            assert {each["verdict"] for each in said["checks"]} == {"pass"}
    assert codes == {"mm": 0, "m": 2, "none": 2}


def test_a_part_that_passes_through_itself_is_said_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "home"))
    crossing_bar().export(tmp_path / "mueller.stl")
    with pytest.raises(SystemExit):
        main(["part", "check", str(tmp_path / "mueller.stl"), "--unit", "mm", "--json"])
    said = json.loads(capsys.readouterr().out)
    (row,) = [row for row in said["checks"] if row["name"].endswith("passes through itself")]
    assert row["verdict"] == "action"
    assert row["value"] > 10
    assert len(row["where_mm"]) == 3
    assert said["objects"] == 1


def test_the_record_of_a_file_holds_no_names(tmp_path: Path, block: trimesh.Trimesh) -> None:
    path = tmp_path / "mueller.obj"
    path.write_text("o Mueller^Anna\n" + trimesh.exchange.obj.export_obj(block))
    assert "ueller" not in str(read_part(path, "mm").as_dict())


def test_a_part_too_large_for_the_printer_ends_with_code_1(
    tmp_path: Path,
    block: trimesh.Trimesh,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "home"))
    block.export(tmp_path / "block.stl")
    with pytest.raises(SystemExit) as left:
        main(["part", "check", str(tmp_path / "block.stl"), "--unit", "inch"])
    assert left.value.code == 1
    assert "fits the printer" in capsys.readouterr().out
