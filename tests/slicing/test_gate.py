import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit import equipment
from labkit.equipment import MaterialProfile, PrinterProfile
from labkit.errors import SlicingError
from labkit.slicing.commands import ALLOWED, FORBIDDEN, WATCHED
from labkit.slicing.gate import MOST_OF_A_RULE, Finding, check_gcode
from labkit.slicing.gcode import read_gcode
from labkit.slicing.toolpath import read_toolpath

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
        ("M117 //action:cancel", "forbidden"),
        ("M306 T", "forbidden"),
        ("M505", "forbidden"),
        ("M815 M502", "forbidden"),
        ("M808 L", "forbidden"),
        ("M586 P2 S1", "forbidden"),
        ('M559 P"config.g"', "forbidden"),
        ("D3 Ax0000 C1", "unreadable"),
        ("SET_GCODE_OFFSET Z=-2", "unreadable"),
        ("$RST=*", "unreadable"),
        ("G1 X120 Y100 E50 F600", "flow"),
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


def test_a_factor_counts_for_speed_and_flow(gate: Gate, lines: list[str]) -> None:
    lines[WHERE:WHERE] = ["G1 X120 Y100 F9000\n", "M220 S140\n", "G1 X121 Y101\n"]
    found = {(f.severity, f.rule, f.line) for f in gate("".join(lines))}
    assert ("block", "feed", WHERE + 3) in found and ("block", "feed", WHERE + 1) not in found


def test_a_little_too_much_flow_is_warned_of(gate: Gate, lines: list[str]) -> None:
    # 1 mm of filament on 2.2 mm in 0.165 s: 14.6 mm³/s, where the hotend melts 11
    lines[WHERE:WHERE] = ["G1 X120 Y100 F6000\n", "G1 X122.2 Y100 E1 F800\n"]
    flows = [f for f in gate("".join(lines)) if f.rule == "flow"]
    assert [(f.severity, f.line) for f in flows] == [("warn", WHERE + 2)]


def test_a_long_wait_is_warned_of(gate: Gate, lines: list[str]) -> None:
    lines[WHERE:WHERE] = ["G4 S100\n", "G4 P400000\n", "G4 S301\n"]
    assert [(f.rule, f.line) for f in gate("".join(lines))] == [
        ("waits", WHERE + 2),
        ("waits", WHERE + 3),
    ]


def _raised(lines: list[str], by_mm: float) -> list[str]:
    """The file with all heights after the first layer's mark shifted."""
    first = _line_of(lines, ";LAYER_CHANGE")
    shifted = [
        re.sub(r"Z([0-9.]+)", lambda found: f"Z{float(found[1]) + by_mm:g}", line)
        if line.startswith("G1")
        else line
        for line in lines[first:]
    ]
    return lines[:first] + shifted


@pytest.mark.parametrize("by_mm", [0.4, 2.0, -0.2, -0.21])
def test_the_first_layer_lies_on_the_bed(gate: Gate, lines: list[str], by_mm: float) -> None:
    assert "first-layer" in {rule for rule, _ in _blocks(gate("".join(_raised(lines, by_mm))))}
    assert _blocks(gate("".join(_raised(lines, 0.1)))) == set()


def test_nothing_is_laid_beyond_the_part(
    sliced_box: SlicedPart,
    tmp_path: Path,
    lines: list[str],
    printer: PrinterProfile,
    pla: MaterialProfile,
) -> None:
    box = np.array([[115, 95, 0], [135, 115, 20.0]])

    def envelope(text: list[str], bounds: object, **more: float) -> set[tuple[str, int]]:
        path = tmp_path / "part.gcode"
        path.write_text("".join(text))
        found = _blocks(check_gcode(path, printer, pla, part_bounds_mm=bounds, **more))  # type: ignore[arg-type]
        return {(rule, line) for rule, line in found if rule == "envelope"}

    assert envelope(lines, box) == set()
    assert envelope(lines, box - (0.9, 0, 0)) != set()
    lower = box * (1, 1, 0.5)
    assert envelope(lines, lower) != set()
    # a line out to the side: of the part, then of a skirt
    out = "G1 X138 Y105 E.1 F600\n"
    assert envelope([*lines[:WHERE], out, *lines[WHERE:]], box) >= {("envelope", WHERE + 1)}
    skirt = [*lines[:WHERE], ";TYPE:Skirt/Brim\n", out, ";TYPE:Custom\n", *lines[WHERE:]]
    assert ("envelope", WHERE + 2) not in envelope(skirt, box)
    assert ("envelope", WHERE + 2) in envelope(skirt, box, allowance_mm=2)


def test_a_file_that_hardly_extrudes_is_no_print(gate: Gate) -> None:
    """A laser's file, dressed up as a print: heated, homed, a little pushed here and there."""
    start = "G28\nM190 S60\nM109 S210\nM83\nG90\nM83\nG1 Z0.2 F600\nG1 X20 Y20 E.5 F1500\n"
    burnt = "".join(
        f"M106 S255\nG1 X{20 + i % 2 * 80} Y{20 + i} F1500\nM106 S0\n" for i in range(80)
    )
    end = "M104 S0\nM140 S0\n"
    assert _blocks(gate(start + burnt + end)) == {("no-part", 0)}


def test_a_file_that_was_read_is_not_read_again(
    sliced_box: SlicedPart, printer: PrinterProfile, pla: MaterialProfile, tmp_path: Path
) -> None:
    read = read_toolpath(sliced_box.gcode)
    assert check_gcode(tmp_path / "gone.gcode", printer, pla, toolpath=read) == []


# each of these must be blocked, wherever in the file it comes
ATTACKS = {
    "reset": "M500|m502|M502S1|M0502|M502.0|\tM500|(c) M502|N5 M502*33",
    "steps, offsets": "M92 E800|G92 Z10|G20|M206 X5|M851 Z-1",
    "safety off": "M302 P1|M211 S0|M112|M108",
    "files, firmware": "M30 /models/x.gco|M28 a.g|M997|M929|M23 x.gco",
    "heat": "M104 S300|M140 S120|M109 S200 R300|M303 E0 S200 C8",
    "moves": "G1 X999 Y10|G1 Z-3|G1 X10 F99999|G1 E200 F300|G1 X100 Y100\rM502",
    "numbers": "G1 Xnan Y1|G1 Xinf|G1 X{bed}|G1 X１0|G 1 X999|G1 X0x10",
    "hosts, macros": "@pause|SAVE_CONFIG|RUN_SHELL_COMMAND CMD=x|M118 A1 action:cancel|M98 P1",
    "two at once": "G1 X10 Y10 M502|M105 M502|G1 X120 Y100;x\rM502",
}
_EACH = [(kind, attack) for kind, texts in ATTACKS.items() for attack in texts.split("|")]


@pytest.mark.parametrize(("kind", "attack"), _EACH)
def test_attacks_are_blocked_anywhere(gate: Gate, lines: list[str], kind: str, attack: str) -> None:
    for place in (0, _line_of(lines, ";LAYER_CHANGE"), WHERE, len(lines)):
        changed = [*lines[:place], attack + "\n", *lines[place:]]
        assert any(line == place + 1 for _, line in _blocks(gate("".join(changed)))), place


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("G28", "; G28"),
        ("M109 S215", "M104 S215"),
        ("M104 S0", "M104 S215"),
        ("G1 ", "G0 X1 M3 "),
    ],
)
def test_what_is_taken_away_is_missed(gate: Gate, lines: list[str], old: str, new: str) -> None:
    text = "".join(lines)
    assert old in text
    assert _blocks(gate(text.replace(old, new)))


def test_a_switch_to_relative_moves_is_found_by_where_it_leads(
    gate: Gate, lines: list[str]
) -> None:
    lines.insert(_line_of(lines, ";LAYER_CHANGE"), "G91\n")
    assert "outside" in {rule for rule, _ in _blocks(gate("".join(lines)))}


@pytest.mark.parametrize("share", [0.0, 0.001, 0.2, 0.5, 0.9])
def test_a_file_that_was_cut_off_is_blocked(gate: Gate, lines: list[str], share: float) -> None:
    text = "".join(lines)
    assert _blocks(gate(text[: int(share * len(text))]))


# what no line of a file that passes may have before its comment, however it is written
DEADLY = re.compile(
    rb"^[^;\n]*[Mm]\s*0*(?:20|21|28|30|92|98|112|118|206|302|303|50[0-5]|997)(?![0-9])"
    rb"|^[^;\n]*[@{$]|^[^;\n]*\r(?!\n)|^[^;\n]*[^\x00-\x7f]",
    re.MULTILINE,
)
DANGEROUS = [attack for _, attack in _EACH if not attack.startswith("G1 X999")]


def _mutated(random: np.random.Generator, content: bytes) -> tuple[bytes, bool]:
    """The file with some damage, and whether a dangerous line was put in whole."""
    data, dangerous = bytearray(content), False
    for _ in range(random.integers(1, 6)):
        place = int(random.integers(0, len(data)))
        rows = [bytes(row) for row in data.split(b"\n")]
        row = int(random.integers(0, len(rows)))
        match random.integers(0, 8):
            case 0:
                data[place] ^= 1 << int(random.integers(0, 8))
            case 1:
                data[place : place + int(random.integers(1, 40))] = b""
            case 2:
                data[place:place] = random.bytes(int(random.integers(1, 40)))
            case 3:
                other = int(random.integers(0, len(rows)))
                rows[row], rows[other] = rows[other], rows[row]
                data = bytearray(b"\n".join(rows))
            case 4:
                rows[row] = re.sub(rb"[0-9]", b"99", rows[row])
                data = bytearray(b"\n".join(rows))
            case 5:
                rows[row:row] = [rows[row]] * int(random.integers(2, 400))
                data = bytearray(b"\n".join(rows))
            case 6:
                del data[place:]
                data += b"\n"
            case _:
                rows.insert(row, DANGEROUS[random.integers(0, len(DANGEROUS))].encode())
                data = bytearray(b"\n".join(rows))
    for attack in DANGEROUS:
        # whole lines only: what is in a comment or changed again by later damage is none
        dangerous |= f"\n{attack}\n".encode() in data
    return bytes(data), dangerous


def test_damaged_files_end_in_a_verdict(
    sliced_box: SlicedPart, tmp_path: Path, printer: PrinterProfile, pla: MaterialProfile
) -> None:
    """``LABKIT_MUTATED_GCODE`` says how many files, 60 if it does not."""
    content, path = sliced_box.gcode.read_bytes(), tmp_path / "mutated.gcode"
    with_danger = 0
    for seed in range(int(os.environ.get("LABKIT_MUTATED_GCODE", "60"))):
        data, dangerous = _mutated(np.random.default_rng(seed), content)
        path.write_bytes(data)
        findings = check_gcode(path, printer, pla)
        with_danger += dangerous
        if not _blocks(findings):
            assert not dangerous, seed
            assert not DEADLY.search(data), seed
        try:
            read = read_gcode(path, filament_diameter_mm=1.75, density_g_cm3=1.24)
        except SlicingError:
            assert _blocks(findings), seed
            continue
        assert np.isfinite(read.planned_time_s) and np.isfinite(read.mass_g), seed
    assert with_danger > 10


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


@pytest.mark.parametrize(
    ("asked", "rules"),
    [
        ("M115 U3.11.0", set()),
        ("M115 U3.14.1-RC2", set()),
        ('M862.3 P "MK3S"', {"watched"}),
        ("M115 U3.11.0 M502", {"unreadable"}),
        ("M862.3 P MK3S M502", {"unreadable"}),
    ],
)
def test_what_start_code_asks_the_printer(
    gate: Gate, lines: list[str], asked: str, rules: set[str]
) -> None:
    lines.insert(WHERE, asked + "\n")
    assert {finding.rule for finding in gate("".join(lines))} == rules


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
