"""What a DICOM Segmentation object of any tool holds, frame by frame."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pydicom
from highdicom.color import CIELabColor
from pydicom.dataset import Dataset
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import SegmentationStorage

from labkit.errors import SegmentationError
from labkit.segmentation.labels.label_map import (
    BONE_RGB,
    Algorithm,
    Code,
    Merging,
    Segment,
    choose_segments,
    name_of_another_tool,
    numbered,
    terminology_of,
)
from labkit.segmentation.labels.stored import StoredLabels, cannot_be_placed, unreadable
from labkit.volume import MAXIMUM_VOXELS, Array, affine

FRACTION = 0.5
"""Share of a fractional segment's maximum from which on a voxel belongs to it (labkit's own)."""

LABELMAP_SEGMENTATION_STORAGE = "1.2.840.10008.5.1.4.1.1.66.7"

TOLERANCE = 0.1
"""How far frames may be off an even stack, in slices and in pixels (labkit's own)."""

_ALGORITHMS: dict[str, Algorithm] = {name: name for name in get_args(Algorithm)}


def stored_seg(path: Path, names: tuple[str, ...] = ()) -> StoredLabels:
    """The segments of a DICOM SEG, binary, fractional or label map, where the file puts them.

    Frames may be missing (empty ones are often left out) and in any order; their place comes
    from Image Position and Image Orientation only.

    Raises
    ------
    SegmentationError
        No whole SEG with its place in the patient; frames that are no even, straight stack;
        segments that overlap.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # they quote the header
            return _stored_seg(pydicom.dcmread(path), names)
    except SegmentationError:
        raise
    except Exception as error:  # a damaged file can make the parser raise anything
        raise unreadable("DICOM file", type(error).__name__) from error


def _stored_seg(seg: Dataset, names: tuple[str, ...]) -> StoredLabels:
    if seg.get("SOPClassUID") not in (SegmentationStorage, LABELMAP_SEGMENTATION_STORAGE):
        raise unreadable("DICOM file", "it is no Segmentation object")
    described = {
        int(item.SegmentNumber): _segment(item)
        for item in seg.SegmentSequence
        if int(item.SegmentNumber)
    }
    wanted = choose_segments(described, names)
    values = numbered(wanted.items())
    value_of = {number: value for number, (value, _) in zip(wanted, values, strict=True)}
    slices, ijk_to_lps, count, findings = _stack(seg)
    shape = (count, int(seg.Rows), int(seg.Columns))
    if np.prod(shape, dtype=float) > MAXIMUM_VOXELS:
        raise unreadable("DICOM SEG", f"a stack of {shape} voxels")
    merging = Merging(np.zeros(shape, np.uint8))
    fractional = seg.get("SegmentationType") == "FRACTIONAL"
    if fractional:
        kind = str(seg.get("SegmentationFractionalType", "fractions")).lower()
        findings.append(f"a segment of {kind}: voxels from {FRACTION:.0%} on are taken")
    least = FRACTION * float(seg.MaximumFractionalValue) if fractional else 1.0
    frames = zip(seg.PerFrameFunctionalGroupsSequence, slices, _pixels(seg), strict=True)
    for groups, k, pixels in frames:
        if seg.SOPClassUID == LABELMAP_SEGMENTATION_STORAGE:
            for number in set(np.unique(pixels).tolist()) & set(value_of):
                merging.add(value_of[number], k, pixels == number)
            continue
        number = int(_group(seg, groups, "SegmentIdentificationSequence").ReferencedSegmentNumber)
        if number not in described:
            raise unreadable("DICOM SEG", f"a frame of segment {number}, which is not described")
        if number in value_of:
            merging.add(value_of[number], k, pixels >= least)
    segments = dict(values)
    frame_uid = str(seg.get("FrameOfReferenceUID", ""))
    return StoredLabels(merging.result(segments), segments, ijk_to_lps, frame_uid, tuple(findings))


def _pixels(seg: Dataset) -> Iterator[npt.NDArray[Any]]:
    """(rows, columns) of each frame, one by one.

    pydicom's own iterator loses its place where frames of single bits do not end with a byte.
    """
    if seg.BitsAllocated != 1 or seg.file_meta.TransferSyntaxUID.is_encapsulated:
        yield from iter_pixels(seg)
        return
    shape = (int(seg.Rows), int(seg.Columns))
    size, packed = shape[0] * shape[1], np.frombuffer(seg.PixelData, np.uint8)
    for start in range(0, size * int(seg.NumberOfFrames), size):
        bits = np.unpackbits(packed[start // 8 : (start + size + 7) // 8], bitorder="little")
        yield bits[start % 8 : start % 8 + size].reshape(shape)


def _stack(seg: Dataset) -> tuple[list[int], Array, int, list[str]]:
    """The slice of each frame, (4, 4) ijk to LPS mm, the number of slices, and findings."""
    frames = list(seg.PerFrameFunctionalGroupsSequence)
    positions = _values(seg, frames, "PlanePositionSequence", "ImagePositionPatient", 3)
    orientations = _values(seg, frames, "PlaneOrientationSequence", "ImageOrientationPatient", 6)
    spacings = _values(seg, frames, "PixelMeasuresSequence", "PixelSpacing", 2)
    if np.ptp(orientations, axis=0).max() > 1e-4 or np.ptp(spacings, axis=0).max() > 1e-4:
        raise cannot_be_placed("its frames differ in orientation or pixel spacing")
    row, column = orientations[0, :3], orientations[0, 3:]
    lengths = np.linalg.norm([row, column], axis=1)
    if np.abs(lengths - 1).max() > 1e-3 or abs(row @ column) > 1e-3 or spacings.min() <= 0:
        raise cannot_be_placed("its rows and columns are not at right angles")
    normal = np.cross(row, column)
    heights = positions @ normal
    first = positions[heights.argmin()]
    aside = positions - first - np.outer(heights - heights.min(), normal)
    if np.linalg.norm(aside, axis=1).max() > TOLERANCE * spacings.min():
        raise cannot_be_placed("its frames do not lie straight above each other")
    heights -= heights.min()
    step, findings = _step(seg, frames[0], np.unique(heights))
    slices = np.rint(heights / step).astype(int)
    if np.abs(heights / step - slices).max() > TOLERANCE:
        raise cannot_be_placed("its slices are not evenly spaced")
    axes_mm = np.column_stack([row * spacings[0, 1], column * spacings[0, 0], normal * step])
    return slices.tolist(), affine(axes_mm, first), int(slices.max()) + 1, findings


def _step(seg: Dataset, frame: Dataset, heights: Array) -> tuple[float, list[str]]:
    """The distance of slices, mm: the one stated when all frames fit it, else the least gap."""
    measures = _group(seg, frame, "PixelMeasuresSequence")
    gaps = np.diff(heights)
    gaps = gaps[gaps > 1e-3]
    stated = abs(float(measures.get("SpacingBetweenSlices") or 0))
    if not gaps.size:
        thickness = stated or float(measures.get("SliceThickness") or 0)
        if thickness <= 0:
            raise cannot_be_placed("one slice, and nothing that says how thick it is")
        return thickness, ["a single slice: the header alone says how thick it is"]
    if stated > 0:
        steps = np.rint(gaps / stated)
        if steps.min() > 0 and np.abs(gaps / stated - steps).max() < TOLERANCE:
            return float(gaps.sum() / steps.sum()), []
    steps = np.rint(gaps / gaps.min())
    return float(gaps.sum() / steps.sum()), [
        "no slice spacing is stated that fits: the smallest gap between slices is taken"
    ]


def _group(seg: Dataset, frame: Dataset, name: str) -> Dataset:
    """The item of a functional group: the frame's own, else the one that all share."""
    shared = seg.get("SharedFunctionalGroupsSequence") or [Dataset()]
    for groups in (frame, shared[0]):
        for item in groups.get(name) or []:
            if isinstance(item, Dataset):
                return item
    raise cannot_be_placed(f"no {name.removesuffix('Sequence')} in a frame")


def _values(seg: Dataset, frames: list[Dataset], group: str, name: str, count: int) -> Array:
    """(frames, count) float64: one attribute of each frame."""
    values = np.array([_group(seg, frame, group).get(name) or [] for frame in frames], float)
    if values.shape != (len(frames), count) or not np.isfinite(values).all():
        raise cannot_be_placed(f"no readable {name} in a frame")
    return np.asarray(values)


def _segment(item: Dataset) -> Segment:
    color = item.get("RecommendedDisplayCIELabValue")
    rgb = CIELabColor.from_dicom_value(color).to_rgb(clip=True) if color else None
    return Segment(
        name=name_of_another_tool(str(item.get("SegmentLabel") or ""), int(item.SegmentNumber)),
        terminology=terminology_of(
            _code(item, "SegmentedPropertyCategoryCodeSequence"),
            _code(item, "SegmentedPropertyTypeCodeSequence"),
        ),
        rgb=BONE_RGB if rgb is None else (rgb[0] / 255, rgb[1] / 255, rgb[2] / 255),
        algorithm=_ALGORITHMS.get(str(item.get("SegmentAlgorithmType")), "SEMIAUTOMATIC"),
        algorithm_name=str(item.get("SegmentAlgorithmName") or "not stated"),
    )


def _code(item: Dataset, name: str) -> Code:
    sequence: Any = item.get(name)
    code = sequence[0] if sequence else Dataset()
    parts = (code.get(key) for key in ("CodeValue", "CodingSchemeDesignator", "CodeMeaning"))
    return Code(*("".join(c for c in str(part or "") if c not in "^~|") for part in parts))
