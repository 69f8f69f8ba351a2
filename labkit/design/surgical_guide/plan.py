"""What was planned in the patient, and the frame in which the guide is made.

The guide's frame: mm, z along the insertion (towards the bone), its origin at the
middle of the plan.  So the bone lies above the guide, and the guide prints with its
contact up, where no support touches it.
"""

from dataclasses import dataclass

import manifold3d
import numpy as np
import trimesh

from labkit.errors import DesignError
from labkit.parameters import SurgicalGuide, places
from labkit.volume import Array, affine

ENTRY_MM = 3.0
"""How far a planned entry may lie from the bone; the project's own."""
_SEARCH_MM = 20.0
_NEAR_MM = 5.0


@dataclass(frozen=True)
class Trajectory:
    """A hole: ``entry`` as planned, ``on_bone`` where it meets the bone, ``along`` into it.

    (3,) float64 each, one frame, mm.
    """

    name: str
    entry: Array
    along: Array
    on_bone: Array


@dataclass(frozen=True)
class Slot:
    """A cut: the middle between its ends, its axes and length; one frame, mm.

    ``axes`` (3, 3): columns along the cut, across the blade, and into the bone.
    """

    name: str
    middle: Array
    axes: Array
    length_mm: float


@dataclass(frozen=True)
class Plan:
    """The plan in the guide's frame, mm.

    ``to_guide`` (4, 4): patient LPS mm to the guide's frame; ``outline`` the contact,
    seen along the insertion.
    """

    to_guide: Array
    outline: manifold3d.CrossSection
    places: Array
    trajectories: tuple[Trajectory, ...]
    slots: tuple[Slot, ...]
    windows: Array


def plan_of(surface: trimesh.Trimesh, bone: manifold3d.Manifold, parameters: SurgicalGuide) -> Plan:
    """The plan of a guide on a bone, LPS mm, in the guide's frame.

    Raises
    ------
    DesignError
        Nothing planned, an outline of two places, a direction of no length, or an
        entry that is not on the bone.
    """
    holes = np.array(places(parameters.trajectories_lps_mm)).reshape(-1, 2, 3)
    cuts = np.array(places(parameters.slots_lps_mm)).reshape(-1, 3, 3)
    drawn = np.array(places(parameters.region_lps_mm)).reshape(-1, 3)
    planned = np.vstack([holes[:, 0], cuts[:, :2].reshape(-1, 3)])
    if not len(planned):
        raise _wrong(
            "a guide that guides nothing",
            "at least one trajectory or slot",
            "trajectories_lps_mm and slots_lps_mm",
            "name an entry on the bone and a place deeper along the hole",
        )
    if len(drawn) == 2:
        raise _wrong(
            "an outline of two places",
            "one middle, or three and more around the contact",
            "region_lps_mm",
            "add a place, or leave it empty for a contact around the plan",
        )
    around = drawn if len(drawn) else planned
    to_guide = _frame(surface, around, parameters)
    turn, shift = to_guide[:3, :3], to_guide[:3, 3]
    return Plan(
        to_guide=to_guide,
        outline=_outline(around @ turn.T + shift, len(drawn) > 2, parameters),
        places=around @ turn.T + shift,
        trajectories=tuple(
            _trajectory(f"sleeve {n}", pair, bone, to_guide) for n, pair in enumerate(holes, 1)
        ),
        slots=tuple(_slot(f"slot {n}", three, to_guide) for n, three in enumerate(cuts, 1)),
        windows=np.array(places(parameters.windows_lps_mm)).reshape(-1, 3) @ turn.T + shift,
    )


def _frame(surface: trimesh.Trimesh, around: Array, parameters: SurgicalGuide) -> Array:
    if given := places(parameters.insertion_lps):
        towards = np.array(given[0])
    else:
        towards = -_outwards(surface, around)
    length = float(np.linalg.norm(towards))
    if length < 1e-6:
        raise _wrong(
            "a direction of no length",
            "a direction towards the bone",
            "insertion_lps",
            "give x, y, z of the way from outside to the bone",
        )
    z = towards / length
    up = np.eye(3)[2 if abs(z[2]) < 0.9 else 1]
    x = np.cross(up, z)
    x /= np.linalg.norm(x)
    turn = np.array([x, np.cross(z, x), z])
    return affine(turn, -turn @ around.mean(axis=0))


def _outwards(surface: trimesh.Trimesh, around: Array) -> Array:
    """(3,): mean normal of the surface near places, without the far side of thin bone."""
    outwards = np.zeros(3)
    for place in around:
        apart = np.linalg.norm(surface.triangles_center - place, axis=1)
        front = surface.face_normals @ surface.face_normals[apart.argmin()] > 0
        close = front & (apart <= max(_NEAR_MM, float(apart.min())))
        outwards += (surface.face_normals[close] * surface.area_faces[close, None]).sum(axis=0)
    return outwards


def _outline(around: Array, is_drawn: bool, parameters: SurgicalGuide) -> manifold3d.CrossSection:
    flat = around[:, :2].tolist()
    if is_drawn:
        outline = manifold3d.CrossSection([flat], manifold3d.FillRule.NonZero)
    else:
        disc = manifold3d.CrossSection.circle(parameters.region_margin_mm, 96)
        outline = manifold3d.CrossSection.batch_hull([disc.translate(place) for place in flat])
    if outline.area() < 25:
        raise _wrong(
            f"a contact of {outline.area():.0f} mm2, seen along the insertion",
            "at least 25 mm2",
            "region_lps_mm",
            "draw a larger outline, in the order of its corners",
        )
    return outline


def _trajectory(name: str, pair: Array, bone: manifold3d.Manifold, to_guide: Array) -> Trajectory:
    entry, deeper = pair
    length = float(np.linalg.norm(deeper - entry))
    if length < 1.0:
        raise _wrong(
            f"{name} of {length:.1f} mm",
            "two places at least 1 mm apart",
            "trajectories_lps_mm",
            "name a place deeper along the hole",
        )
    along = (deeper - entry) / length
    hits = bone.ray_cast(entry - along * _SEARCH_MM, entry + along * _SEARCH_MM)
    into = [np.array(hit.position) for hit in hits if np.dot(hit.normal, along) < 0]
    on_bone = min(into, key=lambda place: float(np.linalg.norm(place - entry)), default=None)
    away = np.inf if on_bone is None else float(np.linalg.norm(on_bone - entry))
    if on_bone is None or away > ENTRY_MM:
        raise _wrong(
            f"{name} enters the bone {away:.1f} mm from its entry"
            if on_bone is not None
            else f"{name} does not enter the bone within {_SEARCH_MM:g} mm of its entry",
            f"an entry within {ENTRY_MM:g} mm of the bone's surface, the second place deeper",
            "trajectories_lps_mm",
            "pick the entry on the surface, and a place inside the bone",
        )
    turn, shift = to_guide[:3, :3], to_guide[:3, 3]
    return Trajectory(name, turn @ entry + shift, turn @ along, turn @ on_bone + shift)


def _slot(name: str, three: Array, to_guide: Array) -> Slot:
    turn, shift = to_guide[:3, :3], to_guide[:3, 3]
    start, end, deeper = three @ turn.T + shift
    length = float(np.linalg.norm(end - start))
    into = deeper - (start + end) / 2
    along = (end - start) / max(length, 1e-9)
    into = into - along * (into @ along)
    depth = float(np.linalg.norm(into))
    if length < 2.0 or depth < 1.0:
        raise _wrong(
            f"{name} of {length:.1f} mm, its third place {depth:.1f} mm off its line",
            "ends at least 2 mm apart, the third place at least 1 mm deeper",
            "slots_lps_mm",
            "name two ends on the bone and a place deeper in the plane of the cut",
        )
    into /= depth
    return Slot(
        name, (start + end) / 2, np.column_stack([along, np.cross(into, along), into]), length
    )


def _wrong(found: str, expected: str, name: str, fix: str) -> DesignError:
    return DesignError(found, expected=expected, where=f"03_design, {name}", fix=fix)
