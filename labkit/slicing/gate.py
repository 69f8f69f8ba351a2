"""Whether a G-code file may go to a printer: every line is read, nothing is mended."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from labkit.compiled import in_blocks
from labkit.equipment import MaterialProfile, PrinterProfile
from labkit.errors import RefusedError, SlicingError
from labkit.slicing import envelope, judging
from labkit.slicing.commands import (
    ALLOWED,
    FORBIDDEN,
    OTHER_MACHINES,
    PERCENT_LIMITS,
    WATCHED,
)
from labkit.slicing.steps import Command
from labkit.slicing.toolpath import Toolpath, read_toolpath

MOST_OF_A_RULE = 10
"""Findings kept of each rule: a file for a mill would give thousands."""

SLACK_MM = 0.05
LONGEST_PRIME_MM = 60.0
LONGEST_RETRACTION_MM = 10.0

FLOW_WARNED, FLOW_BLOCKED = 1.1, 2.0
"""Times the hotend's flow.  A little above is a thin line; from twice it the plastic cannot be
molten in time: the part is hollow, or the drive grinds.  Both are the project's own."""

FLOW_ABOVE_MM = 0.5
"""Shorter moves say little about the flow: their lengths are rounded."""

LEAST_EXTRUDING = 0.05
"""Share of the way along the plate; a file that extrudes on less of it is not a print."""

LONGEST_WAIT_S = 300.0

Severity = Literal["block", "warn"]


@dataclass(frozen=True)
class Finding:
    """What is wrong with a file, and in which line (0: the file as a whole)."""

    severity: Severity
    rule: str
    line: int
    message: str


def check_gcode(
    path: Path,
    printer: PrinterProfile,
    material: MaterialProfile,
    *,
    toolpath: Toolpath | None = None,
    part_bounds_mm: npt.ArrayLike | None = None,
    allowance_mm: float = envelope.ALLOWANCE_MM,
) -> list[Finding]:
    """What speaks against printing a file; it may be printed when no finding blocks.

    Refused are: commands that are not on the list of `labkit.slicing.commands`; lines
    that two printers could read differently; host commands, placeholders, letters other
    than ASCII; moves before homing, outside the printer's volume or above its speed;
    temperatures above the material's or the printer's, extrusion below the material's
    window or before it was reached (M109), or of more than the hotend can melt; a first
    layer that is not on the bed; lines beyond the part; heaters left on at the end; a
    file that hardly extrudes, or is for another kind of machine.

    At most ten findings of each rule, in the order of the lines.  Homing is taken to end
    at 0, 0, 0, so that a printer with another home position needs absolute moves first.

    Parameters
    ----------
    toolpath : the file's, where it was read already.
    part_bounds_mm : (2, 3) low and high corner of the part, or of all parts on the plate,
        printer frame; without it nothing is said about lines beyond the part.
    allowance_mm : how far skirt, brim and supports may reach beyond it.

    Raises
    ------
    SlicingError
        No such file.
    """
    try:
        read = read_toolpath(path) if toolpath is None else toolpath
    except SlicingError as error:
        if not path.is_file():
            raise
        return [Finding("block", "binary", 1, error.found)]
    gate = _Gate(printer, material)
    for fault in read.faults:
        gate.block(fault.rule, fault.line, fault.message)
    gate.moves(read)
    for line, rule, message in envelope.beyond(
        read, printer.nozzle_mm + SLACK_MM, part_bounds_mm, allowance_mm
    ):
        gate.block(rule, line, message)
    gate.end(read.lines)
    return gate.in_order()


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


class _Rule(NamedTuple):
    """How a bit of `labkit.slicing.judging` is reported, from place, feed and filament."""

    bit: int
    severity: Severity
    name: str
    message: Callable[[str, float], str]


class _Gate:
    """What the commands set, and what is found; homed and hot are never taken for granted."""

    def __init__(self, printer: PrinterProfile, material: MaterialProfile) -> None:
        self.printer, self.material = printer, material
        self.hotend_max_c = min(material.hotend_max_c, printer.max_hotend_c)
        self.bed_max_c = min(material.bed_max_c, printer.max_bed_c)
        self.findings: list[Finding] = []
        self.homed: set[str] = set()
        self.hot = False
        self.hotend_c = self.bed_c = 0.0
        self.bed_waited = False
        self.percent = {"M220": 100.0, "M221": 100.0}
        self.unclear_since = 0  # the line of a G90 or G91 that no M82 or M83 followed yet
        self.of_other_machines: dict[str, None] = {}

    def block(self, rule: str, line: int, message: str) -> None:
        self.findings.append(Finding("block", rule, line, message))

    def warn(self, rule: str, line: int, message: str) -> None:
        self.findings.append(Finding("warn", rule, line, message))

    def in_order(self) -> list[Finding]:
        """The findings by line, so many of each rule as are kept."""
        counts: dict[tuple[Severity, str], int] = {}
        kept = []
        for finding in sorted(self.findings, key=lambda finding: finding.line):
            key = finding.severity, finding.rule
            counts[key] = counts.get(key, 0) + 1
            if counts[key] <= MOST_OF_A_RULE:
                kept.append(finding)
        return kept

    # commands

    def command(self, command: Command) -> None:
        name, line = command.name, command.line
        if name in OTHER_MACHINES:
            self.of_other_machines[name] = None
        if name in FORBIDDEN:
            self.block("forbidden", line, f"{command.text[:40]}: {FORBIDDEN[name]}")
        elif command.words is None:
            self.block("unreadable", line, f"not a plain command: {command.text[:60]}")
        elif name not in ALLOWED and name not in WATCHED:
            self.block("unknown", line, f"{command.text[:40]}: not on the list of commands")
        else:
            if name in WATCHED:
                self.warn("watched", line, f"{command.text[:40]}: {WATCHED[name]}")
            if name == "M117" and "//" in command.text:
                self.block("forbidden", line, f"{command.text[:40]}: a text like a host's action")
            self.obey(name, line, command.words)

    def obey(self, name: str, line: int, words: dict[str, float | None]) -> None:
        if name in ("M104", "M109", "M140", "M190"):
            self.heat(name, line, words)
        elif name == "G28":
            self.homed |= {axis for axis in "XYZ" if axis in words} or set("XYZ")
        elif name in ("M18", "M84"):
            if not words.keys() & {"S"}:  # S: the time until they go off by themselves
                self.homed -= words.keys() & set("XYZE") or set("XYZ")
        elif name == "G92":
            if not words or not words.keys() <= {"E"}:
                self.block("zero-point", line, "G92 moves the zero point of X, Y or Z")
        elif name in ("G90", "G91"):
            self.unclear_since = line
        elif name in ("M82", "M83"):
            self.unclear_since = 0
        elif name in PERCENT_LIMITS:
            low, high = PERCENT_LIMITS[name]
            self.percent[name] = words.get("S") or 0
            if not low <= self.percent[name] <= high:
                self.block("override", line, f"{name} outside {low} to {high} %")
        elif name == "G4":
            seconds = words.get("S") or (words.get("P") or 0) / 1000
            if abs(seconds) > LONGEST_WAIT_S:
                self.warn("waits", line, f"G4 waits {seconds:g} s with whatever is hot")

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

    # moves

    def moves(self, read: Toolpath) -> None:
        """Obey the commands, and judge each move by what they set before it."""
        in_force = np.empty((len(read.commands) + 1, judging.COLUMNS))
        unclear = np.zeros(len(in_force), np.int64)
        for number, command in enumerate((None, *read.commands)):
            if command is not None:
                self.command(command)
            speed, flow = (value / 100 for value in self.percent.values())
            in_force[number] = len(self.homed & set("XYZ")) == 3, self.hot, speed, flow
            unclear[number] = self.unclear_since
        moves = (read.start, read.end, read.extruded_mm, read.feed_mm_min, read.words)
        limits, bits = self.limits(), np.empty(len(read.line), np.uint16)
        ways = in_blocks(
            lambda begin, stop: judging.judged(
                *(*moves, read.commands_before, in_force, limits, bits), begin, stop
            ),
            len(bits),
        )
        way_mm, laid_mm = np.sum(ways, axis=0).tolist() if ways else (0.0, 0.0)
        broken = int(np.bitwise_or.reduce(bits))
        for rule in self.rules():
            wrong = np.flatnonzero(bits & rule.bit) if broken & rule.bit else ()
            for number in wrong[:MOST_OF_A_RULE]:
                x, y, z = read.end[number]
                feed = read.feed_mm_min[number] * in_force[read.commands_before[number], 2]
                message = rule.message(f"X{x:g} Y{y:g} Z{z:g}", float(feed))
                finding = Finding(rule.severity, rule.name, int(read.line[number]), message)
                self.findings.append(finding)
        if unclear.any():
            pushing = np.flatnonzero((read.extruded_mm > 0) & (unclear > 0)[read.commands_before])
            _, first = np.unique(unclear[read.commands_before[pushing]], return_index=True)
            for line in read.line[pushing[first]].tolist():
                self.warn("extruder-mode", line, "G90 or G91 without M82 or M83: firmware differs")
        self.is_a_print(bool(broken & judging.EXTRUDES), way_mm, laid_mm)

    def limits(self) -> npt.NDArray[np.float64]:
        printer = self.printer
        area_mm2 = math.pi * (self.material.filament_diameter_mm / 2) ** 2
        most = printer.max_flow_mm3_s / area_mm2
        return np.array(
            [
                *(value - SLACK_MM for value in printer.volume_min_mm),
                *(value + SLACK_MM for value in printer.volume_max_mm),
                *(printer.max_feed_xy_mm_min, printer.max_feed_z_mm_min, LONGEST_PRIME_MM),
                *(FLOW_WARNED * most, FLOW_BLOCKED * most, LONGEST_RETRACTION_MM, FLOW_ABOVE_MM),
            ]
        )

    def rules(self) -> Iterator[_Rule]:
        printer = self.printer
        xy, up, flow = printer.max_feed_xy_mm_min, printer.max_feed_z_mm_min, printer.max_flow_mm3_s
        least = self.material.hotend_min_c
        yield from (
            _Rule(
                *(judging.NOT_HOMED, "block", "not-homed"),
                lambda place, feed: f"moves before all axes are homed, to {place}",
            ),
            _Rule(
                *(judging.IS_ARC, "block", "forbidden"),
                lambda place, feed: f"G2 or G3 to {place}: {FORBIDDEN['G2']}",
            ),
            _Rule(
                *(judging.OUTSIDE, "block", "outside"),
                lambda place, feed: f"{place} is outside the printer's volume",
            ),
            _Rule(
                *(judging.TOO_FAST, "block", "feed"),
                lambda place, feed: f"{feed:g} mm/min is above the printer's {xy:g}",
            ),
            _Rule(
                *(judging.TOO_FAST_UP, "warn", "feed-z"),
                lambda place, feed: f"{feed:g} mm/min up or down is above {up:g}",
            ),
            _Rule(
                *(judging.NO_SPEED, "block", "feed"),
                lambda place, feed: "a move without a speed",
            ),
            _Rule(
                *(judging.PRIME, "block", "prime"),
                lambda place, feed: f"pushes more than {LONGEST_PRIME_MM:g} mm on one spot",
            ),
            _Rule(
                *(judging.COLD, "block", "cold"),
                lambda place, feed: f"extrudes before {least:g} °C were waited for (M109)",
            ),
            _Rule(
                *(judging.FLOW, "warn", "flow"),
                lambda place, feed: f"pushes more than the hotend's {flow:g} mm³/s",
            ),
            _Rule(
                *(judging.NO_FLOW, "block", "flow"),
                lambda place, feed: (
                    f"pushes more than {FLOW_BLOCKED:g} times the {flow:g} mm³/s "
                    "that the hotend melts"
                ),
            ),
            _Rule(
                *(judging.RETRACTION, "warn", "retraction"),
                lambda place, feed: f"pulls more than {LONGEST_RETRACTION_MM:g} mm back",
            ),
        )

    # the file as a whole

    def is_a_print(self, extrudes: bool, way_mm: float, laid_mm: float) -> None:
        share = laid_mm / way_mm if way_mm else 0.0
        if extrudes and share >= LEAST_EXTRUDING:
            return
        found = f"extrudes on {share:.1%} of its way" if extrudes else "never extrudes as it moves"
        meant = ", ".join(self.of_other_machines)
        what = "for a mill, a laser or a plotter"
        what = f"{what} ({meant})" if meant else f"cut off, or {what}"
        self.block("no-part", 0, f"{found}: {what}")

    def end(self, last_line: int) -> None:
        if self.hotend_c:
            message = f"the hotend stays at {self.hotend_c:g} °C at the end"
            self.block("left-hot", last_line, message)
        if self.bed_c:
            self.block("left-hot", last_line, f"the bed stays at {self.bed_c:g} °C at the end")
        if self.material.bed_min_c > 0 and not self.bed_waited:
            self.warn("bed", 0, f"never waits for {self.material.bed_min_c:g} °C on the bed (M190)")
