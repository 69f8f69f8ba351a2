"""A G-code file as arrays: every move with what was in force when it is made."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import overload

import numpy as np
import numpy.typing as npt

from labkit.files import storage_errors
from labkit.slicing import kernel, tallies
from labkit.slicing.features import stays_on_part
from labkit.slicing.kernel import LAYER, LINE, MOVES, NOTES, OTHERS, POS, Rows
from labkit.slicing.steps import (
    BINARY,
    Command,
    Fault,
    Move,
    Note,
    Position,
    Step,
    binary,
    existing,
    note_text,
    steps_of_line,
)

Array = npt.NDArray[np.float64]

MOST_FEATURES = 1000
"""Different names of features that are kept; further ones count as the last."""

_SIZE = re.compile(r"(\w+:) *(?=[\d.]{1,11}$)(\d+\.?\d*|\.\d+)")


class Notes(Sequence[Note]):
    """The comments of a file, made into text when they are asked for."""

    def __init__(self, places: npt.NDArray[np.int64], data: npt.NDArray[np.uint8]) -> None:
        """``places`` are (n, 3): line, offset and end in ``data``, of which a copy is kept."""
        sizes = places[:, 2] - places[:, 1]
        self._lines, self._offsets = places[:, 0].copy(), places[:, 1].copy()
        self._ends = np.cumsum(sizes)
        self._text = kernel.gathered(data, places, int(sizes.sum())).tobytes()

    def __len__(self) -> int:
        return len(self._lines)

    @overload
    def __getitem__(self, index: int) -> Note: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Note, ...]: ...
    def __getitem__(self, index: int | slice) -> Note | tuple[Note, ...]:
        if isinstance(index, slice):
            return tuple(self[place] for place in range(*index.indices(len(self))))
        place = range(len(self))[index]
        begin = int(self._ends[place - 1]) if place else 0
        raw = self._text[begin + 1 : int(self._ends[place])]
        line, offset = int(self._lines[place]), int(self._offsets[place])
        return Note(line, offset, note_text(raw.decode("latin-1")))

    def __iter__(self) -> Iterator[Note]:
        return (self[place] for place in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    def matching(self, pattern: bytes) -> Iterator[Note]:
        """The comments in whose bytes a regular expression is found, in order."""
        place = -1
        for found in re.finditer(pattern, self._text):
            at = int(np.searchsorted(self._ends, found.start(), side="right"))
            if at != place:
                place = at
                yield self[at]


@dataclass(frozen=True)
class Toolpath:
    """All moves of a file in order, printer frame, mm.

    Parameters
    ----------
    line, offset : (n,) int64: number of the line, from 1, and where it begins in the file, bytes.
    start, end : (n, 3) float64, mm.
    extruded_mm : (n,) float64: filament pushed, negative where it is pulled back.
    feed_mm_min : (n,) float64, as commanded.
    layer : (n,) int32: the number of the layer, from 0; −1 before the first.
    feature : (n,) int16: which of `features` (``;TYPE:``) was in force.
    width_mm, height_mm : (n,) float32, as stated by ``;WIDTH:`` and ``;HEIGHT:``; 0 where not.
    words : (n,) uint8: the letters of the line and the kind of move, bits of
        `labkit.slicing.kernel` (``HAS_X`` … ``RAPID``).
    layer_offset, layer_height_mm : (m,) int64 and float32: where in the file the mark of each
        layer is, and the first height that it states; 0 where none.
    features : names as the file has them; the first is "", nothing stated.
    commands, notes, faults : everything that is no move, in order.
    lines : how many the file has.
    """

    line: npt.NDArray[np.int64]
    offset: npt.NDArray[np.int64]
    start: Array
    end: Array
    extruded_mm: Array
    feed_mm_min: Array
    layer: npt.NDArray[np.int32]
    feature: npt.NDArray[np.int16]
    width_mm: npt.NDArray[np.float32]
    height_mm: npt.NDArray[np.float32]
    words: npt.NDArray[np.uint8]
    layer_offset: npt.NDArray[np.int64]
    layer_height_mm: npt.NDArray[np.float32]
    features: tuple[str, ...]
    commands: tuple[Command, ...]
    notes: Sequence[Note]
    faults: tuple[Fault, ...]
    lines: int

    @property
    def on_part(self) -> npt.NDArray[np.bool_]:
        """(n,) bool: what stays on the part is laid down: no skirt, support or start code."""
        stays = np.array([stays_on_part(name) for name in self.features])
        return np.asarray(stays[self.feature] & self.extruding)

    @cached_property
    def sideways(self) -> npt.NDArray[np.bool_]:
        """(n,) bool: x or y changes."""
        moved = self.start[:, :2] != self.end[:, :2]
        return np.asarray(moved[:, 0] | moved[:, 1])

    @property
    def moving(self) -> npt.NDArray[np.bool_]:
        """(n,) bool: the nozzle goes somewhere."""
        return np.asarray(self.sideways | (self.start[:, 2] != self.end[:, 2]))

    @property
    def extruding(self) -> npt.NDArray[np.bool_]:
        """(n,) bool: filament is pushed while x or y changes."""
        return (self.extruded_mm > 0) & self.sideways

    @property
    def distance_mm(self) -> Array:
        """(n,) float64, mm: from start to end, in a straight line."""
        return tallies.distances(self.start, self.end)

    @cached_property
    def commands_before(self) -> npt.NDArray[np.int32]:
        """(n,) int32: how many of `commands` come before each move."""
        lines = np.array([command.line for command in self.commands], np.int64)
        return np.searchsorted(lines, self.line).astype(np.int32)

    def set_by(self, value: Callable[[Command], float | None], before: float = 0.0) -> Array:
        """(n,) float64: the value in force at each move.

        Parameters
        ----------
        value : what a command sets it to, None where it leaves it alone.
        before : the value until the first command that sets it.
        """
        held = [before]
        for command in self.commands:
            new = value(command)
            held.append(held[-1] if new is None else new)
        return np.array(held)[self.commands_before]


def read_toolpath(path: Path) -> Toolpath:
    """The moves of a G-code file, and what was in force at each.

    What a line means is said in `labkit.slicing.steps`; usual lines are read by
    `labkit.slicing.kernel`, with the same result.

    Raises
    ------
    SlicingError
        No such file, or a binary one.
    """
    with storage_errors(path):
        data = np.fromfile(existing(path), np.uint8)
    if data[: len(BINARY)].tobytes() == BINARY.encode():
        raise binary(path)
    return _Reader(data).toolpath()


class _Reader:
    """The kernel's state, and the slow way for the lines at which it stops."""

    def __init__(self, data: npt.NDArray[np.uint8]) -> None:
        lines, comments = kernel.counted(data)
        self.data = data
        self.rows = Rows.for_lines(lines + 1, comments)
        self.counts = np.zeros(8, np.int64)
        self.counts[[LINE, LAYER, kernel.KNOWN]] = 1, -1, 1
        self.numbers = np.zeros(kernel.NUMBERS)
        self.numbers[kernel.UNIT] = 1
        self.names = np.zeros((kernel.MOST_NAMES, 1 + kernel.LONGEST_NAME), np.uint8)
        self.features = {"": 0}
        self.commands: list[Command] = []
        self.faults: list[Fault] = []

    def toolpath(self) -> Toolpath:
        data, counts = self.data, self.counts
        ends = np.flatnonzero(data[-1000:] == 10)
        whole = len(data) - len(data[-1000:]) + int(ends[-1]) + 1 if len(ends) else 0
        while counts[POS] < len(data):
            if counts[POS] < whole and kernel.scan(
                data[:whole], counts, self.numbers, self.names, self.rows
            ):
                continue
            self.read_line()
        self.read_others()
        rows, moves = self.rows, int(counts[MOVES])
        lines = int(counts[LINE]) - 1
        return Toolpath(
            line=rows.line[:moves],
            offset=rows.offset[:moves],
            start=rows.start[:moves],
            end=rows.end[:moves],
            extruded_mm=rows.extruded_mm[:moves],
            feed_mm_min=rows.feed_mm_min[:moves],
            layer=rows.layer[:moves],
            feature=rows.feature[:moves],
            width_mm=rows.width_mm[:moves],
            height_mm=rows.height_mm[:moves],
            words=rows.words[:moves],
            layer_offset=rows.layer_offset[: int(counts[LAYER]) + 1],
            layer_height_mm=rows.layer_height_mm[: int(counts[LAYER]) + 1],
            features=tuple(self.features),
            commands=tuple(self.commands),
            notes=Notes(rows.notes[: int(counts[NOTES])], data),
            faults=tuple(self.faults),
            lines=lines,
        )

    def read_line(self) -> None:
        """Take one line by the exact reader."""
        begin, number = int(self.counts[POS]), int(self.counts[LINE])
        raw = self._raw(begin)
        position = _position(self.numbers)
        for step in steps_of_line(number, begin, raw, position):
            if type(step) is Move:
                self.move(step)
            elif type(step) is Note:
                self.note(step, begin + len(raw))
            elif type(step) is Command:
                self.commands.append(step)
            elif type(step) is Fault:
                self.faults.append(step)
        _keep(position, self.numbers)
        self.counts[POS] += len(raw)
        self.counts[LINE] += 1

    def _raw(self, begin: int) -> str:
        """The line that begins there, with its end."""
        size = 256
        while True:
            piece = self.data[begin : begin + size].tobytes()
            end = piece.find(b"\n")
            if end >= 0 or begin + size >= len(self.data):
                return (piece[: end + 1] if end >= 0 else piece).decode("latin-1")
            size *= 4

    def move(self, move: Move) -> None:
        rows, number, counts = self.rows, int(self.counts[MOVES]), self.counts
        rows.line[number], rows.offset[number] = move.line, move.offset
        rows.start[number], rows.end[number] = move.start, move.end
        rows.extruded_mm[number] = move.extruded_mm
        rows.feed_mm_min[number] = move.feed_mm_min
        rows.layer[number] = counts[LAYER]
        rows.feature[number] = counts[kernel.FEATURE]
        rows.width_mm[number] = self.numbers[kernel.WIDTH]
        rows.height_mm[number] = self.numbers[kernel.HEIGHT]
        rows.words[number] = bits_of(move.text)
        counts[MOVES] += 1

    def note(self, note: Note, end: int) -> None:
        self.rows.notes[self.counts[NOTES]] = note.line, note.offset, end
        self.counts[NOTES] += 1
        text = note.text
        layer = int(self.counts[LAYER])
        if text in kernel.WHOLE_MARKS or text.startswith(kernel.LAYER_MARK):
            layer = self.counts[LAYER] = layer + 1
            self.rows.layer_offset[layer] = note.offset
            self.rows.layer_height_mm[layer] = 0
        elif text.startswith(kernel.FEATURE_MARKS):
            self.counts[kernel.FEATURE] = self.feature(text.partition(":")[2].strip())
        elif (said := _SIZE.fullmatch(text)) and float(said[2]) < kernel.LARGEST_SIZE_MM:
            if said[1] in kernel.WIDTH_MARKS:
                self.numbers[kernel.WIDTH] = float(said[2])
            elif said[1] in kernel.HEIGHT_MARKS:
                value = self.numbers[kernel.HEIGHT] = float(said[2])
                if layer >= 0 and not self.rows.layer_height_mm[layer]:
                    self.rows.layer_height_mm[layer] = value

    def feature(self, name: str) -> int:
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


def _position(numbers: Array) -> Position:
    values = numbers.tolist()
    position = Position()
    position.at = values[0], values[1], values[2]
    position.shift = values[3], values[4], values[5]
    position.e, position.feed, position.unit = values[kernel.E : kernel.UNIT + 1]
    position.relative = bool(values[kernel.RELATIVE])
    position.relative_e = bool(values[kernel.RELATIVE_E])
    return position


def _keep(position: Position, numbers: Array) -> None:
    numbers[: kernel.RELATIVE_E + 1] = (
        *(*position.at, *position.shift, position.e, position.feed, position.unit),
        *(position.relative, position.relative_e),
    )
