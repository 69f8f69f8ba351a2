"""The images of a series seen from their side: where they lie, and what is made of them."""

from collections.abc import Sequence
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from labkit.scan.geometry import Geometry
from labkit.scan.image import Image
from labkit.scan.planes import axes_of, counted, improbable, pixel_of, side_of
from labkit.scan.series import Series
from labkit.views.ink import INK
from labkit.views.picture import ORANGE, SKY, VERMILION, Picture, new_figure, picture_of
from labkit.volume import Array

_SIZE_PX = (1000, 460)


def stack(series: Series) -> Picture:
    """Each image of a series as a line at its true place, from the side, in mm; and the volume.

    The left half shows the images as found: copies and empty places are marked.  The
    right half shows the slices of the volume that comes of them: those that lie on no
    image are marked.  A refused series has its reason in place of it.
    """
    geometry = series.geometry
    figure = new_figure(*_SIZE_PX, f"Series {series.key} from the side")
    left = figure.add_axes((0.07, 0.12, 0.4, 0.7))
    right = figure.add_axes((0.57, 0.12, 0.4, 0.7))
    placed = [image for image in series.images if _has_place(image)]
    found = [counted(len(series.images), "image")]
    sizes = ""
    if placed:
        faults, sizes = _as_found(left, placed, geometry)
        found += faults
    else:
        _says(left, "no image tells where it lies")
    if series.refusal or geometry.shape is None:
        _says(right, f"no volume: {series.refusal or 'not judged'}")
        imported = f"no volume: {series.refusal}"
        right.set_title("not imported", fontsize=10, color=INK)
    else:
        imported = _as_imported(right, geometry)
        right.set_title(imported, fontsize=10, color=INK)
        if placed:
            right.set_ylim(left.get_ylim())
    left.set_title("found: " + ", ".join(found), fontsize=10, color=INK)
    told = "; ".join((*found, imported))
    return picture_of(figure, f"Series {series.key} seen from the side{sizes}: {told}.")


def _has_place(image: Image) -> bool:
    return (
        image.position_lps_mm is not None
        and image.orientation is not None
        and image.pixel_spacing_mm is not None
        and improbable([image]) is None
    )


def _across(geometry: Geometry) -> int:
    """Which of i and j is seen across: the one along which the stack drifts."""
    along_i, along_j = np.abs(geometry.shear_mm_per_mm)
    return 0 if along_i > along_j else 1


def _as_found(ax: Axes, images: Sequence[Image], geometry: Geometry) -> tuple[list[str], str]:
    """Draw the images; what was found of them, and how large they are together."""
    across, axes = _across(geometry), axes_of(images[0])
    positions = np.array([image.position_lps_mm for image in images])
    origin = positions[(positions @ axes[:, 2]).argmin()]
    lines = []
    for image, position in zip(images, positions, strict=True):
        start = position - origin
        length_mm = image.shape[1 - across] * pixel_of(image)[across]
        ends = np.array([start, start + length_mm * axes_of(image)[:, across]])
        lines.append(ends @ axes[:, [across, 2]])
    _draw(ax, lines, INK, "image")
    said = []
    if geometry.doubles:
        used = {id(images[k]) for k in geometry.order}
        copies = [line for line, i in zip(lines, images, strict=True) if id(i) not in used]
        _draw(ax, copies, ORANGE, "copy, left out", linewidths=2.5)
        said.append(f"left out: {counted(geometry.doubles, 'image')} held twice")
    if geometry.missing and geometry.spacing_mm and geometry.along_mm is not None:
        wide = lines[0][1, 0] - lines[0][0, 0]
        shear = geometry.shear_mm_per_mm[across]
        places = np.array(geometry.missing) * geometry.spacing_mm[2]
        empty = [
            np.array([[shear * place, place], [shear * place + wide, place]]) for place in places
        ]
        _draw(ax, empty, VERMILION, "missing", linestyles="dashed", linewidths=1.5)
        said.append(f"{len(places)} missing")
    if geometry.tilt_deg:
        said.append(f"sheared by {geometry.tilt_deg:.1f}° (gantry tilt)")
    return said, _finish(ax, axes[:, across], axes[:, 2])


def _as_imported(ax: Axes, geometry: Geometry) -> str:
    assert geometry.shape is not None and geometry.spacing_mm is not None
    assert geometry.direction is not None
    across, axes = _across(geometry), geometry.direction
    slices, step = geometry.shape[0], geometry.spacing_mm[2]
    start = -geometry.margin_ij[across] * geometry.spacing_mm[across]
    end = start + geometry.shape[2 - across] * geometry.spacing_mm[across]
    lines = [np.array([[start, k * step], [end, k * step]]) for k in range(slices)]
    made_up = set(geometry.interpolated)
    _draw(ax, [line for k, line in enumerate(lines) if k not in made_up], INK, "from an image")
    if made_up:
        _draw(ax, [lines[k] for k in sorted(made_up)], SKY, "interpolated")
    _finish(ax, axes[:, across], axes[:, 2])
    said = f"imported as {slices} slices, one every {step:.3f} mm"
    return f"{said}, {len(made_up)} of them interpolated" if made_up else said


def _draw(ax: Axes, lines: Sequence[Array], colour: str, label: str, **style: Any) -> None:
    thin = {"linewidths": 0.8 if len(lines) < 100 else 0.4}
    ax.add_collection(LineCollection(lines, colors=colour, label=label, **(thin | style)))


def _finish(ax: Axes, across_lps: Array, up_lps: Array) -> str:
    """Label the axes; their sides and sizes in words."""
    ax.autoscale()
    across, up = (f"{side_of(-way)} to {side_of(way)}" for way in (across_lps, up_lps))
    said = f", {ax.dataLim.width:.0f} mm {across}, {ax.dataLim.height:.0f} mm upwards from {up}"
    ax.margins(0.04)
    ax.set_xlabel(f"mm, {across}", fontsize=9)
    ax.set_ylabel(f"mm, {up}", fontsize=9)
    ax.tick_params(labelsize=8)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.06), ncols=3, fontsize=8, frameon=False)
    return said


def _says(ax: Axes, text: str) -> None:
    ax.set_axis_off()
    ax.text(0.5, 0.5, fill(text, 48), ha="center", va="center", fontsize=10, color=INK)
