"""Anatomical model: the patient's structures, cut, opened or hollowed, on a marked base."""

from itertools import cycle

import manifold3d
import numpy as np
import trimesh

from labkit.case import Check, Order
from labkit.design.anatomical_model.base import BASE_THICKNESS_MM as BASE_THICKNESS_MM
from labkit.design.anatomical_model.base import OVERLAP_MM, base_under
from labkit.design.anatomical_model.fragments import pins
from labkit.design.anatomical_model.hollow import Hollow, hollow
from labkit.design.cutting import HalfSpace, Section, cut, half_spaces, section_of
from labkit.design.family import Anatomy, Family
from labkit.design.part import Edit, Feature, Part, PrintObject
from labkit.design.solids import bounds, box, joined, onto_plate
from labkit.errors import DesignError
from labkit.parameters import AnatomicalModel
from labkit.surface import Distances, distances, mesh_of, pieces, sampled, signed_distances, solid
from labkit.volume import Array

COLOURS = ("#c0504d", "#4f81bd", "#9bbb59", "#f2c14e", "#8064a2", "#4bacc6")
"""Of further structures, in their order."""
SLIVER_MM3 = 5.0
"""Smaller pieces are left-overs of borders that two structures share (the project's own)."""
DRAINS = "its drains lead straight down, and what flows out was checked in this pose"


def design_anatomical_model(anatomy: Anatomy, parameters: AnatomicalModel, order: Order) -> Part:
    """The part, plate frame mm, from patient surfaces in LPS mm.

    Cut, scaled, pinned, opened, hollowed and set on its base, in this order, so that
    walls, pins and base are as thick as asked whatever the scale.  All Booleans are
    exact (manifold3d); only the hollow is sampled (`labkit.design.offset`).

    Restrictions
    ------------
    The base joins only what reaches down to the cut; what floats above stays loose
    and is warned of, unless it is pinned.  Only the first structure is hollowed.

    Raises
    ------
    DesignError
        A surface is not closed, or a step leaves nothing.
    """
    first, further = _solids(anatomy, parameters)
    surface = mesh_of(first)
    kept = half_spaces(*bounds(first), parameters)
    cuts = [cut(first, kept), *(_cut_quietly(other, kept) for other in further.values())]
    to_plate = np.diag([parameters.scale] * 3 + [1.0])
    bodies = [each.transform(to_plate[:3]) for each in cuts]
    changed, gaps = [], list[float]()
    if parameters.fragments == "pinned" and len(pieces(bodies[0])) > 1:
        rods, gaps = pins(bodies[0], parameters.pin_mm)
        bodies[0] += rods
        changed.append(rods)
    section = section_of(bodies[0], parameters)
    if section:
        bodies, changed = ([section.opened(each) for each in all_] for all_ in (bodies, changed))
    body, others = bodies[0], bodies[1:]
    inside = hollow(body, parameters) if parameters.hollow else None
    if inside:
        body -= inside.cavity
    features: list[Feature] = []
    low, _ = bounds(joined(bodies))
    if parameters.base == "plate":
        base, features = base_under(joined(bodies), f"{order.case} {_side(order)}".strip())
        body += base
        others = [other - base for other in others]
        low, _ = bounds(base)
    if inside:
        drains = inside.drains(float(low[2]), parameters.drain_mm)
        body -= drains
        changed.append(drains)
    low, high = bounds(joined([body, *others]))
    shift = onto_plate(low, high)
    to_plate[:3, 3] = shift
    whole = Feature("overall height", "z", float(high[2] - low[2]), box(low - 1, high + 1))
    objects = [PrintObject(order.case, mesh_of(body.translate(shift)))]
    for name, other, colour in zip(further, others, cycle(COLOURS), strict=False):
        if not other.is_empty():
            objects.append(PrintObject(name, mesh_of(other.translate(shift)), colour))
    plate_to_patient = np.linalg.inv(to_plate)
    edited = _editing_error(
        surface,
        objects[0].mesh,
        plate_to_patient,
        kept,
        hidden_mm=2 * OVERLAP_MM / parameters.scale,
        section=_in_patient(section, parameters.scale),
        changed=_patient_mesh(changed, parameters.scale),
    )
    change_mm3 = body.volume() / parameters.scale**3 - first.volume()
    return Part(
        objects=tuple(objects),
        plate_to_patient=plate_to_patient,
        features=[feature.moved(shift) for feature in [*features, whole]],
        checks=_checks(parameters, inside),
        metrics=_metrics(inside, gaps),
        edits=[Edit("cut, base and blocks", edited, change_mm3)],
        warnings=_warnings(anatomy, parameters, len(pieces(body)), len(objects)),
        caveats=_caveats(parameters, len(gaps)),
        lies_because=DRAINS if inside else "",
    )


def editing_error(
    surface: trimesh.Trimesh,
    part: trimesh.Trimesh,
    plate_to_patient: Array,
    parameters: AnatomicalModel,
) -> Distances:
    """How far the patient's surface (LPS mm) lies from the part's (plate frame), where it is kept.

    Left out are the ends, where the cut and the base are meant to differ.

    Raises
    ------
    DesignError
        Nothing but the ends is left.
    """
    kept = half_spaces(surface.bounds[0], surface.bounds[1], parameters)
    hidden_mm = 2 * OVERLAP_MM / parameters.scale
    return _editing_error(surface, part, plate_to_patient, kept, hidden_mm=hidden_mm)


def _editing_error(
    surface: trimesh.Trimesh,
    part: trimesh.Trimesh,
    plate_to_patient: Array,
    kept: list[HalfSpace],
    *,
    hidden_mm: float,
    section: Section | None = None,
    changed: trimesh.Trimesh | None = None,
) -> Distances:
    """As `editing_error`; also left out are the section and the pins and drains, ``changed``."""
    points = sampled(surface)
    clear = np.min([each.depth_mm(points) for each in kept], axis=0) > hidden_mm
    if section:
        clear &= np.abs(section.plane.depth_mm(points)) > hidden_mm
    points = points[clear]
    points = section.moved(points) if section else points
    if changed is not None and len(points):
        points = points[signed_distances(points, changed) > hidden_mm / 4]
    if not len(points):
        raise DesignError(
            f"less than {2 * hidden_mm:.1f} mm of the anatomy kept",
            expected="more than the base and the cut hide",
            where="03_design, keep_length_mm and scale",
            fix=f"keep at least {3 * hidden_mm:.0f} mm",
        )
    placed = part.copy()
    placed.apply_transform(plate_to_patient)
    return distances(points, placed)


def _solids(
    anatomy: Anatomy, parameters: AnatomicalModel
) -> tuple[manifold3d.Manifold, dict[str, manifold3d.Manifold]]:
    """The first body, and further ones by name without what is taken already; LPS mm."""
    first = solid(anatomy.surface.vertices, anatomy.surface.faces, "the patient surface")
    if parameters.others == "left out":
        return first, {}
    taken, further = first, {}
    for name, mesh in anatomy.others.items():
        other = solid(mesh.vertices, mesh.faces, f"the surface of {name}")
        further[name] = _without_slivers(other - taken)
        taken += other
    return (taken, {}) if parameters.others == "joined" else (first, further)


def _without_slivers(body: manifold3d.Manifold) -> manifold3d.Manifold:
    pieces = [piece for piece in body.decompose() if abs(piece.volume()) > SLIVER_MM3]
    return manifold3d.Manifold.compose(pieces)


def _cut_quietly(body: manifold3d.Manifold, kept: list[HalfSpace]) -> manifold3d.Manifold:
    """A further structure may lie wholly outside of what is kept."""
    for each in kept:
        body = body.trim_by_plane(each.normal, each.offset_mm)
    return body


def _in_patient(section: Section | None, scale: float) -> Section | None:
    """The section in LPS mm: until the shift, the plate's frame is the patient's, scaled."""
    if section is None:
        return None
    plane = HalfSpace(section.plane.normal, section.plane.offset_mm / scale)
    return Section(plane, section.gap_mm / scale)


def _patient_mesh(bodies: list[manifold3d.Manifold], scale: float) -> trimesh.Trimesh | None:
    return mesh_of(joined(bodies).scale((1 / scale,) * 3)) if bodies else None


def _checks(parameters: AnatomicalModel, inside: Hollow | None) -> list[Check]:
    scale = Check(
        name="scale",
        value=parameters.scale,
        limit="1",
        verdict="pass" if parameters.scale == 1 else "action",
    )
    return [scale, *(inside.checks(parameters.wall_mm) if inside else [])]


def _metrics(inside: Hollow | None, gaps_mm: list[float]) -> dict[str, float]:
    found: dict[str, float] = {}
    if inside:
        found |= inside.wall.metrics("wall_difference")
        found |= {
            "hollow_mm3": inside.cavity.volume(),
            "trapped_mm3": inside.trapped_mm3,
            "drains": len(inside.outlets),
        }
    if gaps_mm:
        found |= {"pins": len(gaps_mm), "pinned_gap_max_mm": max(gaps_mm)}
    return found


def _warnings(
    anatomy: Anatomy, parameters: AnatomicalModel, separate: int, objects: int
) -> list[str]:
    said = []
    if separate > 1:
        said.append(f"{separate} separate bodies: what does not reach the base comes off loose")
    if anatomy.others and parameters.others == "left out":
        said.append("not made, though segmented: " + ", ".join(anatomy.others))
    if parameters.others == "coloured" and objects <= len(anatomy.others):
        said.append("nothing is left of some further structure after the cut")
    if parameters.base == "none":
        said.append("without a base the model carries neither case code nor side")
    return said


def _caveats(parameters: AnatomicalModel, pins_set: int) -> list[str]:
    said = []
    if parameters.scale != 1:
        said.append(f"scaled to {parameters.scale:g} of life size: not for measuring anatomy")
    if parameters.section != "none":
        said.append(
            f"cut open ({parameters.section}), the halves {parameters.section_gap_mm:g} mm apart: "
            "distances across the cut are not the patient's"
        )
    if pins_set:
        said.append(f"loose pieces are held by pins of {parameters.pin_mm:g} mm, not by bone")
    return said


def _side(order: Order) -> str:
    return "" if order.laterality == "none" else order.laterality.upper()


FAMILY = Family(
    design_anatomical_model,
    limits=(
        "For planning and teaching; not for diagnostic use.",
        "Shows what the threshold shows: bone thinner than a voxel may be missing.",
    ),
)
