"""Strands laid in layers: the body, and its porosity by formula."""

from math import acos, cos, floor, hypot, pi, radians, sin, sqrt

import manifold3d
import numpy as np
from scipy.integrate import quad

from labkit.design.solids import block
from labkit.errors import DesignError
from labkit.parameters import Scaffold

_SIDES = 24
_ROUND = sqrt(2 * pi / (_SIDES * sin(2 * pi / _SIDES)))
"""Makes the polygon's area that of the circle."""
MOST_CROSSINGS = 30_000
"""Of strands: about a minute's work."""
LEAST_LAYER, MOST_LAYER = 0.51, 0.98
"""Layer height over strand: below, a strand would run into the layer but one below it;
above, strands only touch.  The project's own."""


def directions(parameters: Scaffold) -> tuple[float, ...]:
    """The directions of one round of layers, degrees from x."""
    return tuple(float(word) for word in parameters.pattern.split("/"))


def layers_of(parameters: Scaffold, height_mm: float) -> int:
    """How many layers come nearest to a height."""
    return max(2, round((height_mm - parameters.strand_mm) / parameters.layer_height_mm) + 1)


def stack_mm(parameters: Scaffold, layers: int) -> float:
    """The height of so many layers, mm."""
    return (layers - 1) * parameters.layer_height_mm + parameters.strand_mm


def log_pile(
    parameters: Scaffold, width_mm: float, depth_mm: float, layers: int
) -> manifold3d.Manifold:
    """The strands over a rectangle around the origin, on z = 0, mm; ends cut square to it.

    Raises
    ------
    DesignError
        Layers that do not fuse, run into each other or all run one way, or too many
        crossings.
    """
    check(parameters)
    strand, pitch = parameters.strand_mm, parameters.strand_mm + parameters.pore_mm
    angles, reach = directions(parameters), hypot(width_mm, depth_mm)
    if len({angles[layer % len(angles)] for layer in range(layers)}) < 2:
        raise DesignError(
            f"{layers} layers that all run one way: nothing joins their strands",
            expected="layers of two directions",
            where="03_design, pattern and the height of the part",
            fix="a higher part, thinner layers, or the pattern 0/90",
        )
    crossings = layers * width_mm * depth_mm / pitch**2
    if crossings > MOST_CROSSINGS:
        raise DesignError(
            f"about {crossings:.0f} crossings of strands",
            expected=f"at most {MOST_CROSSINGS}",
            where="03_design, strand_mm, pore_mm and the size of the part",
            fix="thicker strands, wider pores or a smaller part",
        )
    radius = strand / 2 * _ROUND
    one = manifold3d.Manifold.cylinder(reach, radius, radius, _SIDES, center=True)
    one = one.rotate((0, 90, 0))
    # Every other layer is clear of the next of its kind: only the two lots are joined exactly.
    lots: list[list[manifold3d.Manifold]] = [[], []]
    for layer in range(layers):
        angle = angles[layer % len(angles)]
        turn = radians(angle)
        across = abs(width_mm * sin(turn)) + abs(depth_mm * cos(turn))
        count = floor((across - strand) / pitch + 1e-9) + 1
        shifted = parameters.offset and (layer // len(angles)) % 2 == 1
        places = (np.arange(count + shifted) - (count - 1 + shifted) / 2) * pitch
        places = places[np.abs(places) <= (across - strand) / 2 + 1e-9]
        z = strand / 2 + layer * parameters.layer_height_mm
        lots[layer % 2] += [one.translate((0, y, z)).rotate((0, 0, angle)) for y in places.tolist()]
    laid = manifold3d.Manifold.compose(lots[0]) + manifold3d.Manifold.compose(lots[1])
    half = (width_mm / 2, depth_mm / 2)
    over = stack_mm(parameters, layers) + strand
    return laid ^ block((-half[0], -half[1], -strand), (*half, over))


def check(parameters: Scaffold) -> None:
    """Refuse layers that cannot be laid on each other.

    Raises
    ------
    DesignError
        See `LEAST_LAYER`.
    """
    share = parameters.layer_height_mm / parameters.strand_mm
    if not LEAST_LAYER <= share <= MOST_LAYER:
        raise DesignError(
            f"layers of {parameters.layer_height_mm:g} mm of strands of "
            f"{parameters.strand_mm:g} mm",
            expected=f"{LEAST_LAYER * parameters.strand_mm:.3g} to "
            f"{MOST_LAYER * parameters.strand_mm:.3g} mm, so that layers fuse",
            where="03_design, layer_height_mm",
            fix=f"layer_height_mm = {0.8 * parameters.strand_mm:.3g}",
        )


def porosity_by_formula(parameters: Scaffold) -> float:
    """Porosity of an endless log-pile of round strands that run into their neighbours.

    Over a unit of area a layer of height h holds π d²/(4 p) of strands at the distance
    p.  From it comes off what two layers share: of crossing strands, at any angle,
    V/p², where V = ∫ 4 √(r² − z²) √(r² − (z − h)²) dz is what two square to each other
    share; of strands on top of each other the lens of two circles over p.  Both are
    plain geometry; with h = d they are nothing.
    """
    d, h = parameters.strand_mm, parameters.layer_height_mm
    pitch, r = d + parameters.pore_mm, d / 2
    crossing, _ = quad(lambda z: 4 * sqrt((r * r - z * z) * (r * r - (z - h) ** 2)), h - r, r)
    lens = 2 * r * r * acos(h / d) - h / 2 * sqrt(d * d - h * h)
    angles = directions(parameters)
    shared = 0.0
    for number, angle in enumerate(angles):
        parallel = angle == angles[(number + 1) % len(angles)]
        shared += (lens / pitch if parallel else crossing / pitch**2) / len(angles)
    return 1 - (pi * d * d / (4 * pitch) - shared) / h
