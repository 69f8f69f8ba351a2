"""The usual lines of a G-code file, read in machine code; it stops at every other line.

What a line means is said in `labkit.slicing.steps`; here only those are taken that slicers
write by the million, with the same result to the last bit: moves of plain numbers, comments,
commands that leave the position alone.  A number of at most fifteen digits divided by a power
of ten up to 10^22 is rounded once, so that it is what ``float()`` makes of the text
(W. D. Clinger, doi:10.1145/93542.93557).
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from labkit.compiled import compiled
from labkit.slicing.steps import LONGEST_COMMAND

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

# places in the counts
POS, LINE, MOVES, NOTES, OTHERS, LAYER, FEATURE, KNOWN = range(8)
# places in the numbers
AT, SHIFT, E, FEED, UNIT, RELATIVE, RELATIVE_E, WIDTH, HEIGHT = 0, 3, 6, 7, 8, 9, 10, 11, 12
PUSHED = 13  # filament, by the line that is read
WORDS = 14  # its numbers: X, Y, Z, E, F
NUMBERS = 19

HAS_X, HAS_Y, HAS_Z, HAS_E, HAS_F, ARC, RAPID = 1, 2, 4, 8, 16, 32, 64
"""Bits of ``words``: the letters of a move, whether it is G2 or G3, whether it is G0."""

LONGEST_NAME = 48
MOST_NAMES = 64
"""Of features (``;TYPE:``) that are known without asking; more go the slow way."""

LARGEST_SIZE_MM = 1000.0
"""A width or height that is stated larger is not believed."""

_TENS = 10.0 ** np.arange(23)
_ZERO_E = np.frombuffer(b"G92 E0", np.uint8)


class Rows(NamedTuple):
    """What is found: the fields of a `Toolpath` that are arrays, one row per move, and these.

    end : (n + 1, 3), where the first move starts, and where each ends.
    notes, others : (n, 3) int64: line, offset and end of the comments, and of the commands
        that leave the position alone.
    layer_offset, layer_height_mm : per layer: where its mark is, the first height stated.
    """

    line: npt.NDArray[np.int32]
    offset: Ints
    end: Floats
    extruded_mm: Floats
    feed_mm_min: Floats
    layer: npt.NDArray[np.int32]
    feature: npt.NDArray[np.int16]
    words: Bytes
    width_mm: Singles
    height_mm: Singles
    notes: Ints
    others: Ints
    layer_offset: Ints
    layer_height_mm: Singles

    @classmethod
    def for_lines(cls, lines: int, comments: int, layers: int) -> "Rows":
        """Room for so many of each; a system gives the memory when it is written."""
        return cls(
            line=np.empty(lines, np.int32),
            offset=np.empty(lines, np.int64),
            end=np.empty((lines + 1, 3)),
            extruded_mm=np.empty(lines),
            feed_mm_min=np.empty(lines),
            layer=np.empty(lines, np.int32),
            feature=np.empty(lines, np.int16),
            words=np.empty(lines, np.uint8),
            width_mm=np.empty(lines, np.float32),
            height_mm=np.empty(lines, np.float32),
            notes=np.empty((comments, 3), np.int64),
            others=np.empty((lines, 3), np.int64),
            layer_offset=np.empty(layers, np.int64),
            layer_height_mm=np.empty(layers, np.float32),
        )

    def after(self, moves: int, lines: int, comments: int, layers: int) -> "Rows":
        """The room that is left after so many of each."""
        tables = {"notes": comments, "others": lines}
        tables |= {"layer_offset": layers, "layer_height_mm": layers}
        return Rows(*(rows[tables.get(name, moves) :] for name, rows in self._asdict().items()))


def _padded(*texts: str) -> Bytes:
    table = np.zeros((len(texts), max(map(len, texts)) + 1), np.uint8)
    for row, text in zip(table, texts, strict=True):
        row[: len(text)] = np.frombuffer(text.encode(), np.uint8)
    return table


# the comments of PrusaSlicer, Orca and Cura, and of Bambu's flavour
WHOLE_MARKS = ("LAYER_CHANGE", "CHANGE_LAYER")
LAYER_MARK = "LAYER:"
FEATURE_MARKS = ("TYPE:", "FEATURE:")
WIDTH_MARKS = ("WIDTH:", "LINE_WIDTH:")
HEIGHT_MARKS = ("HEIGHT:", "LAYER_HEIGHT:")
_MARKS = _padded(*WHOLE_MARKS, LAYER_MARK, *FEATURE_MARKS, *WIDTH_MARKS, *HEIGHT_MARKS)
_WHOLE = len(WHOLE_MARKS)
_NONE, _LAYER, _FEATURE, _WIDTH, _HEIGHT = range(5)
_KINDS = np.repeat([_LAYER, _FEATURE, _WIDTH, _HEIGHT], [3, 2, 2, 2])


@compiled
def counted(data: Bytes) -> tuple[int, int, int]:
    """How many line ends, lines that begin with a semicolon, and lines like ``G1 …``."""
    ends, notes, moves = 0, 0, 0
    third, second, first = 10, 10, 10  # the bytes before
    for byte in data:
        ends += byte == 10
        notes += (byte == 59) & (first == 10)
        moves += (byte == 32) & (first >= 48) & (first <= 51) & (second == 71) & (third == 10)
        third, second, first = second, first, byte
    return ends, notes, moves


@compiled
def line_after(data: Bytes, pos: int) -> int:
    """Where the next line begins; the end of the data where there is none."""
    while pos < len(data) and data[pos] != 10:
        pos += 1
    return min(pos + 1, len(data))


@compiled
def _number(data: Bytes, pos: int, most: int) -> tuple[int, float]:
    """Where a number without plus ends, and the number; the place itself if it is not usual."""
    here, negative = pos, data[pos] == 45
    if negative:
        here += 1
    digits, after, value, point = 0, 0, 0, False
    while True:
        byte = data[here]
        if 48 <= byte <= 57:
            value = value * 10 + (byte - 48)
            digits += 1
            after += point
        elif byte == 46 and not point:
            point = True
        else:
            break
        here += 1
        if digits > most:
            return pos, 0.0
    if not digits:
        return pos, 0.0
    number = value / _TENS[after]
    return here, -number if negative else number


@compiled
def _comment_end(data: Bytes, pos: int) -> int:
    """The place of the line's end, or −1 if there is a carriage return before."""
    while data[pos] != 10:
        if data[pos] == 13 and data[pos + 1] != 10:
            return -1
        pos += 1
    return pos


@compiled
def _mark(data: Bytes, begin: int, end: int) -> tuple[int, int]:
    """Which kind of mark a comment is, and where its value begins."""
    for number in range(len(_MARKS)):
        row, length = _MARKS[number], 0
        while row[length] and begin + length < end and data[begin + length] == row[length]:
            length += 1
        if not row[length] and (number >= _WHOLE or begin + length == end):
            return _KINDS[number], begin + length
    return _NONE, begin


@compiled
def _known(data: Bytes, begin: int, end: int, names: Bytes, count: int) -> int:
    for number in range(count):
        if names[number, 0] == end - begin:
            length = 0
            while begin + length < end and names[number, 1 + length] == data[begin + length]:
                length += 1
            if begin + length == end:
                return number
    return -1


@compiled
def _read_words(data: Bytes, pos: int, numbers: Floats) -> tuple[int, int]:
    """The letters of a move from ``G`` on, as bits, and where its words end; 0 if not usual.

    ``numbers`` takes those of X, Y, Z, E and F.
    """
    digit = data[pos + 1]
    bits = ARC if digit >= 50 else RAPID if digit == 48 else 0
    seen, here = 0, pos + 2
    while True:
        begin = here
        while data[here] == 32:
            here += 1
        letter = data[here]
        if not (69 <= letter <= 74 or letter == 82 or 88 <= letter <= 90):
            return (bits, begin) if seen else (0, pos)
        after, value = _number(data, here + 1, 15)
        bit = 1 << (letter - 65)
        if letter in (71, 72) or here == begin or after == here + 1 or seen & bit:
            return 0, pos
        seen |= bit
        if letter >= 88:  # X Y Z
            numbers[WORDS + letter - 88], bits = value, bits | 1 << (letter - 88)
        elif letter <= 70:  # E F
            numbers[WORDS + letter - 66], bits = value, bits | 1 << (letter - 66)
        here = after


@compiled
def _move(data: Bytes, pos: int, numbers: Floats) -> tuple[int, int]:
    """Where the line of a move ends, or −1 if it is not usual, and its letters as bits.

    ``numbers`` takes the words, the feed and what is pushed; the nozzle stays where it is.
    """
    bits, here = _read_words(data, pos, numbers)
    if here == pos or here - pos > LONGEST_COMMAND - 2:
        return -1, 0
    while data[here] == 32 or data[here] == 9:
        here += 1
    if data[here] == 59:
        here = _comment_end(data, here)
    elif data[here] == 13:
        here += 1
    if here < 0 or data[here] != 10:
        return -1, 0
    pushed = 0.0
    if bits & HAS_E:
        pushed = numbers[WORDS + 3] * numbers[UNIT]
        if not numbers[RELATIVE_E]:
            pushed -= numbers[E]
        numbers[E] += pushed
    numbers[PUSHED] = pushed
    if bits & HAS_F:
        numbers[FEED] = numbers[WORDS + 4] * numbers[UNIT]
    return here, bits


@compiled
def _comment(data: Bytes, pos: int, stop: int, counts: Ints, numbers: Floats, names: Bytes) -> int:
    """Take a comment that ends at ``stop``; which kind of mark it is, or −1 if not usual."""
    begin, end = pos + 1, stop
    while data[begin] == 32 or data[begin] == 9:
        begin += 1
    while end > begin and data[end - 1] in (32, 9, 13):
        end -= 1
    if begin >= end:
        return _NONE
    if not (32 < data[begin] < 127 and 32 < data[end - 1] < 127):
        return -1
    kind, begin = _mark(data, begin, end)
    while begin < end and data[begin] == 32:
        begin += 1
    if kind == _FEATURE:
        known = _known(data, begin, end, names, counts[KNOWN])
        if known < 0:
            return -1
        counts[FEATURE] = known
    elif kind >= _WIDTH:
        after, value = _number(data, begin, 10)
        if after != end or after == begin or data[begin] == 45 or value >= LARGEST_SIZE_MM:
            return -1
        numbers[WIDTH if kind == _WIDTH else HEIGHT] = value
    return kind


@compiled
def _command(data: Bytes, pos: int, numbers: Floats) -> int:
    """Where the line of a command ends, or −1 if it may matter to what follows."""
    if data[pos] == 77:  # M82 and M83 are modes
        if data[pos + 1] == 56 and data[pos + 2] in (50, 51):
            return -1
    else:
        for place in range(len(_ZERO_E)):
            if data[pos + place] != _ZERO_E[place]:
                return -1
        pos += len(_ZERO_E)
        if data[pos] != 10 and (data[pos] != 13 or data[pos + 1] != 10):
            return -1
        numbers[E] = 0.0
    while data[pos] != 10:
        pos += 1
    return pos


@compiled
def scan(  # noqa: PLR0912  one branch per kind of line
    data: Bytes, counts: Ints, numbers: Floats, names: Bytes, rows: Rows
) -> bool:
    """Read on from ``counts[POS]``; false where a line is not usual: it stands before it.

    Parameters
    ----------
    data : (n,) bytes, the last of them a line end.
    counts, numbers : the state between two lines, at the places named above.
    names : (MOST_NAMES, 1 + LONGEST_NAME) the features that are known: length, letters.
    rows : takes what is found; as many as the file has lines.
    """
    # taken out once: each access to a field counts its users, which costs more than the reading
    line, offset, end, extruded, feeds, layers, features, bits = rows[:8]
    widths, heights, notes, others, layer_offset, layer_height = rows[8:]
    while counts[POS] < len(data):
        pos, stop = counts[POS], -1
        first, second = data[pos], data[min(pos + 1, len(data) - 1)]
        if first == 71 and 48 <= second <= 51:  # G0 … G3
            stop, found = _move(data, pos, numbers)
            if stop >= 0:
                number = counts[MOVES]
                for axis in range(3):
                    here = numbers[axis]
                    if found & (1 << axis):
                        zero = here if numbers[RELATIVE] else numbers[SHIFT + axis]
                        here = numbers[WORDS + axis] * numbers[UNIT] + zero
                    end[number + 1, axis] = numbers[axis] = here
                extruded[number], feeds[number] = numbers[PUSHED], numbers[FEED]
                line[number], offset[number], bits[number] = counts[LINE], pos, found
                layers[number], features[number] = counts[LAYER], counts[FEATURE]
                widths[number], heights[number] = numbers[WIDTH], numbers[HEIGHT]
                counts[MOVES] = number + 1
        elif first == 59:
            stop = _comment_end(data, pos)
            kind = _comment(data, pos, stop, counts, numbers, names) if stop >= 0 else -1
            if kind == _LAYER:
                counts[LAYER] += 1
                layer_offset[counts[LAYER]], layer_height[counts[LAYER]] = pos, 0
            elif kind == _HEIGHT and counts[LAYER] >= 0 and layer_height[counts[LAYER]] == 0:
                layer_height[counts[LAYER]] = numbers[HEIGHT]
            if kind < 0:
                stop = -1
            else:
                number = counts[NOTES]
                notes[number, 0], notes[number, 1], notes[number, 2] = counts[LINE], pos, stop
                counts[NOTES] = number + 1
        elif first in (71, 77):
            stop = _command(data, pos, numbers)
            if stop >= 0:
                number = counts[OTHERS]
                others[number, 0], others[number, 1], others[number, 2] = counts[LINE], pos, stop
                counts[OTHERS] = number + 1
        elif first == 10:
            stop = pos
        elif first == 13 and second == 10:
            stop = pos + 1
        if stop < 0:
            return False
        counts[LINE] += 1
        counts[POS] = stop + 1
    return True


@compiled
def gathered(data: Bytes, places: Ints, size: int) -> Bytes:
    """The bytes of places (n, 3: line, begin, end), one after the other; ``size`` in all."""
    taken, at = np.empty(size, np.uint8), 0
    for number in range(len(places)):
        # byte by byte: a slice would compile the words of an error, too, for seconds
        for place in range(places[number, 1], places[number, 2]):
            taken[at] = data[place]
            at += 1
    return taken
