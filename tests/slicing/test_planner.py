"""The time of moves against formulas of motion, and against PrusaSlicer's own estimate."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.equipment import MaterialProfile, PrinterProfile
from labkit.slicing.gcode import stated_time_s
from labkit.slicing.planner import Limits, dwell_s, limits_of, planned_seconds, stated_limits
from labkit.slicing.slicer import slice_part
from labkit.slicing.toolpath import read_toolpath

from .conftest import SlicedPart, write_boxes

A, JERK = 1000.0, 10.0
LIMITS = Limits(
    speed=(200, 200, 12, 120),
    acceleration=(9000, 9000, 500, 10000),
    jerk=(JERK, JERK, 0.4, 2.5),
    printing=A,
    travelling=A,
    retracting=A,
)


def _seconds(folder: Path, text: str, limits: Limits = LIMITS) -> list[float]:
    path = folder / "a.gcode"
    path.write_text(text)
    return [float(seconds) for seconds in planned_seconds(read_toolpath(path), limits)]


def _alone_s(distance: float, speed: float, ends: float = JERK, a: float = A) -> float:
    """A move from and to the speed at which it may start: long enough to cruise, or not."""
    ramp = (speed**2 - ends**2) / (2 * a)
    if 2 * ramp <= distance:
        return 2 * (speed - ends) / a + (distance - 2 * ramp) / speed
    peak = math.sqrt(ends**2 + a * distance)
    return 2 * (peak - ends) / a


@pytest.mark.parametrize("distance", [0.05, 1, 5, 9.9, 50])
def test_a_move_alone_is_a_trapezoid_or_a_triangle(tmp_path: Path, distance: float) -> None:
    (found,) = _seconds(tmp_path, f"G1 X{distance} F6000\n")
    assert found == pytest.approx(_alone_s(distance, 100), rel=1e-5)


def test_pieces_of_a_straight_line_take_as_long_as_the_line(tmp_path: Path) -> None:
    pieces = "".join(f"G1 X{x / 10:.1f} F6000\n" for x in range(1, 501))
    assert sum(_seconds(tmp_path, pieces)) == pytest.approx(_alone_s(50, 100), rel=1e-4)


def test_a_right_angle_is_passed_at_the_jerk(tmp_path: Path) -> None:
    # x stops from v, y starts to v: each jump is v
    found = _seconds(tmp_path, "G1 X50 F6000\nG1 X50 Y50\n")
    assert found == pytest.approx([_alone_s(50, 100)] * 2, rel=1e-5)


def test_a_way_back_starts_from_the_jerk(tmp_path: Path) -> None:
    found = _seconds(tmp_path, "G1 X50 F6000\nG1 X0\n")
    assert found == pytest.approx([_alone_s(50, 100)] * 2, rel=1e-5)


def test_a_gentle_bend_is_passed_faster(tmp_path: Path) -> None:
    angle = math.radians(8)
    x, y = 50 + 50 * math.cos(angle), 50 * math.sin(angle)
    found = sum(_seconds(tmp_path, f"G1 X50 F6000\nG1 X{x:.6f} Y{y:.6f}\n"))
    junction = JERK / math.sin(angle)  # the jump in y
    one = (
        (100 - JERK) / A
        + (100 - junction) / A
        + (50 - (100**2 - JERK**2) / (2 * A) - (100**2 - junction**2) / (2 * A)) / 100
    )
    assert junction < 100 and found == pytest.approx(2 * one, rel=1e-4)


def test_each_axis_and_kind_of_move_has_its_limits(tmp_path: Path) -> None:
    assert _seconds(tmp_path, "G1 Z12 F99999\n") == pytest.approx(
        [_alone_s(12, 12, ends=0.4, a=500)], rel=1e-5
    )
    assert _seconds(tmp_path, "G1 E1 F2100\n") == pytest.approx(
        [_alone_s(1, 35, ends=2.5)], rel=1e-5
    )
    assert _seconds(tmp_path, "G1 X50 F99999\n") == pytest.approx([_alone_s(50, 200)], rel=1e-5)


def test_the_file_changes_limits(tmp_path: Path) -> None:
    text = "M204 S500\nM205 X5\nM203 X50\nM220 S50\nG1 X40 F3000\nM201 X100\nG4 P500\nG1 X0\n"
    first, second = _seconds(tmp_path, text)
    assert first == pytest.approx(_alone_s(40, 25, ends=5, a=500), rel=1e-5)
    assert second == pytest.approx(_alone_s(40, 25, ends=5, a=100), rel=1e-5)
    assert dwell_s(read_toolpath(tmp_path / "a.gcode")) == 0.5
    travel = _seconds(tmp_path, "M204 P100 T2000\nG1 X40 F6000\nG1 X80 E1\n")
    assert travel[0] < travel[1]


def test_junction_deviation_stands_for_the_jerk_it_replaces(tmp_path: Path) -> None:
    deviation = 0.4 * JERK**2 / A  # Marlin's rule
    text = f"M204 S{A:g}\nM205 J{deviation:.6f}\nG1 X50 F6000\n"
    one = Limits(speed=(200, 200, 12, 120), jerk=(1, 1, 0.4, 2.5))
    assert _seconds(tmp_path, text, one) == pytest.approx([_alone_s(50, 100)], rel=1e-4)


MOVES = st.lists(
    st.tuples(*(st.floats(0, 200).map(lambda value: round(value, 3)) for _ in range(3))),
    min_size=1,
    max_size=60,
)


@settings(deadline=None)
@given(moves=MOVES, feed=st.integers(1, 30000))
def test_no_time_is_below_what_speeds_allow(
    tmp_path_factory: pytest.TempPathFactory, moves: list[tuple[float, ...]], feed: int
) -> None:
    text = "".join(f"G1 X{x} Y{y} Z{z / 10:.4f} E{z / 7:.3f} F{feed}\n" for x, y, z in moves)
    path = tmp_path_factory.getbasetemp() / "moves.gcode"
    path.write_text("M83\n" + text)
    read = read_toolpath(path)
    found = planned_seconds(read, LIMITS)
    assert np.isfinite(found).all()
    assert (found >= read.distance_mm / (feed / 60) * (1 - 1e-5)).all()
    # from rest to rest between all moves is the slowest that a planner can be
    rest = replace(LIMITS, jerk=(1e-6, 1e-6, 1e-6, 1e-6))
    assert found.sum() <= planned_seconds(read, rest).sum() * (1 + 1e-4)


def test_limits_come_from_the_profile_or_the_file(
    printer: PrinterProfile, sliced_box: SlicedPart, tmp_path: Path
) -> None:
    stated = stated_limits(read_toolpath(sliced_box.gcode))
    assert stated is not None
    of_profile = limits_of(printer)
    assert of_profile.speed[:3] == stated.speed[:3] == (200, 200, 12)
    assert of_profile.printing == stated.printing == printer.acceleration_mm_s2
    (tmp_path / "a.gcode").write_text("G1 X1 F60\n")
    assert stated_limits(read_toolpath(tmp_path / "a.gcode")) is None


@pytest.mark.parametrize(("layer_mm", "infill"), [(0.1, 30), (0.2, 0), (0.3, 15)])
def test_the_plan_is_as_long_as_the_slicers(
    tmp_path: Path, printer: PrinterProfile, pla: MaterialProfile, layer_mm: float, infill: int
) -> None:
    stl = write_boxes(tmp_path / "part.stl", ((0, 0, 0), (30, 12, 4)), ((4, 2, 4), (9, 10, 12)))
    path = tmp_path / "part.gcode"
    slice_part(
        stl,
        path,
        printer=printer,
        material=pla,
        layer_height_mm=layer_mm,
        infill_percent=infill,
        supports=False,
    )
    read = read_toolpath(path)
    stated, limits = stated_time_s(read), stated_limits(read)
    assert stated and limits
    assert planned_seconds(read, limits).sum() == pytest.approx(stated, rel=0.02)


def test_files_of_other_machines_as_their_slicer_says(real_data: Path) -> None:
    for name in ("screw", "vase"):
        read = read_toolpath(real_data / f"gcode_fdm/demo/gcodes/{name}.gcode")
        stated, limits = stated_time_s(read), stated_limits(read)
        assert stated and limits
        assert planned_seconds(read, limits).sum() == pytest.approx(stated, rel=0.02)
