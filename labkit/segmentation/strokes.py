"""Corrections by hand: strokes of a brush that give the same mask whenever they are repeated."""

import hashlib
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from labkit.errors import SegmentationError
from labkit.files import write_whole
from labkit.profiles import first_fault
from labkit.segmentation.pieces import Box, Mask
from labkit.volume import Array, Volume

Schema = Literal["labkit/strokes/1"]
SCHEMA: Schema = "labkit/strokes/1"

_ROUNDING_MM = 1e-6
"""Voxels whose centre lies on the rim of the brush are inside, on every machine."""

_Point = Annotated[tuple[float, float, float], Field(strict=False)]


class Stroke(BaseModel):
    """One pull of the brush, in the patient's space.

    Parameters
    ----------
    mode : whether it adds to the mask or erases from it.
    plane : where it was drawn, for a person to read.
    normal_lps : unit vector across that plane.
    brush : a disc, which is as thick as one layer of voxels, or a ball.
    radius_mm : of the brush.
    points_lps_mm : where its centre went, in order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    mode: Literal["add", "erase"]
    plane: Literal["axial", "coronal", "sagittal"]
    normal_lps: _Point
    brush: Literal["disc", "ball"] = "disc"
    radius_mm: float = Field(gt=0, le=100)
    points_lps_mm: tuple[_Point, ...] = Field(min_length=1)


class Corrections(BaseModel):
    """What a person corrected, as ``strokes.json`` holds it.

    Parameters
    ----------
    review_minutes : staff time, from start to accept, of all reviews so far.
    mask_sha256 : of the mask that the person accepted; empty where nobody did.
    strokes : in the order in which they were drawn.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    schema_: Schema = Field(default=SCHEMA, alias="schema")
    review_minutes: float = Field(default=0.0, ge=0)
    mask_sha256: str = ""
    strokes: tuple[Stroke, ...] = ()


def apply_strokes(mask: Mask, volume: Volume, strokes: Iterable[Stroke]) -> Mask:
    """The mask (k, j, i) uint8 with the strokes drawn into it, one after the other.

    A voxel is drawn when its centre is no farther from the line through the stroke's points
    than its radius; of a disc, only in the layer of voxels where the stroke begins.
    """
    corrected = mask.copy()
    for stroke in strokes:
        draw(corrected, volume, stroke)
    return corrected


def draw(mask: Mask, volume: Volume, stroke: Stroke) -> Box:
    """Draw one stroke into the mask itself; the part of it that may have changed."""
    # in mm along i, j, k: distances there are those of the patient
    points_mm = volume.to_ijk(stroke.points_lps_mm) * volume.spacing_mm
    across = -1
    if stroke.brush == "disc":
        across = int(np.argmax(np.abs(volume.direction.T @ np.array(stroke.normal_lps))))
    layer = round(float(points_mm[0, across] / volume.spacing_mm[across]))
    size = np.array(mask.shape[::-1])
    value = int(stroke.mode == "add")
    boxes = []
    for start, end in pairwise(points_mm) if len(points_mm) > 1 else [(points_mm[0],) * 2]:
        reach = np.stack([np.minimum(start, end), np.maximum(start, end)])
        reach += [[-stroke.radius_mm], [stroke.radius_mm]]
        low = np.clip(np.floor(reach[0] / volume.spacing_mm), 0, size).astype(int)
        high = np.clip(np.ceil(reach[1] / volume.spacing_mm) + 1, 0, size).astype(int)
        if across >= 0:
            low[across], high[across] = np.clip([layer, layer + 1], 0, size[across])
        if (low >= high).any():
            continue
        box = (slice(low[2], high[2]), slice(low[1], high[1]), slice(low[0], high[0]))
        mask[box][_near(start, end, low, high, volume.spacing_mm, across, stroke.radius_mm)] = value
        boxes.append(box)
    if not boxes:
        return (slice(0, 0), slice(0, 0), slice(0, 0))
    k, j, i = (
        slice(min(box[axis].start for box in boxes), max(box[axis].stop for box in boxes))
        for axis in range(3)
    )
    return k, j, i


def _near(
    start: Array,
    end: Array,
    low: npt.NDArray[np.int_],
    high: npt.NDArray[np.int_],
    spacing_mm: Array,
    across: int,
    radius_mm: float,
) -> npt.NDArray[np.bool_]:
    """(k, j, i) bool: voxel centres from ``low`` to ``high`` within the radius of a line.

    Without the distance along ``across``, the axis through a disc.
    """
    axes = [axis for axis in range(3) if axis != across]
    length2 = sum(float(end[axis] - start[axis]) ** 2 for axis in axes)
    offset = {}
    along: Array = np.zeros((1, 1, 1))
    for axis in axes:
        centres = np.arange(low[axis], high[axis]) * spacing_mm[axis] - start[axis]
        offset[axis] = centres.reshape([-1 if 2 - axis == n else 1 for n in range(3)])
        if length2:
            along = along + offset[axis] * (float(end[axis] - start[axis]) / length2)
    along = np.clip(along, 0.0, 1.0)
    distance2: Array = np.zeros(tuple((high - low)[::-1]))
    for axis in axes:
        distance2 += (offset[axis] - along * (end[axis] - start[axis])) ** 2
    return np.asarray(distance2 <= (radius_mm + _ROUNDING_MM) ** 2)


def mask_sha256(mask: Mask) -> str:
    """The hash of a mask's size and voxels, whatever file it is written to."""
    digest = hashlib.sha256(repr(mask.shape).encode())
    digest.update(np.ascontiguousarray(mask).data)
    return digest.hexdigest()


def write_corrections(corrections: Corrections, path: Path) -> None:
    """Write the corrections as JSON; the same corrections give the same bytes."""
    write_whole(path, corrections.model_dump_json(by_alias=True, indent=1) + "\n")


def read_corrections(path: Path) -> Corrections:
    """The corrections that `write_corrections` wrote.

    Raises
    ------
    SegmentationError
        Not such a file.
    """
    try:
        return Corrections.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        fault = error.strerror if isinstance(error, OSError) else first_fault(error, "the file")
        raise SegmentationError(
            f"strokes that cannot be read: {fault}",
            expected=f"a strokes.json of this kit ({SCHEMA})",
            where="02_segmentation, parameter strokes",
            fix="name the file that a review wrote, or leave the parameter empty",
        ) from error
