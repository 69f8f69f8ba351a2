"""Scaffold: strands in layers or a level set, in a plain shape or the patient's structure.

For research: nothing is said of cells, sterility or what a body does with it.
"""

from dataclasses import dataclass
from math import floor

import manifold3d
import numpy as np

from labkit.case import Check, Order, Verdict
from labkit.design import pores
from labkit.design.envelope import (
    Envelope,
    middle_of,
    of_anatomy,
    of_block,
    of_cylinder,
    on_plate,
)
from labkit.design.family import Anatomy, Family
from labkit.design.filling import POROSITY_TOLERANCE, fill, one_piece
from labkit.design.implicit import cell
from labkit.design.log_pile import (
    directions,
    layers_of,
    log_pile,
    porosity_by_formula,
    stack_mm,
)
from labkit.design.part import Part, PrintObject
from labkit.design.solids import block, bounds
from labkit.errors import DesignError
from labkit.parameters import Scaffold
from labkit.surface import mesh_of

RESEARCH = "scaffold for research: not for implantation, not for use in or on people"
STRAND_TO_NEEDLE = (0.8, 1.5)
"""A strand is drawn thinner than its needle or swells behind it; the project's own window."""
_VOXELS_PER_PORE = 8


@dataclass(frozen=True)
class _Laid:
    """A body in its envelope, LPS mm, and the porosity that was asked for."""

    body: manifold3d.Manifold
    loose: float
    porosity: float
    asked: float
    core: bool
    smallest_mm: float


def design_scaffold(anatomy: Anatomy, parameters: Scaffold, order: Order) -> Part:
    """The scaffold, plate frame mm.

    A log-pile's porosity follows from its strands and is checked against the formula
    where whole rounds of layers fit (the *core*); a level set's is solved for.

    Restrictions
    ------------
    Strands end at the envelope: the turns between them, which a printer lays outside,
    are left to the slicer.  In a patient's structure they may be cut along their length.

    Raises
    ------
    DesignError
        Layers that do not fuse, a structure in pieces, or no room for it.
    """
    envelope = _envelope(anatomy, parameters)
    laid = (
        _log_pile(envelope, parameters)
        if _is_pile(parameters)
        else _level_set(envelope, parameters)
    )
    mesh, plate_to_patient, shift = on_plate(laid.body)
    in_patient = mesh_of(laid.body)
    found = pores.measure(in_patient, mesh_of(envelope.body), laid.smallest_mm / _VOXELS_PER_PORE)
    metrics = {
        "porosity": 1 - laid.body.volume() / envelope.body.volume(),
        "porosity_asked": laid.asked,
        "void_reachable": found.reachable,
        "throat_mm": found.throat_mm,
        "largest_pore_mm": found.largest_mm,
        "pore_voxel_mm": found.voxel_mm,
        "surface_mm2": float(mesh.area),
        "surface_per_volume_per_mm": float(mesh.area / envelope.body.volume()),
        "crumbs_share": laid.loose,
    }
    return Part(
        objects=(PrintObject(f"{order.case} research", mesh),),
        plate_to_patient=plate_to_patient,
        features=[each.moved(shift) for each in envelope.extents(laid.body, within_mm=0.02)],
        checks=_checks(laid, found, parameters),
        metrics=metrics | ({"porosity_core": laid.porosity} if laid.core else {}),
        edits=envelope.edit(in_patient, laid.body, "filled with strands or cells"),
        caveats=[RESEARCH],
    )


def _is_pile(parameters: Scaffold) -> bool:
    return parameters.structure == "log-pile"


def _envelope(anatomy: Anatomy, parameters: Scaffold) -> Envelope:
    """Plain shapes are as high as whole layers come to."""
    if parameters.shape == "anatomy":
        return of_anatomy(
            anatomy, keep_from_mm=parameters.keep_from_mm, keep_length_mm=parameters.keep_length_mm
        )
    height = parameters.height_mm
    if _is_pile(parameters):
        height = stack_mm(parameters, layers_of(parameters, height))
    if parameters.shape == "cylinder":
        return of_cylinder(parameters.width_mm, height, middle_of(anatomy))
    return of_block((parameters.width_mm, parameters.depth_mm, height), middle_of(anatomy))


def _level_set(envelope: Envelope, parameters: Scaffold) -> _Laid:
    wanted = parameters.porosity
    made_of = cell(parameters.structure)
    filled = fill(envelope, made_of, parameters.cell_mm, (wanted, wanted))
    return _Laid(
        body=filled.body,
        loose=filled.loose,
        porosity=filled.porosity,
        asked=wanted,
        core=True,
        smallest_mm=parameters.cell_mm / 2,
    )


def _log_pile(envelope: Envelope, parameters: Scaffold) -> _Laid:
    low, high = bounds(envelope.body)
    width, depth, height = (high - low).tolist()
    pitch = parameters.strand_mm + parameters.pore_mm
    if min(width, depth) < parameters.strand_mm + pitch:
        raise DesignError(
            f"a shape {min(width, depth):.2f} mm wide",
            expected=f"room for two strands, {parameters.strand_mm + pitch:.2f} mm",
            where="03_design, width_mm, depth_mm, strand_mm and pore_mm",
            fix="a larger shape, or finer strands",
        )
    plain = parameters.shape == "block"
    layers = layers_of(parameters, height) + (0 if parameters.shape != "anatomy" else 1)
    # Beyond a curved outline the pile goes on, so that strands end at it and not before.
    margin = 0.0 if plain else pitch
    pile = log_pile(parameters, width + 2 * margin, depth + 2 * margin, layers)
    middle = (low + high) / 2
    pile = pile.translate((middle[0], middle[1], low[2]))
    body = pile if plain else pile ^ envelope.body
    body, loose, _ = one_piece(body, envelope.body.volume())
    window = _window(envelope, parameters, layers)
    measured = 1 - (pile ^ window).volume() / window.volume() if window.volume() else 0.0
    return _Laid(
        body=body,
        loose=loose,
        porosity=measured,
        asked=porosity_by_formula(parameters),
        core=window.volume() > 0,
        smallest_mm=min(parameters.strand_mm, parameters.pore_mm),
    )


def _window(envelope: Envelope, parameters: Scaffold, layers: int) -> manifold3d.Manifold:
    """Whole distances and whole rounds of layers, from the middle of one layer to another's."""
    low, high = bounds(envelope.body)
    height = parameters.layer_height_mm
    rounds = len(directions(parameters)) * (2 if parameters.offset else 1)
    whole = (layers - 1) // rounds * rounds * height
    pitch = parameters.strand_mm + parameters.pore_mm
    # Strands of a block end a strand's half short of its outline: a distance less each side.
    room = (high - low)[:2] - (2 * pitch if parameters.shape == "block" else 0)
    sides = [floor(each / pitch + 1e-9) * pitch for each in room]
    if not whole or min(sides) <= 0:
        return manifold3d.Manifold()
    middle, bottom = (low + high)[:2] / 2, low[2] + parameters.strand_mm / 2
    half = np.array(sides) / 2
    return block((*(middle - half), bottom), (*(middle + half), bottom + whole))


def _checks(laid: _Laid, found: pores.Pores, parameters: Scaffold) -> list[Check]:
    missed = laid.porosity - laid.asked
    met: Verdict = "pass" if abs(missed) <= POROSITY_TOLERANCE else "fail"
    asked = "the formula" if _is_pile(parameters) else "what was asked for"
    checks = [
        Check(
            name=f"porosity less that of {asked}",
            value=missed if laid.core else None,
            limit=f"±{POROSITY_TOLERANCE:g} (the project's own)",
            verdict=met if laid.core else "not done",
        ),
        found.check(),
    ]
    if not _is_pile(parameters):
        return checks
    least, most = STRAND_TO_NEEDLE
    stretch = parameters.strand_mm / parameters.needle_mm
    layer = parameters.layer_height_mm / parameters.needle_mm
    return [
        *checks,
        Check(
            name="strand over needle",
            value=stretch,
            limit=f"{least:g} to {most:g} (the project's own)",
            verdict="pass" if least <= stretch <= most else "fail",
        ),
        Check(
            name="layer height over needle",
            value=layer,
            limit="0.5 to 1 (the project's own): the needle flattens or drops the strand",
            verdict="pass" if 0.5 <= layer <= 1 else "action",
        ),
        Check(
            name="free span over strand",
            value=parameters.pore_mm / parameters.strand_mm,
            limit="at most 5 (the project's own): soft strands sag",
            verdict="pass" if parameters.pore_mm <= 5 * parameters.strand_mm else "action",
        ),
    ]


FAMILY = Family(
    design_scaffold,
    limits=(
        "For research: not for implantation, not for use in or on people.",
        "The shape as drawn: hydrogels spread, swell and sag.",
    ),
)
