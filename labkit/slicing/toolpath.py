"""A G-code file as arrays: every move with what was in force when it is made."""

from array import array
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labkit.slicing.steps import Command, Fault, Move, Note, stays_on_part, steps

Array = npt.NDArray[np.float64]


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
    features: tuple[str, ...]
    commands: tuple[Command, ...]
    notes: tuple[Note, ...]
    faults: tuple[Fault, ...]
    lines: int

    @property
    def on_part(self) -> npt.NDArray[np.bool_]:
        """(n,) bool: what stays on the part is laid down: no skirt, support or start code."""
        stays = np.array([stays_on_part(name) for name in self.features])
        sideways = (self.start[:, :2] != self.end[:, :2]).any(axis=1)
        return np.asarray(stays[self.feature] & (self.extruded_mm > 0) & sideways)


def read_toolpath(path: Path) -> Toolpath:
    """The moves of a G-code file, and what was in force at each.

    Raises
    ------
    SlicingError
        No such file, or a binary one.
    """
    whole, numbers, sizes = array("q"), array("d"), array("f")
    features = {"": 0}
    feature, layer, width, height = 0, -1, 0.0, 0.0
    others: dict[type, list[Command | Note | Fault]] = {Command: [], Note: [], Fault: []}
    lines = 0
    for step in steps(path):
        lines = step.line
        if type(step) is Move:
            whole.extend((step.line, step.offset, layer, feature))
            numbers.extend((*step.start, *step.end, step.extruded_mm, step.feed_mm_min))
            sizes.extend((width, height))
            continue
        others[type(step)].append(step)  # type: ignore[arg-type]
        if type(step) is Note:
            text = step.text
            if text.startswith("TYPE:"):
                feature = features.setdefault(text[5:].strip(), len(features))
            elif text == "LAYER_CHANGE" or text.startswith("LAYER:"):
                layer += 1
            elif text.startswith("WIDTH:"):
                width = float(text[6:])
            elif text.startswith("HEIGHT:"):
                height = float(text[7:])
    table = np.frombuffer(whole, np.int64).reshape(-1, 4)
    values = np.frombuffer(numbers).reshape(-1, 8)
    size = np.frombuffer(sizes, np.float32).reshape(-1, 2)
    return Toolpath(
        line=table[:, 0],
        offset=table[:, 1],
        start=values[:, :3],
        end=values[:, 3:6],
        extruded_mm=values[:, 6],
        feed_mm_min=values[:, 7],
        layer=table[:, 2].astype(np.int32),
        feature=table[:, 3].astype(np.int16),
        width_mm=size[:, 0],
        height_mm=size[:, 1],
        features=tuple(features),
        commands=tuple(others[Command]),  # type: ignore[arg-type]
        notes=tuple(others[Note]),  # type: ignore[arg-type]
        faults=tuple(others[Fault]),  # type: ignore[arg-type]
        lines=lines,
    )
