"""How a splint bends when a force presses on its middle: a beam on two supports, N and mm.

Stress M c / I and deflection F L³ / (48 E I) with M = F L / 4 under the force, from the
theory of slender beams (Gere and Goodno, *Mechanics of Materials*, appendix of
deflections of simple beams; Roark's *Formulas for Stress and Strain*, table of shearing,
bending and deflection of straight beams).  I is measured on the part's own sections; a
whole thin ring would have π r³ t.  Halves that are strapped together slide along each
other: each bends about its own centroid, and they share the force.

Restrictions
------------
A shell is no slender beam: local denting, the layers' strength in shear, creep and
fatigue are not in it.  It refuses what is far too weak; it proves nothing strong.
"""

from dataclasses import dataclass

import manifold3d
import numpy as np

from labkit.case import Check
from labkit.design.solids import bounds
from labkit.volume import Array

SAFETY = 2.0
"""Least ratio of strength to stress; the project's own."""
DEFLECTION_SHARE = 0.01
"""Most deflection over length; the project's own."""
_SECTIONS = 61


@dataclass(frozen=True)
class Bending:
    """What the force does: the least second moment, the highest stress, the deflection."""

    second_moment_mm4: float
    stress_mpa: float
    deflection_mm: float

    def checks(self, strength_mpa: float, length_mm: float) -> list[Check]:
        """Stress and deflection against the project's own limits."""
        factor = strength_mpa / self.stress_mpa
        most = DEFLECTION_SHARE * length_mm
        return [
            Check(
                name="bending: strength over stress",
                value=round(factor, 2),
                limit=f">= {SAFETY:g} (the project's own; beam in three-point bending)",
                verdict="pass" if factor >= SAFETY else "action" if factor >= 1 else "fail",
            ),
            Check(
                name="bending: deflection",
                value=round(self.deflection_mm, 3),
                unit="mm",
                limit=f"<= {most:g}, 1 % of the length (the project's own)",
                verdict="pass" if self.deflection_mm <= most else "action",
            ),
        ]


def bending(pieces: list[manifold3d.Manifold], *, load_n: float, modulus_mpa: float) -> Bending:
    """The splint under a force in its middle, in its weaker direction.

    Parameters
    ----------
    pieces : the halves, standing along z; they share the force.
    """
    low = min(bounds(piece)[0][2] for piece in pieces)
    high = max(bounds(piece)[1][2] for piece in pieces)
    length = high - low
    heights = np.linspace(low, high, _SECTIONS + 2)[1:-1]
    moment = load_n / 2 * np.minimum(heights - low, high - heights)
    sections = [[_section(piece, float(z)) for piece in pieces] for z in heights]
    second = np.array([[s[0] for s in row] for row in sections]).sum(axis=1)  # (heights, 2)
    reach = np.array([[s[1] for s in row] for row in sections]).max(axis=1)
    stress = (moment[:, None] * reach / second).max()
    least = float(second.min())
    deflection = float(load_n * length**3 / (48 * modulus_mpa * least))
    return Bending(least, float(stress), deflection)


def _section(body: manifold3d.Manifold, height: float) -> tuple[Array, Array]:
    """Second moments and farthest fibre for bending towards x and towards y, (2,) each.

    Polygon sums after Green's theorem, about the section's own centroid.
    """
    area, first, second, points = 0.0, np.zeros(2), np.zeros(2), []
    for polygon in body.slice(height).to_polygons():
        a, b = polygon, np.roll(polygon, -1, axis=0)
        cross = a[:, 0] * b[:, 1] - b[:, 0] * a[:, 1]
        area += cross.sum() / 2
        first += ((a + b) * cross[:, None]).sum(axis=0) / 6
        second += ((a * a + a * b + b * b) * cross[:, None]).sum(axis=0) / 12
        points.append(polygon)
    if area < 1e-6:
        return np.full(2, 1e-12), np.zeros(2)
    centroid = first / area
    reach = np.abs(np.vstack(points) - centroid).max(axis=0)
    return np.asarray(second - area * centroid**2), reach
