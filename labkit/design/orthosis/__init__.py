"""Orthosis: a ventilated shell around a limb, parted in two halves that close.

The shell follows the skin at a clearance that differs by region, bends away from it at
both ends, and is held against a force in its middle.
"""

import manifold3d
import numpy as np

from labkit.case import Order
from labkit.design.family import Anatomy, Family
from labkit.design.fitted_shell import Shell, caveats_of, shell_of
from labkit.design.growth import plan_of_sizes, record_of
from labkit.design.limb import limb_of
from labkit.design.mirroring import side_check
from labkit.design.orthosis.bending import bending
from labkit.design.orthosis.closures import closures, lugs_on
from labkit.design.orthosis.ventilation import holes, nominal_open_share
from labkit.design.part import Feature, Part, PrintObject
from labkit.design.solids import bounds, box, joined, onto_plate
from labkit.errors import DesignError
from labkit.parameters.design.orthosis import Orthosis
from labkit.surface import mesh_of, pieces
from labkit.volume import affine


def design_orthosis(anatomy: Anatomy, parameters: Orthosis, order: Order) -> Part:
    """The splint, plate frame mm, around a limb in LPS mm.

    Raises
    ------
    DesignError
        Side, unit or place do not fit the limb, a closure finds no room, or the pattern
        leaves a half in pieces.
    """
    sizes = plan_of_sizes(parameters)
    limb = limb_of(anatomy, parameters, order, turn_deg=parameters.split_deg)
    shell = shell_of(limb, parameters)
    closed = closures(shell, parameters)
    off = max(closed.reach_mm, parameters.gap_mm / 2 + parameters.web_mm)
    drills = holes(shell, parameters, off)
    wall = shell.wall
    body = wall + lugs_on(shell, closed) if closed.lugs else wall
    taken = joined(drills)
    body -= joined([*closed.cuts, *closed.holes, taken])
    halves = _halves(body, parameters)
    together = joined(halves)
    low, high = bounds(together)
    shift = onto_plate(low, high)
    mesh = mesh_of(together)
    fit, thickness = shell.fit(mesh, together), shell.thickness(mesh, together)
    bent = bending(halves, load_n=parameters.load_n, modulus_mpa=parameters.modulus_mpa)
    whole = Feature("overall height", "z", parameters.length_mm, box(low - 1, high + 1))
    names = {"two": ("A", "B"), "first": ("A",), "second": ("B",)}[parameters.halves]
    return Part(
        objects=tuple(
            PrintObject(f"{order.case} {name}", mesh_of(half.translate(shift)))
            for name, half in zip(names, halves, strict=True)
        ),
        plate_to_patient=limb.to_source @ affine(np.eye(3), -shift),
        features=[feature.moved(shift) for feature in [*closed.features, whole]],
        checks=[
            *shell.checks(fit, thickness),
            *bent.checks(parameters.strength_mpa, parameters.length_mm),
            side_check(parameters, order),
        ],
        metrics={
            **shell.metrics(fit, thickness),
            "ventilation_holes": float(len(drills)),
            "open_share": _open_share(wall, taken),
            "open_share_of_pattern": nominal_open_share(parameters.hole_mm, parameters.web_mm)
            if drills
            else 0.0,
            "second_moment_mm4": bent.second_moment_mm4,
            "bending_stress_mpa": bent.stress_mpa,
            "bending_deflection_mm": bent.deflection_mm,
        },
        details={
            "mirrored": parameters.mirror,
            "limb_file": limb.source,
            "clearance_by_height": _by_height(shell),
            **record_of(sizes, parameters),
        },
        edits=[shell.edit(fit)],
        caveats=caveats_of(parameters, order, sizes),
    )


def _halves(body: manifold3d.Manifold, parameters: Orthosis) -> list[manifold3d.Manifold]:
    """The half at +y, A, and the one at −y, B: those that are asked for."""
    gap = parameters.gap_mm / 2
    both = [body.trim_by_plane((0, 1, 0), gap), body.trim_by_plane((0, -1, 0), gap)]
    kept = {"two": both, "first": both[:1], "second": both[1:]}[parameters.halves]
    for half in kept:
        count = len(pieces(half))
        if count != 1:
            raise DesignError(
                f"a half shell in {count} pieces",
                expected="one piece",
                where="03_design, split_deg, hole_mm and web_mm",
                fix="part the limb another way, or leave wider webs",
            )
    return kept


def _open_share(wall: manifold3d.Manifold, taken: manifold3d.Manifold) -> float:
    """What the holes take of the wall, as a share of its volume."""
    return float((wall ^ taken).volume() / wall.volume())


def _by_height(shell: Shell) -> list[dict[str, float]]:
    """The clearance that was asked for, by height above the part's distal edge."""
    low = shell.limb.low_mm
    return [
        {"height_mm": round(float(z - low), 3), "clearance_mm": round(float(c), 3)}
        for z, c in zip(shell.clearance.heights_mm, shell.clearance.clearances_mm, strict=True)
    ]


FAMILY = Family(
    design_orthosis,
    limits=(
        "A prototype: a qualified person fits and releases it, and looks at the skin.",
        "The shell follows the limb as it lay in the scanner; swelling and posture change it.",
        "The bending check is that of a slender beam: it refuses what is far too weak, no more.",
    ),
)
