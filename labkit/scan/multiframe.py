"""The frames of an enhanced multi-frame object, each with a header as a classic image has it."""

from pydicom.dataset import Dataset
from pydicom.uid import (
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    XRay3DAngiographicImageStorage,
    XRay3DCraniofacialImageStorage,
)

CONE_BEAM = {str(XRay3DAngiographicImageStorage), str(XRay3DCraniofacialImageStorage)}
"""Volumes that are reconstructed from cone-beam projections."""

MULTIFRAME = CONE_BEAM | {
    str(EnhancedCTImageStorage),
    str(EnhancedMRImageStorage),
    str(LegacyConvertedEnhancedCTImageStorage),
    str(LegacyConvertedEnhancedMRImageStorage),
}
"""Objects whose frames say where they lie (PS3.3 C.7.6.16)."""

GROUP_TAGS = ["SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"]

LARGEST_NUMBER_OF_FRAMES = 20_000

_CLASSIC = {
    "FrameType": "ImageType",
    "EffectiveEchoTime": "EchoTime",
    "FrameLaterality": "ImageLaterality",
}
"""Attributes of a frame (PS3.3 C.7.6.16.2, C.8.13.5, C.8.15.3) with a classic namesake."""


def frames_of(dataset: Dataset) -> list[Dataset]:
    """One flat header per frame: the object's own tags, then shared, then its own groups.

    Each functional group is a sequence of one item (PS3.3 C.7.6.16.1.1); what stands in
    the frame's group stands before what all frames share.  A classic image is its own
    only frame.

    Raises
    ------
    ValueError
        More frames than any scan has.
    """
    if str(dataset.get("SOPClassUID") or "") not in MULTIFRAME:
        return [dataset]
    groups = dataset.get("PerFrameFunctionalGroupsSequence") or []
    if len(groups) > LARGEST_NUMBER_OF_FRAMES:
        raise ValueError(f"{len(groups)} frames")
    common = Dataset()
    common.update(dataset)
    for item in list(dataset.get("SharedFunctionalGroupsSequence") or [])[:1]:
        _flatten(item, common)
    frames = []
    for item in groups:
        frame = Dataset()
        frame.update(common)
        _flatten(item, frame)
        frames.append(frame)
    return frames or [common]


def _flatten(groups: Dataset, into: Dataset) -> None:
    for tag in list(groups.keys()):
        group = groups[tag]
        if group.VR != "SQ" or not group.value:
            continue
        item = group.value[0]
        for inner in list(item.keys()):
            into[inner] = item.get_item(inner)
        for keyword, classic in _CLASSIC.items():
            if keyword in item:
                setattr(into, classic, item[keyword].value)
