import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit import equipment
from labkit.equipment import MaterialProfile, PrinterProfile
from labkit.errors import SlicingError
from labkit.slicing import calipers
from labkit.slicing.coupons import BLOCK_MM, landing_block, tensile_bar
from labkit.slicing.gate import check_gcode
from labkit.slicing.gcode import read_gcode
from labkit.slicing.plate import Placed, PlateObject, _rows, place, placed_mesh
from labkit.slicing.slicer import slice_part, slice_plate

from .conftest import write_boxes

TABLE = (((0.0, 0.0, 0.0), (8.0, 8.0, 14.0)), ((0.0, 0.0, 14.0), (40.0, 30.0, 18.0)))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_boxes(tmp_path / "table.stl", *TABLE)


@pytest.fixture
def plate(
    table: Path, box_stl: Path, tmp_path: Path, printer: PrinterProfile, pla: MaterialProfile
) -> Any:
    """``plate(**changes)``: two tables, a box and both coupons, sliced into part.gcode."""
    objects = [
        PlateObject("part", table, copies=2),
        PlateObject("box", box_stl),
        tensile_bar().write(tmp_path),
        landing_block().write(tmp_path),
    ]

    def sliced(**changes: Any) -> Any:
        choice: dict[str, Any] = {"printer": printer, "material": pla, "layer_height_mm": 0.2}
        return slice_plate(objects, tmp_path / "part.gcode", **(choice | changes))

    return sliced


def _apart_mm(one: Placed, two: Placed) -> float:
    """The gap between two boxes in x and y."""
    (low, high), (other_low, other_high) = one.bounds_mm, two.bounds_mm
    gaps = [max(other_low[a] - high[a], low[a] - other_high[a]) for a in (0, 1)]
    return max(gaps)


# placing


@settings(max_examples=150, deadline=None)
@given(
    sizes=st.lists(
        st.tuples(st.floats(1, 120), st.floats(1, 120)).map(lambda size: tuple(np.round(size, 3))),
        min_size=1,
        max_size=12,
    ),
    spacing=st.floats(0, 20),
)
def test_rows_never_overlap_and_keep_their_distance(
    sizes: list[tuple[float, float]], spacing: float
) -> None:
    size = np.array(sizes)
    low = _rows(size, (250.0, 210.0, 210.0), spacing)
    high = low + size
    assert low.min() == 0
    for one, two in itertools.combinations(range(len(size)), 2):
        gap = np.maximum(low[two] - high[one], low[one] - high[two]).max()
        assert gap >= spacing - 1e-6


def test_every_copy_stands_on_the_bed_and_the_whole_over_its_middle(
    table: Path, box_stl: Path, printer: PrinterProfile
) -> None:
    placed = place([PlateObject("part", table, copies=3), PlateObject("box", box_stl)], printer)
    assert [each.name for each in placed] == ["part-1", "part-2", "part-3", "box"]
    lows = np.array([each.bounds_mm[0] for each in placed])
    highs = np.array([each.bounds_mm[1] for each in placed])
    assert (lows[:, 2] == 0).all()
    assert (lows.min(axis=0) + highs.max(axis=0))[:2] / 2 == pytest.approx([125, 105])
    for each in placed:
        own = trimesh.load_mesh(each.stl).bounds + np.array(each.shift_mm)
        assert np.array(each.bounds_mm) == pytest.approx(own, abs=1e-4)
    gaps = [_apart_mm(one, two) for one, two in itertools.combinations(placed, 2)]
    assert min(gaps) == pytest.approx(6)


def test_a_row_is_as_wide_as_the_bed_where_only_that_fits(tmp_path: Path) -> None:
    """Six plates of 80 × 100 mm: three abreast and two deep is the only way."""
    stl = write_boxes(tmp_path / "a.stl", ((0, 0, 0), (78, 100, 5)))
    placed = place([PlateObject("part", stl, copies=6)], equipment.printer("practice"))
    assert len({each.bounds_mm[0][0] for each in placed}) == 3
    assert len({each.bounds_mm[0][1] for each in placed}) == 2


def test_what_the_bed_does_not_hold_is_refused_with_the_number_that_fits(
    tmp_path: Path, printer: PrinterProfile
) -> None:
    stl = write_boxes(tmp_path / "a.stl", ((0, 0, 0), (78, 100, 5)))
    with pytest.raises(SlicingError) as caught:
        place([PlateObject("part", stl, copies=7)], printer)
    assert "7 objects need" in caught.value.found
    assert "the first 6 would fit" in caught.value.found
    assert place([PlateObject("part", stl, copies=6)], printer)


def test_one_object_that_is_too_large_is_told_apart_from_too_many(
    tmp_path: Path, printer: PrinterProfile, box_stl: Path
) -> None:
    tall = write_boxes(tmp_path / "tall.stl", ((0, 0, 0), (10, 10, 300)))
    with pytest.raises(SlicingError, match="too large in z"):
        place([PlateObject("box", box_stl), PlateObject("part", tall)], printer)


@pytest.mark.parametrize("name", ["", "Jane Doe", "Part", "part.stl", "-part", "a" * 33, "tëst"])
def test_names_on_the_plate_are_neutral(box_stl: Path, name: str) -> None:
    with pytest.raises(ValueError, match="small letters"):
        PlateObject(name, box_stl)


def test_two_objects_have_two_names(box_stl: Path, printer: PrinterProfile) -> None:
    with pytest.raises(ValueError, match="one name"):
        place([PlateObject("part", box_stl), PlateObject("part", box_stl)], printer)
    with pytest.raises(ValueError, match="0 copies"):
        PlateObject("part", box_stl, copies=0)
    with pytest.raises(ValueError, match="nothing"):
        place([], printer)


# coupons


def test_the_tensile_bar_has_the_dimensions_of_iso_527_2_type_1ba() -> None:
    bar = tensile_bar()
    x0, y0, z0, x1, y1, z1 = bar.body.bounding_box()
    assert (x1 - x0, y1 - y0, z1 - z0) == pytest.approx((75, 10, 2))
    assert bar.body.genus() == 0 and len(bar.body.decompose()) == 1
    # two ends, the narrow part, and four shoulders under arcs of r = 40.45 mm
    radius = (14**2 + 2.5**2) / (2 * 2.5)
    angle = math.asin(14 / radius)
    under_arc = 14 * (2.5 + radius) - (radius**2 * (angle + math.sin(angle) * math.cos(angle))) / 2
    area = 2 * 8.5 * 10 + 30 * 5 + 4 * under_arc
    assert bar.body.volume() / 2 == pytest.approx(area, rel=1e-4)
    assert radius > 30
    middle = bar.body.trim_by_plane((1, 0, 0), -14.9).trim_by_plane((-1, 0, 0), -14.9)
    assert middle.bounding_box()[4] * 2 == pytest.approx(5)


def test_the_landing_block_is_a_cube() -> None:
    block = landing_block()
    assert block.body.volume() == pytest.approx(BLOCK_MM**3)
    assert [feature["nominal_mm"] for feature in block.features] == [BLOCK_MM] * 3


def test_calipers_find_the_coupons_dimensions_on_the_plate(plate: Any, tmp_path: Path) -> None:
    shifts = {each.name: each.shift_mm for each in plate().objects}
    for coupon in (tensile_bar(), landing_block()):
        shift = shifts[coupon.name]
        found = calipers.measure(tmp_path / "part.gcode", coupon.features, shift)
        for feature in coupon.features:
            assert found[feature["name"]] == pytest.approx(feature["nominal_mm"], abs=0.02)


# slicing


def test_a_plate_is_sliced_where_it_was_placed(plate: Any, tmp_path: Path) -> None:
    sliced = plate()
    mesh = placed_mesh(sliced.objects)
    read = read_gcode(tmp_path / "part.gcode", filament_diameter_mm=1.75, density_g_cm3=1.24)
    half_line = np.array([[-0.225, -0.225, 0], [0.225, 0.225, 0]])
    printed = read.part_bounds_mm
    assert printed is not None
    assert (printed + half_line)[:, :2] == pytest.approx(mesh.bounds[:, :2], abs=0.01)
    assert printed[1, 2] == pytest.approx(20)
    volumes = [2 * (8 * 8 * 14 + 40 * 30 * 4), 20**3, tensile_bar().body.volume(), 1000]
    assert mesh.volume == pytest.approx(sum(volumes), rel=1e-4)


def test_every_object_is_marked_in_every_of_its_layers(plate: Any, tmp_path: Path) -> None:
    plate()
    lines = (tmp_path / "part.gcode").read_text().splitlines()
    names = ("part-1", "part-2", "box", "tensile-bar", "landing-block")
    begun = {
        name: sum(f"; printing object {name}.stl " in line for line in lines) for name in names
    }
    ended = {
        name: sum(f"; stop printing object {name}.stl " in line for line in lines) for name in names
    }
    heights = {"part-1": 18, "part-2": 18, "box": 20, "tensile-bar": 2, "landing-block": 10}
    assert begun == ended == {name: round(mm / 0.2) for name, mm in heights.items()}


def test_what_lies_between_an_object_s_marks_is_on_that_object(plate: Any, tmp_path: Path) -> None:
    """What OctoPrint leaves out when an object is cancelled."""
    boxes = {each.name: np.array(each.bounds_mm) for each in plate().objects}
    inside, seen = "", dict.fromkeys(boxes, 0)
    for line in (tmp_path / "part.gcode").read_text().splitlines():
        if line.startswith("; printing object "):
            inside = line.split()[3].removesuffix(".stl")
        elif line.startswith("; stop printing object "):
            inside = ""
        elif inside and line.startswith("G1 X") and " E" in line and "E-" not in line:
            words = {word[0]: float(word[1:]) for word in line.split()[1:]}
            low, high = boxes[inside]
            assert low[0] <= words["X"] <= high[0] and low[1] <= words["Y"] <= high[1]
            seen[inside] += 1
    assert min(seen.values()) > 10


def test_a_plate_passes_the_gate_and_gives_the_same_bytes(
    plate: Any, tmp_path: Path, printer: PrinterProfile, pla: MaterialProfile
) -> None:
    first, content = plate(), (tmp_path / "part.gcode").read_bytes()
    assert check_gcode(tmp_path / "part.gcode", printer, pla) == []
    second = plate()
    assert (tmp_path / "part.gcode").read_bytes() == content
    assert first.gcode_sha256 == second.gcode_sha256
    assert "table" not in content.decode()
    supported = plate(supports=True), plate(supports=True)
    assert supported[0].gcode_sha256 == supported[1].gcode_sha256


def test_a_brim_widens_the_distance(plate: Any) -> None:
    quality = equipment.quality("standard").model_copy(update={"brim_mm": 5.0})
    objects = plate(quality=quality).objects
    gaps = [_apart_mm(one, two) for one, two in itertools.combinations(objects, 2)]
    assert min(gaps) == pytest.approx(6 + 2 * 5)


def test_one_part_is_the_plate_s_simplest_case(
    tmp_path: Path, box_stl: Path, printer: PrinterProfile, pla: MaterialProfile
) -> None:
    part = slice_part(box_stl, tmp_path / "a.gcode", printer=printer, material=pla)
    plate = slice_plate(
        [PlateObject("part", box_stl)], tmp_path / "b.gcode", printer=printer, material=pla
    )
    assert part.gcode_sha256 == plate.gcode_sha256
    assert part.objects == plate.objects and part.shift_mm == part.objects[0].shift_mm
    assert b"printing object" not in (tmp_path / "a.gcode").read_bytes()
    about = part.objects[0].as_dict()
    assert about["name"] == "part" and about["sha256"] == part.part_sha256
    assert str(tmp_path) not in str(about)


def test_a_plate_that_fails_leaves_nothing(
    tmp_path: Path, box_stl: Path, printer: PrinterProfile, pla: MaterialProfile
) -> None:
    open_stl = tmp_path / "open.stl"
    mesh = trimesh.load_mesh(box_stl)
    trimesh.Trimesh(mesh.vertices, mesh.faces[1:]).export(open_stl)
    objects = [PlateObject("part", box_stl), PlateObject("other", open_stl)]
    with pytest.raises(SlicingError, match="holes"):
        slice_plate(objects, tmp_path / "part.gcode", printer=printer, material=pla)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "open.stl"]
