from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit import equipment
from labkit.equipment import MaterialProfile, PrinterProfile
from labkit.errors import SlicingError
from labkit.slicing.commands import ALLOWED, FORBIDDEN, WATCHED
from labkit.slicing.gate import MOST_OF_A_RULE, Finding, check_gcode

from .conftest import SlicedPart

Gate = Callable[[str], list[Finding]]

WHERE = 600
"""A line in the middle of the sliced box."""


@pytest.fixture
def gate(tmp_path: Path, printer: PrinterProfile, pla: MaterialProfile) -> Gate:
    def gate(text: str) -> list[Finding]:
        path = tmp_path / "part.gcode"
        path.write_bytes(text.encode())
        return check_gcode(path, printer, pla)

    return gate


@pytest.fixture
def lines(sliced_box: SlicedPart) -> list[str]:
    return sliced_box.gcode.read_text(encoding="utf-8").splitlines(keepends=True)


def _blocks(findings: list[Finding]) -> set[tuple[str, int]]:
    return {(finding.rule, finding.line) for finding in findings if finding.severity == "block"}


def test_an_honest_file_passes(gate: Gate, lines: list[str]) -> None:
    assert gate("".join(lines)) == []


def test_line_ends_of_windows_pass(gate: Gate, lines: list[str]) -> None:
    assert gate("".join(lines).replace("\n", "\r\n")) == []


@pytest.mark.parametrize(
    ("inserted", "rule"),
    [
        ("M500", "forbidden"),
        ("M502 ; reset", "forbidden"),
        ("M92 E800", "forbidden"),
        ("M302 P1", "forbidden"),
        ("M211 S0", "forbidden"),
        ("M30 /models/x.gco", "forbidden"),
        ("M28 a.g", "forbidden"),
        ("M997", "forbidden"),
        ("M118 //action:pause", "forbidden"),
        ("M3 S255", "forbidden"),
        ("G20", "forbidden"),
        ("G2 X120 Y100 I1 J1", "forbidden"),
        ("G54", "forbidden"),
        ("SAVE_CONFIG", "unreadable"),
        ("RUN_SHELL_COMMAND CMD=x", "unreadable"),
        ("m502", "unreadable"),
        ("M502S1", "unreadable"),
        ("N5 M502*33", "unreadable"),
        ("G1 X120 Y100 M502", "unreadable"),
        ("M105 M502", "unreadable"),
        ("G 1 X999", "unreadable"),
        ("G1 Xnan Y1", "unreadable"),
        ("G1 X1e9", "unreadable"),
        ("G1 X120 X999", "unreadable"),
        ("(c) M502", "unreadable"),
        ("G1 X120 Y100\rM502", "unreadable"),
        ("; a note\rM502", "unreadable"),
        ("M0502", "unknown"),
        ("M502.0", "unknown"),
        ("M9999", "unknown"),
        ("T1", "unknown"),
        ("\tM500", "forbidden"),
        ("@pause", "host-command"),
        ("G1 X{bed}", "placeholder"),
        ("G1 X１0", "non-ascii"),
        ("M117 " + "x" * 300, "long-line"),
        ("G1 X120." + "0" * 300, "long-line"),
        ("M104 S300", "hotend"),
        ("M104 S-5", "hotend"),
        ("M104 S210 T1", "temperature"),
        ("M109 S200 B300", "temperature"),
        ("M109 S200 R300", "temperature"),
        ("M104", "temperature"),
        ("M140 S120", "bed"),
        ("G1 X999 Y100 F6000", "outside"),
        ("G1 Y-5", "outside"),
        ("G1 Z-3", "outside"),
        ("G1 X120 F99999", "feed"),
        ("G1 X120 F0", "feed"),
        ("G1 E200 F300", "prime"),
        ("G92 Z10", "zero-point"),
        ("G92", "zero-point"),
        ("M220 S300", "override"),
        ("M221 S20", "override"),
    ],
)
def test_a_dangerous_line_is_refused_and_named(
    gate: Gate, lines: list[str], inserted: str, rule: str
) -> None:
    lines.insert(WHERE, inserted + "\n")
    assert (rule, WHERE + 1) in _blocks(gate("".join(lines)))


def _line_of(lines: list[str], beginning: str) -> int:
    return next(n for n, line in enumerate(lines, 1) if line.startswith(beginning))


def test_not_homed(gate: Gate, lines: list[str]) -> None:
    lines[_line_of(lines, "G28") - 1] = "G28 X Y\n"
    first_move = _line_of(lines, "G1 Z5")
    assert ("not-homed", first_move) in _blocks(gate("".join(lines)))


def test_motors_off_lose_the_position(gate: Gate, lines: list[str]) -> None:
    lines[WHERE:WHERE] = ["M84\n", "G1 X120 Y100\n"]
    assert ("not-homed", WHERE + 2) in _blocks(gate("".join(lines)))


def test_cold_extrusion(gate: Gate, lines: list[str]) -> None:
    wait = _line_of(lines, "M109")
    lines[wait - 1] = "M104 S215\n"  # set, but not waited for
    first = next(n for n, line in enumerate(lines, 1) if n > wait and line.startswith("G1 X70 E"))
    assert ("cold", first) in _blocks(gate("".join(lines)))


def test_cooled_down_on_the_way(gate: Gate, lines: list[str]) -> None:
    lines.insert(WHERE, "M104 S150\n")
    rules = {(rule, line > WHERE) for rule, line in _blocks(gate("".join(lines)))}
    assert rules == {("cold", True)}


@pytest.mark.parametrize("command", ["M104 S0", "M140 S0"])
def test_left_hot(gate: Gate, lines: list[str], command: str) -> None:
    del lines[_line_of(lines, command) - 1]
    assert _blocks(gate("".join(lines))) == {("left-hot", len(lines))}


def test_cut_off(gate: Gate, lines: list[str]) -> None:
    assert ("left-hot", WHERE) in _blocks(gate("".join(lines[:WHERE])))


@pytest.mark.parametrize("text", ["", "; only a comment\n", "G28\nG1 X10 F600\n"])
def test_no_print(gate: Gate, text: str) -> None:
    assert ("no-part", 0) in _blocks(gate(text))


def test_relative_moves_are_followed(gate: Gate, lines: list[str]) -> None:
    lines[WHERE:WHERE] = ["G91\n", *["G1 X30\n"] * 6, "G90\n", "M83\n"]
    blocked = {rule for rule, line in _blocks(gate("".join(lines))) if line <= WHERE + 8}
    assert blocked == {"outside"}


def test_many_short_pushes_on_one_spot(gate: Gate, lines: list[str]) -> None:
    lines[WHERE:WHERE] = ["G1 E20 F300\n"] * 5
    assert ("prime", WHERE + 4) in _blocks(gate("".join(lines)))


def test_unclear_mode_of_the_extruder_is_warned_of(gate: Gate, lines: list[str]) -> None:
    lines[WHERE:WHERE] = ["G90\n", "M83\n"]
    assert gate("".join(lines)) == []
    del lines[WHERE + 1]
    assert "extruder-mode" in {finding.rule for finding in gate("".join(lines))}


def test_what_is_watched_is_warned_of(gate: Gate, lines: list[str]) -> None:
    lines.insert(WHERE, "M204 S800\n")
    assert [(f.severity, f.rule, f.line) for f in gate("".join(lines))] == [
        ("warn", "watched", WHERE + 1)
    ]


def test_binary_gcode(gate: Gate) -> None:
    assert ("binary", 1) in _blocks(gate("GCDE\x01\0\0\0"))


def test_findings_of_a_rule_are_bounded(gate: Gate, lines: list[str]) -> None:
    lines[WHERE:WHERE] = ["M500\n"] * 500
    assert len(gate("".join(lines))) == MOST_OF_A_RULE


def test_another_material_is_another_window(
    sliced_box: SlicedPart, printer: PrinterProfile
) -> None:
    findings = check_gcode(sliced_box.gcode, printer, equipment.material("PETG"))
    assert "cold" in {finding.rule for finding in findings if finding.severity == "block"}


def test_a_smaller_printer_is_another_volume(
    sliced_box: SlicedPart, printer: PrinterProfile, pla: MaterialProfile
) -> None:
    small = printer.model_copy(update={"volume_max_mm": (120.0, 120.0, 120.0)})
    findings = check_gcode(sliced_box.gcode, small, pla)
    assert "outside" in {finding.rule for finding in findings if finding.severity == "block"}


def test_a_missing_file_is_an_error(
    tmp_path: Path, printer: PrinterProfile, pla: MaterialProfile
) -> None:
    with pytest.raises(SlicingError):
        check_gcode(tmp_path / "none.gcode", printer, pla)


def test_no_command_is_on_two_lists() -> None:
    assert not ALLOWED & FORBIDDEN.keys()
    assert not ALLOWED & WATCHED.keys()
    assert not WATCHED.keys() & FORBIDDEN.keys()


@given(content=st.binary(max_size=200) | st.text("GMTXYZEFS0123456789.-@{ ;\n\r", max_size=200))
def test_any_bytes_are_judged(
    tmp_path_factory: pytest.TempPathFactory, content: bytes | str
) -> None:
    path = tmp_path_factory.getbasetemp() / "judged.gcode"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    findings = check_gcode(path, equipment.printer("practice"), equipment.material("PLA"))
    assert _blocks(findings)


def test_files_for_mills_and_lasers_are_refused(
    real_data: Path, printer: PrinterProfile, pla: MaterialProfile
) -> None:
    files = sorted(real_data.glob("gcode_cnc_wrong_machine/**/*.gcode"))
    assert len(files) >= 12
    for path in [*files, *real_data.glob("gcode_fdm/**/Laser/*.gcode")]:
        assert ("no-part", 0) in _blocks(check_gcode(path, printer, pla)), path.name
