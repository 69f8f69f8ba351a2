"""Whether a part can be printed: measured on its surface, against the printer's profile."""

from dataclasses import dataclass, replace

import manifold3d
import numpy as np
import trimesh

from labkit.case import Check, Verdict
from labkit.design.part import Part
from labkit.design.printability.layers import layers
from labkit.design.printability.standing import needed_deg, overhangs, standing
from labkit.design.printability.thickness import gaps, walls
from labkit.design.solids import joined
from labkit.equipment import PrinterProfile
from labkit.surface import solid
from labkit.volume import Array

LAYER_HEIGHT_MM = 0.3
"""The layers that islands and pins are looked for in: as stage 04 slices by default."""
THIN_SHARE, THIN_MM2 = 0.005, 10.0
"""How much of the surface may be thinner than the limit, at most so many mm²: edges of a cut
run out to nothing without being walls.  The project's own."""
_REACH = 10
"""Walls and gaps are measured up to so many times their limit; beyond, nothing can fail."""


@dataclass(frozen=True)
class Printability:
    """What was found: mm, plate frame.

    Parameters
    ----------
    checks : each value with its limit.
    places : where each check that does not pass is worst, by the check's name.
    walls_mm, gaps_mm : (triangles,) float64 of ``part.mesh``; infinite beyond the reach.
    metrics : numbers for the record.
    wall_limit_mm : the thinnest wall that the printer makes.
    """

    checks: list[Check]
    places: dict[str, Array]
    walls_mm: Array
    gaps_mm: Array
    metrics: dict[str, float]
    wall_limit_mm: float = 0.0

    @property
    def too_thin_mm(self) -> Array:
        """(triangles,) float64: by how much each wall falls short of its limit; 0 where not."""
        short: Array = np.clip(self.wall_limit_mm - self.walls_mm, 0.0, None)
        return short

    def as_dict(self) -> dict[str, list[float]]:
        """The places as they stand in the record, mm."""
        return {name: np.round(place, 2).tolist() for name, place in self.places.items()}


def printability(
    part: Part, printer: PrinterProfile, *, layer_height_mm: float = LAYER_HEIGHT_MM
) -> Printability:
    """The part held against what the printer can make.

    Restrictions
    ------------
    Limits are rules of thumb for a process, not a promise: *action* where supports or a
    brim would help, *fail* where the printer cannot make it at all.
    """
    mesh = part.mesh
    found = Printability([], {}, np.zeros(0), np.zeros(0), {})
    _fits(found, mesh, printer)
    wall = walls(mesh, reach_mm=_REACH * printer.wall_mm)
    gap = gaps(mesh, reach_mm=_REACH * printer.gap_mm)
    edges_mm2 = min(THIN_SHARE * mesh.area, THIN_MM2)
    thinnest_mm, there = wall.exceeded(edges_mm2)
    _at_least(found, "thinnest wall", thinnest_mm, printer.wall_mm, "mm", there)
    narrowest_mm, there = gap.exceeded(edges_mm2)
    _at_least(found, "narrowest gap", narrowest_mm, printer.gap_mm, "mm", there)
    found.metrics["thin_wall_mm2"] = wall.area_below_mm2(printer.wall_mm)
    body = joined(solid(each.mesh.vertices, each.mesh.faces, each.name) for each in part.objects)
    _layers(found, body, printer, layer_height_mm)
    _overhangs(found, mesh, printer)
    _trapped(found, body, printer)
    stands = standing(mesh)
    found.metrics["plate_contact_mm2"] = stands.contact_mm2
    limit_deg = needed_deg(printer.acceleration_mm_s2)
    _at_least(found, "tipping angle", stands.tipping_deg, limit_deg, "deg", mesh.center_mass)
    return replace(
        found,
        walls_mm=wall.of_faces(mesh),
        gaps_mm=gap.of_faces(mesh),
        wall_limit_mm=printer.wall_mm,
    )


def _fits(found: Printability, mesh: trimesh.Trimesh, printer: PrinterProfile) -> None:
    room = printer.room_mm
    over = float((mesh.extents - room).max())
    size = " × ".join(f"{mm:.1f}" for mm in mesh.extents)
    limit = "≤ " + " × ".join(f"{mm:g}" for mm in room) + f", {printer.name}"
    _add(
        found, "fits the printer", size, "fail" if over > 0 else "pass", "mm", limit, mesh.bounds[1]
    )


def _layers(
    found: Printability, body: manifold3d.Manifold, printer: PrinterProfile, layer_mm: float
) -> None:
    cut = layers(body, layer_height_mm=layer_mm, feature_mm=printer.feature_mm)
    count = len(cut.islands)
    place = cut.islands[0] if count else np.zeros(3)
    _add(
        *(found, "begins in the air", float(count), "action" if count else "pass"),
        unit="places",
        limit="0, or print with supports",
        place=place,
    )
    pin = min(cut.pin_mm, printer.feature_mm)
    _at_least(found, "thinnest pin", pin, printer.feature_mm, "mm", cut.pin_at)
    found.metrics["islands"] = count


def _overhangs(found: Printability, mesh: trimesh.Trimesh, printer: PrinterProfile) -> None:
    hanging = overhangs(mesh, max_overhang_deg=printer.max_overhang_deg)
    found.metrics.update(
        overhang_mm2=hanging.area_mm2,
        support_footprint_mm2=hanging.footprint_mm2,
        support_volume_mm3=hanging.volume_mm3,
    )
    _add(
        *(found, f"overhang beyond {printer.max_overhang_deg:g}°", round(hanging.area_mm2, 1)),
        "action" if hanging.area_mm2 > 0 else "pass",
        unit="mm2",
        limit="0, or print with supports",
        place=hanging.at,
    )


def _trapped(found: Printability, body: manifold3d.Manifold, printer: PrinterProfile) -> None:
    holes = [piece for piece in body.decompose() if piece.volume() < 0]
    volume = -sum(piece.volume() for piece in holes)
    corners = np.array(holes[0].bounding_box()).reshape(2, 3) if holes else np.zeros((2, 3))
    keeps = printer.fills_cavities
    _add(
        *(found, "trapped volume", round(volume, 2), "action" if holes and keeps else "pass"),
        unit="mm3",
        limit="0: nothing gets out" if keeps else "any: filament leaves it empty",
        place=corners.mean(axis=0),
    )
    found.metrics["cavities"] = len(holes)


def _at_least(
    found: Printability, name: str, value: float, limit: float, unit: str, place: Array
) -> None:
    far = not np.isfinite(value)
    verdict: Verdict = "pass" if value >= limit * (1 - 1e-3) else "action"
    shown = f"beyond {_REACH * limit:g}" if far else round(value, 3)
    _add(found, name, shown, verdict, unit, f"≥ {limit:.3g}", place)


def _add(
    found: Printability,
    name: str,
    value: float | str,
    verdict: Verdict,
    unit: str,
    limit: str,
    place: Array,
) -> None:
    found.checks.append(Check(name=name, value=value, unit=unit, limit=limit, verdict=verdict))
    if verdict != "pass":
        found.places[name] = np.asarray(place, float)
