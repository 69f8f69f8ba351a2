"""Where the images of a series lie, and what a true volume of them takes.

Only Image Position, Image Orientation (Patient) and Pixel Spacing are asked (DICOM PS3.3
C.7.6.2.1.1, C.7.6.3).  What other tags say is compared in `labkit.scan.contradictions`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from labkit.scan.copies import is_copy
from labkit.scan.image import Image
from labkit.scan.planes import axes_of, counted, improbable, pixel_of, side_of
from labkit.volume import Array

POSITION_TOLERANCE_MM = 0.01
"""Image positions are written with two or three decimals; less than this is rounding."""

EVEN = 0.01
"""Share of the spacing by which an image of an even stack may lie off its place."""

STRAIGHT_PIXELS = 0.1
"""Drift over the whole stack, in pixels, that resampling would not better."""

JITTER_PIXELS = 0.5
"""Scatter beside the tilt that is followed; more is a moved table or a wrong tag."""

LARGEST_TILT_DEG = 35.0
"""Gantries tilt by up to 30°; more than this is no tilt but a wrong tag (labkit's own)."""

LARGEST_SPACING_MM = 50.0
"""No series of slices for a model lies farther apart (labkit's own)."""

OVERLAP = 0.2
"""Share of the median gap under which two images are an overlap of two scans."""

MISSING_SHARE = 0.05
"""Share of made-up slices that is let pass when asked; one always (labkit's own)."""

ZONE_SHARE, ZONE_CHANGES = 0.25, 2
"""More empty places than this share, with no more changes of the gap than that along the
stack: the scan has zones of different spacing, and no image is missing."""


@dataclass(frozen=True)
class Limits:
    """What a lab lets the import correct; beyond it a series is refused.

    Parameters
    ----------
    largest_gap_mm : images at varying distances are resampled to even ones while no
        gap is larger, mm.
    interpolate_missing : whether images that are missing from an even stack may be made
        up from their neighbours: never two in a row, nor more than `MISSING_SHARE`.
    """

    largest_gap_mm: float = 2.5
    interpolate_missing: bool = False


@dataclass(frozen=True)
class Geometry:
    """The stack that the images of a series form, and the grid of its volume.

    Parameters
    ----------
    order : indices into the series' images, along the normal; each image that is used.
    along_mm : (n,) float64, mm: where each image of ``order`` lies along the normal,
        from the first.
    drift_mm : (n, 2) float64, mm: how far the first pixel of each image lies along i and
        j from that of the first image; zero where the stack counts as straight.
    shape : (k, j, i) of the volume.
    spacing_mm : along i, j, k of the volume; None when refused.
    origin_lps_mm : (3,) float64, mm, LPS: the centre of the volume's first voxel.
    direction : (3, 3) float64: its columns are the unit vectors of i, j, k in LPS.
    margin_ij : columns and rows that the volume has before those of the first image.
    shear_mm_per_mm : how far the stack drifts along i and along j per mm of normal.
    interpolated : slices k of the volume that lie on no image.
    missing : those of them that an even stack should have had an image for.
    doubles : copies of an image that were left out.
    findings : what was found, a sentence each.
    corrections : what `read_volume` does about it, a sentence each; empty for a true stack.
    refusal : why no true volume comes of it; None if one does.
    """

    order: tuple[int, ...] = ()
    along_mm: Array | None = None
    drift_mm: Array | None = None
    shape: tuple[int, int, int] | None = None
    spacing_mm: tuple[float, float, float] | None = None
    origin_lps_mm: Array | None = None
    direction: Array | None = None
    margin_ij: tuple[int, int] = (0, 0)
    shear_mm_per_mm: tuple[float, float] = (0.0, 0.0)
    interpolated: tuple[int, ...] = ()
    missing: tuple[int, ...] = ()
    doubles: int = 0
    findings: tuple[str, ...] = ()
    corrections: tuple[str, ...] = ()
    refusal: str | None = None

    @property
    def tilt_deg(self) -> float:
        """The angle between the normal and the line along which the images are stacked."""
        return float(np.degrees(np.arctan(np.hypot(*self.shear_mm_per_mm))))

    @property
    def largest_shift_mm(self) -> float:
        """How far an image is moved within its plane, mm; zero for a straight stack."""
        return 0.0 if self.drift_mm is None else float(np.hypot(*self.drift_mm.T).max())

    def as_dict(self) -> dict[str, Any]:
        """The geometry as data for ``series.json``; nothing in it names the patient."""
        return {
            name: value.round(6).tolist() if isinstance(value, np.ndarray) else value
            for name, value in vars(self).items()
            if name != "order"
        } | {"tilt_deg": self.tilt_deg, "largest_shift_mm": self.largest_shift_mm}


class _NoVolumeError(Exception):
    """No true volume comes of the stack; the text is the reason."""


def geometry_of(images: Sequence[Image], limits: Limits) -> Geometry:
    """The geometry of a series' images: a true stack, one to be corrected, or a refusal."""
    reason = improbable(images)
    try:
        return Geometry(refusal=reason) if reason else _stacked(images, limits)
    except _NoVolumeError as refused:
        return Geometry(refusal=str(refused))


def _stacked(images: Sequence[Image], limits: Limits) -> Geometry:
    axes, pixel_mm = axes_of(images[0]), pixel_of(images[0])
    positions = np.array([image.position_lps_mm for image in images])
    order = _without_copies(images, (positions - positions[0]) @ axes)
    if len(order) < 3:
        raise _NoVolumeError(f"only {counted(len(order), 'image')} at different places")
    places = (positions[order] - positions[order[0]]) @ axes
    along, drift = places[:, 2], places[:, :2]
    drift, shear, said = _drift(along, drift, pixel_mm, axes)
    slices, missing, evened = _slices(along, limits, said)
    pixels = drift / pixel_mm
    low = np.floor(pixels.min(axis=0) + STRAIGHT_PIXELS).astype(int)
    high = np.ceil(pixels.max(axis=0) - STRAIGHT_PIXELS).astype(int)
    columns, rows = images[0].shape[::-1] + high - low
    step = float(slices[-1] / (len(slices) - 1))
    after = np.searchsorted(along, slices).clip(1, len(along) - 1)
    gaps = np.minimum(np.abs(along[after] - slices), np.abs(along[after - 1] - slices))
    geometry = Geometry(
        order=tuple(int(index) for index in order),
        along_mm=along,
        drift_mm=drift,
        shape=(len(slices), int(rows), int(columns)),
        spacing_mm=(float(pixel_mm[0]), float(pixel_mm[1]), step),
        origin_lps_mm=positions[order[0]] + axes[:, :2] @ (low * pixel_mm),
        direction=axes,
        margin_ij=(int(-low[0]), int(-low[1])),
        shear_mm_per_mm=shear,
        interpolated=tuple(int(k) for k in np.flatnonzero(gaps > _slack(step))),
        missing=missing,
        doubles=len(images) - len(order),
    )
    findings, corrections = _words(geometry, said, evened)
    return replace(geometry, findings=findings, corrections=corrections)


def _slack(step_mm: float) -> float:
    return max(POSITION_TOLERANCE_MM, EVEN * step_mm)


def _without_copies(images: Sequence[Image], places: Array) -> npt.NDArray[np.int64]:
    """The images in order along the normal, each place once.

    Raises
    ------
    _NoVolumeError
        Different images lie at one place.
    """
    order = np.argsort(places[:, 2], kind="stable")
    kept, differing = [int(order[0])], 0
    for index in (int(index) for index in order[1:]):
        apart = np.abs(places[index] - places[kept[-1]])
        if apart[2] > POSITION_TOLERANCE_MM:
            kept.append(index)
        elif apart.max() > POSITION_TOLERANCE_MM or not is_copy(images[kept[-1]], images[index]):
            differing += 1
            if differing > 3:  # each comparison reads two images
                break
    if differing:
        count = len(order) - len(kept) if differing <= 3 else _coincident(places[order, 2])
        raise _NoVolumeError(
            f"{counted(count, 'image')} where another one lies already (duplicates), "
            "and they are not the same image"
        )
    return np.array(kept)


def _coincident(along: Array) -> int:
    return int((np.diff(along) <= POSITION_TOLERANCE_MM).sum())


def _drift(
    along: Array, drift: Array, pixel_mm: Array, axes: Array
) -> tuple[Array, tuple[float, float], str]:
    """The drift to follow, (n, 2) mm, its shear along i and j, and both in words."""
    within = np.maximum(POSITION_TOLERANCE_MM, STRAIGHT_PIXELS * pixel_mm)
    if (np.abs(drift) <= within).all():
        return np.zeros_like(drift), (0.0, 0.0), ""
    from scipy.stats import theilslopes  # noqa: PLC0415  # slow: only where a stack drifts

    some = slice(None, None, 1 + len(along) // 1000)  # it compares every pair
    slope = np.array([theilslopes(part[some], along[some]).slope for part in drift.T])
    slope = np.where(np.abs(slope) * along[-1] > within, slope, 0.0)
    scatter = drift - np.outer(along, slope)
    scatter = np.abs(scatter - np.median(scatter, axis=0))
    tilt = float(np.degrees(np.arctan(np.hypot(*slope))))
    said = []
    if tilt:
        towards = side_of(axes[:, :2] @ slope)
        said.append(f"the stack is sheared by {tilt:.1f}° (gantry tilt) towards the {towards}")
    if (scatter > within).any():
        said.append(f"images are shifted against each other by up to {scatter.max():.2f} mm")
    words = "; ".join(said)
    if tilt > LARGEST_TILT_DEG:
        raise _NoVolumeError(f"{words}: more than any gantry tilts")
    if (scatter > JITTER_PIXELS * pixel_mm).any():
        raise _NoVolumeError(f"{words}: more than half a pixel off a straight line")
    return np.where(np.abs(drift).max(axis=0) > within, drift, 0.0), (slope[0], slope[1]), words


def _slices(along: Array, limits: Limits, said: str) -> tuple[Array, tuple[int, ...], bool]:
    """Where the slices of the volume lie (mm), which are missing, and whether all are new.

    Raises
    ------
    _NoVolumeError
        The gaps are larger, or more images are missing, than the limits allow.
    """
    steps = np.diff(along)
    step, words = float(np.median(steps)), f"gaps of {_gaps(steps)} mm"
    before = f"{said}; " if said else ""
    if step > LARGEST_SPACING_MM:
        raise _NoVolumeError(f"{before}images {step:g} mm apart")
    even = np.linspace(0, along[-1], len(along))
    if np.abs(even - along).max() <= _slack(step):
        return even, (), False
    if steps.min() < OVERLAP * step:
        raise _NoVolumeError(f"{before}two scans overlap: {words}")
    unit = float(steps[steps < 1.1 * steps.min()].mean())
    count = np.concatenate([[0], np.cumsum(np.rint(steps / unit))]).astype(int)
    unit = float(along[-1] / count[-1])
    empty = np.setdiff1d(np.arange(count[-1] + 1), count)
    changes = np.count_nonzero(np.diff(count, 2))
    zones = len(empty) > ZONE_SHARE * (count[-1] + 1) and changes <= ZONE_CHANGES
    if np.abs(count * unit - along).max() <= _slack(unit) and not zones:
        many = len(empty) > max(1, MISSING_SHARE * (count[-1] + 1))
        text = f"{before}{counted(len(empty), 'image')} missing: {words}"
        if many or (np.diff(empty) == 1).any():
            raise _NoVolumeError(f"{text}, too many to be made up")
        if not limits.interpolate_missing:
            raise _NoVolumeError(f"{text}; made up only where `interpolate_missing` is set")
        return np.arange(count[-1] + 1) * unit, tuple(int(k) for k in empty), False
    if steps.max() > limits.largest_gap_mm + POSITION_TOLERANCE_MM:
        also = f"{before}the gaps also vary, " if said else "the distance between images varies: "
        raise _NoVolumeError(
            f"{also}{_gaps(steps)} mm, where at most {limits.largest_gap_mm:g} mm can be evened out"
        )
    finest = float(np.percentile(steps, 25))
    return np.linspace(0, along[-1], int(np.rint(along[-1] / finest)) + 1), (), True


def _words(geometry: Geometry, said: str, evened: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The findings and the corrections of a geometry, a sentence each."""
    findings, corrections = [said] if said else [], []
    assert geometry.along_mm is not None and geometry.spacing_mm is not None
    if said:
        tilt = f" (gantry tilt {geometry.tilt_deg:.1f}°)" if geometry.tilt_deg else ""
        corrections.append(
            f"straightened{tilt}: images moved within their planes by up to "
            f"{geometry.largest_shift_mm:.2f} mm"
        )
    if evened:
        count, step = len(geometry.interpolated), geometry.spacing_mm[2]
        gaps = _gaps(np.diff(geometry.along_mm))
        findings.append(f"the distance between images varies: {gaps} mm")
        corrections.append(f"evened out: {count} slices interpolated, one every {step:.3f} mm")
    if geometry.missing:
        where = ", ".join(str(k + 1) for k in geometry.missing)
        findings.append(
            f"{counted(len(geometry.missing), 'image')} missing: slice {where} of the volume"
        )
        corrections.append(f"slice {where} made up from the images beside it")
    if geometry.doubles:
        findings.append(
            f"left out: {counted(geometry.doubles, 'image')} that the source holds twice"
        )
    return tuple(findings), tuple(corrections)


def _gaps(steps: Array) -> str:
    gaps = np.unique(steps.round(2))
    return ", ".join(f"{gap:g}" for gap in gaps[:5]) + (" …" if len(gaps) > 5 else "")
