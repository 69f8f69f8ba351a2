"""Virtual calipers: the part's dimensions as the tool path will lay them down."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from labkit.errors import SlicingError
from labkit.slicing.printed import Array, Printed, read_printed

_STEP_MM = 0.1
"""How finely lines are followed for what does not lie along the plate's axes."""


def measure(
    gcode: Path,
    features: Sequence[Mapping[str, Any]],
    shift_mm: Sequence[float],
    printed: Printed | None = None,
) -> dict[str, float]:
    """``{feature: mm}``: each planned feature along its axis.

    Parameters
    ----------
    features : as the design recorded them, their regions in the plate frame or in the
        frame that ``to_plate`` names, mm.
    shift_mm : (3,) what the slicer added to bring the part into the printer's frame.
    printed : the lines of the file, where they were read already.

    Raises
    ------
    SlicingError
        Nothing is printed where a feature should be.
    """
    printed = printed or read_printed(gcode)
    shift = np.asarray(shift_mm, float)
    return {
        str(feature["name"]): round(_measured_mm(printed, feature, shift), 4)
        for feature in features
    }


def _measured_mm(printed: Printed, feature: Mapping[str, Any], shift: Array) -> float:
    region, axis = np.asarray(feature["region_mm"], float), "xyz".index(feature["axis"])
    inside = feature.get("kind", "outside") == "inside"
    if feature.get("to_plate") is None and not inside:
        low, high = printed.extent_mm(region + shift)
        return float(high[axis] - low[axis])
    to_plate = np.eye(4) if feature.get("to_plate") is None else np.array(feature["to_plate"])
    points = _rims_near(printed, region, to_plate, shift)
    points = np.column_stack([points - shift, np.ones(len(points))]) @ np.linalg.inv(to_plate).T
    within = ((points[:, :3] >= region[0]) & (points[:, :3] <= region[1])).all(axis=1)
    along = points[within, axis]
    middle = region[:, axis].mean()
    below, above = along[along < middle], along[along >= middle]
    if not len(along) or (inside and not (len(below) and len(above))):
        raise SlicingError(
            f"nothing is printed where {feature['name']} should be",
            expected="some of the part inside the feature's box",
            where=np.array2string(region, precision=1).replace("\n", ""),
            fix="correct the feature's region in the design",
        )
    return float(above.min() - below.max() if inside else along.max() - along.min())


def _rims_near(printed: Printed, region: Array, to_plate: Array, shift: Array) -> Array:
    """(n, 3) float64, mm, printer frame: the outer rims of the lines near a feature's box."""
    corners = np.array(np.meshgrid(*region.T)).reshape(3, -1).T
    corners = corners @ to_plate[:3, :3].T + to_plate[:3, 3] + shift
    low, high = corners.min(axis=0) - 1, corners.max(axis=0) + 1
    ends = np.stack([printed.start, printed.end])
    near = (
        (ends.min(axis=0) <= high[:2]).all(axis=1)
        & (ends.max(axis=0) >= low[:2]).all(axis=1)
        & (printed.top >= low[2])
        & (printed.bottom <= high[2])
    )
    start, way = printed.start[near], (printed.end - printed.start)[near]
    half, length = printed.half_width[near], np.linalg.norm(way, axis=1)
    unit = way / length[:, None]
    count = np.ceil((length + 2 * half) / _STEP_MM).astype(int) + 1
    line = np.repeat(np.arange(len(count)), count)
    number = np.arange(len(line)) - np.repeat(np.cumsum(count) - count, count)
    share = number / np.maximum(count[line] - 1, 1)
    # a line ends half its width beyond its last point
    along = share * (length + 2 * half)[line] - half[line]
    middle = start[line] + along[:, None] * unit[line]
    across = np.column_stack([-unit[:, 1], unit[:, 0]])[line] * half[line, None]
    top, bottom = printed.top[near][line], printed.bottom[near][line]
    return np.vstack(
        [np.column_stack([middle + side * across, z]) for side in (-1, 1) for z in (top, bottom)]
    )
