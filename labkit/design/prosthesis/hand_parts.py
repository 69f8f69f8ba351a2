"""Imported hand parts scaled to a person, their bores kept at the size of their hardware.

Screws, pins and cords come in fixed sizes: every round bore up to ``hardware_up_to_mm``
is filled in the scaled part and drilled again at its scaled place.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import manifold3d
import numpy as np
import trimesh

from labkit.case import Check, Order
from labkit.design.fitted_shell import PROTOTYPE
from labkit.design.growth import Size, caveats_of, plan_of_sizes, record_of
from labkit.design.imported import SURFACES, read_part
from labkit.design.mirroring import MIRROR, check_side, placed, side_check
from labkit.design.part import Edit, Feature, Part, PrintObject
from labkit.design.prosthesis.bores import Bore, bores, plug, wall_around
from labkit.design.repair import repaired
from labkit.design.solids import box, joined
from labkit.errors import DesignError
from labkit.parameters.design.fitted import stated
from labkit.parameters.design.prosthesis import Prosthesis
from labkit.surface import Distances, distances, mesh_of, solid

BORE_ERROR_MM = 0.05
"""How far a bore may miss its diameter or its axis; the project's own."""
REPAIR_MM = 0.1
"""How far a repair may move a broken part's surface; the project's own: a fine layer."""
PINS = (
    "a printed pin scales with its part and no longer fits a bore that keeps its size: "
    "use bought pins, or set hardware_up_to_mm below the pins' diameter"
)
_SPECK_MM3 = 1e-3
"""Smaller than any drop of plastic: left by surfaces that coincide to the last digit."""
_BEYOND_MM = 0.01
_BETWEEN_MM = 6.0
_ROW_MM = 230.0
_KINDS = (*SURFACES, "3mf", "step", "stp")


@dataclass(frozen=True)
class Scaled:
    """A scaled part, and a table of its bores."""

    mesh: trimesh.Trimesh
    bores: list[dict[str, Any]]
    change: Distances
    volume_change_mm3: float


def design_hand_parts(parameters: Prosthesis, order: Order) -> Part:
    """The parts side by side on the plate, mm.

    Restrictions
    ------------
    The set was not made from the patient: ``plate_to_patient`` only undoes the
    scaling and the mirroring.

    Raises
    ------
    DesignError
        No parts, no unit, a part that cannot be repaired, the wrong side, or one
        measure without the other.
    """
    check_side(order, parameters.scanned_side, parameters.mirror)
    sizes = plan_of_sizes(parameters)
    scale = _scale(parameters, sizes)
    made, table, tall = list[Scaled](), list[dict[str, Any]](), 0.0
    for number, (mesh, row) in enumerate(_read(parameters), 1):
        ready = placed(mesh, MIRROR) if parameters.mirror else mesh
        tall = float(ready.extents[2]) if number == 1 else tall
        part = scaled(ready, scale, hardware_up_to_mm=parameters.hardware_up_to_mm)
        made.append(part)
        table.append({"part": number, **row, "bores": len(part.bores)})
    rows = [{"part": n, **row} for n, each in enumerate(made, 1) for row in each.bores]
    objects = _laid_out([each.mesh for each in made], order)
    low, high = objects[0].mesh.bounds
    around = box(low - 1, high + 1)
    said = f"scaled to {100 * scale:.4g} % of the drawing; bores up to "
    said += f"{parameters.hardware_up_to_mm:g} mm keep their size"
    return Part(
        objects=objects,
        plate_to_patient=(MIRROR if parameters.mirror else np.eye(4))
        @ np.diag([1 / scale] * 3 + [1.0]),
        features=[Feature("part 1, height", "z", scale * tall, around)],
        checks=[
            *_checks(rows, parameters),
            _crossing_check(table),
            side_check(parameters, order),
        ],
        metrics={"scale": scale, "parts": float(len(made)), "bores_kept": float(len(rows))},
        details={"parts": table, "bores": rows, **record_of(sizes, parameters)},
        edits=[
            Edit(f"part {n}, scaled", each.change, each.volume_change_mm3)
            for n, each in enumerate(made, 1)
        ],
        warnings=[PINS] if rows and scale != 1 else [],
        caveats=[
            said,
            *(["mirrored from the other side's parts"] if parameters.mirror else []),
            *caveats_of(sizes),
            PROTOTYPE,
        ],
    )


def scaled(mesh: trimesh.Trimesh, scale: float, *, hardware_up_to_mm: float) -> Scaled:
    """A closed part scaled about its origin, its small round bores at their old diameter.

    The change is that of the surface outside the bores, against the plainly scaled part.
    """
    larger = trimesh.Trimesh(mesh.vertices * scale, mesh.faces, process=False)
    kept = [each for each in bores(mesh) if each.diameter_mm <= hardware_up_to_mm]
    body = solid(larger.vertices, larger.faces, "the scaled part")
    if scale != 1:
        fillings = [plug(larger, bore.scaled(scale)) for bore in kept] if scale > 1 else []
        drills = [b.scaled(scale).cylinder(b.diameter_mm, _beyond(b, scale)) for b in kept]
        full = joined([body, *fillings])
        drilled = manifold3d.Manifold.batch_boolean([full, *drills], manifold3d.OpType.Subtract)
        pieces = [p for p in drilled.decompose() if abs(p.volume()) > _SPECK_MM3]
        body = manifold3d.Manifold.compose(pieces)
    made = mesh_of(body)
    there = bores(made)
    rows = [_row(mesh, made, bore, scale, there) for bore in kept]
    change = float(made.volume - larger.volume)
    return Scaled(made, rows, _change(larger, made, kept), change)


def _beyond(bore: Bore, scale: float) -> float:
    """A wider drill has to leave through a mouth that is not flat."""
    return _BEYOND_MM + max(0.0, 1 - scale) * bore.diameter_mm / 2


def _row(
    before: trimesh.Trimesh, after: trimesh.Trimesh, bore: Bore, scale: float, there: list[Bore]
) -> dict[str, Any]:
    """What the bore was, what it should be, and what is measured on the scaled part."""
    aim = bore.scaled(scale)
    middle = (aim.start + aim.end) / 2

    def off(other: Bore) -> float:
        return float(np.linalg.norm(np.cross(middle - other.start, other.axis)))

    along = [b for b in there if off(b) <= BORE_ERROR_MM and abs(b.axis @ bore.axis) > 0.999]
    found = min(along, key=lambda b: abs(b.diameter_mm - bore.diameter_mm), default=None)
    return {
        "diameter_mm": round(bore.diameter_mm, 3),
        "measured_mm": None if found is None else round(found.diameter_mm, 3),
        "off_axis_mm": None if found is None else round(off(found), 4),
        "wall_before_mm": round(wall_around(before, bore, bore.diameter_mm), 2),
        "wall_mm": round(wall_around(after, aim, bore.diameter_mm), 2),
        "at_mm": np.round(middle, 2).tolist(),
    }


def _change(before: trimesh.Trimesh, after: trimesh.Trimesh, kept: list[Bore]) -> Distances:
    """How far the surface moved outside the bores, mm."""
    touched = np.zeros(len(before.vertices), bool)
    for bore in kept:
        touched[before.faces[bore.faces]] = True
    faces = before.faces[~touched[before.faces].any(axis=1)]
    return distances(np.vstack([before.vertices[~touched], before.vertices[faces].mean(1)]), after)


def _scale(parameters: Prosthesis, sizes: list[Size]) -> float:
    patient, drawn = parameters.limb_measure_mm, parameters.part_measure_mm
    if bool(patient) != bool(drawn):
        raise DesignError(
            "one of the two measures is given",
            expected="limb_measure_mm and part_measure_mm, or neither",
            where="03_design, limb_measure_mm and part_measure_mm",
            fix="measure the same length on the patient and on the hand as drawn",
        )
    if parameters.size > max(len(sizes), 1):
        raise DesignError(
            f"size {parameters.size}",
            expected=f"1 to {max(len(sizes), 1)}: what the growth plan holds",
            where="03_design, size",
            fix="choose a size of the plan, or plan farther ahead",
        )
    scale = patient / drawn if drawn else parameters.scale_percent / 100
    scale *= sizes[parameters.size - 1].scale if sizes else 1.0
    if not 0.5 <= scale <= 2:
        raise DesignError(
            f"parts at {100 * scale:.0f} % of their drawing",
            expected="50 to 200 %: what published sets are made for",
            where="03_design, scale_percent, limb_measure_mm, part_measure_mm, size",
            fix="check both measures, or take a set drawn for another size",
        )
    return float(scale)


def _read(parameters: Prosthesis) -> list[tuple[trimesh.Trimesh, dict[str, Any]]]:
    """The parts, closed, and a line of the record each."""
    place = Path(parameters.parts).expanduser()
    files = sorted(place.iterdir()) if place.is_dir() else [place]
    files = [f for f in files if f.suffix.lower().lstrip(".") in _KINDS]
    if not parameters.parts or not files:
        raise DesignError(
            "no parts to scale",
            expected="a file, or a folder of files, as " + ", ".join(_KINDS),
            where="03_design, parts",
            fix="name the folder that the parts lie in themselves: folders in it are not searched",
        )
    found = []
    for number, file in enumerate(files, 1):
        imported = read_part(file, stated(parameters.parts_unit))
        for each in imported.objects:
            whole = repaired(each.mesh, bound_mm=REPAIR_MM, name=f"hand part {number}")
            row = {
                "sha256": imported.sha256,
                "unit": imported.unit,
                "repair": "; ".join(whole.steps),
                "repair_moved_mm": round(whole.change.max_mm, 4),
                "crossings": None if whole.crossing is None else len(whole.crossing),
            }
            found.append((whole.mesh, row))
    return found


def _laid_out(meshes: list[trimesh.Trimesh], order: Order) -> tuple[PrintObject, ...]:
    """The parts in rows, the deepest first, the middle of all over the origin."""
    x = y = deep = 0.0
    placed_parts = [mesh.copy() for mesh in meshes]
    for moved in sorted(placed_parts, key=lambda each: -float(each.extents[1])):
        wide, depth, _ = moved.extents
        if x and x + wide > _ROW_MM:
            x, y, deep = 0.0, y + deep + _BETWEEN_MM, 0.0
        moved.apply_translation(np.array([x, y, 0.0]) - moved.bounds[0])
        x, deep = x + wide + _BETWEEN_MM, max(deep, depth)
    corners = np.array([each.bounds for each in placed_parts])
    middle = (corners[:, 0].min(axis=0) + corners[:, 1].max(axis=0)) / 2
    for each in placed_parts:
        each.apply_translation([-middle[0], -middle[1], 0.0])
    return tuple(
        PrintObject(f"{order.case} part {n}", each) for n, each in enumerate(placed_parts, 1)
    )


def _crossing_check(table: list[dict[str, Any]]) -> Check:
    found = [row["crossings"] for row in table]
    crossing = sum(bool(count) for count in found)
    searched = None not in found
    return Check(
        name="parts that pass through themselves",
        value=crossing if searched else None,
        limit="0: slicers fill or leave out what lies between; the table of parts says which",
        verdict="action" if crossing else "pass" if searched else "not done",
    )


def _checks(rows: list[dict[str, Any]], parameters: Prosthesis) -> list[Check]:
    """The bores' diameters, and the wall around them."""
    if not rows:
        return []
    lost = sum(row["measured_mm"] is None for row in rows)
    off = [abs(r["measured_mm"] - r["diameter_mm"]) for r in rows if r["measured_mm"] is not None]
    worst = max(off, default=0.0)
    thin = min(row["wall_mm"] for row in rows)
    least = parameters.least_wall_mm
    return [
        Check(
            name="bores not found again",
            value=lost,
            limit="0",
            verdict="pass" if not lost else "action",
        ),
        Check(
            name="bores, diameter off by at most",
            value=round(worst, 4),
            unit="mm",
            limit=f"<= {BORE_ERROR_MM} (the project's own)",
            verdict="pass" if worst <= BORE_ERROR_MM else "fail",
        ),
        Check(
            name="wall around a bore, thinnest",
            value=thin,
            unit="mm",
            limit=f">= {least:g}; the table of bores says where",
            verdict="pass" if thin >= least else "action",
        ),
    ]
