"""What other tags say of the place of the images, held against position and orientation.

Geometry comes from Image Position, Image Orientation and Pixel Spacing only.  A tag that
contradicts them moves nothing; it tells that somebody altered the one or the other.

Restrictions
------------
Pixels that were mirrored while every tag stayed as it was look true in every tag.  Only
a mark on the patient, or anatomy that a person knows, shows that: see `_side`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from labkit.scan.facts import SeriesFacts
from labkit.scan.geometry import Geometry
from labkit.scan.image import Image
from labkit.scan.planes import anatomical, pixel_of
from labkit.scan.units import is_cone_beam
from labkit.volume import Array

Outcome = Literal["agrees", "note", "action", "refuse"]

AGREE = 0.01
"""Relative difference of two lengths that is rounding in one of the tags."""

TILT_AGREE_DEG = 1.0
"""The tilt's tag is nominal (PS3.3 C.8.2.1)."""

MATRICES = (128, 256, 320, 340, 384, 400, 512, 640, 768, 1024, 2048)
"""Matrices that scanners reconstruct, from which a smaller image may be cut."""

_LETTERS = {
    "L": (1, 0, 0),
    "R": (-1, 0, 0),
    "P": (0, 1, 0),
    "A": (0, -1, 0),
    "H": (0, 0, 1),
    "F": (0, 0, -1),
}
_DOWN = {"S": "P", "P": "A", "DR": "R", "DL": "L"}
"""Which side of the patient lies on the table (PS3.3 C.7.3.1.1.2)."""


@dataclass(frozen=True)
class CrossCheck:
    """One tag against the geometry.

    Parameters
    ----------
    tag : its name.
    outcome : ``agrees``; ``note`` for what no tag can prove; ``action`` for what a
        person has to look at; ``refuse`` where no true volume can be promised.
    says : a sentence.
    source : the clause of DICOM that the comparison rests on.
    """

    tag: str
    outcome: Outcome
    says: str
    source: str


def cross_checks(
    facts: SeriesFacts, images: Sequence[Image], geometry: Geometry
) -> tuple[CrossCheck, ...]:
    """Each tag that can be held against the geometry of these images, with the outcome."""
    if geometry.refusal or geometry.direction is None:
        return ()
    used = [images[index] for index in geometry.order]
    compare: tuple[Callable[[_Stack], CrossCheck | None], ...] = (
        _flip,
        _patient_orientation,
        _patient_position,
        _target_center,
        _reconstruction_diameter,
        _gantry_tilt,
        _spacing_between_slices,
        _slice_thickness,
        _slice_location,
        _square,
        _frame_of_reference,
        _side,
    )
    stack = _Stack(facts, used, geometry, geometry.direction, pixel_of(used[0]))
    return tuple(check for one in compare if (check := one(stack)))


@dataclass(frozen=True)
class _Stack:
    facts: SeriesFacts
    images: Sequence[Image]
    geometry: Geometry
    direction: Array
    pixel_mm: Array

    @property
    def original(self) -> bool:
        """Whether the pixels are as the scanner first made them (PS3.3 C.7.6.1.1.2)."""
        made_anew = {"MPR", "REFORMATTED", "RESAMPLED"}
        words = self.facts.image_type
        return bool(words) and words[0] == "ORIGINAL" and not made_anew & set(words)

    @property
    def gaps_mm(self) -> Array:
        """The gaps between images, along the normal and through the air."""
        assert self.geometry.along_mm is not None
        normal = float(np.median(np.diff(self.geometry.along_mm)))
        return np.array([normal, normal * np.hypot(1, np.hypot(*self.geometry.shear_mm_per_mm))])

    def check(self, tag: str, source: str, outcome: Outcome, says: str) -> CrossCheck:
        return CrossCheck(tag, outcome, f"{tag}: {says}", f"DICOM PS3.3 {source}")


def _flip(stack: _Stack) -> CrossCheck | None:
    if not stack.facts.flipped:
        return None
    says = "the header says that the pixels were flipped or turned after the scan"
    return stack.check("Image Horizontal Flip, Image Rotation", "C.10.6", "refuse", says)


def _patient_orientation(stack: _Stack) -> CrossCheck | None:
    said = [word.strip().upper() for word in stack.facts.patient_orientation]
    if len(said) != 2 or not all(word and word[0] in _LETTERS for word in said):
        return None
    true = [anatomical(stack.direction[:, axis]) for axis in (0, 1)]
    along = [stack.direction[:, axis] @ _LETTERS[word[0]] for axis, word in enumerate(said)]
    says = f"rows run towards {said[0]} and columns towards {said[1]}"
    if min(along) > 0.1:
        return stack.check("Patient Orientation", "C.7.6.1.1.1", "agrees", says)
    says += f", by Image Orientation towards {true[0]} and {true[1]}"
    if min(along) < -0.5 or stack.original:
        says += ": mirrored, or turned"
        return stack.check("Patient Orientation", "C.7.6.1.1.1", "refuse", says)
    says += ": perhaps left over from the images that these were made from"
    return stack.check("Patient Orientation", "C.7.6.1.1.1", "action", says)


def _patient_position(stack: _Stack) -> CrossCheck | None:
    position = stack.facts.patient_position
    down = _DOWN.get(position[2:])
    axial = abs(stack.direction[2, 2]) > 0.8
    if not (down and axial and stack.original and stack.facts.modality == "CT"):
        return None
    lying = stack.direction[:, 1] @ _LETTERS[down] > 0.5
    from_the_feet = position[:2] != "HF" or stack.direction[2, 2] > 0
    agrees = lying and from_the_feet
    says = f"{position}, and the images lie as a scanner makes them"
    if not agrees:
        says = (
            f"{position}, but rows run towards {anatomical(stack.direction[:, 0])} and columns "
            f"towards {anatomical(stack.direction[:, 1])}: turned, or mirrored; look at the side"
        )
    return stack.check("Patient Position", "C.7.3.1.1.2", "agrees" if agrees else "action", says)


def _target_center(stack: _Stack) -> CrossCheck | None:
    off = 0.0
    for image in (stack.images[0], stack.images[-1]):
        if image.target_center_lps_mm is None or image.position_lps_mm is None:
            return None
        half = (np.array(image.shape[::-1]) - 1) / 2 * stack.pixel_mm
        center = image.position_lps_mm + stack.direction[:, :2] @ half
        away = (center - image.target_center_lps_mm) @ stack.direction
        if abs(away[2]) > stack.gaps_mm[1]:  # some scanners fill it with zeros
            return None
        off = max(off, float(np.abs(away[:2]).max()))
    says = f"{off:.2f} mm from the middle of the images"
    agrees = off <= 1.5 * stack.pixel_mm.max()
    outcome: Outcome = "agrees" if agrees else "refuse" if _whole(stack) else "action"
    if not agrees:
        says += ": the field was cut, or position, orientation or pixel spacing altered"
    return stack.check("Reconstruction Target Center", "C.8.2.1", outcome, says)


def _whole(stack: _Stack) -> bool:
    """Whether the images show the whole reconstructed field, as the scanner made it."""
    diameter = stack.facts.reconstruction_diameter_mm
    width = float((stack.pixel_mm * stack.images[0].shape[::-1]).max())
    return stack.original and (diameter is None or abs(width / diameter - 1) < AGREE)


def _reconstruction_diameter(stack: _Stack) -> CrossCheck | None:
    diameter = stack.facts.reconstruction_diameter_mm
    if not diameter or diameter < 0 or stack.facts.modality != "CT":
        return None
    width = float((stack.pixel_mm * stack.images[0].shape[::-1]).max())
    says = f"{diameter:g} mm, and the images are {width:.1f} mm wide"
    source = "C.8.2.1"
    if abs(width / diameter - 1) < AGREE:
        return stack.check("Reconstruction Diameter", source, "agrees", says)
    matrix = diameter / float(stack.pixel_mm[int(np.argmax(stack.images[0].shape[::-1]))])
    cut = width < diameter and min(abs(matrix / size - 1) for size in MATRICES) < AGREE / 4
    if cut:
        says += f": cut from a matrix of {matrix:.0f}, or Pixel Spacing is wrong"
        return stack.check("Reconstruction Diameter", source, "action", says)
    # of a cone beam it may be the cylinder that is cut from, or cut to, a box
    certain = stack.original and not is_cone_beam(stack.facts)
    says += ": Pixel Spacing altered, or the images cut"
    return stack.check("Reconstruction Diameter", source, "refuse" if certain else "action", says)


def _gantry_tilt(stack: _Stack) -> CrossCheck | None:
    said = stack.facts.gantry_tilt_deg
    if said is None or stack.facts.modality != "CT":
        return None
    true = stack.geometry.tilt_deg
    says = f"{abs(said):g}° said, {true:.1f}° by the positions"
    if abs(abs(said) - true) <= TILT_AGREE_DEG:
        return stack.check("Gantry/Detector Tilt", "C.8.2.1", "agrees", says)
    untilted = true <= TILT_AGREE_DEG and abs(stack.direction[2, 2]) > np.cos(np.radians(0.5))
    if untilted and stack.original:
        says += ": position or orientation was overwritten, or the tilt never written"
        return stack.check("Gantry/Detector Tilt", "C.8.2.1", "refuse", says)
    return stack.check("Gantry/Detector Tilt", "C.8.2.1", "action", f"{says}, which hold")


def _spacing_between_slices(stack: _Stack) -> CrossCheck | None:
    said = stack.facts.spacing_between_slices_mm
    if not said:
        return None
    true = float(stack.gaps_mm[0])
    says = f"{abs(said):g} mm said, {round(true, 3):g} mm by the positions"
    if (np.abs(stack.gaps_mm / abs(said) - 1) < AGREE).any():
        return stack.check("Spacing Between Slices", "C.7.6.2", "agrees", says)
    times = true / abs(said)
    if times > 1.5 and abs(times - round(times)) < AGREE:
        says += f": perhaps only every {round(times)}. image is there"
    return stack.check("Spacing Between Slices", "C.7.6.2", "action", f"{says}, which hold")


def _slice_thickness(stack: _Stack) -> CrossCheck | None:
    said = stack.facts.slice_thickness_mm
    if not said or said < 0:
        return None
    true = float(stack.gaps_mm[0])
    says = f"{said:g} mm, and the images lie {round(true, 3):g} mm apart"
    if true <= 1.5 * said:
        return stack.check("Slice Thickness", "C.7.6.2", "agrees", says)
    says += ": nothing was seen between them, or images are missing all along the stack"
    return stack.check("Slice Thickness", "C.7.6.2", "action", says)


def _slice_location(stack: _Stack) -> CrossCheck | None:
    said = np.array([image.slice_location_mm for image in stack.images], float)
    if not np.isfinite(said).all():
        return None
    steps, source = np.diff(said), "C.7.6.2.1.2"
    if not ((steps > 0).all() or (steps < 0).all()):
        says = "in another order than the positions, which hold"
        return stack.check("Slice Location", source, "action", says)
    assert stack.geometry.along_mm is not None
    length = float(stack.geometry.along_mm[-1]) * stack.gaps_mm / stack.gaps_mm[0]
    reach = abs(float(said[-1] - said[0]))
    says = f"the stack is {round(reach, 2):g} mm long, {round(length[0], 2):g} mm by the positions"
    if np.abs(length - reach).min() > AGREE * reach + 0.1:
        return stack.check("Slice Location", source, "action", f"{says}, which hold")
    return stack.check("Slice Location", source, "agrees", says)


def _square(stack: _Stack) -> CrossCheck | None:
    across, down = stack.pixel_mm
    if stack.facts.modality != "CT" or abs(across / down - 1) < AGREE:
        return None
    says = f"pixels of {across:g} × {down:g} mm are rare in CT: width and height may be swapped"
    return stack.check("Pixel Spacing", "10.7.1.3", "action", says)


def _frame_of_reference(stack: _Stack) -> CrossCheck | None:
    if stack.facts.frame_of_reference_uid:
        return None
    says = "none, so that nothing shows which other series lie in the same place"
    return stack.check("Frame of Reference UID", "C.7.4.1", "action", says)


def _side(stack: _Stack) -> CrossCheck:
    says = (
        "no tag can show that pixels were mirrored; it takes a mark of the side on the "
        "patient, or anatomy that is known"
    )
    return stack.check("Side", "C.7.6.2.1.1", "note", says)
