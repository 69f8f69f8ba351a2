"""Whether a G-code file may go to a printer: every line is read, nothing is mended."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from labkit.equipment import MaterialProfile, PrinterProfile
from labkit.errors import RefusedError, SlicingError
from labkit.slicing.commands import ALLOWED, FORBIDDEN, PERCENT_LIMITS, WATCHED
from labkit.slicing.steps import Command, Fault, Move, steps

MOST_OF_A_RULE = 10
"""Findings kept of each rule: a file for a mill would give thousands."""

SLACK_MM = 0.05
LONGEST_PRIME_MM = 60.0
LONGEST_RETRACTION_MM = 10.0

Severity = Literal["block", "warn"]


@dataclass(frozen=True)
class Finding:
    """What is wrong with a file, and in which line (0: the file as a whole)."""

    severity: Severity
    rule: str
    line: int
    message: str


def check_gcode(path: Path, printer: PrinterProfile, material: MaterialProfile) -> list[Finding]:
    """What speaks against printing a file; it may be printed when no finding blocks.

    Refused are: commands that are not on the list of `labkit.slicing.commands`; lines
    that two printers could read differently; host commands, placeholders, letters other
    than ASCII; moves before homing, outside the printer's volume or above its speed;
    temperatures above the material's or the printer's, extrusion below the material's
    window or before it was reached (M109); heaters left on at the end; a file that never
    extrudes.

    At most ten findings of each rule, in the order of the lines.  Homing is taken to end
    at 0, 0, 0, so that a printer with another home position needs absolute moves first.

    Raises
    ------
    SlicingError
        No such file, or the profiles do not fit each other.
    """
    gate = _Gate(printer, material)
    try:
        for step in steps(path):
            gate.last_line = step.line
            if type(step) is Move:
                gate.move(step)
            elif type(step) is Command:
                gate.command(step)
            elif type(step) is Fault:
                gate.block(step.rule, step.line, step.message)
    except SlicingError as error:
        if not path.is_file():
            raise
        gate.block("binary", 1, error.found)
    gate.end()
    return sorted(gate.findings, key=lambda finding: finding.line)


def refuse_blocked(findings: list[Finding]) -> None:
    """Go no further with a file that has a blocking finding.

    Raises
    ------
    RefusedError
        It has: how many, and the first with its line.
    """
    blocked = [finding for finding in findings if finding.severity == "block"]
    if blocked:
        first = blocked[0]
        raise RefusedError(
            f"{len(blocked)} findings that block this G-code; the first in line {first.line}, "
            f"{first.rule}: {first.message}",
            expected="G-code that stays inside the printer and the window of the material",
            where="the gate of stage 04_slicing",
            fix="correct the profile or the part and slice again; it must not be printed",
        )


class _Gate:
    def __init__(self, printer: PrinterProfile, material: MaterialProfile) -> None:
        self.printer, self.material = printer, material
        low, high = printer.volume_min_mm, printer.volume_max_mm
        self.low_x, self.low_y, self.low_z = (value - SLACK_MM for value in low)
        self.high_x, self.high_y, self.high_z = (value + SLACK_MM for value in high)
        self.hotend_max_c = min(material.hotend_max_c, printer.max_hotend_c)
        self.bed_max_c = min(material.bed_max_c, printer.max_bed_c)
        self.area_mm2 = math.pi * (material.filament_diameter_mm / 2) ** 2
        self.findings: list[Finding] = []
        self.counts: dict[tuple[Severity, str], int] = {}
        self.homed: set[str] = set()
        self.all_homed = False
        self.hot = False
        self.hotend_c = self.bed_c = 0.0
        self.bed_waited = False
        self.e_mode_clear = True
        self.extruded = False
        self.pushed_mm = 0.0
        self.last_line = 0

    def add(self, severity: Severity, rule: str, line: int, message: str) -> None:
        number = self.counts[severity, rule] = self.counts.get((severity, rule), 0) + 1
        if number <= MOST_OF_A_RULE:
            self.findings.append(Finding(severity, rule, line, message))

    def block(self, rule: str, line: int, message: str) -> None:
        self.add("block", rule, line, message)

    def warn(self, rule: str, line: int, message: str) -> None:
        self.add("warn", rule, line, message)

    def move(self, move: Move) -> None:
        line, start, end, feed = move.line, move.start, move.end, move.feed_mm_min
        x, y, z = end
        if not self.all_homed and any(axis in move.text for axis in "XYZ"):
            self.block("not-homed", line, f"moves before all axes are homed: {move.text.strip()}")
        if move.text.startswith(("G2", "G3", "G02", "G03")):
            self.block("forbidden", line, f"{move.text[:40]}: {FORBIDDEN['G2']}")
        if not (
            self.low_x <= x <= self.high_x
            and self.low_y <= y <= self.high_y
            and self.low_z <= z <= self.high_z
        ):
            self.block("outside", line, f"X{x:g} Y{y:g} Z{z:g} is outside the printer's volume")
        if feed > self.printer.max_feed_xy_mm_min + 0.5:
            most = self.printer.max_feed_xy_mm_min
            self.block("feed", line, f"{feed:g} mm/min is above the printer's {most:g}")
        sideways = start[0] != x or start[1] != y
        if start[2] != z and not sideways and feed > self.printer.max_feed_z_mm_min + 0.5:
            most = self.printer.max_feed_z_mm_min
            self.warn("feed-z", line, f"{feed:g} mm/min up or down is above {most:g}")
        if feed <= 0 and start != end:
            self.block("feed", line, "a move without a speed")
        if sideways:
            self.pushed_mm = 0.0
        else:
            self.pushed_mm += move.extruded_mm
            if self.pushed_mm > LONGEST_PRIME_MM:
                self.block("prime", line, f"pushes {self.pushed_mm:g} mm on one spot")
        if move.extruded_mm > 0:
            self.extrude(move, math.dist(start, end))
            self.extruded |= sideways
        elif move.extruded_mm < -LONGEST_RETRACTION_MM:
            self.warn("retraction", line, f"pulls {-move.extruded_mm:g} mm back")

    def extrude(self, move: Move, distance: float) -> None:
        line, extruded = move.line, move.extruded_mm
        if not self.hot:
            least = self.material.hotend_min_c
            self.block("cold", line, f"extrudes before {least:g} °C were waited for (M109)")
        if not self.e_mode_clear:
            self.warn("extruder-mode", line, "G90 or G91 without M82 or M83: firmware differs")
            self.e_mode_clear = True
        if distance > 0.5 and move.feed_mm_min > 0:
            flow = extruded * self.area_mm2 / (distance / move.feed_mm_min * 60)
            if flow > 1.1 * self.printer.max_flow_mm3_s:
                most = self.printer.max_flow_mm3_s
                self.warn("flow", line, f"{flow:.1f} mm³/s is above the hotend's {most:g}")

    def command(self, command: Command) -> None:
        name, line = command.name, command.line
        if name in FORBIDDEN:
            self.block("forbidden", line, f"{command.text[:40]}: {FORBIDDEN[name]}")
        elif command.words is None:
            self.block("unreadable", line, f"not a plain command: {command.text[:60]}")
        elif name not in ALLOWED and name not in WATCHED:
            self.block("unknown", line, f"{command.text[:40]}: not on the list of commands")
        else:
            if name in WATCHED:
                self.warn("watched", line, f"{command.text[:40]}: {WATCHED[name]}")
            self.obey(name, line, command.words)

    def obey(self, name: str, line: int, words: dict[str, float | None]) -> None:
        if name in ("M104", "M109", "M140", "M190"):
            self.heat(name, line, words)
        elif name == "G28":
            self.homed |= {axis for axis in "XYZ" if axis in words} or set("XYZ")
            self.all_homed = len(self.homed) == 3
        elif name in ("M18", "M84"):
            if not words.keys() & {"S"}:  # S: the time until they go off by themselves
                self.homed -= words.keys() & set("XYZE") or set("XYZ")
                self.all_homed = len(self.homed) == 3
        elif name == "G92":
            if not words or not words.keys() <= {"E"}:
                self.block("zero-point", line, "G92 moves the zero point of X, Y or Z")
        elif name in ("G90", "G91"):
            self.e_mode_clear = False
        elif name in ("M82", "M83"):
            self.e_mode_clear = True
        elif name in PERCENT_LIMITS:
            low, high = PERCENT_LIMITS[name]
            if not low <= (words.get("S") or 0) <= high:
                self.block("override", line, f"{name} outside {low} to {high} %")

    def heat(self, name: str, line: int, words: dict[str, float | None]) -> None:
        # M104 and M140 know S only; B, F and I would set other temperatures
        letters = words.keys() - {"T"}
        wait = name in ("M109", "M190")
        value = next((words[letter] for letter in letters), None)
        if not (letters == {"S"} or (letters == {"R"} and wait)) or value is None or words.get("T"):
            self.block("temperature", line, f"{name} needs one temperature, of extruder 0")
        elif name in ("M104", "M109"):
            self.heat_hotend(line, value, wait=wait)
        else:
            self.heat_bed(line, value, wait=wait)

    def heat_hotend(self, line: int, value: float, *, wait: bool) -> None:
        self.hotend_c = value
        enough = value >= self.material.hotend_min_c
        self.hot = enough and (self.hot or wait)
        if value > self.hotend_max_c:
            name = f"{self.material.name} on {self.printer.name}"
            self.block("hotend", line, f"{value:g} °C is above the {self.hotend_max_c:g} of {name}")
        elif value < 0:
            self.block("hotend", line, f"{value:g} °C")

    def heat_bed(self, line: int, value: float, *, wait: bool) -> None:
        self.bed_c = value
        self.bed_waited |= wait and value >= self.material.bed_min_c
        if value > self.bed_max_c:
            name = f"{self.material.name} on {self.printer.name}"
            self.block("bed", line, f"{value:g} °C is above the {self.bed_max_c:g} of {name}")
        elif value < 0:
            self.block("bed", line, f"{value:g} °C")
        elif 0 < value < self.material.bed_min_c:
            least = self.material.bed_min_c
            self.warn("bed", line, f"{value:g} °C is below the material's {least:g}")

    def end(self) -> None:
        last = self.last_line
        if not self.extruded:
            self.block("no-part", 0, "never extrudes while it moves: not a print, or cut off")
        if self.hotend_c:
            self.block("left-hot", last, f"the hotend stays at {self.hotend_c:g} °C at the end")
        if self.bed_c:
            self.block("left-hot", last, f"the bed stays at {self.bed_c:g} °C at the end")
        if self.material.bed_min_c > 0 and not self.bed_waited:
            self.warn("bed", 0, f"never waits for {self.material.bed_min_c:g} °C on the bed (M190)")
