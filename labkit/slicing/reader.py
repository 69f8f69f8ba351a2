"""A stretch of a G-code file, read by the kernel, and line by line where it stops."""

import re
from typing import NamedTuple

import numpy as np

from labkit.slicing import kernel
from labkit.slicing.kernel import LAYER, LINE, MOVES, NOTES, OTHERS, POS, Rows
from labkit.slicing.steps import (
    Command,
    Fault,
    Move,
    Note,
    Point,
    Position,
    Step,
    steps_of_line,
)

MOST_FEATURES = 1000
"""Different names of features that are kept; further ones count as the last."""

STATED = [kernel.WIDTH, kernel.HEIGHT]
"""Numbers that a comment states, and that hold until the next one does."""

_SIZE = re.compile(r"(\w+:) *(?=[\d.]{1,11}$)(\d+\.?\d*|\.\d+)")


class State(NamedTuple):
    """What the meaning of the next move depends on, and how much was found until there.

    Parameters
    ----------
    modes : the kernel's numbers, as bytes, without what a comment states.
    waits : the layer's height was not stated yet.
    counts : the kernel's.
    """

    modes: bytes
    waits: bool
    counts: kernel.Ints

    def means(self, other: "State") -> bool:
        """Whether both stand in the same place and go on in the same way."""
        return self.counts[POS] == other.counts[POS] and self[:2] == other[:2]


class Reader:
    """The kernel's state, and the slow way for the lines at which it stops."""

    def __init__(self, data: kernel.Bytes, rows: Rows, *, pos: int = 0, line: int = 1) -> None:
        """``rows`` take what is found from byte ``pos`` on, where that line begins."""
        self.data, self.rows = data, rows
        self.counts = np.zeros(8, np.int64)
        self.counts[[POS, LINE, LAYER, kernel.KNOWN]] = pos, line, -1, 1
        self.numbers = np.zeros(kernel.NUMBERS)
        self.numbers[kernel.UNIT] = 1
        self.names = np.zeros((kernel.MOST_NAMES, 1 + kernel.LONGEST_NAME), np.uint8)
        self.features = {"": 0}
        self.commands: list[Command] = []
        self.faults: list[Fault] = []
        self.jumps: list[tuple[int, Point]] = []
        """Moves before which the nozzle went somewhere without a move (G28), and where to."""

    def state(self) -> State:
        """What is in force now."""
        layer = self.counts[LAYER]
        return State(
            self.numbers[: kernel.WIDTH].tobytes(),
            bool(layer >= 0 and self.rows.layer_height_mm[layer] == 0),
            self.counts.copy(),
        )

    def suppose(self, other: "Reader") -> None:
        """Begin with the modes and names of another; what comments state is not known."""
        self.numbers[:] = other.numbers
        self.numbers[STATED] = np.nan
        self.names[:] = other.names
        self.features = dict(other.features)
        self.counts[[kernel.FEATURE, kernel.KNOWN]] = -1, other.counts[kernel.KNOWN]

    def read_to(self, end: int) -> None:
        """Read on until there, which is where a line begins or the data ends."""
        counts, whole = self.counts, end
        if whole and self.data[whole - 1] != ord("\n"):  # the kernel needs an end to each line
            ends = np.flatnonzero(self.data[max(0, end - 1000) : end] == ord("\n"))
            whole = max(0, end - 1000) + int(ends[-1]) + 1 if len(ends) else 0
        while counts[POS] < end:
            if counts[POS] < whole and kernel.scan(
                self.data[:whole], counts, self.numbers, self.names, self.rows
            ):
                continue
            self.read_line()

    def read_line(self) -> None:
        """Take one line by the exact reader."""
        begin, number = int(self.counts[POS]), int(self.counts[LINE])
        end = kernel.line_after(self.data, begin)
        raw = self.data[begin:end].tobytes().decode("latin-1")
        position = _position(self.numbers)
        before = position.at
        for step in steps_of_line(number, begin, raw, position):
            if type(step) is Move:
                self._move(step)
            elif type(step) is Note:
                self._note(step, end)
            elif type(step) is Command:
                self.commands.append(step)
                if position.at is not before:
                    self.jumps.append((int(self.counts[MOVES]), position.at))
            elif type(step) is Fault:
                self.faults.append(step)
        _keep(position, self.numbers)
        self.counts[POS] = end
        self.counts[LINE] += 1

    def _move(self, move: Move) -> None:
        rows, number, counts = self.rows, int(self.counts[MOVES]), self.counts
        rows.line[number], rows.offset[number] = move.line, move.offset
        rows.end[number + 1] = move.end
        rows.extruded_mm[number] = move.extruded_mm
        rows.feed_mm_min[number] = move.feed_mm_min
        rows.layer[number] = counts[LAYER]
        rows.feature[number] = counts[kernel.FEATURE]
        rows.width_mm[number] = self.numbers[kernel.WIDTH]
        rows.height_mm[number] = self.numbers[kernel.HEIGHT]
        rows.words[number] = bits_of(move.text)
        counts[MOVES] += 1

    def _note(self, note: Note, end: int) -> None:
        self.rows.notes[self.counts[NOTES]] = note.line, note.offset, end
        self.counts[NOTES] += 1
        text = note.text
        layer = int(self.counts[LAYER])
        if text in kernel.WHOLE_MARKS or text.startswith(kernel.LAYER_MARK):
            layer = self.counts[LAYER] = layer + 1
            self.rows.layer_offset[layer] = note.offset
            self.rows.layer_height_mm[layer] = 0
        elif text.startswith(kernel.FEATURE_MARKS):
            self.counts[kernel.FEATURE] = self._feature(text.partition(":")[2].strip())
        elif (said := _SIZE.fullmatch(text)) and float(said[2]) < kernel.LARGEST_SIZE_MM:
            if said[1] in kernel.WIDTH_MARKS:
                self.numbers[kernel.WIDTH] = float(said[2])
            elif said[1] in kernel.HEIGHT_MARKS:
                value = self.numbers[kernel.HEIGHT] = float(said[2])
                if layer >= 0 and not self.rows.layer_height_mm[layer]:
                    self.rows.layer_height_mm[layer] = value

    def _feature(self, name: str) -> int:
        if name not in self.features and len(self.features) >= MOST_FEATURES:
            return MOST_FEATURES - 1
        number = self.features.setdefault(name, len(self.features))
        letters = np.frombuffer(name.encode(), np.uint8)
        if (
            number == self.counts[kernel.KNOWN] < kernel.MOST_NAMES
            and len(letters) <= kernel.LONGEST_NAME
        ):
            self.names[number, 0] = len(letters)
            self.names[number, 1 : 1 + len(letters)] = letters
            self.counts[kernel.KNOWN] += 1
        return number

    def go_on(self, other: "Reader", since: State) -> None:
        """Take over what another reader found from a state on that is also the one here.

        Its moves and comments lie in the rows already, behind those that were found here.
        """
        rows, counts, more = self.rows, self.counts, other.counts - since.counts
        moves = slice(counts[MOVES], counts[MOVES] + more[MOVES])
        rows.layer[moves] += np.int32(counts[LAYER] - since.counts[LAYER])
        names = [*map(self._feature, other.features), counts[kernel.FEATURE]]  # the last for −1
        rows.feature[moves] = np.array(names, np.int16)[rows.feature[moves]]
        counts[kernel.FEATURE] = names[other.counts[kernel.FEATURE]]
        for column, place in zip((rows.width_mm, rows.height_mm), STATED, strict=True):
            column[moves][np.isnan(column[moves])] = self.numbers[place]
            if np.isnan(other.numbers[place]):
                other.numbers[place] = self.numbers[place]
        self.numbers[:] = other.numbers
        if since.waits:
            stated = other.rows.layer_height_mm[since.counts[LAYER]]
            rows.layer_height_mm[counts[LAYER]] = stated
        for name, place, first in (
            *(("others", OTHERS, 0), ("layer_offset", LAYER, 1), ("layer_height_mm", LAYER, 1)),
        ):
            here = getattr(rows, name)[counts[place] + first :]
            found = getattr(other.rows, name)[since.counts[place] + first :]
            here[: more[place]] = found[: more[place]]
        self.commands += [each for each in other.commands if each.offset >= counts[POS]]
        self.faults += [each for each in other.faults if each.offset >= counts[POS]]
        shift = int(counts[MOVES] - since.counts[MOVES])
        jumps = [jump for jump in other.jumps if jump[0] >= since.counts[MOVES]]
        self.jumps += [(number + shift, at) for number, at in jumps]
        places = [POS, LINE, MOVES, NOTES, OTHERS, LAYER]
        counts[places] += more[places]

    def read_others(self) -> None:
        """Take the commands whose places the kernel kept; many have the same text."""
        seen: dict[bytes, list[Step]] = {}
        places = self.rows.others[: int(self.counts[OTHERS])].tolist()
        for line, begin, end in places:
            raw = self.data[begin : end + 1].tobytes()
            if (found := seen.get(raw)) is None:
                text = raw.decode("latin-1")
                found = seen[raw] = list(steps_of_line(line, begin, text, Position()))
            for step in found:
                if type(step) is Command:
                    self.commands.append(Command(line, begin, step.name, step.words, step.text))
                elif type(step) is Fault:
                    self.faults.append(Fault(line, begin, step.rule, step.message))
        self.commands.sort(key=lambda command: command.line)
        self.faults.sort(key=lambda fault: fault.line)


def bits_of(text: str) -> int:
    """The letters of a move and its kind, as bits of `labkit.slicing.kernel`."""
    name, *words = text.split()
    bits = sum(1 << "XYZEF".index(word[0]) for word in words if word[0] in "XYZEF")
    kind = int(name[1:])
    return bits | (kernel.ARC if kind >= 2 else kernel.RAPID if kind == 0 else 0)


def _position(numbers: kernel.Floats) -> Position:
    values = numbers.tolist()
    position = Position()
    position.at = values[0], values[1], values[2]
    position.shift = values[3], values[4], values[5]
    position.e, position.feed, position.unit = values[kernel.E : kernel.UNIT + 1]
    position.relative = bool(values[kernel.RELATIVE])
    position.relative_e = bool(values[kernel.RELATIVE_E])
    return position


def _keep(position: Position, numbers: kernel.Floats) -> None:
    numbers[: kernel.RELATIVE_E + 1] = (
        *(*position.at, *position.shift, position.e, position.feed, position.unit),
        *(position.relative, position.relative_e),
    )
