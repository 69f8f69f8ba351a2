"""How a guide sits on the bone: clearance, the way on, and how firmly its shape holds it."""

from dataclasses import dataclass

import manifold3d
import numpy as np
import trimesh

from labkit.case import Check, Verdict
from labkit.design.solids import bounds
from labkit.surface import signed_distances
from labkit.volume import Array

CLEARANCE_MM = 0.05
"""By which the designed clearance may miss the one asked for: the project's own."""
COLLISION_MM3 = 0.01
"""Far below what a printer resolves, above the rounding of Booleans: the project's own."""
STABLE, LOOSE = 0.1, 0.03
"""Of `Stability.hold`: above it pass, below it fail.  The project's own: pushed 1 mm its
softest way, a guide at 0.1 lifts off its contact by 0.1 mm (root mean square)."""
_SAMPLE = 20_000
_STEP_MM = 1.0


@dataclass(frozen=True)
class Stability:
    """How firmly the shape of the contact holds the guide.

    Parameters
    ----------
    eigenvalues : (6,) float64, rising: of the contact matrix, without unit.
    hold : √ of the smallest: mm of lifting (RMS) per mm of the softest motion.
    condition : largest over smallest eigenvalue; 1 would be the same in every direction.
    softest_shift, softest_turn : (3,) each, of the softest motion, in the points' frame.
    """

    eigenvalues: Array
    hold: float
    condition: float
    softest_shift: Array
    softest_turn: Array


def stability(points: Array, normals: Array, weights: Array) -> Stability:
    """Stability of a frictionless contact: points and unit normals (n, 3), weights (n,).

    The 6 × 6 contact matrix C = Σ w·vvᵀ/Σ w with v = (n, (p − c) × n / r), c the
    centroid and r the mean distance from it, so that turns count like shifts of points
    at that distance.  Its eigenvalues tell which rigid motions the surface resists:
    Gelfand et al. 2003, doi 10.1109/IM.2003.1240258; the same analysis for choosing
    points on bones: Ma and Ellis 2005, doi 10.3109/10929080500230320.

    Restrictions
    ------------
    Contact is taken as holding both ways: the surgeon's push along the insertion keeps
    it closed.  Friction and soft tissue are left out.
    """
    share = weights / weights.sum()
    arms = points - share @ points
    radius = float(share @ np.linalg.norm(arms, axis=1))
    wrench = np.hstack([normals, np.cross(arms, normals) / radius])
    values, vectors = np.linalg.eigh((wrench * share[:, None]).T @ wrench)
    values = np.clip(values, 0.0, None)
    return Stability(
        eigenvalues=values,
        hold=float(np.sqrt(values[0])),
        condition=float(values[-1] / max(values[0], 1e-12)),
        softest_shift=vectors[:3, 0],
        softest_turn=vectors[3:, 0],
    )


@dataclass(frozen=True)
class Seating:
    """What the seat of a guide was measured to be, mm."""

    clearance_min_mm: float
    clearance_mean_mm: float
    clearance_p95_mm: float
    contact_mm2: float
    collision_mm3: float
    collision_at_mm: float
    stability: Stability

    def metrics(self) -> dict[str, float]:
        """The numbers for the record."""
        plain = {name: value for name, value in vars(self).items() if name != "stability"}
        return plain | {
            "stability_hold": self.stability.hold,
            "stability_condition": self.stability.condition,
        }

    def checks(self, clearance_mm: float) -> list[Check]:
        """The seat against its limits."""
        low, high = clearance_mm - CLEARANCE_MM, clearance_mm + CLEARANCE_MM
        limit = f"{clearance_mm:g} ± {CLEARANCE_MM:g} (the project's own)"
        measured = {
            "clearance, least": self.clearance_min_mm,
            "clearance, mean": self.clearance_mean_mm,
            "clearance, 95 %": self.clearance_p95_mm,
        }
        found = [
            Check(
                name=name,
                value=round(value, 4),
                unit="mm",
                limit=limit,
                verdict="pass" if low <= value <= high else "fail",
            )
            for name, value in measured.items()
        ]
        hold = self.stability.hold
        firm: Verdict = "pass" if hold >= STABLE else "action" if hold >= LOOSE else "fail"
        return [
            *found,
            Check(
                name="collision with bone on the way on",
                value=round(self.collision_mm3, 4),
                unit="mm3",
                limit=f"at most {COLLISION_MM3:g} (the project's own)",
                verdict="pass" if self.collision_mm3 <= COLLISION_MM3 else "fail",
            ),
            Check(
                name="hold of the contact in its softest direction",
                value=round(hold, 4),
                limit=f"at least {STABLE:g}, never below {LOOSE:g} (the project's own)",
                verdict=firm,
            ),
        ]


def seating(
    guide: manifold3d.Manifold,
    contact: trimesh.Trimesh,
    bone: manifold3d.Manifold,
    surface: trimesh.Trimesh,
    insertion_mm: float,
) -> Seating:
    """The seat of a guide: all in the guide's frame, mm, z along the insertion.

    Parameters
    ----------
    contact : the guide's faces towards the bone.
    bone, surface : the bone, as a body and as its surface.
    """
    points, faces = trimesh.sample.sample_surface(contact, _SAMPLE, seed=0)
    points = np.vstack([points, contact.vertices])
    gap = signed_distances(points, surface)
    volume, at = _collision(guide, bone, insertion_mm)
    return Seating(
        clearance_min_mm=float(gap.min()),
        clearance_mean_mm=float(gap[: len(faces)].mean()),
        clearance_p95_mm=float(np.percentile(gap[: len(faces)], 95)),
        contact_mm2=float(contact.area),
        collision_mm3=volume,
        collision_at_mm=at,
        stability=stability(contact.triangles_center, contact.face_normals, contact.area_faces),
    )


def _collision(
    guide: manifold3d.Manifold, bone: manifold3d.Manifold, length_mm: float
) -> tuple[float, float]:
    """The largest overlap on the way on, mm3, and how far before the seat, mm."""
    steps = np.arange(0.0, length_mm + _STEP_MM, _STEP_MM)
    steps = np.sort(np.append(np.minimum(steps, length_mm), [0.1, 0.25, 0.5]))
    top = bone.trim_by_plane((0, 0, -1), -float(bounds(guide)[1][2] + 1))
    overlaps = [
        (float((guide.translate((0, 0, -step)) ^ top).volume()), float(step)) for step in steps
    ]
    worst = max(overlaps, key=lambda each: each[0])
    return worst if worst[0] > 0 else (0.0, 0.0)
