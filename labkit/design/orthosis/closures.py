"""What holds two half shells closed: slots for straps, or lugs for screws; mm, limb frame.

The halves part at y = 0; the closures stand along both edges, at ±x.
"""

from dataclasses import dataclass, field

import manifold3d
import numpy as np

from labkit.design.fitted_shell import Shell
from labkit.design.part import Feature
from labkit.design.solids import block, bounds, box, joined, rod
from labkit.errors import DesignError
from labkit.parameters.design.orthosis import Orthosis
from labkit.volume import Array

HOLE_MM = {"M3": 3.4, "M4": 4.5, "M5": 5.5}
"""Clearance holes for screws, medium series: ISO 273."""
EDGE_MM = 4.0
"""Wall left beside a slot or hole: ten lines of a 0.4 mm nozzle; the project's own."""
SLOT_MM = 3.5
"""Height of a strap's slot, the project's own: hook-and-loop straps are 1 to 3 mm thick."""
LUG_MM = 5.0
"""Thickness of a lug; the project's own."""


@dataclass
class Closures:
    """What is taken away and what is added, and how far from y = 0 they reach."""

    reach_mm: float = 0.0
    cuts: list[manifold3d.Manifold] = field(default_factory=list)
    lugs: list[manifold3d.Manifold] = field(default_factory=list)
    holes: list[manifold3d.Manifold] = field(default_factory=list)
    features: list[Feature] = field(default_factory=list)


def closures(shell: Shell, parameters: Orthosis) -> Closures:
    """Slots or lugs along both edges, spaced evenly between the flares.

    Raises
    ------
    DesignError
        They find no room along the edge, or the limb is too thin for them.
    """
    found = Closures()
    if parameters.closure == "none":
        return found
    slots = parameters.closure == "strap slots"
    size = parameters.strap_mm + 1 if slots else HOLE_MM[parameters.screw] + 2 * EDGE_MM
    for height in _heights(shell, parameters, size):
        for side in (-1, 1):
            (_add_slot if slots else _add_lug)(found, shell, parameters, height, side, size)
    return found


def _heights(shell: Shell, parameters: Orthosis, size: float) -> Array:
    margin = parameters.flare_length_mm / 2 + EDGE_MM
    room = parameters.length_mm - 2 * margin
    if room < parameters.closures * (size + EDGE_MM):
        raise DesignError(
            f"{parameters.closures} closures of {size:g} mm along {room:.0f} mm",
            expected=f"{parameters.closures * (size + EDGE_MM):.0f} mm between the flares",
            where="03_design, closures, strap_mm, length_mm",
            fix="fewer closures, a narrower strap, or a longer part",
        )
    low, share = shell.limb.low_mm + margin, room / parameters.closures
    return np.asarray(low + share * (np.arange(parameters.closures) + 0.5))


def _wall(
    shell: Shell, parameters: Orthosis, height: float, side: int, size: float, reach: float
) -> tuple[float, float]:
    """How far out the inner and the outer wall reach beside the parting plane."""
    beside = block((-1e4, -reach, height - size / 2), (1e4, reach, height + size / 2))
    walls = [bounds(body ^ beside) for body in (shell.inner, shell.outer)]
    inside, outside = (float(high[0] if side > 0 else -low[0]) for low, high in walls)
    across = block((-1e4, -1e4, height - size / 2), (1e4, 1e4, height + size / 2))
    low, high = bounds(shell.inner ^ across)
    tall = float(high[1] - low[1])
    if tall < 3 * reach or outside - inside > 6 * parameters.wall_mm:
        raise DesignError(
            f"a limb of {tall:.0f} mm square to the parting plane",
            expected=f"{3 * reach:.0f} mm, so that a closure stands on the side wall",
            where="03_design, closure and split_deg",
            fix="part it another way, or use smaller closures",
        )
    return inside, outside


def _add_slot(
    found: Closures, shell: Shell, parameters: Orthosis, height: float, side: int, size: float
) -> None:
    near = parameters.gap_mm / 2 + EDGE_MM
    _, outside = _wall(shell, parameters, height, side, size, near + SLOT_MM)
    for half in (-1, 1):
        x, y = (0.0, side * (outside + 1.0)), (half * near, half * (near + SLOT_MM))
        low = (min(x), min(y), height - size / 2)
        found.cuts.append(block(low, (max(x), max(y), height + size / 2)))
    found.reach_mm = near + SLOT_MM + EDGE_MM


def _add_lug(
    found: Closures, shell: Shell, parameters: Orthosis, height: float, side: int, size: float
) -> None:
    near, far = parameters.gap_mm / 2, parameters.gap_mm / 2 + LUG_MM
    hole = HOLE_MM[parameters.screw]
    inside, outside = _wall(shell, parameters, height, side, size, far)
    tip = outside + hole + 2 * EDGE_MM
    for half in (-1, 1):
        x, y = (side * inside * 0.7, side * tip), (half * near, half * far)
        low = (min(x), min(y), height - size / 2)
        found.lugs.append(block(low, (max(x), max(y), height + size / 2)))
    axis = side * (outside + EDGE_MM + hole / 2)
    found.holes.append(rod((axis, far + 1, height), (axis, -far - 1, height), hole, sides=48))
    found.reach_mm = far + EDGE_MM
    ends = sorted((side * (outside + 1.0), side * (tip + 1)))
    around = box(
        (ends[0], -far - 1, height - size / 2 - 1), (ends[1], far + 1, height + size / 2 + 1)
    )
    name = f"lug at {height - shell.limb.low_mm:.0f} mm, {'+' if side > 0 else '-'}x"
    found.features.append(Feature(f"{name}, width", "z", size, around))
    if parameters.halves == "two":
        found.features.append(Feature(f"{name}s, outside", "y", 2 * far, around))


def lugs_on(shell: Shell, found: Closures) -> manifold3d.Manifold:
    """The lugs without what would stand inside the shell."""
    return joined(found.lugs) - shell.inner if found.lugs else manifold3d.Manifold()
