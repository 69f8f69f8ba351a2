"""Case and side in raised letters on the outside of a guide."""

from itertools import product

import manifold3d
import numpy as np

from labkit.design.solids import bounds, raised_text
from labkit.volume import Array

RAISED_MM = 0.8
TEXT_HEIGHTS_MM = (6.0, 5.0, 4.0, 3.0)
FLAT_MM = 2.0
"""Rise and fall under letters that still read well; the project's own."""
_TRIED = 40


def letters_on(
    words: str, cover: manifold3d.Manifold, keep_off: list[manifold3d.Manifold]
) -> tuple[manifold3d.Manifold, float]:
    """Letters as columns along z that read from outside, where they fit best, and their height.

    As large as the outside is flat enough for, off sleeves, slots and windows; else
    where it is flattest.
    """
    nothing = manifold3d.Manifold(), 0.0
    if not words or cover.is_empty():
        return nothing
    free = _seen(cover)
    for each in keep_off:
        free -= _seen(each)
    x0, y0, x1, y1 = cover.project().bounds()
    grid = list(product(np.linspace(x0, x1, 13), np.linspace(y0, y1, 13)))
    low, high = bounds(cover)
    depth_mm = float(high[2] - low[2]) + 9
    best: tuple[float, float, float, tuple[float, float]] | None = None
    for height_mm in TEXT_HEIGHTS_MM:
        size = _size(words, height_mm)
        plain = manifold3d.CrossSection.square(size, center=True)
        fits = [
            (turn, place)
            for turn, place in product((0.0, 90.0, 45.0, 135.0), grid)
            if (plain.rotate(turn).translate(place) - free).area() < 1e-6
        ]
        for fit in fits[:: 1 + len(fits) // _TRIED]:
            relief_mm = _relief_mm(cover, size, *fit)
            if best is None or relief_mm < best[0]:
                best = relief_mm, height_mm, *fit
        if best and best[0] <= FLAT_MM:
            break
    if best is None:
        return nothing
    _, height_mm, turn, place = best
    text, width = raised_text(words, height_mm=height_mm, raised_mm=depth_mm, sunk_mm=0)
    centred = text.translate((-width / 2, -height_mm / 2, 0)).rotate((0, 180, 0))
    upwards = centred.translate((0, 0, depth_mm))
    return upwards.rotate((0, 0, turn)).translate((*place, 0)), height_mm


def _size(words: str, height_mm: float) -> Array:
    """(2,) mm: what the letters and a margin take up."""
    _, width = raised_text(words, height_mm=height_mm, raised_mm=1, sunk_mm=0)
    return np.array([width + 1, height_mm * 1.3 + 1])


def _relief_mm(
    cover: manifold3d.Manifold, size: Array, turn_deg: float, place: tuple[float, float]
) -> float:
    """How much the outside rises and falls under a rectangle: letters want it flat."""
    low, high = bounds(cover)
    c, s = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    heights = []
    for u, v in product((-0.5, -0.25, 0.0, 0.25, 0.5), (-0.5, 0.5)):
        x, y = place + np.array([[c, -s], [s, c]]) @ (size * (u, v))
        hits = cover.ray_cast((x, y, low[2] - 1), (x, y, high[2] + 1))
        heights.append(hits[0].position[2] if hits else np.inf)
    return float(np.max(heights) - np.min(heights))


def _seen(body: manifold3d.Manifold) -> manifold3d.CrossSection:
    return manifold3d.CrossSection(body.project().to_polygons(), manifold3d.FillRule.Positive)
