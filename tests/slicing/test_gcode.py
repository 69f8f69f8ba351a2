import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.equipment import MaterialProfile, PrinterProfile
from labkit.errors import SlicingError
from labkit.slicing import gcode
from labkit.slicing.gcode import GCode, printed_extent_mm, read_gcode
from labkit.slicing.slicer import slice_part
from labkit.slicing.steps import Fault, Move, steps

from .conftest import SlicedPart, write_boxes


def _read(path: Path, text: str) -> GCode:
    path.write_text(text, encoding="utf-8", newline="")
    return read_gcode(path, filament_diameter_mm=1.75, density_g_cm3=1.24)


def _moves(path: Path, text: str) -> list[Move]:
    path.write_text(text, encoding="utf-8", newline="")
    return [step for step in steps(path) if type(step) is Move]


def _stated(path: Path, name: str) -> float:
    line = next(row for row in path.read_text().splitlines() if row.startswith(f"; {name} ="))
    return float(line.partition("=")[2])


def test_a_sliced_box_reads_as_the_slicer_says(sliced_box: SlicedPart) -> None:
    path = sliced_box.gcode
    read = read_gcode(path, filament_diameter_mm=1.75, density_g_cm3=1.24)
    assert read.slicer == f"PrusaSlicer {sliced_box.sliced.version}"
    assert len(read.layers) == 100
    assert [layer.z_mm for layer in read.layers] == pytest.approx(np.arange(1, 101) * 0.2)
    assert read.height_mm == pytest.approx(20)
    # the slicer leaves its start code out of the sum: 12.5 mm of priming, and the last retraction
    assert read.filament_mm == pytest.approx(_stated(path, "filament used [mm]") + 12.5, abs=4)
    assert read.mass_g == pytest.approx(_stated(path, "filament used [g]"), rel=0.02)
    assert read.stated_time_s is not None
    assert 0.5 * read.stated_time_s < read.moving_time_s < read.stated_time_s
    assert read.hotend_c == [215, 210, 0] and read.bed_c == [60, 0]
    assert {"External perimeter", "Internal infill", "Custom"} <= set(read.features)
    assert read.lines == len(path.read_bytes().splitlines())
    assert read.lines_not_understood == 0


def test_bounds_of_the_part_leave_start_and_end_out(sliced_box: SlicedPart) -> None:
    read = read_gcode(sliced_box.gcode, filament_diameter_mm=1.75, density_g_cm3=1.24)
    half = 0.225  # of a line's width
    assert read.part_bounds_mm is not None and read.bounds_mm is not None
    assert read.part_bounds_mm[:, :2] == pytest.approx(
        np.array([[115 + half, 95 + half], [135 - half, 115 - half]]), abs=0.01
    )
    assert read.bounds_mm[0, 1] == -3 and read.bounds_mm[1, 2] == 30


def test_layers_begin_where_the_offset_says(sliced_box: SlicedPart) -> None:
    content = sliced_box.gcode.read_bytes()
    read = read_gcode(sliced_box.gcode, filament_diameter_mm=1.75, density_g_cm3=1.24)
    for layer in read.layers:
        assert content[layer.offset :].startswith(b";LAYER_CHANGE\n;Z:%g\n" % layer.z_mm)


def test_the_picture_is_thinned_but_spans_the_part(
    sliced_box: SlicedPart, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = read_gcode(sliced_box.gcode, filament_diameter_mm=1.75, density_g_cm3=1.24).path
    assert whole.dtype == np.float32 and whole.shape[1] == 4
    assert set(whole[:, 3]) == set(range(100))
    monkeypatch.setattr(gcode, "MOST_PATH_POINTS", 1000)
    thin = read_gcode(sliced_box.gcode, filament_diameter_mm=1.75, density_g_cm3=1.24).path
    assert 500 < len(thin) <= 1000
    assert thin[:, 3].max() == 99


# modes


def test_relative_and_absolute(tmp_path: Path) -> None:
    text = "G90\nM83\nG1 X10 Y5 Z1 F600\nG91\nG1 X-2 E1\nG90\nM83\nG1 Y7 E.5\n"
    ends = [move.end for move in _moves(tmp_path / "a.gcode", text)]
    assert ends == [(10, 5, 1), (8, 5, 1), (8, 7, 1)]


def test_zero_points(tmp_path: Path) -> None:
    text = "G1 X10 E5\nG92 X0 E0\nG1 X1 E1\nG92 E3\nG1 E2\nG28 X\nG1 X4\nG92\nG1 X1\n"
    moves = _moves(tmp_path / "a.gcode", text)
    assert [move.end[0] for move in moves] == [10, 11, 11, 4, 5]
    assert [move.extruded_mm for move in moves] == [5, 1, -1, 0, 0]


def test_inches(tmp_path: Path) -> None:
    moves = _moves(tmp_path / "a.gcode", "G20\nG1 X1 F10\nG21\nG1 Y1\nG91\nG20\nG1 Y1\n")
    assert [move.end[:2] for move in moves] == [(25.4, 0), (25.4, 1), (25.4, 26.4)]
    assert moves[0].feed_mm_min == 254


def test_filament_and_mass_of_a_known_path(tmp_path: Path) -> None:
    read = _read(
        tmp_path / "a.gcode", "M82\nG1 Z.2 F600\nG1 X10 E4\nG1 E2\nG1 E5\nG1 X0 E7\nG1 E1\n"
    )
    assert read.filament_mm == 7
    assert read.mass_g == pytest.approx(7 * math.pi * 0.875**2 * 1.24 / 1000)
    assert read.moving_time_s == pytest.approx((0.2 + 10 + 2 + 3 + 10 + 6) / 10)
    assert [layer.extruded_mm for layer in read.layers] == [6]


def test_layers_without_marks_are_new_heights(tmp_path: Path) -> None:
    text = "M83\nG1 Z.3 F600\nG1 X9 E1\nG1 Z5\nG1 X1\nG1 Z.6\nG1 X2 E1\nG1 X3 E1\n"
    read = _read(tmp_path / "a.gcode", text)
    assert [(layer.z_mm, layer.extruded_mm) for layer in read.layers] == [(0.3, 1), (0.6, 2)]


def test_cura_marks(tmp_path: Path) -> None:
    text = (
        ";TIME:6666\r\n;Generated with Cura_SteamEngine 4.13.0\r\nM83\r\nG1 X1 Z.3 E2 F600\r\n"
        ";LAYER:0\r\n;TYPE:SKIRT\r\nG0 X50\r\nG1 X60 E1\r\n;TYPE:WALL-OUTER\r\nG1 X20 E1\r\n"
        ";LAYER:1\r\nG0 Z.6\r\nG1 X30 E1\r\n"
    )
    read = _read(tmp_path / "a.gcode", text)
    assert read.slicer == "Cura_SteamEngine 4.13.0"
    assert read.stated_time_s == 6666
    assert [layer.z_mm for layer in read.layers] == [0.3, 0.6]
    assert read.part_bounds_mm is not None
    assert read.part_bounds_mm[:, 0].tolist() == [20, 60]
    assert read.path[:, 3].tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("stated", "seconds"),
    [("1d 2h 3m 4s", 93784), ("59s", 59), ("7h 3m 44s", 25424), ("2h 0m 1s", 7201)],
)
def test_times_as_slicers_write_them(tmp_path: Path, stated: str, seconds: float) -> None:
    text = f"M83\nG1 X1 E1 F60\n; estimated printing time (normal mode) = {stated}\n"
    assert _read(tmp_path / "a.gcode", text).stated_time_s == seconds


# what is not G-code of a part


@pytest.mark.parametrize("text", ["", "; nothing\n", "G28\nG1 X10 F600\n", "G1 E5 F60\n"])
def test_a_file_that_prints_nothing_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SlicingError, match="never extrudes"):
        _read(tmp_path / "a.gcode", text)


def test_binary_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SlicingError, match="binary"):
        _read(tmp_path / "a.gcode", "GCDE\x01\0\0\0")
    with pytest.raises(SlicingError, match="no file"):
        read_gcode(tmp_path / "b.gcode", filament_diameter_mm=1.75, density_g_cm3=1.24)


@given(content=st.binary(max_size=300) | st.text("GMXYZEF0123456789.- ;\n\r", max_size=300))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes | str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.gcode"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    try:
        read = read_gcode(path, filament_diameter_mm=1.75, density_g_cm3=1.24)
    except SlicingError:
        return
    assert read.layers and np.isfinite(read.path).all()


def test_what_is_not_plain_is_a_fault(tmp_path: Path) -> None:
    lines = [
        *("G1 X1 X2", "G1 X1e3", "G1 Xnan", "g1 X1", "G1X1", "N1 G1 X1", "G1 X1 M502"),
        *("M104 S1 S2", "X1 Y2", "(note)", "G1 X1\rM500", "; note\rM500", "\\; M500"),
        *("G1 X1_0", "G1 X١", "M502S1", "M104\tS1"),
    ]
    for line in lines:
        (tmp_path / "a.gcode").write_text(line + "\n", encoding="utf-8", newline="")
        found = list(steps(tmp_path / "a.gcode"))
        unread = [s for s in found if type(s) is Fault or getattr(s, "words", 0) is None]
        assert unread, line


# virtual calipers


def test_calipers_on_a_sliced_box(sliced_box: SlicedPart) -> None:
    low, high = printed_extent_mm(sliced_box.gcode)
    assert high - low == pytest.approx([20, 20, 20], abs=0.05)


def test_calipers_on_features(
    tmp_path: Path, printer: PrinterProfile, pla: MaterialProfile
) -> None:
    """A plate with two blocks, asymmetric; each measured alone."""
    plate, tall, low = (
        ((0.0, 0.0, 0.0), (60.0, 40.0, 3.0)),
        ((5.0, 5.0, 3.0), (17.0, 13.0, 18.0)),
        ((40.0, 20.0, 3.0), (50.0, 36.0, 9.0)),
    )
    stl = write_boxes(tmp_path / "part.stl", plate, tall, low)
    path = tmp_path / "part.gcode"
    sliced = slice_part(
        stl,
        path,
        printer=printer,
        material=pla,
        layer_height_mm=0.3,
        infill_percent=10,
        supports=False,
    )
    shift = np.array(sliced.shift_mm)
    for box in (tall, low):
        region = np.array(box) + shift
        room = region + np.array([[-2, -2, 0.1], [2, 2, 1]])  # above the plate
        measured = printed_extent_mm(path, room)
        assert measured[:, :2] == pytest.approx(region[:, :2], abs=0.05)
        assert measured[1, 2] == pytest.approx(region[1, 2], abs=0.05)
    inner = np.array([[20, 10, 0], [30, 20, 2]]) + shift  # cut out of the plate
    assert printed_extent_mm(path, inner) == pytest.approx(inner)
    with pytest.raises(SlicingError, match="nothing is printed"):
        printed_extent_mm(path, np.array([[20, 5, 4], [35, 13, 18]]) + shift)


def test_calipers_need_widths(tmp_path: Path) -> None:
    (tmp_path / "a.gcode").write_text(";TYPE:External perimeter\nM83\nG1 X5 E1 F60\n")
    with pytest.raises(SlicingError, match="no line widths"):
        printed_extent_mm(tmp_path / "a.gcode")


def test_files_of_other_slicers_are_read(real_data: Path) -> None:
    for path in sorted(real_data.glob("gcode_fdm/**/*.gcode")):
        if path.parent.name == "Laser" or path.stem == "mach3":
            with pytest.raises(SlicingError):
                read_gcode(path, filament_diameter_mm=1.75, density_g_cm3=1.24)
        else:
            read = read_gcode(path, filament_diameter_mm=1.75, density_g_cm3=1.24)
            assert len(read.layers) > 10 and read.mass_g > 0.5, path.name
