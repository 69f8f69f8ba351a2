"""Three planes through a volume, in the patient's own directions."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labkit.views.greys import Window, unit_suffix, windows
from labkit.views.ink import INK
from labkit.views.orientation import ENDS, OBLIQUE_DEG, PLANES, place, turn_upright
from labkit.views.picture import (
    SKY,
    VERMILION,
    Picture,
    edge_letters,
    new_figure,
    picture_of,
    scale_bar,
)
from labkit.volume import Array, Volume

_WIDTH_PX, _HEIGHT_PX = 1200, 500


def slices(
    volume: Volume,
    *,
    threshold_hu: float | None = None,
    mask: npt.NDArray[np.bool_ | np.uint8] | None = None,
    title: str = "",
    window: Window | None = None,
    point_lps_mm: Array | None = None,
) -> Picture:
    """Three orthogonal planes of a volume as one picture, each in true proportions of mm.

    The planes follow the voxels.  Each is named after the direction of the patient
    that it is nearest to; the letters R L A P S I say where its edges lie, and a
    scan that is oblique by more than 10° is said to be.

    Parameters
    ----------
    volume : the scan.
    threshold_hu : draws the line where the grey values cross it, in the volume's unit.
    mask : (k, j, i) bool, or uint8 labels, the volume's own shape: draws the outline of each
        label, dashed.
    title : a heading.
    window : darkest and brightest grey value shown; a usual one by default.
    point_lps_mm : (3,) float64, mm, LPS: where the planes cross; the middle by default.
    """
    if mask is not None and mask.shape != volume.voxels.shape:
        raise ValueError(f"mask of shape {mask.shape} for a volume of shape {volume.voxels.shape}")
    turn = turn_upright(volume.direction)
    upright = turn.volume(volume)
    size = np.array(upright.voxels.shape[::-1])
    centre = (size - 1) / 2 if point_lps_mm is None else upright.to_ijk([point_lps_mm])[0]
    at_ijk = np.clip(np.round(centre), 0, size - 1).astype(int)
    at_lps_mm = upright.to_lps([at_ijk])[0]
    extent_mm = size * upright.spacing_mm
    dark, bright = window or next(iter(windows(volume).values()))
    unit = unit_suffix(volume)

    figure = new_figure(_WIDTH_PX, _HEIGHT_PX, title)
    for plane, ax in zip(PLANES, _same_scale(figure, extent_mm), strict=True):
        width_mm, height_mm = extent_mm[plane.across], extent_mm[plane.down]
        grey = plane.of(upright.voxels, at_ijk)
        extent = (0.0, width_mm, height_mm, 0.0)
        ax.imshow(grey, cmap="gray", vmin=dark, vmax=bright, extent=extent)
        if threshold_hu is not None:
            _outline(ax, grey, threshold_hu, extent, colors=VERMILION)
        if mask is not None:
            labels = plane.of(turn.values(mask), at_ijk)
            for value in np.unique(labels[labels > 0]):
                inside = labels == value
                _outline(ax, inside, 0.5, extent, colors=SKY, linestyles="dashed")
        ax.set_axis_off()
        edge_letters(ax, *ENDS[plane.across], *ENDS[plane.down])
        scale_bar(ax, width_mm)
        at = place(plane.through, at_lps_mm[plane.through])
        ax.set_title(f"{plane.name}, at {at}", fontsize=10, color=INK)
    legend = [f"grey: {dark:g} to {bright:g}{unit}"]
    if threshold_hu is not None:
        legend.append(f"solid line: {threshold_hu:g}{unit}")
    if mask is not None:
        legend.append("dashed line: mask")
    if turn.tilt_deg > OBLIQUE_DEG:
        legend.append(f"oblique scan: planes tilted by {turn.tilt_deg:.0f}°")
    words = " · ".join(legend)
    figure.text(0.99, 0.975, words, ha="right", va="top", fontsize=9, color=INK)
    across, deep, tall = extent_mm
    alt = (
        f"{title + ': ' if title else ''}axial, coronal and sagittal plane of a scan of"
        f" {across:.0f} mm (R to L) × {deep:.0f} mm (A to P) × {tall:.0f} mm (I to S);"
        f" patient left on the right of the axial and coronal plane; {words}."
    )
    return picture_of(figure, alt)


def _same_scale(figure: Figure, extent_mm: Array) -> Iterator[Axes]:
    """Axes for the three planes side by side, one millimetre equally long in all."""
    gap_px, head_px, foot_px = 15, 75, 10
    wide = sum(extent_mm[plane.across] for plane in PLANES)
    tall = max(extent_mm[plane.down] for plane in PLANES)
    room = (_WIDTH_PX - 4 * gap_px, _HEIGHT_PX - head_px - foot_px)
    px_per_mm = min(room[0] / wide, room[1] / tall)
    left = (_WIDTH_PX - wide * px_per_mm - 2 * gap_px) / 2
    for plane in PLANES:
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
