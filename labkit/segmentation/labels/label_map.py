"""Several structures in one array: what each value means, and where the voxels lie."""

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

import labkit
from labkit.errors import SegmentationError
from labkit.parameters import Structure
from labkit.segmentation.presets import PRESETS
from labkit.volume import Array, Volume, affine

Labels = npt.NDArray[np.uint8]

MAXIMUM_VALUE = 255

Algorithm = Literal["AUTOMATIC", "SEMIAUTOMATIC", "MANUAL"]
"""Segment Algorithm Type (DICOM PS3.3 C.8.20.2.3)."""

BONE_RGB = (0.945, 0.839, 0.569)
STRUCTURE_RGB: dict[str, tuple[float, float, float]] = {
    "soft tissue": (0.502, 0.682, 0.502),
    "skin": (0.694, 0.478, 0.396),
    "vessels": (0.847, 0.396, 0.310),
    "teeth": (1.0, 0.980, 0.863),
}
"""Colours of 3D Slicer's General Anatomy list; what is not named here is bone's."""

_FURTHER_RGB = (
    (0.337, 0.706, 0.914),
    (0.000, 0.620, 0.451),
    (0.902, 0.624, 0.000),
    (0.800, 0.475, 0.655),
    (0.000, 0.447, 0.698),
    (0.835, 0.369, 0.000),
)
"""For structures of the same kind: Okabe and Ito's colours, told apart by colour-blind eyes
too (jfly.uni-koeln.de/color)."""

_TERMS = "Segmentation category and type - {}~{}~{}~^^~Anatomic codes - DICOM master list~^^~^^"
_TISSUE = "SCT^85756007^Tissue"
TISSUE = _TERMS.format("3D Slicer General Anatomy list", _TISSUE, _TISSUE)
"""What 3D Slicer says of a segment that nobody described."""


_PERSONAL = re.compile(r"\^|\d{6}|\b\d{1,4}[-./]\d{1,2}[-./]\d{2,4}\b")
"""A DICOM person name, a number as patients and examinations have it, or a date (labkit's own)."""


def name_of_another_tool(text: str, number: int) -> str:
    """A segment's name as another tool gave it; a neutral one where it may tell who the patient is.

    What is left out is in no product, list or message.
    """
    name = " ".join(text.split())
    if _PERSONAL.search(name):
        return f"segment {number} (name left out)"
    return name or f"segment {number}"


class Code(NamedTuple):
    """A coded term: value, scheme and meaning (DICOM PS3.3 8.1)."""

    value: str
    scheme: str
    meaning: str


def terminology_of(category: Code, kind: Code) -> str:
    """3D Slicer's text for a category and a type of DICOM."""
    terms = (f"{code.scheme}^{code.value}^{code.meaning}" for code in (category, kind))
    return _TERMS.format("DICOM master list", *terms)


@dataclass(frozen=True)
class Segment:
    """What one value of a label map stands for.

    Parameters
    ----------
    name : for a person.
    terminology : coded category and type, in the text form of 3D Slicer's
        ``TerminologyEntry``.
    rgb : red, green and blue to show it in, 0 to 1.
    algorithm : how it came about.
    algorithm_name, algorithm_version : of the method that made it.
    """

    name: str
    terminology: str = TISSUE
    rgb: tuple[float, float, float] = BONE_RGB
    algorithm: Algorithm = "SEMIAUTOMATIC"
    algorithm_name: str = "not stated"
    algorithm_version: str = "not stated"

    @property
    def category(self) -> Code:
        """What kind of thing it is (PS3.16 CID 7150): tissue where the terminology is silent."""
        return self._code(1)

    @property
    def kind(self) -> Code:
        """Which one (PS3.16 CID 7151): tissue where the terminology is silent."""
        return self._code(2)

    def _code(self, place: int) -> Code:
        said = [part.split("^") for part in self.terminology.split("~")]
        complete = len(said) > 2 and all(len(code) == 3 and all(code) for code in said[1:3])
        scheme, value, meaning = said[place] if complete else _TISSUE.split("^")
        return Code(value, scheme, meaning)


@dataclass(frozen=True)
class LabelMap:
    """Structures that do not overlap, with their place in the patient.

    Parameters
    ----------
    labels : (k, j, i) uint8: 0 outside, else the value of a segment; axes as in `Volume`.
    segments : what each value stands for, 1 to 255.
    origin_lps_mm : (3,) float64, mm, LPS: the centre of voxel (0, 0, 0).
    spacing_mm : (3,) float64, mm: distance of voxel centres along i, j, k.
    direction : (3, 3) float64: its columns are the unit vectors of i, j, k in LPS.
    frame_of_reference_uid : the scan's frame, as this lab's pseudonym.
    """

    labels: Labels
    segments: Mapping[int, Segment]
    origin_lps_mm: Array
    spacing_mm: Array
    direction: Array
    frame_of_reference_uid: str = ""

    def __post_init__(self) -> None:
        if self.labels.dtype != np.uint8 or self.labels.ndim != 3:
            raise TypeError(f"labels {self.labels.dtype} of {self.labels.ndim} axes")
        if not all(1 <= value <= MAXIMUM_VALUE for value in self.segments):
            raise ValueError(f"segments {sorted(self.segments)}: not within 1 to {MAXIMUM_VALUE}")

    @classmethod
    def on(cls, volume: Volume, labels: Labels, segments: Mapping[int, Segment]) -> "LabelMap":
        """The label map whose voxels are those of the scan."""
        if labels.shape != volume.voxels.shape:
            raise ValueError(f"labels {labels.shape} on a scan of {volume.voxels.shape}")
        return cls(
            labels=labels,
            segments=dict(sorted(segments.items())),
            origin_lps_mm=volume.origin_lps_mm,
            spacing_mm=volume.spacing_mm,
            direction=volume.direction,
            frame_of_reference_uid=volume.frame_of_reference_uid,
        )

    @property
    def ijk_to_lps(self) -> Array:
        """(4, 4) float64: voxel index (i, j, k, 1) to LPS mm."""
        return affine(self.direction * self.spacing_mm, self.origin_lps_mm)

    def mask(self, *names: str) -> Labels:
        """(k, j, i) uint8: 1 where one of these segments is; of all of them without names."""
        chosen = choose_segments(self.segments, names)
        return revalued(self.labels, dict.fromkeys(chosen, 1))


def structures_labelled(
    labels: Labels, volume: Volume, structures: Sequence[Structure], names: Sequence[str] = ()
) -> LabelMap:
    """The label map of labkit's own structures: value 1 is the first of them, and so on.

    They are named after what they are, or by ``names``, as many.  Of structures of one kind
    the first has its usual colour.
    """
    segments: dict[int, Segment] = {}
    spare = list(_FURTHER_RGB)
    for value, (kind, name) in enumerate(zip(structures, names or structures, strict=True), 1):
        rgb = STRUCTURE_RGB.get(kind, BONE_RGB)
        if rgb in {segment.rgb for segment in segments.values()}:
            rgb = spare[0]
            spare.append(spare.pop(0))
        segments[value] = Segment(
            name=name,
            terminology=PRESETS[kind].terminology,
            rgb=rgb,
            algorithm_name="labkit threshold",
            algorithm_version=labkit.__version__,
        )
    return LabelMap.on(volume, labels, segments)


def revalued(labels: npt.NDArray[np.integer], values: Mapping[int, int]) -> Labels:
    """(k, j, i) uint8: labels with new values; 0 where there is none.

    Plane by plane, since numpy makes eight bytes of every value that it looks up.
    """
    table = np.zeros(np.iinfo(labels.dtype).max + 1, np.uint8)
    table[list(values)] = list(values.values())
    new = np.empty(labels.shape, np.uint8)
    for k, plane in enumerate(labels):
        new[k] = table[plane]
    return new


def choose_segments(segments: Mapping[int, Segment], names: Sequence[str]) -> dict[int, Segment]:
    """The segments with these names, in the order of their values; all without names.

    Raises
    ------
    SegmentationError
        No segment has one of the names.
    """
    wanted = {name.strip().casefold() for name in names}
    there = {segment.name.strip().casefold(): segment.name for segment in segments.values()}
    if missing := sorted(wanted - set(there)):
        nearest = difflib.get_close_matches(missing[0], there, n=1, cutoff=0.0)
        raise SegmentationError(
            f"no segment named {', '.join(missing)}",
            expected=_listed(list(there.values())),
            where="the mask's file",
            fix=f"the nearest name is {there[nearest[0]]}" if nearest else "choose another file",
        )
    return {
        value: segment
        for value, segment in segments.items()
        if not wanted or segment.name.strip().casefold() in wanted
    }


def _listed(names: Sequence[str]) -> str:
    """Some of the names: a learned model has more than a hundred."""
    more = len(names) - 20
    return "one of " + ", ".join(names[:20]) + (f" and {more} more" if more > 0 else "")


def numbered(segments: Iterable[tuple[int, Segment]]) -> list[tuple[int, Segment]]:
    """The segments with values that fit a label map: their own, or 1, 2, 3 … where those do not.

    Raises
    ------
    SegmentationError
        None, or more of them than a label map holds.
    """
    listed = list(segments)
    if not 1 <= len(listed) <= MAXIMUM_VALUE:
        raise SegmentationError(
            f"{len(listed)} segments",
            expected=f"1 to {MAXIMUM_VALUE}",
            where="the mask's file",
            fix="choose the segments to take by name",
        )
    own = {value for value, _ in listed}
    if len(own) == len(listed) and all(1 <= value <= MAXIMUM_VALUE for value in own):
        return listed
    return [(value, segment) for value, (_, segment) in enumerate(listed, 1)]


@dataclass
class Merging:
    """Segments from separate layers on their way into one array."""

    labels: Labels
    overlaps: Counter[tuple[int, int]] = field(default_factory=Counter)

    def add(self, value: int, k: int, inside: npt.NDArray[np.bool_]) -> None:
        """Set plane ``k`` to ``value`` inside, and count what another segment had."""
        target = self.labels[k]
        had = np.bincount(target[inside], minlength=MAXIMUM_VALUE + 1)
        for other in np.flatnonzero(had).tolist():
            if other not in (0, value):
                self.overlaps[other, value] += int(had[other])
        target[inside] = value

    def result(self, segments: Mapping[int, Segment]) -> Labels:
        """(k, j, i) uint8.

        Raises
        ------
        SegmentationError
            Two segments share voxels: which of them would own these, nobody said.
        """
        if self.overlaps:
            pairs = [
                f"{segments[a].name} and {segments[b].name} ({count} voxels)"
                for (a, b), count in self.overlaps.most_common(3)
            ]
            more = len(self.overlaps) - len(pairs)
            raise SegmentationError(
                "segments that overlap: " + ", ".join(pairs) + (f" and {more} more" * bool(more)),
                expected="every voxel in one segment at most",
                where="the mask's file",
                fix="take fewer segments, by name, or separate these in the program that made them",
            )
        return self.labels
