"""The lines that a G-code file lays down on the part, with their width and height."""

import re
from array import array
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labkit.errors import SlicingError
from labkit.slicing.steps import Move, Note, stays_on_part, steps

Array = npt.NDArray[np.float64]

_SIZE = re.compile(r"(WIDTH|HEIGHT):(\d+\.?\d*|\.\d+)")


@dataclass(frozen=True)
class Printed:
    """All lines of the part, mm, printer frame.

    ``start`` and ``end`` are (n, 2) float64, x and y of the centre line; ``top``,
    ``bottom`` and ``half_width`` are (n,) float64.
    """

    start: Array
    end: Array
    top: Array
    bottom: Array
    half_width: Array

    def extent_mm(self, region: npt.ArrayLike | None = None) -> Array:
        """Outer extents inside a box, (2, 3) float64; see `printed_extent_mm`.

        Raises
        ------
        SlicingError
            Nothing is printed in the box.
        """
        open_box = [[-np.inf] * 3, [np.inf] * 3]
        box = np.asarray(open_box if region is None else region, dtype=np.float64)
        first, last = self._shares_inside(box[:, :2])
        inside = (first <= last) & (self.top > box[0, 2]) & (self.bottom < box[1, 2])
        if not inside.any():
            raise SlicingError(
                "nothing is printed in that region",
                expected="some of the part inside the box",
                where=np.array2string(box, precision=1).replace("\n", ""),
                fix="give the box in the printer's frame: the part's own plus the slicer's shift",
            )
        start, half = self.start[inside], self.half_width[inside, None]
        along = self.end[inside] - start
        ends = [start + along * share[inside, None] for share in (first, last)]
        low = *(np.minimum(*ends) - half).min(axis=0), self.bottom[inside].min()
        high = *(np.maximum(*ends) + half).max(axis=0), self.top[inside].max()
        extent: Array = np.clip(np.array([low, high]), box[0], box[1])
        return extent

    def _shares_inside(self, box: Array) -> tuple[Array, Array]:
        """From where to where (0…1) each line's width touches a box in x and y (Liang–Barsky)."""
        half = self.half_width[:, None]
        along = self.end - self.start
        low, high = box[0] - half - self.start, box[1] + half - self.start
        with np.errstate(divide="ignore", invalid="ignore"):
            crossings = np.stack([low, high]) / along
        still = along == 0
        beside = (low > 0) | (high < 0)
        enter = np.where(still, np.where(beside, np.inf, -np.inf), crossings.min(axis=0))
        leave = np.where(still, np.inf, crossings.max(axis=0))
        return np.maximum(enter.max(axis=1), 0.0), np.minimum(leave.min(axis=1), 1.0)


def read_printed(path: Path) -> Printed:
    """The lines of the part (no skirt, support or start code) in a G-code file.

    Raises
    ------
    SlicingError
        No such file, or one that does not state widths and heights.
    """
    rows = array("d")
    width = height = 0.0
    on_part = False
    for step in steps(path):
        if type(step) is Move:
            if on_part and width and height and step.extruded_mm > 0 and step.start != step.end:
                rows.extend((*step.start[:2], *step.end, step.end[2] - height, width / 2))
        elif type(step) is Note:
            if step.text.startswith("TYPE:"):
                on_part = stays_on_part(step.text[5:])
            elif step.text == "LAYER_CHANGE":
                height = 0.0
            elif said := _SIZE.fullmatch(step.text):
                if said[1] == "WIDTH":
                    width = float(said[2])
                else:  # the first after a layer change: a bridge states its own later
                    height = height or float(said[2])
    if not rows:
        raise SlicingError(
            f"{path.name} states no line widths and layer heights",
            expected="the comments ;TYPE:, ;WIDTH: and ;HEIGHT:, as PrusaSlicer writes them",
            where=str(path.parent),
            fix="slice the part with the kit",
        )
    table = np.frombuffer(rows).reshape(-1, 7)
    return Printed(table[:, :2], table[:, 2:4], table[:, 4], table[:, 5], table[:, 6])
