"""The lines that a G-code file lays down on the part, with their width and height."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labkit.errors import SlicingError
from labkit.slicing.toolpath import Toolpath, read_toolpath

Array = npt.NDArray[np.float64]


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


def read_printed(path: Path, toolpath: Toolpath | None = None) -> Printed:
    """The lines of the part (no skirt, support or start code) in a G-code file.

    Parameters
    ----------
    toolpath : the file's, where it was read already.

    Raises
    ------
    SlicingError
        No such file, or one that does not state widths and heights.
    """
    read = read_toolpath(path) if toolpath is None else toolpath
    # the first height of a layer is the layer's: a bridge states its own later
    of_layer = np.append(read.layer_height_mm, 0)[read.layer]
    height = _as_written(np.where(of_layer > 0, of_layer, read.height_mm))
    kept = read.on_part & (read.width_mm > 0) & (height > 0)
    if not kept.any():
        raise SlicingError(
            f"{path.name} states no line widths and layer heights",
            expected="the comments ;TYPE:, ;WIDTH: and ;HEIGHT:, as PrusaSlicer writes them",
            where=str(path.parent),
            fix="slice the part with the kit",
        )
    end = read.end[kept]
    return Printed(
        start=read.start[kept, :2],
        end=end[:, :2],
        top=end[:, 2],
        bottom=end[:, 2] - height[kept],
        half_width=_as_written(read.width_mm[kept]) / 2,
    )


def _as_written(sizes_mm: npt.NDArray[np.float32]) -> Array:
    """Single precision keeps seven digits; slicers write six."""
    return sizes_mm.astype(np.float64).round(6)
