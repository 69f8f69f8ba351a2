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

from labkit.compiled import compiled, in_blocks
from labkit.equipment import PrinterProfile
from labkit.slicing.steps import Command
from labkit.slicing.toolpath import Notes, Toolpath

Array = npt.NDArray[np.float64]
Single = npt.NDArray[np.float32]
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
    moves = (toolpath.start, toolpath.end, toolpath.extruded_mm, toolpath.feed_mm_min)
    count = len(toolpath.line)
    entries, cruises, accelerations, distances = np.empty((4, count + 1), np.float32)
    plan = entries, cruises, accelerations, distances
    safe = in_blocks(
        lambda begin, stop: _entered(*moves, toolpath.commands_before, table, *plan, begin, stop),
        count,
    )
    last_safe = next((speed for speed in reversed(safe) if speed > 0), 0.0)
    _reached(entries, accelerations, distances, last_safe)
    seconds = np.empty(count)
    in_blocks(lambda begin, stop: _timed(*plan, seconds, begin, stop), count)
    return seconds


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
def _before(start: Array, end: Array, extruded: Array, feeds: Array, number: int) -> int:
    """The last number before that is a move of anything; 0 if there is none."""
    while number > 0:
        number -= 1
        way = abs(extruded[number])
        for axis in range(3):
            way += abs(end[number, axis] - start[number, axis])
        if way != 0 and feeds[number] > 0:
            break
    return number


@compiled
def _entered(
    start: Array,
    end: Array,
    extruded: Array,
    feeds: Array,
    commands: Whole,
    table: Array,
    entries: Single,
    cruises: Single,
    accelerations: Single,
    distances: Single,
    begin: int,
    stop: int,
) -> float:
    """Fill in how fast moves ``begin`` to ``stop`` can be entered, and how they go.

    ``entries`` takes the square of the speed, −1 where nothing moves.  Returned is the speed at
    which the last of them may start from rest, 0 where there is none.
    """
    before, after = np.zeros(4), np.zeros(4)
    last_speed = last_safe = 0.0
    # from the last move before, which has its say
    for number in range(_before(start, end, extruded, feeds, begin), stop):
        square, pushed, now = 0.0, extruded[number], commands[number]
        for axis in range(3):
            after[axis] = end[number, axis] - start[number, axis]
            square += after[axis] * after[axis]
        after[3] = pushed
        distance = math.sqrt(square) if square > 0 else abs(pushed)
        if distance == 0 or feeds[number] <= 0:
            if number >= begin:
                entries[number] = -1
            continue
        kind = _RETRACTING if square == 0 else _PRINTING if pushed != 0 else _TRAVELLING
        speed, acceleration = feeds[number] / 60 * table[now, _FACTOR], table[now, kind]
        inverse = 1 / distance
        # most limits do not bind: to multiply and look is quicker than to divide and compare
        for axis in range(4):
            after[axis] *= inverse
            share = abs(after[axis])
            if speed * share > table[now, _SPEED + axis]:
                speed = table[now, _SPEED + axis] / share
            if acceleration * share > table[now, _ACCELERATION + axis]:
                acceleration = table[now, _ACCELERATION + axis] / share
        speed = min(max(speed, _SLOWEST), _FASTEST)
        acceleration = min(max(acceleration, 1e3 * _SLOWEST), 1e3 * _FASTEST)
        safe, entry = speed, min(speed, last_speed)
        for axis in range(4):
            leaving, entering = before[axis], after[axis]
            share = abs(entering)
            if safe * share > table[now, _JERK + axis]:
                safe = table[now, _JERK + axis] / share
            # an axis that turns back stops first
            turns = leaving * entering < 0
            jump = max(abs(leaving), share) if turns else abs(leaving - entering)
            if entry * jump > table[now, _JERK + axis]:
                entry = table[now, _JERK + axis] / jump
            before[axis] = entering
        if last_speed == 0 or (last_safe > _COASTING * entry and safe > _COASTING * entry):
            entry = safe
        if number >= begin:
            entries[number], cruises[number] = entry * entry, speed
            accelerations[number], distances[number] = acceleration, distance
        last_speed, last_safe = speed, safe
    return last_safe


@compiled
def _reached(entries: Single, accelerations: Single, distances: Single, last_safe: float) -> None:
    """Lower the entries to what can be braked from and reached; the last row is the exit."""
    last = len(entries) - 1
    entries[last] = reached = last_safe * last_safe
    for number in range(last - 1, -1, -1):
        if entries[number] >= 0:
            can = reached + 2 * accelerations[number] * distances[number]
            entries[number] = reached = min(entries[number], can)
    can = np.inf
    for number in range(last + 1):
        if entries[number] >= 0:
            entries[number] = min(entries[number], can)
            can = entries[number] + 2 * accelerations[number] * distances[number]


@compiled
def _timed(
    entries: Single,
    cruises: Single,
    accelerations: Single,
    distances: Single,
    seconds: Array,
    begin: int,
    stop: int,
) -> None:
    """Fill in the seconds of moves ``begin`` to ``stop``."""
    after = stop
    while entries[after] < 0:
        after += 1
    for number in range(stop - 1, begin - 1, -1):
        seconds[number] = 0.0
        if entries[number] >= 0:
            seconds[number] = _trapezoid_s(
                distances[number],
                entries[number],
                entries[after],
                cruises[number],
                accelerations[number],
            )
            after = number
