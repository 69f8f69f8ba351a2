"""A G-code file as the steps that a printer takes, in one pass.

Only what all Marlin versions read in one way is taken as a step; every other line
becomes a `Fault`, never a guess.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from labkit.errors import SlicingError

Point = tuple[float, float, float]

BINARY = "GCDE"
"""How binary G-code begins (github.com/prusa3d/libbgcode, doc/specifications.md)."""

LONGEST_COMMAND = 80
"""Characters: Marlin cuts at MAX_CMD_SIZE = 96, a host adds line number and checksum."""

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)"
_USUAL = re.compile(
    r"G1" + "".join(rf"(?: {axis}(-?\d*\.?\d+))?" for axis in "XYZEF") + r"[ \r]?\n"
)
_MOVE = re.compile(rf"G0?[0-3](?: +[XYZEFIJR]{_NUMBER})+")
_NAME = re.compile(r"[GMT]\d+(?:\.\d+)?(?= |$)")
_WORDS = re.compile(rf"(?: +[A-FH-LO-Z](?:{_NUMBER})?)*")  # G, M, N would begin a new command
_TEXT_FOLLOWS = frozenset(("M117", "M118"))
# what Prusa's start code asks: the firmware's version, the printer's model
_ASKS = re.compile(r'M115 +U\d+\.\d+\.\d+(?:-[A-Za-z0-9.]+)?|M862\.3 +P *"?[A-Za-z0-9.]+"?')


class Move(NamedTuple):
    """G0 to G3, from where to where in the printer's frame (mm)."""

    line: int
    offset: int
    text: str
    start: Point
    end: Point
    extruded_mm: float
    feed_mm_min: float


class Command(NamedTuple):
    """Any other command; ``words`` is None where its arguments are not plain numbers."""

    line: int
    offset: int
    name: str
    words: dict[str, float | None] | None
    text: str


class Note(NamedTuple):
    """A line that is only a comment, without its semicolon."""

    line: int
    offset: int
    text: str


class Fault(NamedTuple):
    """A line that two printers, or a printer and this reader, could take differently."""

    line: int
    offset: int
    rule: str
    message: str


Step = Move | Command | Note | Fault


class Position:
    """Where the nozzle is; the modes that decide what a number means."""

    def __init__(self) -> None:
        self.at: Point = (0.0, 0.0, 0.0)
        self.shift: Point = (0.0, 0.0, 0.0)  # the printer's frame minus the file's, by G92
        self.e = 0.0
        self.feed = 0.0
        self.unit = 1.0
        self.relative = False
        self.relative_e = False

    def move(
        self,
        line: int,
        offset: int,
        text: str,
        words: tuple[str | None, str | None, str | None, str | None, str | None],
    ) -> Move:
        """One move; ``words`` are the numbers of X, Y, Z, E and F, as written."""
        x_word, y_word, z_word, e_word, feed_word = words
        start = x, y, z = self.at
        unit = self.unit
        dx, dy, dz = start if self.relative else self.shift
        if x_word:
            x = float(x_word) * unit + dx
        if y_word:
            y = float(y_word) * unit + dy
        if z_word:
            z = float(z_word) * unit + dz
        extruded = 0.0
        if e_word:
            e = float(e_word) * unit
            extruded = e if self.relative_e else e - self.e
            self.e += extruded
        if feed_word:
            self.feed = float(feed_word) * unit
        self.at = end = (x, y, z)
        return Move(line, offset, text, start, end, extruded, self.feed)

    def obey(self, command: Command) -> None:
        """Take over what a command changes: modes, units, zero points, homing."""
        words = command.words or {}
        match command.name:
            case "G90" | "G91":  # Marlin 2: both also set the mode of E
                self.relative = self.relative_e = command.name == "G91"
            case "M82" | "M83":
                self.relative_e = command.name == "M83"
            case "G20" | "G21":
                self.unit = 25.4 if command.name == "G20" else 1.0
            case "G28":
                homed = [axis in words for axis in "XYZ"]
                if not any(homed):
                    homed = [True] * 3
                pairs = zip(self.at, self.shift, homed, strict=True)
                kept = [(0.0, 0.0) if home else (at, shift) for at, shift, home in pairs]
                self.at = kept[0][0], kept[1][0], kept[2][0]
                self.shift = kept[0][1], kept[1][1], kept[2][1]
            case "G92":
                given = words or dict.fromkeys("XYZE", 0.0)
                new = [
                    at - (given[axis] or 0.0) * self.unit if axis in given else shift
                    for axis, at, shift in zip("XYZ", self.at, self.shift, strict=True)
                ]
                self.shift = new[0], new[1], new[2]
                if "E" in given:
                    self.e = (given["E"] or 0.0) * self.unit


def steps(path: Path) -> Iterator[Step]:
    """The steps of a G-code file for Marlin, in order; coordinates in mm, printer frame.

    Homing is taken to end at 0, 0, 0.  G90 and G91 also set the mode of the
    extruder, as Marlin 2 does (marlinfw.org/docs/gcode/G090.html).  Arcs (G2, G3)
    go straight to their end.

    Raises
    ------
    SlicingError
        No such file, or a binary one (``.bgcode``), which holds no readable lines.
    """
    position = Position()
    offset = 0
    # latin-1 keeps one letter per byte, so that lengths are byte offsets
    with existing(path).open(encoding="latin-1", newline="\n") as stream:
        for number, raw in enumerate(stream, 1):
            if number == 1 and raw.startswith(BINARY):
                raise binary(path)
            yield from steps_of_line(number, offset, raw, position)
            offset += len(raw)


def steps_of_line(number: int, offset: int, raw: str, position: Position) -> Iterator[Step]:
    """The steps of one line, as it stands in the file (latin-1); the position goes with them."""
    if len(raw) <= LONGEST_COMMAND and (usual := _USUAL.fullmatch(raw)):
        words = usual.groups()
        yield position.move(number, offset, raw, words)  # type: ignore[arg-type]
        return
    body, semicolon, comment = raw.partition(";")
    if "\r" in raw.removesuffix("\r\n"):
        # OctoPrint ends a line there, also inside a comment
        yield Fault(number, offset, "unreadable", "a carriage return inside the line")
    if semicolon and not body:
        yield Note(number, offset, note_text(comment))
        return
    if not body.isascii():
        yield Fault(number, offset, "non-ascii", "letters other than ASCII in a command")
        return
    text = body.strip(" \t\r\n")
    if not text:
        return
    if len(text) > LONGEST_COMMAND:
        message = f"{len(text)} characters, more than {LONGEST_COMMAND}"
        yield Fault(number, offset, "long-line", message)
    step = _step(number, offset, text, position)
    if type(step) is Command:
        position.obey(step)
    yield step


def note_text(comment: str) -> str:
    """What a comment says: its bytes (as latin-1) taken as UTF-8, without blanks around it."""
    return comment.strip().encode("latin-1").decode("utf-8", "replace")


def _step(line: int, offset: int, text: str, position: Position) -> Move | Command | Fault:
    if not _MOVE.fullmatch(text):
        return _command(line, offset, text)
    parts = text.split()[1:]
    words = {part[0]: part[1:] for part in parts}
    if len(words) != len(parts):
        return Fault(line, offset, "unreadable", f"a letter twice: {text[:60]}")
    x, y, z, e, feed = (words.get(axis) for axis in "XYZEF")
    return position.move(line, offset, text, (x, y, z, e, feed))


def _command(line: int, offset: int, text: str) -> Command | Fault:
    if text.startswith("@"):
        return Fault(line, offset, "host-command", f"{text[:40]}: runs inside OctoPrint")
    found = _NAME.match(text)
    if not found:
        if "{" in text or "[" in text:
            return Fault(line, offset, "placeholder", f"not filled in: {text[:60]}")
        return Fault(line, offset, "unreadable", f"not a plain command: {text[:60]}")
    name, rest = found[0], text[found.end() :]
    words: dict[str, float | None] | None = None
    if name in _TEXT_FOLLOWS or _ASKS.fullmatch(text):
        words = {}
    elif _WORDS.fullmatch(rest):
        parts = rest.split()
        words = {part[0]: float(part[1:]) if part[1:] else None for part in parts}
        if len(words) != len(parts):
            return Fault(line, offset, "unreadable", f"a letter twice: {text[:60]}")
    elif "{" in rest or "[" in rest:
        return Fault(line, offset, "placeholder", f"not filled in: {text[:60]}")
    return Command(line, offset, name, words, text)


def existing(path: Path) -> Path:
    """The path itself, if it is a file.

    Raises
    ------
    SlicingError
        It is not.
    """
    if path.is_file():
        return path
    raise SlicingError(
        f"no file {path.name}",
        expected="a G-code file",
        where=str(path.parent),
        fix="slice the part first, or name the right file",
    )


def binary(path: Path) -> SlicingError:
    """The refusal of a file that is binary G-code.

    Its only library, libbgcode, is under the AGPL and not on PyPI; and what is checked must
    be what is printed, so that a file is not read by way of another one made of it.
    """
    return SlicingError(
        f"{path.name} is binary G-code",
        expected="G-code as text, which can be read line by line and checked",
        where=str(path.parent),
        fix="switch binary G-code off in the slicer and export again, or turn the file into "
        "text with Prusa's program bgcode, and print that text",
    )
