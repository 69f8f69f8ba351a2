"""Labels as another tool stored them, before they are brought to the scan."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from labkit.errors import SegmentationError
from labkit.segmentation.labels.label_map import (
    Labels,
    Segment,
    choose_segments,
    numbered,
    revalued,
)
from labkit.volume import Array

_LARGEST_STORED = 65535


@dataclass(frozen=True)
class StoredLabels:
    """The segments of a file, where the file puts them.

    Parameters
    ----------
    labels : (k, j, i) uint8: 0 outside, else the value of a segment.
    segments : what each value stands for.
    ijk_to_lps : (4, 4) float64: voxel index (i, j, k, 1) to LPS mm.
    frame_of_reference_uid : as the file has it, empty where it has none.
    findings : what a person should know, a sentence each.
    origin : where it came from, if labkit kept it: plain data of `importing.keep_mask`.
    """

    labels: Labels
    segments: Mapping[int, Segment]
    ijk_to_lps: Array
    frame_of_reference_uid: str = ""
    findings: tuple[str, ...] = ()
    origin: Mapping[str, Any] = field(default_factory=dict)


def from_values(
    values: npt.NDArray[Any],
    names: tuple[str, ...],
    ijk_to_lps: Array,
    frame_of_reference_uid: str = "",
    known: Mapping[int, Segment] | None = None,
) -> StoredLabels:
    """The segments of an array (k, j, i) whose values are labels.

    Raises
    ------
    SegmentationError
        Values that are no labels (fractions, negative ones, grey values), or none but 0.
    """
    if values.dtype.kind not in "buif":
        raise unreadable("label map", f"values of the type {values.dtype}")
    present = np.zeros(_LARGEST_STORED + 1, bool)
    for plane in values:
        if not (plane.min() >= 0 and plane.max() <= _LARGEST_STORED):  # also refuses NaN
            raise _no_labels("negative values, very large ones or none at all")
        whole = plane.astype(np.uint16)
        if plane.dtype.kind == "f" and not (whole == plane).all():
            raise _no_labels("fractions (probabilities or grey values)")
        present[whole.ravel()] = True
    there = [value for value in np.flatnonzero(present).tolist() if value]
    known = known or {}
    described = {value: known.get(value) or Segment(f"label {value}") for value in there}
    if not there:
        raise empty()
    wanted = choose_segments(described, names)
    pairs = numbered(wanted.items())
    new = dict(zip(wanted, (value for value, _ in pairs), strict=True))
    labels = np.stack([revalued(plane.astype(np.uint16)[None], new)[0] for plane in values])
    return StoredLabels(labels, dict(pairs), ijk_to_lps, frame_of_reference_uid)


def unreadable(kind: str, why: object) -> SegmentationError:
    """The error for a file that cannot be read as labels."""
    return SegmentationError(
        f"a {kind} that cannot be read as a mask ({why})",
        expected="a whole file of labels: DICOM SEG, .seg.nrrd, NRRD or NIfTI",
        where="the mask's file",
        fix="export the mask again in one of these formats",
    )


def cannot_be_placed(why: str) -> SegmentationError:
    """The error for a mask whose place in the patient is unknown."""
    return SegmentationError(
        f"a mask without a known place in the patient: {why}",
        expected="origin, directions and orientation in the file",
        where="the mask's file",
        fix="export it again, with its geometry, from the program that made it",
    )


def empty() -> SegmentationError:
    """The error for a mask without a voxel."""
    return SegmentationError(
        "an empty mask",
        expected="at least one voxel of a structure",
        where="the mask's file",
        fix="choose another mask or other segments",
    )


def _no_labels(what: str) -> SegmentationError:
    return SegmentationError(
        f"values that are no labels: {what}",
        expected="whole numbers, one for each structure, 0 outside",
        where="the mask's file",
        fix="export the segmentation as a label map",
    )
