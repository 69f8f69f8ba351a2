"""Whether the person could be recognized from the shape of the head.

A face rendered from an MR of the head matched the right one of 84 photographs in 83 % of cases
(Schwarz et al. 2019, doi 10.1056/NEJMc1908881); DICOM PS3.15 E.3.2 asks to clean such
features.  The kit does not deface, for the shape is what is printed: it says so.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from labkit.scan.facts import SeriesFacts
from labkit.volume import Volume

BONE_HU = 200
SKIN_HU = -200
ENCLOSED_CM2 = 45.0
"""Bone around more than this in one transverse plane is a skull: an adult's vault encloses
100 to 190 cm², a newborn's about 60, a long bone, a spine or ribs under 20."""
_WIDEST_MM = 260.0
_GAP_MM = 8.0
"""Sutures and thin walls that the grey values lose."""
_STEP_MM = 2.0
_PLANES = 48

HEAD_PARTS = frozenset(
    {"BRAIN", "EAR", "EYE", "FACE", "HEAD", "HEADNECK", "IAC", "JAW", "JAWREGION", "MANDIBLE"}
    | {"MAXILLA", "MOUTH", "NOSE", "ORBIT", "SCALP", "SCLERA", "SKULL", "TMJ", "ZYGOMA"}
    | {"CEREBELLUM", "CHEEK", "CIRCLEOFWILLIS", "CORNEA", "EYELID", "MASTOID", "NASOPHARYNX"}
    | {"OPTICCANAL", "PAROTID", "SUBMANDIBULAR", "TONGUE", "WHOLEBODY"}
)
"""Terms of Body Part Examined that take in a part of the head."""

Level = Literal["face", "skull", "unlikely", "unknown"]


@dataclass(frozen=True)
class FaceRisk:
    """What the shape of a scan may give away.

    Parameters
    ----------
    level : ``face``: head with skin; ``skull``: bone of a head, without skin or with skin
        not told; ``unlikely``: no sign of a head; ``unknown``: cannot be told.
    evidence : what speaks for it, a sentence each.
    """

    level: Level
    evidence: tuple[str, ...]

    @property
    def flagged(self) -> bool:
        """Whether a person has to think of it before the scan or the part goes anywhere."""
        return self.level != "unlikely"


def face_risk(volume: Volume, facts: SeriesFacts) -> FaceRisk:
    """Whether a head is in the scan, from grey values in HU and from the header.

    Either of them is enough to flag it; the header alone never clears a scan.  Missed: a
    part of a face without the vault above it when the header does not name the head.
    """
    evidence = []
    if facts.recognizable_visual_features:
        evidence.append("the header says that visual features can be recognized")
    if facts.body_part in HEAD_PARTS:
        evidence.append(f"the header names the body part {facts.body_part}")
    if volume.unit != "HU":
        if evidence:
            return FaceRisk("face", tuple(evidence))
        if facts.body_part:
            return FaceRisk("unlikely", (f"the header names the body part {facts.body_part}",))
        return FaceRisk("unknown", ("grey values without a unit, and no body part in the header",))
    enclosed_cm2, skin = _skull(volume)
    if enclosed_cm2 >= ENCLOSED_CM2:
        evidence.append(f"bone encloses {enclosed_cm2:.0f} cm² in a transverse plane, as a skull")
        evidence.append("soft tissue around the bone" if skin else "no soft tissue around the bone")
        return FaceRisk("face" if skin else "skull", tuple(evidence))
    if evidence:
        return FaceRisk("face", tuple(evidence))
    return FaceRisk("unlikely", (f"bone encloses at most {enclosed_cm2:.0f} cm² in a plane",))


def _skull(volume: Volume) -> tuple[float, bool]:
    """Largest area that bone encloses in a transverse plane, cm², and whether skin lies around."""
    axis = int(np.abs(volume.direction[2]).argmax())  # the axis that runs head to foot
    planes = np.moveaxis(volume.voxels, 2 - axis, 0)
    rows_mm, columns_mm = (float(volume.spacing_mm[a]) for a in (2, 1, 0) if a != axis)
    down, across = (max(1, round(_STEP_MM / step)) for step in (rows_mm, columns_mm))
    pixel_mm = (rows_mm * down, columns_mm * across)
    best = (0.0, False)
    for index in np.unique(np.linspace(0, len(planes) - 1, min(len(planes), _PLANES)).round()):
        best = max(best, _enclosed(planes[int(index), ::down, ::across], pixel_mm))
    return best


def _enclosed(plane: npt.NDArray[np.int16], pixel_mm: tuple[float, float]) -> tuple[float, bool]:
    bone = plane > BONE_HU
    if not bone.any():
        return 0.0, False
    reach = [max(1, round(_GAP_MM / step)) for step in pixel_mm]
    element = np.ones([2 * r + 1 for r in reach], bool)
    margin = [(2 * r, 2 * r) for r in reach]
    closed = ndimage.binary_closing(np.pad(bone, margin), element)
    holes = ndimage.binary_fill_holes(closed) & ~closed
    labels, count = ndimage.label(holes)
    if not count:
        return 0.0, False
    largest = 1 + int(np.bincount(labels.ravel())[1:].argmax())
    hole = labels == largest
    extent = [np.ptp(np.nonzero(hole)[a]) * pixel_mm[a] for a in (0, 1)]
    if max(extent) > _WIDEST_MM:
        return 0.0, False
    head = ndimage.binary_dilation(hole, element)
    skin = ndimage.binary_dilation(head, element) & ~head
    tissue = np.pad(plane, margin, constant_values=-1000) > SKIN_HU
    return float(hole.sum()) * pixel_mm[0] * pixel_mm[1] / 100, bool(tissue[skin].mean() > 0.5)
