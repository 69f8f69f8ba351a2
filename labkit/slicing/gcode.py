"""What a G-code file will do: layers, filament, time, bounds, temperatures, tool path."""

import math
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labkit.errors import SlicingError
from labkit.slicing import tallies
from labkit.slicing.planner import Limits, dwell_s, planned_seconds, stated_limits
from labkit.slicing.printed import read_printed
from labkit.slicing.steps import Command, Note
from labkit.slicing.toolpath import Notes, Toolpath, read_toolpath

Array = npt.NDArray[np.float64]

MOST_PATH_POINTS = 200_000

LARGEST_MM = 1e6
"""No printer goes farther; a file that says so is damaged."""

SHORTEST_FLOW_MM = 0.5
"""Shorter moves say little about the flow: their lengths are rounded."""

_STATED_TIME = re.compile(
    r"(?:estimated printing time \(normal mode\) =|.*total estimated time:) "
    r"(?:(\d{1,6})d ?)?(?:(\d{1,6})h ?)?(?:(\d{1,6})m ?)?(?:(\d{1,9})s)?"
)
_CURA_TIME = re.compile(r"TIME:(\d{1,9})")
_SLICER = re.compile(r"generated (?:by|with) (\S+(?: v?\d\S*)?)", re.IGNORECASE)


@dataclass(frozen=True)
class Layer:
    """One layer: its top, where it begins in the file, filament pushed while moving, time."""

    z_mm: float
    offset: int
    extruded_mm: float = 0.0
    time_s: float = 0.0


@dataclass(frozen=True)
class GCode:
    """What a G-code file will do; lengths in mm, printer frame.

    ``bounds_mm`` holds the ends of all moves, ``part_bounds_mm`` the centre lines of
    what stays on the part (no skirt, support or start code); (2, 3) float64, low and
    high, or None where there is nothing.  ``path`` is (n, 4) float32: x, y, z and
    layer number of the ends of extruding moves, thinned to 200 000 rows at most.
    ``moving_time_s`` is distance over commanded speed: a lower bound, since nothing
    accelerates at once.  ``planned_time_s`` is with acceleration and G4; heating,
    homing and levelling are in neither.  ``lines_not_understood`` were left out.

    ``fan_share`` is the share of the planned moves' time with the fan on.
    ``retractions`` are places at which filament is pulled back, the longest of them
    ``longest_retraction_mm``.  ``max_flow_mm3_s`` is the largest flow commanded on more
    than 0.5 mm.  ``feature_time_s`` and ``feature_filament_mm`` are by ``;TYPE:``, "" before
    the first of them; the filament is what is pushed while moving sideways.
    """

    slicer: str
    lines: int
    layers: list[Layer]
    filament_mm: float
    mass_g: float
    stated_time_s: float | None
    moving_time_s: float
    planned_time_s: float
    bounds_mm: Array | None
    part_bounds_mm: Array | None
    hotend_c: list[float]
    bed_c: list[float]
    fan_share: float
    retractions: int
    longest_retraction_mm: float
    max_flow_mm3_s: float
    features: list[str]
    feature_time_s: dict[str, float]
    feature_filament_mm: dict[str, float]
    lines_not_understood: int
    path: npt.NDArray[np.float32]

    @property
    def height_mm(self) -> float:
        """Top of the highest layer above the bed, mm; 0 without layers."""
        return max((layer.z_mm for layer in self.layers), default=0.0)

    @property
    def layer_index(self) -> dict[str, list[float]]:
        """Where each layer begins in the file, its top and its time, for who watches the print."""
        return {
            "offset_bytes": [layer.offset for layer in self.layers],
            "z_mm": [layer.z_mm for layer in self.layers],
            "time_s": [layer.time_s for layer in self.layers],
        }

    @property
    def laid_mm(self) -> float:
        """Filament that is laid without the start and end code, as slicers state it."""
        own = self.feature_filament_mm.items()
        return sum(mm for name, mm in own if name not in ("", "Custom"))


def read_gcode(
    path: Path,
    *,
    filament_diameter_mm: float,
    density_g_cm3: float,
    toolpath: Toolpath | None = None,
    limits: Limits | None = None,
) -> GCode:
    """Layers, filament, time, bounds, temperatures and tool path of a G-code file.

    Layers are those that the slicer marked (``;LAYER_CHANGE``, ``;LAYER:n``), else
    each new height at which something is extruded.  Filament is the largest length
    that was ever pushed, so that a last retraction does not count.

    Parameters
    ----------
    toolpath : the file's, where it was read already.
    limits : the printer's, for the time; left out, those that the file states, else the
        usual ones.

    Raises
    ------
    SlicingError
        No such file, a binary one, or one that never extrudes or goes beyond all printers.
    """
    read = read_toolpath(path) if toolpath is None else toolpath
    read.commands_before  # noqa: B018  made once, before two threads want it
    with ThreadPoolExecutor(1) as beside:
        plan = beside.submit(planned_seconds, read, limits or stated_limits(read) or Limits())
        group, groups = _groups(read)
        # without any statement all that is laid is the part
        stays = read.stays if len(read.features) > 1 else np.ones(1, bool)
        moves = (read.start, read.end, read.extruded_mm, read.feed_mm_min)
        found = tallies.surveyed(*moves, group, groups, read.feature, stays, SHORTEST_FLOW_MM)
        _refuse_unprinted(path, found)
        printed = np.flatnonzero(found.printed)
        shown = printed[:: -(-len(printed) // MOST_PATH_POINTS)]
        seconds = plan.result()
    layer = np.cumsum(found.lines > 0) - 1
    group_s, feature_s, fan_s = tallies.shared(
        *(seconds, group, groups, read.feature, len(read.features)),
        *(read.commands_before, read.held(_fan) > 0),
    )
    moving_s = float(seconds.sum())
    area_mm2 = math.pi * (filament_diameter_mm / 2) ** 2
    return GCode(
        slicer=slicer_of(read),
        lines=read.lines,
        layers=_layer_list(read, found, group_s),
        filament_mm=found.filament,
        mass_g=found.filament * area_mm2 * density_g_cm3 / 1000,
        stated_time_s=stated_time_s(read),
        moving_time_s=found.minutes * 60,
        planned_time_s=moving_s + dwell_s(read),
        bounds_mm=found.box,
        part_bounds_mm=found.part_box if np.isfinite(found.part_box).all() else None,
        hotend_c=_set_temperatures(read, "M104", "M109"),
        bed_c=_set_temperatures(read, "M140", "M190"),
        fan_share=fan_s / moving_s if moving_s else 0.0,
        retractions=found.pulls,
        longest_retraction_mm=found.longest_pull,
        max_flow_mm3_s=found.most_flow / 60 * area_mm2,
        features=[name for name in read.features if name],
        feature_time_s=dict(zip(read.features, feature_s.tolist(), strict=True)),
        feature_filament_mm=dict(zip(read.features, found.laid_by_feature.tolist(), strict=True)),
        lines_not_understood=len(read.faults),
        path=np.column_stack([read.end[shown], layer[group[shown]]]).astype(np.float32),
    )


def _refuse_unprinted(path: Path, found: tallies.Survey) -> None:
    if not found.lines.any():
        raise SlicingError(
            f"{path.name} never extrudes while it moves",
            expected="G-code of a printed part",
            where=str(path.parent),
            fix="export it again from the slicer; it may have been cut off",
        )
    farthest_mm = max(np.abs(found.box).max(), found.most_at_once)
    if farthest_mm > LARGEST_MM:
        raise SlicingError(
            f"{path.name} moves or pushes by {farthest_mm:.3g} mm",
            expected="G-code of a printer",
            where=str(path.parent),
            fix="export it again from the slicer; it is damaged",
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


def stated_time_s(toolpath: Toolpath) -> float | None:
    """What the slicer says how long the print takes, seconds; None where it says nothing."""
    said = (_stated_time(note.text) for note in _notes_with(toolpath, rb"(?i)time"))
    return next((seconds for seconds in said if seconds is not None), None)


def _notes_with(toolpath: Toolpath, pattern: bytes) -> Iterator[Note]:
    notes = toolpath.notes
    return notes.matching(pattern) if isinstance(notes, Notes) else iter(notes)


def slicer_of(toolpath: Toolpath) -> str:
    """The program that made the file, as it says; empty where it does not."""
    said = (_SLICER.search(note.text) for note in _notes_with(toolpath, rb"(?i)generated"))
    return next((found[1] for found in said if found), "")


def _groups(toolpath: Toolpath) -> tuple[npt.NDArray[np.int32], int]:
    """(n,) int32: the layer of each move, also of those in which nothing is laid; how many."""
    if marked := len(toolpath.layer_offset):
        return toolpath.layer, marked
    return tallies.by_height(toolpath.start, toolpath.end, toolpath.extruded_mm)


def _layer_list(toolpath: Toolpath, found: tallies.Survey, group_s: Array) -> list[Layer]:
    """The layers in which something is laid, each with the time of those after it in which not."""
    own = np.flatnonzero(found.lines)
    first, seconds = found.first[own], np.add.reduceat(group_s, own)
    marks = toolpath.layer_offset
    offsets = marks[own] if len(marks) else toolpath.offset[first]
    rows = zip(toolpath.end[first, 2], offsets, found.laid_by_group[own], seconds, strict=True)
    return [Layer(float(z), int(at), float(mm), float(s)) for z, at, mm, s in rows]


def _set_temperatures(toolpath: Toolpath, *names: str) -> list[float]:
    """What the commands of these names set, °C, each once, in order."""
    values = (
        command.words.get("S", command.words.get("R"))
        for command in toolpath.commands
        if command.words and command.name in names
    )
    return list(dict.fromkeys(value for value in values if value is not None))


def _fan(command: Command) -> float | None:
    if command.name not in ("M106", "M107") or (command.words or {}).get("P"):
        return None  # P: another fan than that of the part
    full = (command.words or {}).get("S", 255.0)
    return 0.0 if command.name == "M107" else full


def _stated_time(text: str) -> float | None:
    if said := _CURA_TIME.fullmatch(text):
        return float(said[1])
    if said := _STATED_TIME.search(text):
        days, hours, minutes, seconds = (float(value or 0) for value in said.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return None
