"""The body of a guide: contact shell, sleeves, slots, windows, mark; without undercuts."""

from collections.abc import Callable
from dataclasses import dataclass

import manifold3d
import numpy as np
import trimesh

from labkit.design.offset import DistanceField, distance_field, level_set
from labkit.design.provenance import triangles_from
from labkit.design.solids import block, bounds, rod
from labkit.design.surgical_guide.mark import RAISED_MM, letters_on
from labkit.design.surgical_guide.plan import Plan, Slot, Trajectory
from labkit.errors import DesignError
from labkit.parameters import SurgicalGuide
from labkit.surface import mesh_of, signed_distances, solid
from labkit.volume import Array

LARGEST_CHIP = 0.05
"""Of the guide's volume: what may come off at the contact's border; the project's own."""
_MARGIN_MM = 3.0
_RELIEF_MM = 0.01
_STEEPEST = 0.3
"""Of a ridge's facets (cosine): steeper ones are lowered less than they would need."""
_LATERAL = np.sin(np.radians(3.0))


@dataclass(frozen=True)
class Shell:
    """A guide in the guide's frame, mm.

    Parameters
    ----------
    body : the guide.
    contact : its faces towards the bone; without the walls of removed undercuts.
    bone : the bone around it, as far as the way on goes.
    marked_mm : height of the letters; 0 without.
    undercut_mm3 : what was taken away so that it comes off again.
    """

    body: manifold3d.Manifold
    contact: trimesh.Trimesh
    bone: manifold3d.Manifold
    marked_mm: float
    undercut_mm3: float


def shell_of(bone: manifold3d.Manifold, plan: Plan, words: str, parameters: SurgicalGuide) -> Shell:
    """The guide on a bone, both in the guide's frame.

    What the bone, grown by the clearance, would touch on the way of the guide is taken
    away: the running minimum of the bone's distance along the insertion is the distance
    from all that the bone sweeps, and its level set is the contact.

    Raises
    ------
    DesignError
        No bone in the outline, bone in the way, or a guide in several pieces.
    """
    outer = [*map(_sleeve(parameters), plan.trajectories), *map(_frame(parameters), plan.slots)]
    bone, first = _bone_around(bone, plan, outer, parameters)
    deepest = first + parameters.reach_mm
    field = _field(bone, plan, outer, deepest, parameters)
    swept = np.minimum.accumulate(field.values, axis=2)
    blocked = _relieved(
        level_set(swept, parameters.clearance_mm, field.first_mm, field.spacing_mm),
        mesh_of(bone),
        parameters.clearance_mm,
        deepest,
    ).as_original()
    bottom = float(field.first_mm[2])
    column = _column(plan.outline, bottom, deepest)
    outside_mm = parameters.clearance_mm + parameters.wall_mm
    around = field.within(outside_mm) ^ column
    cover = around - blocked
    undercut_mm3 = (around - field.within(parameters.clearance_mm)).volume() - cover.volume()
    holes = [_bore(trajectory, parameters) for trajectory in plan.trajectories]
    holes += [_cut(slot, parameters) for slot in plan.slots]
    holes += [_window(place, bottom, deepest, parameters) for place in plan.windows]
    letters, marked_mm = letters_on(
        words if parameters.mark != "none" else "", cover, outer + holes
    )
    if marked_mm:
        raised = field.within(outside_mm + RAISED_MM) ^ column
        cover += raised ^ letters.translate((0, 0, bottom))
    guide = cover
    for each in outer:
        guide += each.trim_by_plane((0, 0, -1), -deepest)
    guide -= blocked
    for hole in holes:
        guide -= hole
    guide = _whole(guide)
    return Shell(guide, _contact(guide, blocked), bone, marked_mm, float(undercut_mm3))


def _bone_around(
    bone: manifold3d.Manifold,
    plan: Plan,
    outer: list[manifold3d.Manifold],
    parameters: SurgicalGuide,
) -> tuple[manifold3d.Manifold, float]:
    """The bone near the guide and its way, and where the first contact is (z)."""
    low, high = _footprint(plan, outer, parameters)
    tallest = max(parameters.sleeve_length_mm, parameters.slot_height_mm) + parameters.wall_mm
    start = float(plan.places[:, 2].min()) - parameters.insertion_mm
    end = float(plan.places[:, 2].max()) + 2 * parameters.reach_mm + _MARGIN_MM
    before = block((*low, start - parameters.insertion_mm - tallest), (*high, end))
    near = bone ^ before
    region = (near ^ _column(plan.outline, start, end)).trim_by_plane((0, 0, 1), start)
    if region.is_empty():
        raise DesignError(
            "no bone inside the outline of the contact",
            expected=f"bone within {parameters.insertion_mm:g} mm of the places",
            where="03_design, region_lps_mm",
            fix="place the outline on the bone's surface",
        )
    first = float(bounds(region)[0][2])
    if first < start + 1e-6:
        raise DesignError(
            f"bone in the way, {parameters.insertion_mm:g} mm before the seat",
            expected="a free way along the insertion",
            where="03_design, insertion_lps",
            fix="turn the insertion, or shorten insertion_mm",
        )
    return near, first


def _footprint(
    plan: Plan, outer: list[manifold3d.Manifold], parameters: SurgicalGuide
) -> tuple[Array, Array]:
    """Corners (2,) of all that the guide covers, seen along the insertion, and a margin."""
    corners = [np.reshape(plan.outline.bounds(), (2, 2))]
    corners += [np.array(bounds(each))[:, :2] for each in outer]
    stacked = np.vstack(corners)
    margin = _MARGIN_MM + parameters.clearance_mm + parameters.wall_mm + RAISED_MM
    return stacked.min(axis=0) - margin, stacked.max(axis=0) + margin


def _field(
    bone: manifold3d.Manifold,
    plan: Plan,
    outer: list[manifold3d.Manifold],
    deepest: float,
    parameters: SurgicalGuide,
) -> DistanceField:
    levels = (
        parameters.clearance_mm,
        parameters.clearance_mm + parameters.wall_mm + RAISED_MM,
    )
    low, high = _footprint(plan, outer, parameters)
    start = float(plan.places[:, 2].min()) - parameters.insertion_mm
    above = bone.trim_by_plane((0, 0, 1), start)
    inner = _MARGIN_MM - 2 * parameters.step_mm  # the bone's cut faces stay outside
    begin = float(bounds(above)[0][2]) - levels[1] - 2 * parameters.step_mm
    return distance_field(
        mesh_of(above),
        (*(low + inner), begin),
        (*(high - inner), deepest + parameters.step_mm),
        spacing_mm=parameters.step_mm,
        levels_mm=levels,
    )


def _relieved(
    blocked: manifold3d.Manifold, surface: trimesh.Trimesh, clearance_mm: float, deepest: float
) -> manifold3d.Manifold:
    """The same, lowered where a triangle cuts a ridge of the bone shorter than the clearance.

    Only against the insertion: nothing that is lowered so becomes an undercut.
    """
    mesh = mesh_of(blocked)
    steep = mesh.face_normals[:, 2]  # of the bone, towards the guide: negative
    facing = np.flatnonzero((steep < -_LATERAL) & (mesh.triangles_center[:, 2] < deepest))
    gap = signed_distances(mesh.triangles_center[facing], surface)
    short = np.clip(clearance_mm - gap, 0, None) / np.maximum(-steep[facing], _STEEPEST)
    short[short < _RELIEF_MM] = 0
    lowered = np.zeros(len(mesh.vertices))
    for corner in mesh.faces[facing].T:
        np.maximum.at(lowered, corner, short)
    points = np.array(mesh.vertices) - np.outer(lowered, (0, 0, 1))
    return solid(points, np.asarray(mesh.faces, np.int64), "the contact")


def _column(outline: manifold3d.CrossSection, low: float, high: float) -> manifold3d.Manifold:
    return manifold3d.Manifold.extrude(outline, high - low).translate((0, 0, low))


def _sleeve(parameters: SurgicalGuide) -> Callable[[Trajectory], manifold3d.Manifold]:
    outer_mm = parameters.sleeve_inner_mm + 2 * parameters.sleeve_wall_mm

    def make(trajectory: Trajectory) -> manifold3d.Manifold:
        top = trajectory.on_bone - trajectory.along * parameters.sleeve_length_mm
        foot = trajectory.on_bone + trajectory.along * parameters.reach_mm
        return rod(top, foot, outer_mm)

    return make


def _bore(trajectory: Trajectory, parameters: SurgicalGuide) -> manifold3d.Manifold:
    top = trajectory.entry - trajectory.along * (parameters.sleeve_length_mm + 5)
    foot = trajectory.entry + trajectory.along * (parameters.reach_mm + 10)
    return rod(top, foot, parameters.sleeve_inner_mm)


def _frame(parameters: SurgicalGuide) -> Callable[[Slot], manifold3d.Manifold]:
    wall = parameters.slot_wall_mm

    def make(slot: Slot) -> manifold3d.Manifold:
        half = np.array([slot.length_mm / 2 + wall, parameters.slot_width_mm / 2 + wall])
        low, high = (*-half, -parameters.slot_height_mm), (*half, parameters.reach_mm)
        return block(low, high).transform(np.column_stack([slot.axes, slot.middle]))

    return make


def _cut(slot: Slot, parameters: SurgicalGuide) -> manifold3d.Manifold:
    half = np.array([slot.length_mm / 2, parameters.slot_width_mm / 2])
    low = (*-half, -parameters.slot_height_mm - 5)
    high = (*half, parameters.reach_mm + 10)
    return block(low, high).transform(np.column_stack([slot.axes, slot.middle]))


def _window(
    place: Array, bottom: float, top: float, parameters: SurgicalGuide
) -> manifold3d.Manifold:
    return rod((*place[:2], bottom - 1), (*place[:2], top + 1), parameters.window_mm)


def _whole(guide: manifold3d.Manifold) -> manifold3d.Manifold:
    """The guide without the chips at the border of its contact."""
    pieces = sorted(guide.decompose(), key=lambda piece: -piece.volume())
    if not pieces or sum(p.volume() for p in pieces[1:]) > LARGEST_CHIP * pieces[0].volume():
        raise DesignError(
            f"a guide in {len(pieces)} pieces",
            expected="one piece",
            where="03_design, region_lps_mm, windows_lps_mm and sleeve_length_mm",
            fix="draw the outline around all sleeves and slots, and windows away from them",
        )
    return pieces[0]


def _contact(guide: manifold3d.Manifold, blocked: manifold3d.Manifold) -> trimesh.Trimesh:
    """The faces of the guide that came from the grown bone and look towards it."""
    touching = mesh_of(guide)
    touching.update_faces(triangles_from(guide, {blocked.original_id()}))
    touching.update_faces(touching.face_normals[:, 2] > _LATERAL)
    touching.remove_unreferenced_vertices()
    if not len(touching.faces):
        raise DesignError(
            "a guide that touches no bone",
            expected="a contact around the plan",
            where="03_design, region_lps_mm",
            fix="draw the outline on the bone, and windows smaller than it",
        )
    return touching
