"""The path of the nozzle, as it is in the G-code: from above and from the front."""

import numpy as np
import numpy.typing as npt
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle

from labkit.views.picture import INK, ORDER, Picture, new_figure, picture_of
from labkit.volume import Array

_MOST_POINTS = 200_000


def toolpath(
    points_mm: Array,
    layers: npt.NDArray[np.integer],
    *,
    bed_mm: tuple[float, float] | None = None,
    title: str = "",
) -> Picture:
    """The ends of all extruding moves as dots, from above and from the front, in mm.

    Parameters
    ----------
    points_mm : (n, 3) float64, mm, the printer's own axes.
    layers : (n,) integers: the layer of each point; gives the colour, dark is low.
    bed_mm : width (X) and depth (Y) of the bed from its origin; drawn if given.
    title : a heading.
    """
    if len(points_mm) == 0 or len(points_mm) != len(layers):
        raise ValueError(f"{len(points_mm)} points and {len(layers)} layers")
    low, high = points_mm.min(axis=0), points_mm.max(axis=0)
    shown = slice(None, None, 1 + len(points_mm) // _MOST_POINTS)
    scale = Normalize(int(layers.min()), max(int(layers.max()), int(layers.min()) + 1))

    figure = new_figure(1200, 620, title)
    sides = (("from above", (0, 1), ("X", "Y")), ("from the front", (0, 2), ("X", "Z")))
    for number, (name, (across, up), letters) in enumerate(sides):
        ax = figure.add_axes((0.05 + 0.46 * number, 0.08, 0.4, 0.78))
        ax.scatter(
            *(points_mm[shown, across], points_mm[shown, up]),
            c=layers[shown],
            cmap=ORDER,
            norm=scale,
            s=1.5,
            linewidths=0,
            rasterized=True,
        )
        if bed_mm is not None and up == 1:
            ax.add_patch(Rectangle((0, 0), *bed_mm, fill=False, edgecolor=INK, lw=1.5))
        elif bed_mm is not None:
            ax.axhline(0, color=INK, lw=1.5)
        ax.set_aspect("equal", adjustable="datalim")
        ax.margins(0.1)
        ax.set_title(name, fontsize=10, color=INK)
        ax.set_xlabel(f"{letters[0]} (mm)", fontsize=9)
        ax.set_ylabel(f"{letters[1]} (mm)", fontsize=9)
        ax.tick_params(labelsize=8)
    bar = figure.add_axes((0.945, 0.12, 0.015, 0.66))
    figure.colorbar(ScalarMappable(scale, ORDER), cax=bar)
    bar.set_title("layer", fontsize=9, color=INK)

    size = " × ".join(
        f"{mm:.1f} mm ({axis})" for mm, axis in zip(high - low, ("X", "Y", "Z"), strict=True)
    )
    count = int(layers.max()) - int(layers.min()) + 1
    figure.text(0.99, 0.975, f"{size} · {count} layers", ha="right", va="top", fontsize=9)
    alt = f"{title + ': ' if title else ''}the nozzle's path of {size} in {count} layers"
    if bed_mm is not None:
        alt += f" on a bed of {bed_mm[0]:g} × {bed_mm[1]:g} mm"
    return picture_of(figure, f"{alt}; seen from above and from the front.")
