"""Where the images of a series lie, and what a true volume of them takes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labkit.scan.image import Array, Image

POSITION_TOLERANCE_MM = 0.01
"""Image positions are written with two or three decimals; less than this is rounding."""


@dataclass(frozen=True)
class Limits:
    """What a lab lets the import correct; beyond it a series is refused.

    Parameters
    ----------
    largest_gap_mm : images at varying distances are resampled to even ones while no
        gap is larger, mm.
    interpolate_missing : whether images that are missing from an even stack may be
        made up from their neighbours.
    """

    largest_gap_mm: float = 2.5
    interpolate_missing: bool = False


@dataclass(frozen=True)
class Geometry:
    """The stack that the images of a series form.

    Parameters
    ----------
    order : indices into the series' images, along the normal; each image that is used.
    spacing_mm : along i, j, k of the volume that comes out; None when refused.
    along_mm : (n,) float64, mm: where each image of ``order`` lies along the normal,
        from the first.
    shear_mm_per_mm : how far the stack drifts along i and along j per mm of normal.
    missing : places in the even stack that no image fills, from 0.
    doubles : copies of an image that were left out.
    findings : what was found, a sentence each.
    corrections : what `read_volume` does about it, a sentence each; empty for a true stack.
    refusal : why no true volume comes of it; None if one does.
    """

    order: tuple[int, ...] = ()
    spacing_mm: tuple[float, float, float] | None = None
    along_mm: Array | None = None
    shear_mm_per_mm: tuple[float, float] = (0.0, 0.0)
    missing: tuple[int, ...] = ()
    doubles: int = 0
    findings: tuple[str, ...] = ()
    corrections: tuple[str, ...] = ()
    refusal: str | None = None

    @property
    def tilt_deg(self) -> float:
        """The angle between the normal and the line along which the images are stacked."""
        return float(np.degrees(np.arctan(np.hypot(*self.shear_mm_per_mm))))


def geometry_of(images: Sequence[Image], limits: Limits) -> Geometry:
    """The geometry of a series' images: a true stack, one to be corrected, or a refusal."""
    uneven = _uneven(images)
    return Geometry(refusal=uneven) if uneven else _stacked(images, limits)


def _uneven(images: Sequence[Image]) -> str | None:
    for image in images:
        if image.position_lps_mm is None:
            return "an image without a readable Image Position (Patient)"
        if image.orientation is None:
            return "an image without a readable Image Orientation (Patient)"
        if image.pixel_spacing_mm is None or min(image.pixel_spacing_mm) <= 0:
            return "an image without a readable Pixel Spacing"
    orientations = np.array([image.orientation for image in images], float)
    differing = {
        "matrix size": len({image.shape for image in images}) > 1,
        "pixel spacing": len({image.pixel_spacing_mm for image in images}) > 1,
        "frame of reference": len({image.frame_of_reference_uid for image in images}) > 1,
        "orientation": float(np.ptp(orientations, axis=0).max()) > 1e-4,
    }
    if any(differing.values()):
        return "images of different " + " and ".join(what for what in differing if differing[what])
    orientation = images[0].orientation
    assert orientation is not None
    i, j = orientation[:3], orientation[3:]
    if abs(i @ i - 1) > 2e-3 or abs(j @ j - 1) > 2e-3 or abs(i @ j) > 1e-3:
        return "an Image Orientation that is not two unit vectors at a right angle"
    return None


def _stacked(images: Sequence[Image], limits: Limits) -> Geometry:
    orientation, pixel_spacing_mm = images[0].orientation, images[0].pixel_spacing_mm
    assert orientation is not None and pixel_spacing_mm is not None
    normal = np.cross(orientation[:3], orientation[3:])
    positions = np.array([image.position_lps_mm for image in images])
    order = np.argsort(positions @ normal, kind="stable")
    positions = positions[order]
    steps = np.diff(positions @ normal)
    step = float(np.median(steps))
    slack = max(POSITION_TOLERANCE_MM, 0.01 * step)
    doubles = int((steps < slack).sum())
    if doubles:
        return Geometry(refusal=f"{doubles} images lie where another one lies already (duplicates)")
    drift = np.diff(positions, axis=0) - np.outer(steps, normal)
    shear = float(np.linalg.norm(drift, axis=1).max())
    if shear > slack:
        angle = float(np.degrees(np.arctan2(np.linalg.norm(drift.sum(axis=0)), steps.sum())))
        gaps = _gaps(steps)
        also = f"; the gaps also vary, {gaps} mm" if np.ptp(steps) > slack else ""
        return Geometry(refusal=f"the stack is sheared by {angle:.1f}° (gantry tilt){also}")
    if np.ptp(steps) > slack:
        multiples = steps / steps.min()
        if np.abs(multiples - np.rint(multiples)).max() < 0.01:
            missing = int(np.rint(multiples).sum()) - len(steps)
            return Geometry(refusal=f"{missing} images are missing: gaps of {_gaps(steps)} mm")
        return Geometry(refusal=f"the distance between images varies: {_gaps(steps)} mm")
    row_spacing, column_spacing = pixel_spacing_mm
    along = positions @ normal
    return Geometry(
        order=tuple(int(index) for index in order),
        spacing_mm=(column_spacing, row_spacing, float(steps.mean())),
        along_mm=along - along[0],
    )


def _gaps(steps: npt.NDArray[np.float64]) -> str:
    return ", ".join(f"{gap:g}" for gap in np.unique(steps.round(2))[:5])
