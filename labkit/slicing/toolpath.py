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
from labkit.slicing.kernel import LAYER, LINE, MOVES, NOTES
from labkit.slicing.steps import (
    BINARY,
    Command,
    Fault,
    Note,
    Point,
    binary,
    existing,
    note_text,
)
from labkit.slicing.stretches import borders, read_stretches

Array = npt.NDArray[np.float64]


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
    line, offset : (n,) int32 and int64: number of the line, from 1, and where it begins in the
        file, bytes.
    start, end : (n, 3) float64, mm; mostly two views of the same places.
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

    line: npt.NDArray[np.int32]
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
    def stays(self) -> npt.NDArray[np.bool_]:
        """Whether lines of each of `features` stay on the part: no skirt, support or start code."""
        return np.array([stays_on_part(name) for name in self.features])

    @property
    def on_part(self) -> npt.NDArray[np.bool_]:
        """(n,) bool: what stays on the part is laid down."""
        return np.asarray(self.stays[self.feature] & self.extruding)

    @cached_property
    def sideways(self) -> npt.NDArray[np.bool_]:
        """(n,) bool: x or y changes."""
        return tallies.sideways(self.start, self.end)

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
        lines = np.array([command.line for command in self.commands], np.int32)
        first = [0, *np.searchsorted(self.line, lines).tolist(), len(self.line)]
        return np.repeat(np.arange(len(lines) + 1, dtype=np.int32), np.diff(first))

    def held(self, value: Callable[[Command], float | None], before: float = 0.0) -> Array:
        """(commands + 1,) float64: the value in force after so many commands.

        Parameters
        ----------
        value : what a command sets it to, None where it leaves it alone.
        before : the value until the first command that sets it.
        """
        held = [before]
        for command in self.commands:
            new = value(command)
            held.append(held[-1] if new is None else new)
        return np.array(held)

    def set_by(self, value: Callable[[Command], float | None], before: float = 0.0) -> Array:
        """(n,) float64: the value in force at each move; as `held`."""
        return self.held(value, before)[self.commands_before]


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
    found = read_stretches(data, borders(data))
    found.read_others()
    rows, moves, layers = found.rows, int(found.counts[MOVES]), int(found.counts[LAYER]) + 1
    return Toolpath(
        line=rows.line[:moves],
        offset=rows.offset[:moves],
        start=_starts(rows.end, moves, found.jumps),
        end=rows.end[1 : moves + 1],
        extruded_mm=rows.extruded_mm[:moves],
        feed_mm_min=rows.feed_mm_min[:moves],
        layer=rows.layer[:moves],
        feature=rows.feature[:moves],
        width_mm=rows.width_mm[:moves],
        height_mm=rows.height_mm[:moves],
        words=rows.words[:moves],
        layer_offset=rows.layer_offset[:layers],
        layer_height_mm=rows.layer_height_mm[:layers],
        features=tuple(found.features),
        commands=tuple(found.commands),
        notes=Notes(rows.notes[: int(found.counts[NOTES])], data),
        faults=tuple(found.faults),
        lines=int(found.counts[LINE]) - 1,
    )


def _starts(places: Array, moves: int, jumps: list[tuple[int, Point]]) -> Array:
    """(n, 3) where moves start: a view of where the ones before end, a copy if need be."""
    starts = places[:moves]
    away = [(number, at) for number, at in jumps if number < moves]
    if any(starts[number].tobytes() != np.array(at).tobytes() for number, at in away):
        starts = starts.copy()
        for number, at in away:
            starts[number] = at
    return starts
