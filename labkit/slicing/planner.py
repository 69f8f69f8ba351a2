"""How long each move takes, with acceleration: the planner of Marlin with classic jerk.

A move speeds up, cruises and slows down at constant acceleration.  Between two moves the nozzle
keeps the largest speed at which no axis jumps by more than its jerk; looking backwards from the
end and forwards from the start, no move is entered faster than it can be braked from or reached
(marlinfw.org/docs/configuration/configuration.html, "Jerk"; Marlin/src/module/planner.cpp).
"""

import math
import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labkit.compiled import compiled
from labkit.equipment import PrinterProfile
from labkit.slicing.steps import Command
from labkit.slicing.toolpath import Notes, Toolpath

Array = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int32]
PerAxis = tuple[float, float, float, float]

# columns of what is in force: speed, acceleration and jerk per axis, …
_SPEED, _ACCELERATION, _JERK, _PRINTING, _TRAVELLING, _RETRACTING, _FACTOR = 0, 4, 8, 12, 13, 14, 15

_SLOWEST, _FASTEST = 1e-6, 1e6
"""mm/s, and 1e3 times as much in mm/s²: what a file states beyond is no number to reckon with."""

_COASTING = 0.99
"""Two moves that could each start from rest almost as fast as they meet are taken to do so."""

_STATED = re.compile(r"machine_max_(feedrate|acceleration|jerk)_(\w+) = (\d+(?:\.\d+)?)(?:,.*)?")


@dataclass(frozen=True)
class Limits:
    """What a printer's axes can do, X, Y, Z and E, in mm and s.

    The values are those that PrusaSlicer assumes of a printer of which nothing is said
    (its settings ``machine_max_…``), so that both estimates can be compared.

    Parameters
    ----------
    speed, acceleration, jerk : per axis, mm/s, mm/s² and mm/s.
    printing, travelling, retracting : acceleration by the kind of move, mm/s², until an M204.
    """

    speed: PerAxis = (500.0, 500.0, 12.0, 120.0)
    acceleration: PerAxis = (9000.0, 9000.0, 500.0, 10000.0)
    jerk: PerAxis = (10.0, 10.0, 0.2, 2.5)
    printing: float = 1500.0
    travelling: float = 1500.0
    retracting: float = 1500.0


def limits_of(printer: PrinterProfile) -> Limits:
    """What a profile says; where it says nothing, as `Limits` has it."""
    usual = Limits()
    xy = printer.max_feed_xy_mm_min / 60
    extruder = printer.max_feed_e_mm_min
    fastest = printer.acceleration_mm_s2
    jerk = printer.jerk_xy_mm_s
    return Limits(
        speed=(
            xy,
            xy,
            printer.max_feed_z_mm_min / 60,
            extruder / 60 if extruder else usual.speed[3],
        ),
        acceleration=(
            *(fastest, fastest),
            printer.acceleration_z_mm_s2 or usual.acceleration[2],
            printer.acceleration_e_mm_s2 or usual.acceleration[3],
        ),
        jerk=(
            *(jerk or usual.jerk[0], jerk or usual.jerk[1]),
            printer.jerk_z_mm_s or usual.jerk[2],
            printer.jerk_e_mm_s or usual.jerk[3],
        ),
        printing=fastest,
        travelling=fastest,
    )


def stated_limits(toolpath: Toolpath) -> Limits | None:
    """What the slicer reckoned with, where it says so at the end of the file (PrusaSlicer)."""
    notes = toolpath.notes
    values: dict[str, float] = {}
    for note in notes.matching(rb"machine_max_") if isinstance(notes, Notes) else notes:
        if said := _STATED.fullmatch(note.text):
            values[f"{said[1]} {said[2]}"] = float(said[3])
    if not values:
        return None

    def stated(name: str, otherwise: float) -> float:
        return values.get(name, otherwise) or math.inf  # 0: no limit

    def axes(kind: str, otherwise: PerAxis) -> PerAxis:
        x, y, z, e = (
            stated(f"{kind} {axis}", value) for axis, value in zip("xyze", otherwise, strict=True)
        )
        return x, y, z, e

    usual = Limits()
    return Limits(
        speed=axes("feedrate", usual.speed),
        acceleration=axes("acceleration", usual.acceleration),
        jerk=axes("jerk", usual.jerk),
        printing=stated("acceleration extruding", usual.printing),
        travelling=stated("acceleration travel", usual.travelling),
        retracting=stated("acceleration retracting", usual.retracting),
    )


def planned_seconds(toolpath: Toolpath, limits: Limits) -> Array:
    """(n,) float64, s: how long each move takes.

    M201, M203, M204, M205 and M220 of the file are obeyed.  Waiting (G4, heating, homing)
    is no move: see `dwell_s`.  Arcs count as straight.

    Parameters
    ----------
    limits : what the printer can do before the file changes it.
    """
    table = _in_force(toolpath.commands, limits)
    return _planned(
        toolpath.start,
        toolpath.end,
        toolpath.extruded_mm,
        toolpath.feed_mm_min,
        toolpath.commands_before,
        table,
    )


def dwell_s(toolpath: Toolpath) -> float:
    """Seconds that the file waits by G4."""
    waits = [command.words or {} for command in toolpath.commands if command.name == "G4"]
    return sum(abs(words.get("S") or (words.get("P") or 0) / 1000) for words in waits)


def _in_force(commands: tuple[Command, ...], limits: Limits) -> Array:
    """(commands + 1, 16): the limits after so many commands."""
    row = [
        *(*limits.speed, *limits.acceleration, *limits.jerk),
        *(limits.printing, limits.travelling, limits.retracting, 1.0),
    ]
    rows = [row]
    for command in commands:
        if command.words and command.name in _CHANGES:
            row = row.copy()
            for letter, value in command.words.items():
                if value is not None and value > 0:
                    _CHANGES[command.name](row, letter, value)
        rows.append(row)
    return np.array(rows)


def _per_axis(first: int, row: list[float], letter: str, value: float) -> None:
    if letter in "XYZE":
        row[first + "XYZE".index(letter)] = value


def _accelerations(row: list[float], letter: str, value: float) -> None:
    kinds = {"S": (_PRINTING, _TRAVELLING), "P": (_PRINTING,), "T": (_TRAVELLING,)}
    for place in kinds.get(letter, (_RETRACTING,) if letter == "R" else ()):
        row[place] = value


def _jerks(row: list[float], letter: str, value: float) -> None:
    if letter == "J":  # junction deviation, as the jerk that it replaces: Marlin's 0.4 · jerk² / a
        row[_JERK] = row[_JERK + 1] = math.sqrt(value * row[_PRINTING] / 0.4)
    _per_axis(_JERK, row, letter, value)


def _factor(row: list[float], letter: str, value: float) -> None:
    if letter == "S":
        row[_FACTOR] = value / 100


_CHANGES = {
    "M201": lambda row, letter, value: _per_axis(_ACCELERATION, row, letter, value),
    "M203": lambda row, letter, value: _per_axis(_SPEED, row, letter, value),
    "M204": _accelerations,
    "M205": _jerks,
    "M220": _factor,
}


@compiled
def _cruise(
    way: Array, distance: float, feed_mm_min: float, limits: Array, direction: Array
) -> tuple[float, float, float]:
    """Cruising speed, acceleration, and the speed at which a move may start from rest."""
    retracting = way[0] == 0 and way[1] == 0 and way[2] == 0
    kind = _RETRACTING if retracting else _PRINTING if way[3] != 0 else _TRAVELLING
    speed, acceleration = feed_mm_min / 60 * limits[_FACTOR], limits[kind]
    inverse = 1 / distance
    for axis in range(4):
        direction[axis] = way[axis] * inverse
        share = abs(direction[axis])
        if share > 0:
            speed = min(speed, limits[_SPEED + axis] / share)
            acceleration = min(acceleration, limits[_ACCELERATION + axis] / share)
    speed = min(max(speed, _SLOWEST), _FASTEST)
    acceleration = min(max(acceleration, 1e3 * _SLOWEST), 1e3 * _FASTEST)
    safe = speed
    for axis in range(4):
        share = abs(direction[axis])
        if share > 0:
            safe = min(safe, limits[_JERK + axis] / share)
    return speed, acceleration, safe


@compiled
def _junction(speed: float, before: Array, after: Array, limits: Array) -> float:
    """The largest speed up to ``speed`` at which no axis jumps by more than its jerk."""
    for axis in range(4):
        leaving, entering = before[axis], after[axis]
        if leaving * entering < 0:  # an axis that turns back stops first
            jump = max(abs(leaving), abs(entering))
        else:
            jump = abs(leaving - entering)
        if jump > 0:
            speed = min(speed, limits[_JERK + axis] / jump)
    return speed


@compiled
def _trapezoid_s(
    distance: float, entry2: float, leaving2: float, cruise: float, acceleration: float
) -> float:
    """Seconds of a move that speeds up, cruises and slows down; two of its speeds squared."""
    entry, leaving = math.sqrt(entry2), math.sqrt(leaving2)
    top = max(cruise, entry, leaving)  # one of these may be rounded to above the cruise
    ramps = (2 * top * top - entry2 - leaving2) / (2 * acceleration)
    if ramps <= distance:
        return (2 * top - entry - leaving) / acceleration + (distance - ramps) / top
    peak = max(math.sqrt(acceleration * distance + (entry2 + leaving2) / 2), entry, leaving)
    return (2 * peak - entry - leaving) / acceleration


@compiled
def _planned(
    start: Array, end: Array, extruded: Array, feeds: Array, commands: Whole, table: Array
) -> Array:
    count = len(feeds)
    seconds = np.zeros(count)
    # of each move: the square of its entry's speed (−1: no move), how it goes, what it may gain
    entries, cruises = np.empty(count, np.float32), np.empty(count, np.float32)
    accelerations, distances = np.empty(count, np.float32), np.empty(count, np.float32)
    way, before, after = np.zeros(4), np.zeros(4), np.zeros(4)
    last_speed = last_safe = 0.0
    for number in range(count):
        square = 0.0
        for axis in range(3):
            way[axis] = end[number, axis] - start[number, axis]
            square += way[axis] * way[axis]
        way[3] = extruded[number]
        distance = math.sqrt(square) if square > 0 else abs(way[3])
        if distance == 0 or feeds[number] <= 0:
            entries[number] = -1
            continue
        limits = table[commands[number]]
        speed, acceleration, safe = _cruise(way, distance, feeds[number], limits, after)
        entry = safe
        if last_speed > 0:
            entry = _junction(min(speed, last_speed), before, after, limits)
            if last_safe > _COASTING * entry and safe > _COASTING * entry:
                entry = safe
        entries[number], cruises[number] = entry * entry, speed
        accelerations[number], distances[number] = acceleration, distance
        last_speed, last_safe = speed, safe
        for axis in range(4):
            before[axis] = after[axis]
    reached = last_safe * last_safe
    for number in range(count - 1, -1, -1):
        if entries[number] >= 0:
            can = reached + 2 * accelerations[number] * distances[number]
            entries[number] = reached = min(entries[number], can)
    last, can = -1, 0.0
    for number in range(count):
        if entries[number] < 0:
            continue
        if last >= 0:
            entries[number] = min(entries[number], can)
            seconds[last] = _trapezoid_s(
                distances[last], entries[last], entries[number], cruises[last], accelerations[last]
            )
        can = entries[number] + 2 * accelerations[number] * distances[number]
        last = number
    if last >= 0:
        leaving = min(last_safe * last_safe, can)
        seconds[last] = _trapezoid_s(
            distances[last], entries[last], leaving, cruises[last], accelerations[last]
        )
    return seconds
