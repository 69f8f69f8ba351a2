"""What the planes of a series' images must share before they can be stacked."""

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np

from labkit.scan.image import Image
from labkit.volume import Array

PARALLEL = 1e-4
"""Difference of direction cosines that is rounding: 0.05 mm over a field of 500 mm."""

SQUARE = 2e-3
"""Deviation from unit length, or from a right angle, that is rounding of cosines."""

PIXEL_MM = (0.001, 10.0)
"""Pixel spacing from the finest specimen scanner to the coarsest scan one could print."""

FARTHEST_MM = 10_000.0
"""No patient lies ten metres from the isocentre."""


_SIDES = {
    "R": "right",
    "L": "left",
    "A": "front",
    "P": "back",
    "H": "head",
    "F": "feet",
}


def improbable(images: Sequence[Image]) -> str | None:
    """Why the planes of these images cannot form one stack, or None."""
    why = next((why for image in images if (why := _implausible(image))), None)
    return why or _differing(images)


def axes_of(image: Image) -> Array:
    """(3, 3) float64: the unit vectors of i, j and of the normal i × j in LPS, as columns.

    Always right-handed and square: cosines written with few decimals are not quite.
    """
    assert image.orientation is not None
    i = image.orientation[:3] / np.linalg.norm(image.orientation[:3])
    j = image.orientation[3:] - (image.orientation[3:] @ i) * i
    j /= np.linalg.norm(j)
    return np.column_stack([i, j, np.cross(i, j)])


def pixel_of(image: Image) -> Array:
    """(2,) float64, mm: distance of pixel centres along i and along j."""
    assert image.pixel_spacing_mm is not None
    row_spacing, column_spacing = image.pixel_spacing_mm
    return np.array([column_spacing, row_spacing])


def anatomical(vector_lps: Array) -> str:
    """The letters of a direction, the main one first: ``P``, ``PH`` (PS3.3 C.7.6.1.1.1)."""
    letters = [
        pair[int(part > 0)] for pair, part in zip(("RL", "AP", "FH"), vector_lps, strict=True)
    ]
    by_size = np.argsort(-np.abs(vector_lps))
    length = np.linalg.norm(vector_lps)
    return "".join(letters[axis] for axis in by_size if abs(vector_lps[axis]) > 0.1 * length)


def side_of(vector_lps: Array) -> str:
    """The side of the patient that a direction mainly points to, as a word."""
    return _SIDES[anatomical(vector_lps)[0]]


def counted(number: int, noun: str) -> str:
    """A number with its noun: ``1 image``, ``2 images``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _implausible(image: Image) -> str | None:
    if image.position_lps_mm is None:
        return "an image without a readable Image Position (Patient)"
    if image.orientation is None:
        return "an image without a readable Image Orientation (Patient)"
    if image.pixel_spacing_mm is None or min(image.pixel_spacing_mm) <= 0:
        return "an image without a readable Pixel Spacing"
    if not PIXEL_MM[0] <= min(image.pixel_spacing_mm) <= max(image.pixel_spacing_mm) <= PIXEL_MM[1]:
        return f"an improbable Pixel Spacing of {max(image.pixel_spacing_mm):g} mm"
    if np.abs(image.position_lps_mm).max() > FARTHEST_MM:
        return "an improbable Image Position, more than ten metres away"
    i, j = image.orientation[:3], image.orientation[3:]
    if abs(i @ i - 1) > SQUARE or abs(j @ j - 1) > SQUARE or abs(i @ j) > SQUARE / 2:
        return "an Image Orientation that is not two unit vectors at a right angle"
    return None


def _differing(images: Sequence[Image]) -> str | None:
    orientations = np.array([image.orientation for image in images], float)
    pixels = np.array([image.pixel_spacing_mm for image in images], float)
    turned = np.abs(orientations - np.median(orientations, axis=0)).max(axis=1) > PARALLEL
    scaled = np.abs(pixels / np.median(pixels, axis=0) - 1).max(axis=1) > PARALLEL
    odd = {
        "orientation": int(turned.sum()),
        "pixel spacing": int(scaled.sum()),
        "matrix size": _odd([image.shape for image in images]),
        "frame of reference": _odd([image.frame_of_reference_uid for image in images]),
    }
    if not any(odd.values()):
        return None
    which = " and ".join(what for what in odd if odd[what])
    return f"images of different {which}: {max(odd.values())} of {len(images)} differ from the rest"


def _odd(values: Sequence[Hashable]) -> int:
    return len(values) - Counter(values).most_common(1)[0][1]
