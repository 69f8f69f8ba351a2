"""Dosage form: a shape of a given mass or volume, and of a given surface over volume.

For research only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import pi, sqrt

import manifold3d
import numpy as np
from scipy.optimize import brentq

from labkit import equipment
from labkit.case import Check, Order, Verdict
from labkit.design.envelope import middle_of, on_plate
from labkit.design.family import Anatomy, Family
from labkit.design.part import Feature, Part, PrintObject
from labkit.design.solids import bounds, box
from labkit.design.uniformity import ACCEPTABILITY, L1, uniformity_of_masses
from labkit.errors import DesignError
from labkit.parameters import DosageForm

RESEARCH = "dosage form for research only: not for administration to people or animals"
TOLERANCE = 0.005
"""Of volume and of surface over volume; the project's own."""
CAPLET_LENGTH = 2.5
"""Of a caplet, over its width."""
PATCH_CORNER = 0.15
"""Of a patch, radius over width."""
_SIDES = 128
_LEAST_ASPECT = {"patch": 0.005}
_TORUS = (0.05, 0.95)


@dataclass(frozen=True)
class Shape:
    """A shape of width 1 by its aspect a.

    Parameters
    ----------
    volume, surface : by formula.
    body : its mesh, on z = 0, the middle over the origin.
    wall : the thinnest wall.
    span : lowest and highest aspect; over it surface³/volume² falls.
    """

    volume: Callable[[float], float]
    surface: Callable[[float], float]
    body: Callable[[float], manifold3d.Manifold]
    wall: Callable[[float], float]
    span: tuple[float, float]

    def slimness(self, aspect: float) -> float:
        """Surface over volume of a unit volume: what scaling does not change."""
        return float(self.surface(aspect) / self.volume(aspect) ** (2 / 3))


def design_dosage_form(anatomy: Anatomy, parameters: DosageForm, order: Order) -> Part:
    """One unit, plate frame mm; it lies in the middle of the structure of the order.

    The mass is volume × density × filled share, and assumes that the slicer fills just
    that share; ``yield_percent`` makes up for what a trial print lacked.

    Raises
    ------
    DesignError
        A surface over volume that the shape does not have, or a number of trial masses
        that no acceptance value is defined for.
    """
    shape = shape_of(parameters)
    volume_mm3 = target_mm3(parameters)
    aspect = _aspect(shape, parameters, volume_mm3)
    drawn = shape.body(aspect)
    size = (volume_mm3 / drawn.volume()) ** (1 / 3)
    body = drawn.scale((size,) * 3).translate(middle_of(anatomy))
    mesh, plate_to_patient, _ = on_plate(body)
    low, high = bounds(drawn)
    nominal_mm = size * (high - low)
    around = box(
        (-nominal_mm[0] / 2 - 1, -nominal_mm[1] / 2 - 1, -1), (*(nominal_mm[:2] / 2 + 1), 1e3)
    )
    ratio = float(mesh.area / mesh.volume)
    mass_mg = float(mesh.volume) * _mg_per_mm3(parameters)
    trial, trial_checks = _trial(parameters, mass_mg)
    return Part(
        objects=(PrintObject(f"{order.case} research only", mesh),),
        plate_to_patient=plate_to_patient,
        features=[
            Feature(f"overall {axis}", axis, float(extent), around)
            for axis, extent in zip("xyz", nominal_mm, strict=True)
        ],
        checks=[
            _close(
                "volume over the shape's formula", mesh.volume / (size**3 * shape.volume(aspect))
            ),
            _close(
                "surface over volume, over what was asked for",
                ratio * volume_mm3 ** (1 / 3) / shape.slimness(aspect)
                if not parameters.surface_to_volume_per_mm
                else ratio / parameters.surface_to_volume_per_mm,
            ),
            _wall(size * shape.wall(aspect), parameters),
            *trial_checks,
        ],
        metrics={
            "mass_mg": mass_mg,
            "surface_mm2": float(mesh.area),
            "surface_to_volume_per_mm": ratio,
            "aspect": aspect,
            "wall_mm": size * shape.wall(aspect),
        },
        details={
            "mass": (
                f"volume × {parameters.density_g_cm3:g} g/cm³ × {parameters.filled_percent:g} % "
                f"filled × {parameters.yield_percent:g} % yield; assumed, not weighed"
            ),
            "uniformity": trial,
        },
        caveats=[RESEARCH],
    )


def target_mm3(parameters: DosageForm) -> float:
    """The volume that is drawn, mm³."""
    if parameters.given == "volume":
        return parameters.volume_mm3
    return parameters.mass_mg / _mg_per_mm3(parameters)


def _mg_per_mm3(parameters: DosageForm) -> float:
    shares = parameters.filled_percent * parameters.yield_percent / 1e4
    return parameters.density_g_cm3 * shares


def shape_of(parameters: DosageForm) -> Shape:
    """The shape that was asked for."""
    hole = parameters.hole_share
    if parameters.shape == "torus":
        return _torus()
    if parameters.shape == "honeycomb":
        return _honeycomb(hole, parameters.rings)
    circle = manifold3d.CrossSection.circle(0.5, _SIDES)
    outlines = {
        "tablet": (pi / 4, pi, 1.0, circle),
        "caplet": (
            pi / 4 + CAPLET_LENGTH - 1,
            pi + 2 * (CAPLET_LENGTH - 1),
            1.0,
            _rounded((CAPLET_LENGTH, 1.0), 0.5),
        ),
        "ring": (
            pi / 4 * (1 - hole**2),
            pi * (1 + hole),
            (1 - hole) / 2,
            circle - manifold3d.CrossSection.circle(hole / 2, _SIDES),
        ),
        "patch": (
            1 - (4 - pi) * PATCH_CORNER**2,
            4 - (8 - 2 * pi) * PATCH_CORNER,
            1.0,
            _rounded((1.0, 1.0), PATCH_CORNER),
        ),
    }
    return _prism(*outlines[parameters.shape], _LEAST_ASPECT.get(parameters.shape, 0.05))


def _prism(
    area: float, outline: float, wall: float, section: manifold3d.CrossSection, least: float
) -> Shape:
    """Walls upright on a cross-section of this area and length of outline.

    Surface over volume of a given volume is least at the height 4 area/outline.
    """
    return Shape(
        volume=lambda a: area * a,
        surface=lambda a: 2 * area + outline * a,
        body=lambda a: manifold3d.Manifold.extrude(section, a),
        wall=lambda a: min(wall, a),
        span=(least, 4 * area / outline),
    )


def _torus() -> Shape:
    def body(a: float) -> manifold3d.Manifold:
        tube = manifold3d.CrossSection.circle(a, _SIDES).translate((1, 0))
        return manifold3d.Manifold.revolve(tube, _SIDES).translate((0, 0, a))

    return Shape(
        volume=lambda a: 2 * pi**2 * a**2,
        surface=lambda a: 4 * pi**2 * a,
        body=body,
        wall=lambda a: 2 * a,
        span=_TORUS,
    )


def _honeycomb(hole: float, rings: int) -> Shape:
    """Hexagons of width 1 side by side, each with a channel; the width is that of one."""
    places = [
        (x + y / 2, y * sqrt(3) / 2)
        for x in range(-rings, rings + 1)
        for y in range(-rings, rings + 1)
        if abs(x + y) <= rings
    ]
    side = 1 / sqrt(3)
    turns = np.pi / 6 + np.arange(6) * np.pi / 3
    hexagon = np.column_stack([np.cos(turns), np.sin(turns)]) * side
    whole = manifold3d.CrossSection.batch_boolean(
        [manifold3d.CrossSection([hexagon * (1 + 1e-6) + place]) for place in places],
        manifold3d.OpType.Add,
    )
    channels = [hexagon * hole + place for place in places]
    section = whole - manifold3d.CrossSection(channels)
    area = len(places) * sqrt(3) / 2 * (1 - hole**2)
    outline = 6 * (2 * rings + 1) * side + len(places) * 6 * side * hole
    return _prism(area, outline, (1 - hole) / 2, section, 0.05)


def _rounded(size: tuple[float, float], radius: float) -> manifold3d.CrossSection:
    inner = (size[0] - 2 * radius, size[1] - 2 * radius)
    half = (inner[0] / 2, inner[1] / 2)
    corners = [
        manifold3d.CrossSection.circle(radius, _SIDES).translate((x, y))
        for x in (-half[0], half[0])
        for y in (-half[1], half[1])
    ]
    return manifold3d.CrossSection.batch_hull(corners)


def _aspect(shape: Shape, parameters: DosageForm, volume_mm3: float) -> float:
    """The aspect as given, or the flat one that has the surface over volume asked for."""
    if not parameters.surface_to_volume_per_mm:
        least, most = _TORUS if parameters.shape == "torus" else (0.0, 2.0)
        if not least <= parameters.aspect <= most:
            raise DesignError(
                f"a torus with a tube of {parameters.aspect:g} of the ring's radius",
                expected=f"{least:g} to {most:g}, so that its hole stays open",
                where="03_design, aspect",
                fix=f"aspect = {most:g} or less",
            )
        return parameters.aspect
    asked = parameters.surface_to_volume_per_mm * volume_mm3 ** (1 / 3)
    flat, compact = shape.span
    most, least = shape.slimness(flat), shape.slimness(compact)
    if not least <= asked <= most:
        unit = volume_mm3 ** (1 / 3)
        raise DesignError(
            f"{parameters.surface_to_volume_per_mm:g} per mm for a {parameters.shape} of "
            f"{volume_mm3:.0f} mm³",
            expected=f"{least / unit:.3g} to {most / unit:.3g} per mm",
            where="03_design, surface_to_volume_per_mm",
            fix="another value, shape or size",
        )
    found = brentq(lambda aspect: shape.slimness(aspect) - asked, flat, compact, xtol=1e-10)
    return float(found)


def _close(name: str, ratio: float) -> Check:
    good = abs(ratio - 1) <= TOLERANCE
    return Check(
        name=name,
        value=ratio,
        limit=f"1 ± {TOLERANCE:g} (the project's own)",
        verdict="pass" if good else "fail",
    )


def _wall(wall_mm: float, parameters: DosageForm) -> Check:
    line_mm = equipment.printer(parameters.printer).nozzle_mm
    verdict: Verdict = "pass" if wall_mm >= line_mm else "action"
    limit = f"at least one line of the printer's nozzle, {line_mm:g} mm"
    return Check(name="thinnest wall", value=wall_mm, unit="mm", limit=limit, verdict=verdict)


def _trial(parameters: DosageForm, target_mg: float) -> tuple[list[dict[str, object]], list[Check]]:
    if not parameters.trial_masses_mg.strip():
        return [], []
    masses = [float(word) for word in parameters.trial_masses_mg.split(";")]
    found = uniformity_of_masses(masses, target_mg)
    k = ACCEPTABILITY[found.units]
    check = Check(
        name="acceptance value of the trial",
        value=found.acceptance_value,
        unit="%",
        limit=f"at most {L1:g}, n = {found.units}, k = {k:g} (Ph. Eur. 2.9.40, USP <905>)",
        verdict="pass" if found.within else "action",
    )
    return found.table(), [check]


FAMILY = Family(
    design_dosage_form,
    limits=(
        "For research only: not for administration to people or animals.",
        "The mass is assumed from density and filling; nothing is said of dose or release.",
    ),
)
