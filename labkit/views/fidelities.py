"""Whether the tool path is the part, layer by layer."""

import numpy as np
from matplotlib.axes import Axes

from labkit.slicing.fidelity import Fidelity
from labkit.views.ink import INK
from labkit.views.picture import BLUE, ORANGE, VERMILION, Picture, new_figure, picture_of

_SIZE_PX = (1000, 520)
_SEVERITY = {"fail": ("X", VERMILION), "warn": ("^", ORANGE)}


def fidelity(found: Fidelity, *, title: str = "") -> Picture:
    """Area of each layer, and how far its outline lies from the part's, over the height in mm.

    Places that a check fails, or warns of, are marked at their height.
    """
    figure = new_figure(*_SIZE_PX, title)
    areas = figure.add_axes((0.07, 0.11, 0.38, 0.7))
    areas.plot(found.area_part_mm2, found.z_mm, color=INK, lw=2.5, label="the part's section")
    areas.plot(
        *(found.area_printed_mm2, found.z_mm), color=ORANGE, lw=1.2, label="outline of the path"
    )
    _finish(areas, "area of the layer (mm²)")
    areas.set_xlim(left=0)
    areas.set_ylabel("Z (mm)", fontsize=9)

    off = figure.add_axes((0.54, 0.11, 0.38, 0.7), sharey=areas)
    off.plot(found.deviation_p95_mm, found.z_mm, color=INK, lw=2, label="95 % within")
    off.plot(found.deviation_out_mm, found.z_mm, color=VERMILION, lw=0.8, label="farthest outside")
    off.plot(found.deviation_in_mm, found.z_mm, color=BLUE, lw=0.8, label="farthest inside")
    half_mm = found.line_mm / 2
    off.axvline(half_mm, color=INK, lw=1, ls=":", label="half a line width")
    off.axvline(-half_mm, color=INK, lw=1, ls=":")
    reach_mm = max(2.2 * half_mm, 1.1 * float(found.deviation_p95_mm.max(initial=0)))
    off.set_xlim(-reach_mm, reach_mm)
    _finish(off, "← inside · outline off the part's (mm) · outside →")

    marked = {"fail": 0, "warn": 0}
    for one in found.deviations:
        marked[one.severity] += 1
        if one.layer >= 0:
            shape, colour = _SEVERITY[one.severity]
            off.plot(0.96, one.z_mm, shape, color=colour, transform=off.get_yaxis_transform())
    said = (
        f"volume {100 * found.volume_error:+.2f} %, "
        f"{100 * found.difference:.2f} % in only one of the two, "
        f"{len(found.z_mm)} layers"
    )
    figure.text(0.99, 0.975, said, ha="right", va="top", fontsize=9, color=INK)
    bottom_mm, top_mm = found.z_mm.min(initial=np.inf), found.z_mm.max(initial=-np.inf)
    over = f"layers upwards, Z {bottom_mm:.2f} to {top_mm:.2f} mm; " if len(found.z_mm) else ""
    alt = (
        f"{title + ': ' if title else ''}the tool path against the part, {said}; {over}"
        f"area on the left; on the right, from inside to outside, how far the outline is off, "
        f"shown to ±{reach_mm:.2f} mm; "
        f"{marked['fail']} places fail, {marked['warn']} are worth a look."
    )
    return picture_of(figure, alt)


def _finish(ax: Axes, what: str) -> None:
    ax.set_xlabel(what, fontsize=9)
    ax.tick_params(labelsize=8)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1.01), ncols=2, fontsize=8, frameon=False)
