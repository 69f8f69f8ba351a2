"""How a part lies on the plate: the orientation proposed, and why."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import trimesh

from labkit.design.part import Box, Part, PrintObject
from labkit.design.printability.standing import leans, needed_deg, overhangs, standing
from labkit.design.solids import onto_plate
from labkit.equipment import PrinterProfile
from labkit.errors import DesignError
from labkit.volume import Array, affine

MUST_GAIN = 0.1
"""A part is only turned where that saves a tenth of the cost.  The project's own."""
CRITICAL_COUNTS = 10.0
"""Support on a critical surface counts so many times.  The project's own."""
HEIGHT_COSTS_MM3 = 20.0
"""A millimetre of height costs as much as so much support: at 0.3 mm a layer's travel and
the slower small layers; the project's own, to tell equals apart."""
_FLATTEST = 12
"""How many of the hull's largest faces are tried as the bottom, besides the six sides."""


@dataclass(frozen=True)
class Orientation:
    """One way to lay a part down.

    Parameters
    ----------
    name : which side is down.
    turn : (4, 4) float64: from the present plate frame to the turned one.
    support_mm3 : support under overhangs, as if it went down to the plate.
    critical_mm2 : overhanging area of critical surfaces.
    height_mm, tipping_deg : how high it is, and how far from falling over.
    across_layers : 0 where the load runs along the layers, 1 where it pulls them apart.
    fits : on the printer's bed, and standing by itself.
    """

    name: str
    turn: Array
    support_mm3: float
    critical_mm2: float
    height_mm: float
    tipping_deg: float
    across_layers: float
    fits: bool

    @property
    def cost_mm3(self) -> float:
        """Support, support on critical surfaces, height and weak layers, as mm³ of support."""
        support = self.support_mm3 + CRITICAL_COUNTS * self.critical_mm2 * self.height_mm / 2
        return (support + HEIGHT_COSTS_MM3 * self.height_mm) * (1 + self.across_layers)

    def row(self) -> dict[str, Any]:
        """The orientation as a line of the record's table."""
        numbers = ("support_mm3", "critical_mm2", "height_mm", "tipping_deg", "across_layers")
        return {
            "down": self.name,
            **{name: round(float(getattr(self, name)), 2) for name in numbers},
            "cost_mm3": round(self.cost_mm3, 1),
            "fits": "yes" if self.fits else "no",
        }


@dataclass(frozen=True)
class Proposal:
    """What was compared, cheapest first; ``chosen``, and the reason in words."""

    compared: tuple[Orientation, ...]
    chosen: Orientation
    reason: str


def propose(part: Part, printer: PrinterProfile) -> Proposal:
    """The orientation of least cost among those in which the part fits and stands.

    Compared are the present one, the six sides, and the largest faces of the convex
    hull as the bottom.  A part that must lie as designed is kept.
    """
    mesh = part.mesh
    present = _judged("as designed", np.eye(4), part, printer)
    others = [_judged(name, turn, part, printer) for name, turn in _turns(mesh)]
    if part.lies_because:
        ranked = tuple(sorted((present, *others), key=lambda each: each.cost_mm3))
        return Proposal(ranked, present, f"kept: {part.lies_because}")
    usable = [each for each in (present, *others) if each.fits]
    if not usable:
        return Proposal((present, *others), present, "kept: it fits and stands in no other way")
    best = min(usable, key=lambda each: each.cost_mm3)
    ranked = tuple(sorted((present, *others), key=lambda each: each.cost_mm3))
    gain = 1 - best.cost_mm3 / present.cost_mm3 if present.cost_mm3 else 0.0
    if present.fits and gain < MUST_GAIN:
        return Proposal(ranked, present, "kept: no other orientation costs a tenth less")
    why = (
        f"{best.support_mm3:.0f} mm3 of support instead of {present.support_mm3:.0f}, "
        f"{best.height_mm:.0f} mm high instead of {present.height_mm:.0f}"
    )
    if part.critical:
        why += (
            f", {best.critical_mm2:.0f} mm2 of critical surface over support instead of "
            f"{present.critical_mm2:.0f}"
        )
    if not present.fits:
        why = "as designed it does not fit or stand; " + why
    return Proposal(ranked, best, f"{best.name}: {why}")


def turned(part: Part, orientation: Orientation) -> Part:
    """The part laid down in this orientation: plate frame, features and transform with it.

    Raises
    ------
    DesignError
        It must lie as designed.
    """
    turn = orientation.turn
    if part.lies_because and not np.allclose(turn, np.eye(4)):
        raise DesignError(
            f"a part laid {orientation.name}",
            expected=f"as designed: {part.lies_because}",
            where="03_design, orientation",
            fix="set orientation to 'as designed'",
        )
    objects = []
    for each in part.objects:
        mesh = each.mesh.copy()
        mesh.apply_transform(turn)
        objects.append(PrintObject(each.name, mesh, each.colour))
    along = part.pulled_along
    if along is not None:
        x, y, z = (turn[:3, :3] @ np.array(along)).tolist()
        along = (x, y, z)
    return replace(
        part,
        objects=tuple(objects),
        plate_to_patient=part.plate_to_patient @ np.linalg.inv(turn),
        features=[feature.turned(turn) for feature in part.features],
        critical=tuple(_box_around(box, turn) for box in part.critical),
        pulled_along=along,
    )


def _turns(mesh: trimesh.Trimesh) -> list[tuple[str, Array]]:
    """Which side goes down, by name, and the rotation (4, 4) that does it."""
    rotate: Callable[..., Array] = trimesh.transformations.rotation_matrix
    half = np.pi / 2
    sides = {
        "top": rotate(np.pi, (1, 0, 0)),
        "front": rotate(half, (1, 0, 0)),
        "back": rotate(-half, (1, 0, 0)),
        "left": rotate(-half, (0, 1, 0)),
        "right": rotate(half, (0, 1, 0)),
    }
    found = [(f"{name} down", turn.round(12) + 0.0) for name, turn in sides.items()]
    hull = mesh.convex_hull
    largest = sorted(range(len(hull.facets)), key=lambda facet: -hull.facets_area[facet])
    for number, facet in enumerate(largest[:_FLATTEST], 1):
        normal = hull.facets_normal[facet]
        if np.abs(normal).max() < 1 - 1e-6:
            turn = trimesh.geometry.align_vectors(normal, (0, 0, -1))
            found.append((f"flat side {number} down", turn))
    return found


def _judged(name: str, rotation: Array, part: Part, printer: PrinterProfile) -> Orientation:
    mesh = part.mesh.copy()
    mesh.apply_transform(rotation)
    shift = affine(np.eye(3), onto_plate(*mesh.bounds))
    mesh.apply_transform(shift)
    turn = shift @ rotation
    hanging = overhangs(mesh, max_overhang_deg=printer.max_overhang_deg)
    stands = standing(mesh)
    along = None if part.pulled_along is None else turn[:3, :3] @ np.array(part.pulled_along)
    return Orientation(
        name=name,
        turn=turn,
        support_mm3=hanging.volume_mm3,
        critical_mm2=_critical_mm2(part, mesh, printer.max_overhang_deg),
        height_mm=float(mesh.extents[2]),
        tipping_deg=stands.tipping_deg,
        across_layers=0.0 if along is None else float(abs(along[2]) / np.linalg.norm(along)),
        fits=bool((mesh.extents <= printer.room_mm).all())
        and stands.tipping_deg >= needed_deg(printer.acceleration_mm_s2),
    )


def _critical_mm2(part: Part, turned_mesh: trimesh.Trimesh, max_overhang_deg: float) -> float:
    """Overhanging area of the triangles whose middle lies in a critical box as designed."""
    if not part.critical:
        return 0.0
    middle = part.mesh.triangles_center
    inside = np.zeros(len(middle), bool)
    for low, high in part.critical:
        inside |= ((middle >= low) & (middle <= high)).all(axis=1)
    hangs = leans(turned_mesh, max_overhang_deg)
    return float(turned_mesh.area_faces[inside & hangs].sum())


def _box_around(box: Box, turn: Array) -> Box:
    """The upright box around a turned one."""
    corners = trimesh.bounds.corners(np.array(box)) @ turn[:3, :3].T + turn[:3, 3]
    (x, y, z), (u, v, w) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return (x, y, z), (u, v, w)
