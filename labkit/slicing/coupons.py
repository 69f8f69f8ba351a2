"""Witness coupons: plain bodies of known size, printed beside a part and tested in its place.

They take the material, machine and settings of the build with them (FDA, Technical
Considerations for Additive Manufactured Medical Devices, 2017: test coupons).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import manifold3d
import numpy as np

from labkit.slicing.plate import PlateObject
from labkit.surface import mesh_of, write_stl

BLOCK_MM = 10.0
"""Edge of the landing block, as wide as those on the base of a model."""

# ISO 527-2, type 1BA, half the size of 1B (l3 ≥ 75, l2 58 ± 2, l1 30 ± 0.5, b2 10 ± 0.5,
# b1 5 ± 0.5, h ≥ 2, r ≥ 30 mm), as the table of a maker of dies gives them:
# pdf.directindustry.com/pdf/zwick/testing-of-plastics-and-rubber/15660-3706-_12.html
LENGTH_MM, BROAD_APART_MM, NARROW_LENGTH_MM = 75.0, 58.0, 30.0
BROAD_MM, NARROW_MM, THICK_MM = 10.0, 5.0, 2.0

_ARC_STEPS = 32


@dataclass(frozen=True)
class Coupon:
    """A witness coupon: its name on the plate, its body, and what inspection measures on it.

    ``features`` are in the coupon's own frame, mm, in the form of a designed part's:
    `labkit.slicing.calipers.measure` takes them with the shift of the plate.
    """

    name: str
    body: manifold3d.Manifold
    features: tuple[dict[str, Any], ...]

    def write(self, folder: Path) -> PlateObject:
        """The coupon as an object of a plate: its STL in ``folder``."""
        path = folder / f"{self.name}.stl"
        write_stl(mesh_of(self.body), path)
        return PlateObject(self.name, path)


def landing_block() -> Coupon:
    """A cube of 10 mm to measure with calipers in x, y and z (Ravi 2022, PMC9156585)."""
    edge = BLOCK_MM
    around = ((-1.0, -1.0, -1.0), (edge + 1, edge + 1, edge + 1))
    # above the first layers, which are pressed wider; the height over all
    sides = ((-1.0, -1.0, 2.0), around[1])
    return Coupon(
        "landing-block",
        manifold3d.Manifold.cube([edge, edge, edge]),
        (
            _feature("landing block, width", "x", edge, sides),
            _feature("landing block, depth", "y", edge, sides),
            _feature("landing block, height", "z", edge, around),
        ),
    )


def tensile_bar() -> Coupon:
    """A bar to pull apart: ISO 527-2, type 1BA, 2 mm thick, lying along x.

    The shoulders are arcs tangent to the narrow part.  Their radius follows from l1, l2,
    b1 and b2: r = (((l2 − l1)/2)² + ((b2 − b1)/2)²) / (b2 − b1) = 40.45 mm, above the
    30 mm that the standard asks for.
    """
    along, across = (BROAD_APART_MM - NARROW_LENGTH_MM) / 2, (BROAD_MM - NARROW_MM) / 2
    radius = (along**2 + across**2) / (2 * across)
    angles = np.linspace(0, math.asin(along / radius), _ARC_STEPS + 1)
    x = NARROW_LENGTH_MM / 2 + radius * np.sin(angles)
    y = NARROW_MM / 2 + radius * (1 - np.cos(angles))
    quarter = np.vstack([np.column_stack([x, y]), [LENGTH_MM / 2, BROAD_MM / 2]])
    right = np.vstack([quarter, quarter[::-1] * [1, -1]])  # round the end, clockwise
    outline = np.vstack([right, -right])[::-1]
    body = manifold3d.CrossSection([outline.tolist()]).extrude(THICK_MM)
    half, low, high = LENGTH_MM / 2, -1.0, THICK_MM + 1
    whole = ((-half - 1, -BROAD_MM, low), (half + 1, BROAD_MM, high))
    middle = ((-5.0, -BROAD_MM, low), (5.0, BROAD_MM, high))
    end = ((half - 6, -BROAD_MM, low), (half - 1, BROAD_MM, high))
    return Coupon(
        "tensile-bar",
        body,
        (
            _feature("tensile bar, length", "x", LENGTH_MM, whole),
            _feature("tensile bar, narrow part", "y", NARROW_MM, middle),
            _feature("tensile bar, end", "y", BROAD_MM, end),
            _feature("tensile bar, thickness", "z", THICK_MM, middle),
        ),
    )


def _feature(
    name: str, axis: str, nominal_mm: float, region_mm: Sequence[Sequence[float]]
) -> dict[str, Any]:
    region = [list(corner) for corner in region_mm]
    return {
        "name": name,
        "axis": axis,
        "nominal_mm": nominal_mm,
        "region_mm": region,
        "instrument": "caliper",
        "kind": "outside",
    }
