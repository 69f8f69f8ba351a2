"""What a G-code file will do: layers, filament, time, bounds, temperatures, tool path."""

import math
import re
from array import array
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labkit.errors import SlicingError
from labkit.slicing.printed import read_printed
from labkit.slicing.steps import Command, Move, Note, Point, stays_on_part, steps

Array = npt.NDArray[np.float64]

MOST_PATH_POINTS = 200_000

_STATED_TIME = re.compile(
    r"estimated printing time \(normal mode\) = (?:(\d+)d ?)?(?:(\d+)h ?)?(?:(\d+)m ?)?(?:(\d+)s)?"
)
_CURA_TIME = re.compile(r"TIME:(\d+)")
_SLICER = re.compile(r"generated (?:by|with) (\S+(?: v?\d\S*)?)", re.IGNORECASE)


@dataclass
class Layer:
    """One layer: its top, where it begins in the file, filament pushed while moving."""

    z_mm: float
    offset: int
    extruded_mm: float = 0.0


@dataclass(frozen=True)
class GCode:
    """What a G-code file will do; lengths in mm, printer frame.

    ``bounds_mm`` holds the ends of all moves, ``part_bounds_mm`` the centre lines of
    what stays on the part (no skirt, support or start code); (2, 3) float64, low and
    high, or None where there is nothing.  ``path`` is (n, 4) float32: x, y, z and
    layer number of the ends of extruding moves, thinned to 200 000 rows at most.
    ``moving_time_s`` is distance over commanded speed: a lower bound, since nothing
    accelerates at once.  ``lines_not_understood`` were left out.
    """

    slicer: str
    lines: int
    layers: list[Layer]
    filament_mm: float
    mass_g: float
    stated_time_s: float | None
    moving_time_s: float
    bounds_mm: Array | None
    part_bounds_mm: Array | None
    hotend_c: list[float]
    bed_c: list[float]
    features: list[str]
    lines_not_understood: int
    path: npt.NDArray[np.float32]

    @property
    def height_mm(self) -> float:
        """Top of the highest layer above the bed, mm; 0 without layers."""
        return max((layer.z_mm for layer in self.layers), default=0.0)


class _Box:
    """The smallest box around points."""

    def __init__(self) -> None:
        self.low, self.high = [math.inf] * 3, [-math.inf] * 3

    def add(self, point: Point) -> None:
        low, high = self.low, self.high
        for axis in (0, 1, 2):
            value = point[axis]
            if value < low[axis]:  # noqa: PLR1730  twice as quick as min and max
                low[axis] = value
            if value > high[axis]:  # noqa: PLR1730
                high[axis] = value

    def bounds(self) -> Array | None:
        return np.array([self.low, self.high]) if self.low[0] <= self.high[0] else None


def read_gcode(path: Path, *, filament_diameter_mm: float, density_g_cm3: float) -> GCode:
    """Layers, filament, time, bounds, temperatures and tool path of a G-code file.

    Layers are those that the slicer marked (``;LAYER_CHANGE``, ``;LAYER:n``), else
    each new height at which something is extruded.  Filament is the largest length
    that was ever pushed, so that a last retraction does not count.

    Raises
    ------
    SlicingError
        No such file, a binary one, or one that never extrudes.
    """
    reader = _Reader()
    for step in steps(path):
        if type(step) is Move:
            reader.move(step)
        elif type(step) is Note:
            reader.note(step)
        elif type(step) is Command:
            reader.command(step)
        else:
            reader.faults += 1
        reader.lines = step.line
    reader.drop_empty_layer()
    if not reader.points:
        raise SlicingError(
            f"{path.name} never extrudes while it moves",
            expected="G-code of a printed part",
            where=str(path.parent),
            fix="export it again from the slicer; it may have been cut off",
        )
    points = np.frombuffer(reader.points, dtype=np.float32).reshape(-1, 4)
    area_mm2 = math.pi * (filament_diameter_mm / 2) ** 2
    return GCode(
        slicer=reader.slicer,
        lines=reader.lines,
        layers=reader.layers,
        filament_mm=reader.most_filament,
        mass_g=reader.most_filament * area_mm2 * density_g_cm3 / 1000,
        stated_time_s=reader.stated_s,
        moving_time_s=reader.moving_min * 60,
        bounds_mm=reader.everything.bounds(),
        part_bounds_mm=(reader.part if reader.features else reader.extruding).bounds(),
        hotend_c=list(reader.hotend),
        bed_c=list(reader.bed),
        features=[name for name in reader.features if name],
        lines_not_understood=reader.faults,
        path=points[:: -(-len(points) // MOST_PATH_POINTS)].copy(),
    )


def printed_extent_mm(path: Path, region: npt.ArrayLike | None = None) -> Array:
    """Outer extents of what is printed, low and high corner, (2, 3) float64, mm, printer frame.

    Every line of the part (no skirt, support or start code) counts with half its
    width to all sides, also beyond its ends, and from the bottom to the top of its
    layer.  It is what ideal calipers would read on an ideal print: heights come in whole
    layers, and shrinkage, warping and seams are not in it.

    Parameters
    ----------
    path : G-code of PrusaSlicer or Orca, which state each line's width and height.
    region : (2, 3) mm, low and high corner of a box, printer frame; only what lies
        inside it counts, and is cut off at its sides.

    Raises
    ------
    SlicingError
        The file does not state widths and heights, or nothing is printed there.
    """
    return read_printed(path).extent_mm(region)


class _Reader:
    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self.marked = False
        self.features: dict[str, None] = {}
        self.on_part = False
        self.everything, self.part, self.extruding = _Box(), _Box(), _Box()
        self.filament = self.most_filament = 0.0
        self.moving_min = 0.0
        self.stated_s: float | None = None
        self.slicer = ""
        self.hotend: dict[float, None] = {}
        self.bed: dict[float, None] = {}
        self.points = array("f")
        self.faults = self.lines = 0

    def move(self, move: Move) -> None:
        start, end, extruded = move.start, move.end, move.extruded_mm
        distance = abs(extruded)
        if start != end:
            self.everything.add(end)
            distance = math.dist(start, end)
        if move.feed_mm_min > 0:
            self.moving_min += distance / move.feed_mm_min
        self.filament += extruded
        self.most_filament = max(self.most_filament, self.filament)
        if extruded > 0 and start[:2] != end[:2]:
            layers = self.layers
            if not layers or (not self.marked and end[2] > layers[-1].z_mm):
                layers.append(Layer(end[2], move.offset))
            layer = layers[-1]
            if not layer.extruded_mm:
                layer.z_mm = end[2]
            layer.extruded_mm += extruded
            self.points.extend((*end, len(layers) - 1))
            box = self.part if self.on_part else self.extruding
            box.add(start)
            box.add(end)

    def note(self, note: Note) -> None:
        text = note.text
        if text.startswith("TYPE:"):
            feature = text[5:].strip()
            self.features[feature] = None
            self.on_part = stays_on_part(feature)
        elif text == "LAYER_CHANGE" or text.startswith("LAYER:"):
            if not self.marked:
                self.marked = True
                self.layers.clear()  # what came before is start code
                del self.points[:]
            self.drop_empty_layer()
            self.layers.append(Layer(0.0, note.offset))
        elif self.stated_s is None and "time" in text.casefold():
            self.stated_s = _stated_time(text)
        elif not self.slicer and (said := _SLICER.search(text)):
            self.slicer = said[1]

    def command(self, command: Command) -> None:
        if command.words and command.name in ("M104", "M109", "M140", "M190"):
            value = command.words.get("S", command.words.get("R"))
            if value is not None:
                kind = self.hotend if command.name in ("M104", "M109") else self.bed
                kind[value] = None

    def drop_empty_layer(self) -> None:
        if self.layers and not self.layers[-1].extruded_mm:
            self.layers.pop()


def _stated_time(text: str) -> float | None:
    if said := _CURA_TIME.fullmatch(text):
        return float(said[1])
    if said := _STATED_TIME.search(text):
        days, hours, minutes, seconds = (float(value or 0) for value in said.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return None
