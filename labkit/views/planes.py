"""Three planes through a volume, in the patient's own directions."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labkit.views.picture import (
    INK,
    SKY,
    VERMILION,
    Picture,
    edge_letters,
    new_figure,
    picture_of,
    scale_bar,
)
from labkit.volume import Array, Volume

# Patient axes are 0: R→L, 1: A→P, 2: I→S (LPS).  Radiological convention: the viewer
# stands before the patient or at the feet, so the patient's left is on the right.
_ENDS = (("R", "L"), ("A", "P"), ("I", "S"))
_OBLIQUE_DEG = 10.0
_WIDTH_PX, _HEIGHT_PX = 1200, 500


@dataclass(frozen=True)
class _Plane:
    name: str
    across: int
    """The patient axis that grows to the right of the picture."""
    down: int
    """The patient axis along the columns of the picture."""
    head_up: bool
    """Whether ``down`` is shown with its growing end on top."""

    @property
    def through(self) -> int:
        return 3 - self.across - self.down


_PLANES = (
    _Plane("axial", 0, 1, head_up=False),
    _Plane("coronal", 0, 2, head_up=True),
    _Plane("sagittal", 1, 2, head_up=True),
)


def slices(
    volume: Volume,
    *,
    threshold_hu: float | None = None,
    mask: npt.NDArray[np.bool_] | None = None,
    title: str = "",
    window: tuple[float, float] = (-200.0, 1000.0),
    point_lps_mm: Array | None = None,
) -> Picture:
    """Three orthogonal planes of a volume as one picture, each in true proportions of mm.

    The planes follow the voxels.  Each is named after the direction of the patient
    that it is nearest to; the letters R L A P S I say where its edges lie, and a
    scan that is oblique by more than 10° is said to be.

    Parameters
    ----------
    volume : the scan.
    threshold_hu : draws the line where the grey values cross it, in HU.
    mask : (k, j, i) bool, the volume's own shape: draws its outline, dashed.
    title : a heading.
    window : darkest and brightest grey value shown, in HU.
    point_lps_mm : (3,) float64, mm, LPS: where the planes cross; the middle by default.
    """
    if mask is not None and mask.shape != volume.voxels.shape:
        raise ValueError(f"mask of shape {mask.shape} for a volume of shape {volume.voxels.shape}")
    axis_of, sign_of, oblique_deg = _nearest_axes(volume.direction)
    size = np.array(volume.voxels.shape[::-1])
    centre = (size - 1) / 2 if point_lps_mm is None else volume.to_ijk([point_lps_mm])[0]
    cut_ijk = np.clip(np.round(centre), 0, size - 1).astype(int)
    at_lps_mm = volume.to_lps([cut_ijk])[0]

    extent_mm = (size * volume.spacing_mm)[axis_of]

    figure = new_figure(_WIDTH_PX, _HEIGHT_PX, title)
    for plane, ax in zip(_PLANES, _same_scale(figure, extent_mm), strict=True):
        width_mm, height_mm = extent_mm[plane.across], extent_mm[plane.down]
        grey = _plane_of(volume.voxels, plane, cut_ijk, axis_of, sign_of)
        extent = (0.0, width_mm, height_mm, 0.0)
        ax.imshow(grey, cmap="gray", vmin=window[0], vmax=window[1], extent=extent)
        if threshold_hu is not None:
            _outline(ax, grey, threshold_hu, extent, colors=VERMILION)
        if mask is not None:
            inside = _plane_of(mask, plane, cut_ijk, axis_of, sign_of)
            _outline(ax, inside, 0.5, extent, colors=SKY, linestyles="dashed")
        ax.set_axis_off()
        top, bottom = _ENDS[plane.down][::-1] if plane.head_up else _ENDS[plane.down]
        edge_letters(ax, *_ENDS[plane.across], top, bottom)
        scale_bar(ax, width_mm)
        at = at_lps_mm[plane.through]
        end = _ENDS[plane.through][1 if at >= 0 else 0]
        ax.set_title(f"{plane.name}, at {end} {abs(at):.0f} mm", fontsize=10, color=INK)
    legend = [f"grey: {window[0]:g} to {window[1]:g} HU"]
    if threshold_hu is not None:
        legend.append(f"solid line: {threshold_hu:g} HU")
    if mask is not None:
        legend.append("dashed line: mask")
    if oblique_deg > _OBLIQUE_DEG:
        legend.append(f"oblique scan: planes tilted by {oblique_deg:.0f}°")
    words = " · ".join(legend)
    figure.text(0.99, 0.975, words, ha="right", va="top", fontsize=9, color=INK)
    across, deep, tall = extent_mm
    alt = (
        f"{title + ': ' if title else ''}axial, coronal and sagittal plane of a scan of"
        f" {across:.0f} mm (R to L) × {deep:.0f} mm (A to P) × {tall:.0f} mm (I to S);"
        f" patient left on the right of the axial and coronal plane; {words}."
    )
    return picture_of(figure, alt)


def _nearest_axes(direction: Array) -> tuple[list[int], list[int], float]:
    """For each patient axis: which of i, j, k runs along it, in which sense; and the tilt."""
    left = np.abs(direction).astype(float)
    axis_of, sign_of = [0, 0, 0], [1, 1, 1]
    for _ in range(3):  # the clearest pair first, so that no voxel axis is taken twice
        patient, voxel = np.unravel_index(np.argmax(left), left.shape)
        axis_of[patient] = int(voxel)
        sign_of[patient] = 1 if direction[patient, voxel] >= 0 else -1
        left[patient, :] = left[:, voxel] = -1.0
    cosines = [abs(direction[patient, axis_of[patient]]) for patient in range(3)]
    return axis_of, sign_of, float(np.degrees(np.arccos(np.clip(min(cosines), 0, 1))))


def _plane_of(
    values: npt.NDArray[np.generic],
    plane: _Plane,
    cut_ijk: npt.NDArray[np.int_],
    axis_of: list[int],
    sign_of: list[int],
) -> npt.NDArray[np.generic]:
    """One plane as (rows, columns): columns grow with ``across``, rows run downwards."""
    # the array's axes are k, j, i: axis 2 − n holds voxel axis n
    fixed = axis_of[plane.through]
    cut = np.take(values, cut_ijk[fixed], axis=2 - fixed)
    rest = [n for n in (2, 1, 0) if n != fixed]
    if rest != [axis_of[plane.down], axis_of[plane.across]]:
        cut = cut.T
    if sign_of[plane.across] < 0:
        cut = cut[:, ::-1]
    if (sign_of[plane.down] > 0) == plane.head_up:
        cut = cut[::-1]
    return np.asarray(cut)


def _same_scale(figure: Figure, extent_mm: Array) -> Iterator[Axes]:
    """Axes for the three planes side by side, one millimetre equally long in all."""
    gap_px, head_px, foot_px = 15, 75, 10
    wide = sum(extent_mm[plane.across] for plane in _PLANES)
    tall = max(extent_mm[plane.down] for plane in _PLANES)
    room = (_WIDTH_PX - 4 * gap_px, _HEIGHT_PX - head_px - foot_px)
    px_per_mm = min(room[0] / wide, room[1] / tall)
    left = (_WIDTH_PX - wide * px_per_mm - 2 * gap_px) / 2
    for plane in _PLANES:
        width, height = extent_mm[[plane.across, plane.down]] * px_per_mm
        bottom = _HEIGHT_PX - head_px - height
        yield figure.add_axes(
            (left / _WIDTH_PX, bottom / _HEIGHT_PX, width / _WIDTH_PX, height / _HEIGHT_PX)
        )
        left += width + gap_px


def _outline(
    ax: Axes,
    values: npt.NDArray[np.generic],
    level: float,
    extent: tuple[float, float, float, float],
    **style: Any,
) -> None:
    """The line of a value, through the centres of the pixels as they are drawn."""
    rows, columns = values.shape
    if min(rows, columns) < 2 or not values.min() < level <= values.max():
        return
    x = (np.arange(columns) + 0.5) * extent[1] / columns
    y = (np.arange(rows) + 0.5) * extent[2] / rows
    ax.contour(x, y, values.astype(np.float32), levels=[level], linewidths=1.2, **style)
