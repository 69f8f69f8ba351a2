"""A part layer by layer: what begins in the air, and what stands there as a thin pin."""

from dataclasses import dataclass, field

import manifold3d
import numpy as np

from labkit.volume import Array

_TOUCH_MM2 = 1e-4
"""A layer's piece that shares less than this with the layer below hangs in the air."""


@dataclass(frozen=True)
class Layers:
    """What the cuts through the middle of each layer show.

    Parameters
    ----------
    islands : (n, 3) float64, mm: where something begins with nothing under it.
    pin_mm : the diameter, by area, of the thinnest piece that stands free for as long as
        it is thick; infinite without one below the limit.
    pin_at : its place, (3,) mm.
    bottom_mm2 : area of the first layer.
    count : how many layers there are.
    """

    islands: Array
    pin_mm: float
    pin_at: Array
    bottom_mm2: float
    count: int


@dataclass
class _Piece:
    shape: manifold3d.CrossSection
    area_mm2: float
    pins: list[float] = field(default_factory=list)
    """Diameters of it and of the thin pieces right under it, in one row."""

    @property
    def diameter_mm(self) -> float:
        return float(2 * np.sqrt(self.area_mm2 / np.pi))

    def place(self, z: float) -> Array:
        low_x, low_y, high_x, high_y = self.shape.bounds()
        return np.array([(low_x + high_x) / 2, (low_y + high_y) / 2, z])


def layers(
    body: manifold3d.Manifold, *, layer_height_mm: float, feature_mm: float, first_z: float = 0.0
) -> Layers:
    """The islands and pins of a body in the plate frame, mm, cut in the middle of each layer.

    Restrictions
    ------------
    A piece that tapers off on top of a wider one is no pin: it must stay thinner than
    ``feature_mm`` for as high as that.  Pieces smaller than a tenth of a square
    millimetre, which no nozzle lays down, are not looked at.
    """
    top = body.bounding_box()[5]
    heights = np.arange(first_z + layer_height_mm / 2, top, layer_height_mm)
    needed = max(int(np.ceil(feature_mm / layer_height_mm)), 1)
    islands: list[Array] = []
    thinnest, thinnest_at, bottom_mm2 = np.inf, np.zeros(3), 0.0
    below: list[_Piece] = []
    for number, z in enumerate(heights.tolist()):
        here = []
        for shape in body.slice(z).decompose():
            piece = _Piece(shape, shape.area())
            if piece.area_mm2 < 0.1:
                continue
            under = [one for one in below if _touches(shape, one.shape)]
            if number and not under:
                islands.append(piece.place(z))
            if piece.diameter_mm < feature_mm:
                longest = max((one.pins for one in under), key=len, default=[])
                piece.pins = [*longest, piece.diameter_mm]
                if len(piece.pins) >= needed:
                    width = max(piece.pins[-needed:])
                    if width < thinnest:
                        thinnest, thinnest_at = width, piece.place(z)
            here.append(piece)
        if not number:
            bottom_mm2 = sum(piece.area_mm2 for piece in here)
        below = here
    return Layers(
        np.array(islands).reshape(-1, 3), float(thinnest), thinnest_at, bottom_mm2, len(heights)
    )


def _touches(one: manifold3d.CrossSection, other: manifold3d.CrossSection) -> bool:
    a, b = one.bounds(), other.bounds()
    if a[0] > b[2] or b[0] > a[2] or a[1] > b[3] or b[1] > a[3]:
        return False
    return bool((one ^ other).area() > _TOUCH_MM2)
