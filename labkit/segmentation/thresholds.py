"""Thresholds that are measured in the scan: Otsu's, and the half height of the edge."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import SimpleITK
from scipy import ndimage

from labkit.errors import SegmentationError
from labkit.volume import AIR_HU, Array, Volume

ThresholdMethod = Literal["set", "otsu", "half height"]
"""A person's value, or one of the two that are measured."""

METAL_HU = 3071
"""The end of the scale of 12 bits that most scanners store."""

OTSU_VOXELS = 4_000_000

PROFILES = 10_000
FEWEST_PROFILES = 200
"""Of 200 profiles that scatter by 60 HU the median scatters by 5 HU."""

STEP_MM = 0.25
IN_FRONT_MM = 20.0
"""A line that meets the structure again so near starts in a marrow cavity or a joint."""

LEAST_EDGE_HU = 100
"""An edge that is lower is noise, or lies between two soft tissues."""

FOOT = 0.1
"""The edge ends where it is a tenth as steep as in its middle: for a Gaussian blur that is
at 98.4 % of its height, on both sides alike."""


PLATEAU, LEVEL = 0.5, 0.1
"""A plateau is half as long as the edge is wide (its height over its steepest slope), and
falls by less than a tenth of that height: a thinner cortex never reaches its grey value."""


@dataclass(frozen=True)
class Threshold:
    """A threshold and how sure it is.

    Parameters
    ----------
    hu : the threshold.
    method : where it comes from.
    spread_hu : robust standard deviation (1.4826 times the median absolute deviation) of
        the half height from place to place; 0 where nothing was measured.
    inside_hu, outside_hu : medians of the grey values on both sides of the edge.
    profiles : how many lines across the edge were used.
    thin_share : share of the edge where the structure is thinner than the edge is wide.
        There its grey value never reaches its plateau: a single threshold makes a thin
        cortex too thick, or loses it (Treece 2010, doi 10.1016/j.media.2010.01.003).
    """

    hu: int
    method: ThresholdMethod
    spread_hu: float = 0.0
    inside_hu: float = 0.0
    outside_hu: float = 0.0
    profiles: int = 0
    thin_share: float = 0.0


def otsu_threshold(volume: Volume, classes: int = 3) -> Threshold:
    """The highest of Otsu's thresholds, in HU: with three classes, air, tissue and bone.

    Air fills most of a scan, so that a single threshold would part the patient from the
    air.  Grey values below air (padding) and above 3071 HU (metal) count as those.  Of large
    scans every second or third voxel along each axis is taken.

    Restrictions
    ------------
    Otsu (1979, doi 10.1109/TSMC.1979.4310076) weighs the classes by their size: the
    threshold moves with the field of view.  A crop box around the structure helps.

    Raises
    ------
    SegmentationError
        The scan holds fewer grey values than classes.
    """
    step = max(1, round((volume.voxels.size / OTSU_VOXELS) ** (1 / 3)))
    hu = np.clip(volume.voxels[::step, ::step, ::step], AIR_HU, METAL_HU)
    low, high = int(hu.min()), int(hu.max())
    if high - low < classes:
        raise SegmentationError(
            f"grey values from {low} to {high} HU only",
            expected="a structure that stands out from its surroundings",
            where="02_segmentation",
            fix="choose another series, or a crop box around the structure",
        )
    otsu = SimpleITK.OtsuMultipleThresholdsImageFilter()
    otsu.SetNumberOfThresholds(classes - 1)
    otsu.SetNumberOfHistogramBins(256)
    otsu.Execute(SimpleITK.GetImageFromArray(hu))
    return Threshold(round(otsu.GetThresholds()[-1]), "otsu")


def half_height_threshold(
    volume: Volume, mask: npt.NDArray[np.uint8], start_hu: float, beside_hu: float = AIR_HU - 100
) -> Threshold:
    """The half height of the structure's outer edge, in HU, measured across its surface.

    Lines of grey values along the normals of the present surface; on each the middle of
    the edge is where it is steepest, and the plateaus lie where it levels off.  The
    threshold is the median over all lines on which both plateaus are there.

    Parameters
    ----------
    mask : (k, j, i) uint8, the structure at the present threshold.
    start_hu : the present threshold; up to about a third of the edge's height off.
    beside_hu : edges to what is darker than this are left out; with -300, those to air
        (sinuses, lungs, the couch).

    Restrictions
    ------------
    Where the structure is thinner than the blur there is no plateau; such lines are left
    out and their share is reported.  A half height holds for one pair of materials: bone
    beside air has another than bone beside muscle, which the spread shows.

    Raises
    ------
    SegmentationError
        Too few places with an edge that levels off on both sides.
    """
    points_ijk, normals_mm = _edge_points(volume, mask, start_hu)
    inward_mm = 3 + 2 * float(volume.spacing_mm.max())
    outwards, inwards = round(IN_FRONT_MM / STEP_MM), round(inward_mm / STEP_MM)
    depth_mm: Array = np.linspace(-outwards, inwards, outwards + inwards + 1) * STEP_MM
    along = points_ijk[:, None] + (normals_mm / volume.spacing_mm)[:, None] * depth_mm[:, None]
    profiles = _sampled(volume, along)
    inside, outside, thick, clear = _plateaus(profiles, depth_mm)
    clear &= outside >= beside_hu
    used = thick & clear
    if used.sum() < FEWEST_PROFILES:
        raise SegmentationError(
            f"{used.sum()} places where the edge at {start_hu:g} HU levels off on both sides",
            expected=f"at least {FEWEST_PROFILES} of them",
            where="02_segmentation",
            fix="set threshold_hu by hand, or start from a value nearer to the structure's edge",
        )
    half = (inside[used] + outside[used]) / 2
    middle = float(np.median(half))
    return Threshold(
        hu=round(middle),
        method="half height",
        spread_hu=1.4826 * float(np.median(np.abs(half - middle))),
        inside_hu=float(np.median(inside[used])),
        outside_hu=float(np.median(outside[used])),
        profiles=int(used.sum()),
        thin_share=float((clear & ~thick).sum() / clear.sum()),
    )


def _edge_points(
    volume: Volume, mask: npt.NDArray[np.uint8], level_hu: float
) -> tuple[Array, Array]:
    """Points (n, 3) in i, j, k where the mask's edge crosses the level, and inward normals.

    The normals (n, 3) are unit vectors in mm along i, j, k.
    """
    inside = mask.view(np.bool_)
    found = []
    for axis in range(3):
        near, far = _pair(inside, axis)
        hits = np.flatnonzero(near != far)
        if len(hits) > PROFILES:
            hits = np.random.default_rng(0).choice(hits, PROFILES, replace=False)
        first = np.stack(np.unravel_index(hits, near.shape), axis=1)
        second = first + np.eye(3, dtype=np.int64)[axis]
        here, there = (volume.voxels[tuple(at.T)].astype(float) for at in (first, second))
        share = (level_hu - here) / np.where(here == there, 1, there - here)
        crossing = (share >= 0) & (share <= 1)  # elsewhere the mask was cut or filled
        found.append((first + share[:, None] * (second - first))[crossing][:, ::-1])
    points = np.concatenate(found)
    if len(points) > PROFILES:
        points = np.random.default_rng(0).choice(points, PROFILES, replace=False, axis=0)
    gradient = np.zeros_like(points)
    for offset in np.ndindex(3, 3, 3):
        step = np.array(offset) - 1
        value = _sampled(volume, points + step)
        gradient += value[:, None] * step * 2.0 ** -np.abs(step).sum()
    gradient /= volume.spacing_mm
    length = np.linalg.norm(gradient, axis=1, keepdims=True)
    steep = length[:, 0] > 0
    return points[steep], gradient[steep] / length[steep]


def _pair(
    inside: npt.NDArray[np.bool_], axis: int
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    near: list[slice] = [slice(None)] * 3
    far = near.copy()
    near[axis], far[axis] = slice(None, -1), slice(1, None)
    return inside[tuple(near)], inside[tuple(far)]


def _sampled(volume: Volume, points_ijk: Array) -> Array:
    """Grey values between the voxels, trilinear; beyond the scan those of its border."""
    places = np.moveaxis(points_ijk[..., ::-1], -1, 0)
    return np.asarray(
        ndimage.map_coordinates(volume.voxels, places, np.float64, order=1, mode="nearest")
    )


def _plateaus(
    profiles: Array, depth_mm: Array
) -> tuple[Array, Array, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Grey values (n,) inside and outside the edge, from lines (n, m) that run inwards.

    With them, whether the structure is thicker than the edge is wide, and whether there is
    one edge that levels off, with nothing of that grey value in front of it.
    """
    smooth = ndimage.uniform_filter1d(profiles, 3, axis=1, mode="nearest")
    slope = np.gradient(smooth, STEP_MM, axis=1)
    rows, place = np.arange(len(profiles)), np.arange(len(depth_mm))
    middle = np.argmax(np.where(np.abs(depth_mm) <= 2, slope, -np.inf), axis=1)
    steepest = slope[rows, middle]
    before, after = place < middle[:, None], place > middle[:, None]
    flat = slope < FOOT * steepest[:, None]
    foot_inside = np.argmax(flat & after, axis=1)
    foot_outside = len(place) - 1 - np.argmax((flat & before)[:, ::-1], axis=1)
    inside, outside = smooth[rows, foot_inside], smooth[rows, foot_outside]
    half = (inside + outside)[:, None] / 2
    height = (inside - outside)[:, None]
    width = height / np.maximum(steepest, 1e-9)[:, None] / STEP_MM
    plateau = (place > foot_inside[:, None]) & (place <= foot_inside[:, None] + PLATEAU * width)
    thick = ~(plateau & (smooth < inside[:, None] - LEVEL * height)).any(axis=1)
    clear = ~(before & (smooth > half)).any(axis=1)
    clear &= (flat & after).any(axis=1) & (flat & before).any(axis=1)
    clear &= inside - outside >= LEAST_EDGE_HU
    return inside, outside, thick, clear
