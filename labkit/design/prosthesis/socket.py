"""A socket: a cup around a residual limb, relieved where it must not press, on a flat foot."""

import manifold3d
import numpy as np

from labkit.case import Order
from labkit.design.family import Anatomy
from labkit.design.fitted_shell import Shell, caveats_of, shell_of
from labkit.design.growth import plan_of_sizes, record_of
from labkit.design.limb import limb_of
from labkit.design.mirroring import side_check
from labkit.design.part import Feature, Part, PrintObject
from labkit.design.solids import bounds, box, onto_plate
from labkit.errors import DesignError
from labkit.parameters.design.prosthesis import Prosthesis
from labkit.surface import mesh_of
from labkit.volume import Array, affine

_SIDES = 128
_INTO_MM = 0.2
"""How far the foot's box of inspection stays below the cup."""


def design_socket(anatomy: Anatomy, parameters: Prosthesis, order: Order) -> Part:
    """The socket, plate frame mm, around a residual limb in LPS mm.

    It begins at the limb's distal end and is open at ``length_mm`` above it.

    Raises
    ------
    DesignError
        Side, unit or length do not fit the limb, or the foot is wider than the cup.
    """
    sizes = plan_of_sizes(parameters)
    limb = limb_of(anatomy, parameters, order, turn_deg=0.0, to_end=True)
    shell = shell_of(limb, parameters, distal_mm=parameters.distal_mm, open_distal=False)
    foot, place = _foot(shell, parameters)
    body = shell.wall + (foot - shell.inner)
    if parameters.vent_mm:
        drill = _upright(parameters.vent_mm, place[2] - 1, limb.high_mm / 2, place)
        body -= drill
    low, high = bounds(body)
    shift = onto_plate(low, high)
    mesh = mesh_of(body)
    fit, thickness = shell.fit(mesh, body), shell.thickness(mesh, body)
    return Part(
        objects=(PrintObject(f"{order.case} socket", mesh_of(body.translate(shift))),),
        plate_to_patient=limb.to_source @ affine(np.eye(3), -shift),
        features=[each.moved(shift) for each in _features(shell, parameters, low, high, place)],
        checks=[*shell.checks(fit, thickness), side_check(parameters, order)],
        metrics={
            **shell.metrics(fit, thickness),
            "room_mm3": float(shell.inner.trim_by_plane((0, 0, -1), -limb.high_mm).volume()),
        },
        details={
            "mirrored": parameters.mirror,
            "limb_file": limb.source,
            **record_of(sizes, parameters),
        },
        edits=[shell.edit(fit)],
        caveats=caveats_of(parameters, order, sizes),
    )


def _foot(shell: Shell, parameters: Prosthesis) -> tuple[manifold3d.Manifold, Array]:
    """The foot, and the middle of its sole."""
    low, _ = bounds(shell.outer)
    radius = parameters.foot_mm / 2
    up = min(low[2] + radius, shell.limb.high_mm / 2)
    near, far = bounds(shell.outer.trim_by_plane((0, 0, -1), -up))
    if (far - near)[:2].min() < 2 * radius:
        raise DesignError(
            f"a foot of {parameters.foot_mm:g} mm",
            expected=f"at most {(far - near)[:2].min():.0f} mm: the width of the cup above it",
            where="03_design, foot_mm",
            fix="make the foot narrower",
        )
    place = np.array([*((near + far) / 2)[:2], low[2] - parameters.foot_height_mm])
    return _upright(parameters.foot_mm, float(place[2]), float(up), place), place


def _upright(diameter: float, low: float, high: float, place: Array) -> manifold3d.Manifold:
    made = manifold3d.Manifold.cylinder(high - low, diameter / 2, diameter / 2, _SIDES)
    return made.translate((float(place[0]), float(place[1]), low))


def _features(
    shell: Shell, parameters: Prosthesis, low: Array, high: Array, place: Array
) -> list[Feature]:
    distal = float(shell.clearance.clearances_mm[0]) + parameters.distal_mm + parameters.wall_mm
    tall = parameters.length_mm + distal + parameters.foot_height_mm
    top = place[2] + parameters.foot_height_mm - _INTO_MM
    around = box((*(low[:2] - 1), low[2] - 1), (*(high[:2] + 1), top))
    return [
        Feature("foot, diameter along x", "x", parameters.foot_mm, around),
        Feature("foot, diameter along y", "y", parameters.foot_mm, around),
        Feature("overall height", "z", tall, box(low - 1, high + 1)),
    ]
