"""One series can hold several stacks: what tells them apart, and what does not."""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from labkit.scan.image import Image
from labkit.volume import Array

MINIMUM_IMAGES = 3
"""Fewer make no volume."""

STACK_TAGS = {
    "ImageType": "image type",
    "ConvolutionKernel": "kernel",
    "EchoTime": "echo time",
    "TemporalPositionIdentifier": "temporal position",
    "TemporalPositionIndex": "temporal position",
    "NominalPercentageOfCardiacPhase": "cardiac phase",
    "TriggerTime": "trigger time",
    "InversionTime": "inversion time",
    "DiffusionBValue": "b-value",
    "StackID": "stack",
    "ReconstructionDiameter": "field of view",
    "SliceThickness": "slice thickness",
    "KVP": "tube voltage",
    "AcquisitionNumber": "acquisition",
}
"""The tags that may tell stacks apart, and what the table calls them."""

_SAID = {"ImageType", "ConvolutionKernel", "ReconstructionDiameter", "SliceThickness", "KVP"}
_PARALLEL = np.cos(np.radians(1))
_SCOUT_WORDS = {"LOCALIZER", "SCOUT", "TOPOGRAM"}


@dataclass(frozen=True)
class Part:
    """The images of one stack.

    Parameters
    ----------
    images : in the order of the source.
    by : what tells them from the other parts; empty for a series of one stack.
    findings : what varies within the stack, a sentence each.
    """

    images: tuple[Image, ...]
    by: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()


def parts_of(images: Sequence[Image]) -> list[Part]:
    """The stacks of a series, the largest first.

    Scouts and other kinds of objects are parts of their own.  Images in different
    planes or frames of reference are told apart where each group can be a volume;
    so are images with different values of one of `STACK_TAGS`, where the groups also
    share room in the patient: a kernel that changes on the way along one stack does
    not cut it.  What differs otherwise (matrix, spacing, the sign of an orientation,
    a single image) stays together, for the geometry to refuse it.
    """
    by_kind = _grouped(images, [(image.sop_class_uid, is_scout(image)) for image in images])
    parts: list[Part] = []
    for group in by_kind:
        name = ("kind of image",) if len(by_kind) > 1 else ()
        parts += _by_plane(Part(tuple(group), name))
    return sorted(parts, key=lambda part: -len(part.images))


def is_scout(image: Image) -> bool:
    """Whether Image Type calls it a scout (PS3.3 C.8.2.1.1.1, value 3)."""
    return bool(_SCOUT_WORDS & set(image.stack[0].upper().split("\\"))) if image.stack else False


def _grouped(images: Sequence[Image], labels: Sequence[Hashable]) -> list[list[Image]]:
    groups: dict[Hashable, list[Image]] = defaultdict(list)
    for image, label in zip(images, labels, strict=True):
        groups[label].append(image)
    return list(groups.values())


def _by_plane(part: Part) -> list[Part]:
    frames = _grouped(part.images, [image.frame_of_reference_uid for image in part.images])
    if len(frames) > 1 and _are_stacks(frames):
        return [
            one
            for group in frames
            for one in _by_plane(Part(tuple(group), (*part.by, "frame of reference")))
        ]
    planes: list[tuple[Array, list[Image]]] = []
    for image in part.images:
        if image.orientation is None:
            return _by_tags(part)
        for orientation, group in planes:
            if np.abs(orientation - image.orientation).max() < 1e-3:
                group.append(image)
                break
        else:
            if len(planes) > len(part.images) / MINIMUM_IMAGES:
                return _by_tags(part)
            planes.append((image.orientation, [image]))
    normals = np.array([np.cross(plane[:3], plane[3:]) for plane, _ in planes])
    alike = np.abs(normals @ normals.T) > _PARALLEL
    if len(planes) > 1 and _are_stacks([g for _, g in planes]) and alike.sum() == len(planes):
        return [
            one for _, group in planes for one in _by_tags(Part(tuple(group), (*part.by, "plane")))
        ]
    return _by_tags(part)


def _by_tags(part: Part, first: int = 0) -> list[Part]:
    findings = []
    for index, (keyword, words) in enumerate(STACK_TAGS.items()):
        labels = [image.stack[index] if image.stack else "" for image in part.images]
        if len(set(labels)) == 1:
            continue
        groups = _grouped(part.images, labels)
        if index >= first and _are_stacks(groups) and _share_room(groups):
            return [
                one
                for group in groups
                for one in _by_tags(Part(tuple(group), (*part.by, words)), index + 1)
            ]
        if keyword in _SAID:
            findings.append(f"images of {len(groups)} values of {words} in one stack")
    return [Part(part.images, tuple(dict.fromkeys(part.by)), tuple(findings))]


def _are_stacks(groups: Sequence[Sequence[Image]]) -> bool:
    return all(len(group) >= MINIMUM_IMAGES for group in groups)


def _share_room(groups: Sequence[Sequence[Image]]) -> bool:
    """Whether any two groups overlap along the normal of the first image."""
    orientation = groups[0][0].orientation
    if orientation is None or any(i.position_lps_mm is None for group in groups for i in group):
        return False
    normal = np.cross(orientation[:3], orientation[3:])
    spans = []
    for group in groups:
        along = np.array([image.position_lps_mm for image in group]) @ normal
        spans.append((float(along.min()), float(along.max())))
    spans.sort()
    return any(after[0] <= before[1] for before, after in pairwise(spans))
