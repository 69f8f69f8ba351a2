"""Surgical guide: a shell that seats on the patient's bone and leads drills and saws."""

from typing import Any

import numpy as np

from labkit.case import Check, Order, Verdict
from labkit.design.bores import FittedBore, fitted_bore
from labkit.design.family import Anatomy, Family
from labkit.design.part import Edit, Feature, Part, PrintObject
from labkit.design.solids import axes_along, bounds, box, onto_plate
from labkit.design.surgical_guide.plan import Plan, plan_of
from labkit.design.surgical_guide.seating import Seating, seating
from labkit.design.surgical_guide.shell import Shell, shell_of
from labkit.parameters import SurgicalGuide, places
from labkit.surface import Distances, mesh_of, signed_distances, solid
from labkit.volume import Array, affine

ANGLE_DEG, ENTRY_MM, BORE_MM = 0.1, 0.05, 0.05
"""By which the designed bore may miss the plan and its diameter; the project's own."""
ON_BONE_MM = 1.0
"""How far the planned entry may lie from the bone without a note; the project's own."""


def design_surgical_guide(anatomy: Anatomy, parameters: SurgicalGuide, order: Order) -> Part:
    """The guide, plate frame mm, contact up, from a bone and a plan in LPS mm.

    Restrictions
    ------------
    Seats on the first structure only; cartilage, periosteum and soft tissue that the
    scan does not show are not there for it.

    Raises
    ------
    DesignError
        A plan that makes no sense, or a guide that cannot be made on this bone.
    """
    bone = solid(anatomy.surface.vertices, anatomy.surface.faces, "the patient surface")
    plan = plan_of(anatomy.surface, bone, parameters)
    side = "" if order.laterality == "none" else order.laterality[0].upper()
    words = f"{order.case} {side}".strip()
    shell = shell_of(bone.transform(plan.to_guide[:3]), plan, words, parameters)
    near = mesh_of(shell.bone)
    seat = seating(shell.body, shell.contact, shell.bone, near, parameters.insertion_mm)
    low, high = bounds(shell.body)
    shift = onto_plate(low, high)
    to_plate = plan.to_guide.copy()
    to_plate[:3, 3] += shift
    plate_to_patient = np.asarray(np.linalg.inv(to_plate), float)
    mesh = mesh_of(shell.body.translate(shift))
    placed = mesh.copy()
    placed.apply_transform(plate_to_patient)
    holes = np.array(places(parameters.trajectories_lps_mm)).reshape(-1, 2, 3)
    bores = [
        fitted_bore(
            placed,
            entry,
            (deeper - entry) / np.linalg.norm(deeper - entry),
            largest_mm=parameters.sleeve_inner_mm + parameters.sleeve_wall_mm,
            what=trajectory.name,
        )
        for trajectory, (entry, deeper) in zip(plan.trajectories, holes, strict=True)
    ]
    table = _table(plan, holes, bores, parameters.sleeve_inner_mm)
    gap = signed_distances(shell.contact.triangles_center, near) - parameters.clearance_mm
    whole = Feature("overall height", "z", float(high[2] - low[2]), box(low - 1, high + 1))
    features = [*_features(plan, parameters), whole]
    return Part(
        objects=(PrintObject(order.case, mesh),),
        plate_to_patient=plate_to_patient,
        features=[feature.moved(shift) for feature in features],
        checks=[
            *seat.checks(parameters.clearance_mm),
            *_plan_checks(table),
            *_mark_check(words, shell, parameters),
        ],
        metrics=seat.metrics()
        | {"undercut_mm3": shell.undercut_mm3, "letters_mm": shell.marked_mm},
        details={
            "trajectories": table,
            "slots": [
                {"name": slot.name, "length_mm": round(slot.length_mm, 3)} for slot in plan.slots
            ],
            "insertion_lps": plan.to_guide[2, :3].tolist(),
            "softest_motion": _softest(seat, plan.to_guide[:3, :3]),
        },
        edits=[Edit("contact against the clearance asked for", Distances.of(gap), 0.0)],
        caveats=[
            "guide for practice and planning: not for use on a patient without the surgeon's "
            "own release; sterilisation may deform it"
        ],
        critical=(box(*(shell.contact.bounds + shift)),),
    )


def _table(
    plan: Plan, holes: Array, bores: list[FittedBore], inner_mm: float
) -> list[dict[str, Any]]:
    """Each trajectory as planned (LPS mm) and as the part's mesh has it."""
    insertion = plan.to_guide[2, :3]
    rows = []
    for trajectory, (entry, deeper), bore in zip(plan.trajectories, holes, bores, strict=True):
        along = (deeper - entry) / np.linalg.norm(deeper - entry)
        off_bone = np.linalg.norm(trajectory.on_bone - trajectory.entry)
        aslant = np.degrees(np.arccos(np.clip(along @ insertion, -1, 1)))
        rows.append(
            {
                "name": trajectory.name,
                "entry_lps_mm": entry.tolist(),
                "direction_lps": along.tolist(),
                "to_insertion_deg": round(float(aslant), 3),
                "entry_to_bone_mm": round(float(off_bone), 4),
                "angle_error_deg": round(bore.angle_deg(along), 5),
                "entry_error_mm": round(bore.off_axis_mm(entry), 5),
                "inner_mm": round(bore.diameter_mm, 4),
                "inner_error_mm": round(abs(bore.diameter_mm - inner_mm), 5),
            }
        )
    return rows


def _plan_checks(table: list[dict[str, Any]]) -> list[Check]:
    limits: tuple[tuple[str, str, str, float, Verdict], ...] = (
        ("axis against the plan", "angle_error_deg", "°", ANGLE_DEG, "fail"),
        ("entry against the plan", "entry_error_mm", "mm", ENTRY_MM, "fail"),
        ("inner diameter against the one asked for", "inner_error_mm", "mm", BORE_MM, "fail"),
        ("planned entry from the bone", "entry_to_bone_mm", "mm", ON_BONE_MM, "action"),
    )
    return [
        Check(
            name=f"{row['name']}, {name}",
            value=row[key],
            unit=unit,
            limit=f"at most {limit:g} (the project's own)",
            verdict="pass" if row[key] <= limit else otherwise,
        )
        for row in table
        for name, key, unit, limit, otherwise in limits
    ]


def _mark_check(words: str, shell: Shell, parameters: SurgicalGuide) -> list[Check]:
    missing = "not asked for" if parameters.mark == "none" else "no room"
    return [
        Check(
            name="marked with case and side",
            value=words if shell.marked_mm else missing,
            limit="raised on the outside",
            verdict="pass" if shell.marked_mm else "fail",
        )
    ]


def _features(plan: Plan, parameters: SurgicalGuide) -> list[Feature]:
    """Bores and slots to be gauged half-way up, in the guide's frame."""
    found = []
    length, height = parameters.sleeve_length_mm, parameters.slot_height_mm
    for hole in plan.trajectories:
        across = (parameters.sleeve_inner_mm + parameters.sleeve_wall_mm) / 2
        narrow = parameters.sleeve_inner_mm / 10
        turn = axes_along(hole.along)
        found.append(
            Feature(
                f"{hole.name}, inner diameter",
                "x",
                parameters.sleeve_inner_mm,
                box((-across, -narrow, -0.8 * length), (across, narrow, -0.5 * length)),
                "pin gauge",
                "inside",
            ).turned(affine(turn, hole.on_bone))
        )
    for slot in plan.slots:
        across = (parameters.slot_width_mm + parameters.slot_wall_mm) / 2
        half = slot.length_mm / 4
        found.append(
            Feature(
                f"{slot.name}, width",
                "y",
                parameters.slot_width_mm,
                box((-half, -across, -0.8 * height), (half, across, -0.5 * height)),
                "feeler gauge",
                "inside",
            ).turned(affine(slot.axes, slot.middle))
        )
    return found


def _softest(seat: Seating, turn: Array) -> dict[str, list[float]]:
    """The motion that the contact resists least, in LPS: shift and turn, without unit."""
    firm = seat.stability
    return {
        "shift_lps": np.round(firm.softest_shift @ turn, 4).tolist(),
        "turn_lps": np.round(firm.softest_turn @ turn, 4).tolist(),
        "eigenvalues": np.round(firm.eigenvalues, 6).tolist(),
    }


FAMILY = Family(
    design_surgical_guide,
    limits=(
        "A prototype: for use on a patient only after the surgeon's own release and fit test.",
        "Fits the bone that the threshold shows; cartilage and soft tissue are not in it.",
        "The hold is judged from shape alone, without friction, with the guide pushed on.",
    ),
)
