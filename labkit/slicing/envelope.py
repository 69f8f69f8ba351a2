"""Where lines may be laid: from the bed up, and not beyond the part."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from labkit.slicing.toolpath import Array, Toolpath

ALLOWANCE_MM = 15.0
"""How far skirt, brim and supports may reach beyond the part; the project's own."""

PART_SLACK_MM = 0.5
"""How far the middle of a line of the part may lie outside it; the project's own."""

Mask = npt.NDArray[np.bool_]


def beyond(
    toolpath: Toolpath,
    first_layer_mm: float,
    part_bounds_mm: npt.ArrayLike | None,
    allowance_mm: float = ALLOWANCE_MM,
    most: int = 10,
) -> Iterator[tuple[int, str, str]]:
    """Line, rule and message of what is laid where nothing should be.

    Start code, before the first layer's mark, may prime anywhere.

    Parameters
    ----------
    first_layer_mm : the highest that the first line laid may be above the bed.
    part_bounds_mm : (2, 3) the part's low and high corner, printer frame, or None.
    allowance_mm : for what does not stay on the part.
    most : how many lines of each kind are named.
    """
    laid = toolpath.extruding
    if len(toolpath.layer_offset):
        laid &= toolpath.layer >= 0
    first = int(laid.argmax()) if laid.any() else None
    if first is not None and not 0 < (z := float(toolpath.end[first, 2])) <= first_layer_mm:
        message = f"the first line is laid {z:g} mm above the bed, not 0 to {first_layer_mm:g} mm"
        yield int(toolpath.line[first]), "first-layer", message
    if part_bounds_mm is None:
        return
    low, high = np.asarray(part_bounds_mm, np.float64)
    # the top comes in whole layers
    high = high + np.array([0, 0, first_layer_mm])
    on_part = toolpath.on_part
    for lines, room_mm in ((on_part & laid, PART_SLACK_MM), (laid & ~on_part, allowance_mm)):
        far = lines & (
            _outside(toolpath.start, low, high, room_mm)
            | _outside(toolpath.end, low, high, room_mm)
        )
        for number in np.flatnonzero(far)[:most]:
            x, y, z = toolpath.end[number]
            message = f"a line to X{x:g} Y{y:g} Z{z:g} is more than {room_mm:g} mm beyond the part"
            yield int(toolpath.line[number]), "envelope", message


def _outside(points: Array, low: Array, high: Array, room_mm: float) -> Mask:
    found = np.zeros(len(points), bool)
    for axis in range(3):
        room = room_mm if axis < 2 else 0.0
        found |= points[:, axis] < low[axis] - room
        found |= points[:, axis] > high[axis] + room
    return found
