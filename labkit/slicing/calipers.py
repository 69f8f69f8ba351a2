"""Virtual calipers: the part's dimensions as the tool path will lay them down."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from labkit.slicing.printed import read_printed


def measure(
    gcode: Path, features: Sequence[Mapping[str, Any]], shift_mm: Sequence[float]
) -> dict[str, float]:
    """``{feature: mm}``: the extent of each planned feature along its axis.

    Parameters
    ----------
    features : as the design recorded them, their regions in the plate frame, mm.
    shift_mm : (3,) what the slicer added to bring the part into the printer's frame.

    Raises
    ------
    SlicingError
        Nothing is printed where a feature should be.
    """
    printed = read_printed(gcode)
    measured = {}
    for feature in features:
        low, high = printed.extent_mm(np.add(feature["region_mm"], shift_mm))
        axis = "xyz".index(feature["axis"])
        measured[str(feature["name"])] = round(float(high[axis] - low[axis]), 4)
    return measured
