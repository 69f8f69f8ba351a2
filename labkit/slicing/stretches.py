"""A G-code file in several stretches, which are read side by side and joined.

What a line means depends on the lines before it.  So each stretch begins with the modes that the
head of the file has set, which slicers hardly ever change, and notes its state a little later,
several times.  Then the stretch before is read on to there.  Where both have come to the same
state, to the last bit, all that follows is the same too; where they never do, the stretch is
read anew.  What comments state (width, height, feature) may hold for long: it is filled in up
to where the stretch states its own.  The result does not depend on where the stretches begin.

All write into the same rows.  Where those of a stretch begin is counted beforehand, by what moves
look like; a file in which this goes wrong is read again in one.
"""

import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from labkit.compiled import in_threads
from labkit.slicing import kernel
from labkit.slicing.kernel import MOVES, Rows
from labkit.slicing.reader import MOST_FEATURES, Reader, State

SHORTEST = 1 << 22
"""Bytes of a stretch; less is not worth a thread."""

HEAD = 1 << 16
LEADS = (1 << 16, 1 << 18, 1 << 20)
"""Bytes, after which the state is noted.  Slicers state position and feed anew in each layer, and
most layers are shorter than the first or the second."""


@dataclass
class _Stretch:
    """A reader, the moves before it as far as they can be told from afar, its end and states."""

    reader: Reader
    moves_before: int
    end: int
    states: list[State] = field(default_factory=list)

    def read(self, leads: Sequence[int]) -> None:
        begin, data = int(self.reader.counts[kernel.POS]), self.reader.data
        for lead in leads:
            self.reader.read_to(min(kernel.line_after(data, begin + lead), self.end))
            self.states.append(self.reader.state())
        self.reader.read_to(self.end)


def borders(data: kernel.Bytes) -> list[int]:
    """Where the stretches of a file begin, about as many as there are processors."""
    count = max(1, min(os.cpu_count() or 1, len(data) // SHORTEST))
    return [0, *(kernel.line_after(data, len(data) * n // count) for n in range(1, count))]


def read_stretches(
    data: kernel.Bytes, begins: Sequence[int], head: int = HEAD, leads: Sequence[int] = LEADS
) -> Reader:
    """The reader of a whole file, at its end.

    Parameters
    ----------
    begins : ascending, from 0: where the stretches begin, each with a line.
    head, leads : bytes, as `HEAD` and `LEADS`.
    """
    ends = [*begins[1:], len(data)]
    counts = in_threads(
        lambda part: kernel.counted(data[slice(*part)]), zip(begins, ends, strict=True)
    )
    before = [*itertools.accumulate(counts, _added, initial=(0, 0, 0))]
    lines, comments, _ = before[-1]
    rows = Rows.for_lines(lines + 1, comments, comments + len(begins))
    rows.end[0] = 0
    whole = Reader(data, rows)
    if len(begins) > 1:
        whole.read_to(min(kernel.line_after(data, head), ends[0]))
    stretches = list[_Stretch]()
    for begin, end, (lines, comments, moves) in zip(begins[1:], ends[1:], before[1:], strict=False):
        # one layer apart, since the height of a layer may be stated after the state that is joined
        layers = comments + len(stretches) + 1
        room = rows.after(moves, lines, comments, layers)
        reader = Reader(data, room, pos=begin, line=lines + 1)
        reader.suppose(whole)
        stretches.append(_Stretch(reader, moves, end))
    in_threads(
        lambda work: work(),
        [lambda: whole.read_to(ends[0]), *((lambda s=s: s.read(leads)) for s in stretches)],
    )
    for stretch in stretches:
        if whole.counts[MOVES] != stretch.moves_before:  # two stretches wrote into the same rows
            whole = Reader(data, rows)
            whole.read_to(len(data))
            return whole
        if not _joined(whole, stretch):
            whole.read_to(stretch.end)
    return whole


def _added(one: tuple[int, int, int], other: tuple[int, int, int]) -> tuple[int, int, int]:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


def _joined(whole: Reader, stretch: _Stretch) -> bool:
    """Whether what was found in a stretch could be taken over."""
    if len(stretch.reader.features) >= MOST_FEATURES:
        return False  # some of its names may be counted as one
    for state in stretch.states:
        whole.read_to(int(state.counts[kernel.POS]))
        if whole.state().means(state):
            whole.go_on(stretch.reader, state)
            return True
    return False
