"""Lattice: an envelope filled with periodic cells, graded, with a skin, as one open body.

Not a device: a prototype to look at, to print and to measure.
"""

import manifold3d
import numpy as np
import pyvista

from labkit import equipment
from labkit.case import Check, Order
from labkit.design import pores
from labkit.design.compensation import compensated
from labkit.design.envelope import Envelope, middle_of, of_anatomy, of_block, on_plate
from labkit.design.family import Anatomy, Family
from labkit.design.filling import POROSITY_TOLERANCE, Filled, Grading, fill
from labkit.design.implicit import SAMPLING_ERROR, Cell, Field, Grid, cell
from labkit.design.part import Part, PrintObject
from labkit.design.solids import bounds
from labkit.errors import DesignError
from labkit.parameters import Lattice, places
from labkit.surface import mesh_of
from labkit.volume import Array

PROTOTYPE = "prototype of a porous structure: not for implantation"
_VOXELS_PER_CELL = 24


def design_lattice(anatomy: Anatomy, parameters: Lattice, order: Order) -> Part:
    """The filled envelope, plate frame mm.

    The porosity is that of the mesh inside the skin, and within ±0.02 of what was asked
    for; of a graded lattice, of the mean that was asked for.

    Restrictions
    ------------
    Cells begin at the low corner of the envelope, along the patient's axes.

    Raises
    ------
    DesignError
        Parameters that do not go together, a structure in pieces, void without a way
        out, or more samples than a laptop holds.
    """
    _check_parameters(parameters)
    envelope = _envelope(anatomy, parameters)
    made_of, made = cell(parameters.cell), compensated(parameters)
    low, _ = bounds(envelope.body)
    filled = fill(
        envelope,
        made_of,
        made.cell_mm,
        made.porosities,
        grading=_grading(parameters, made.porosities, float(low[2])),
        needs_distance=parameters.grading == "from the surface",
        skin_mm=0.0 if parameters.skin == "none" else parameters.skin_mm,
        ends_open=parameters.skin == "open ends",
        drains=_drains(envelope, parameters),
    )
    mesh, plate_to_patient, shift = on_plate(filled.body)
    in_patient = mesh_of(filled.body)
    found = pores.measure(in_patient, mesh_of(filled.region), made.cell_mm / _VOXELS_PER_CELL)
    ligament_mm, pore_mm = _sizes(filled, made_of)
    features = envelope.extents(filled.body, within_mm=0.01)
    edge = "the lattice ends short of the envelope: its cells do not reach every side"
    return Part(
        objects=(PrintObject(f"{order.case} prototype", mesh),),
        plate_to_patient=plate_to_patient,
        features=[feature.moved(shift) for feature in features],
        checks=_checks(filled, found, ligament_mm, parameters),
        metrics={
            "porosity": filled.porosity,
            "porosity_of_the_whole": 1 - filled.body.volume() / envelope.body.volume(),
            "ligament_mm": ligament_mm,
            "pore_mm": pore_mm,
            "largest_pore_mm": found.largest_mm,
            "throat_mm": found.throat_mm,
            "void_reachable": found.reachable,
            "pore_voxel_mm": found.voxel_mm,
            "surface_mm2": filled.area_mm2,
            "cell_mm": made.cell_mm,
            "sampling_mm": filled.spacing_mm,
            "crumbs_share": filled.loose,
        },
        details={"compensation": made.table()},
        edits=envelope.edit(in_patient, filled.body, "filled with cells"),
        warnings=[] if len(features) == 3 else [edge],
        caveats=[PROTOTYPE, *made.caveats()],
    )


def _check_parameters(parameters: Lattice) -> None:
    for wrong, found, expected, fix in (
        (
            parameters.grading == "from places" and not parameters.grading_places_lps_mm,
            "a grading from places, and no place",
            "at least one place in grading_places_lps_mm",
            "name the places, or choose another grading",
        ),
        (
            bool(parameters.drain_places_lps_mm) and parameters.skin == "none",
            "drains, and no skin",
            "a skin that the drains lead through",
            "choose a skin, or leave drain_places_lps_mm empty",
        ),
        (
            parameters.envelope == "block"
            and bool(parameters.keep_from_mm or parameters.keep_length_mm),
            "a block, and a length of the structure to keep",
            "one of the two",
            "set keep_from_mm and keep_length_mm to 0, or envelope to 'anatomy'",
        ),
    ):
        if wrong:
            raise DesignError(found, expected=expected, where="03_design", fix=fix)


def _envelope(anatomy: Anatomy, parameters: Lattice) -> Envelope:
    if parameters.envelope == "block":
        size = (parameters.block_x_mm, parameters.block_y_mm, parameters.block_z_mm)
        return of_block(size, middle_of(anatomy))
    return of_anatomy(
        anatomy, keep_from_mm=parameters.keep_from_mm, keep_length_mm=parameters.keep_length_mm
    )


def _grading(
    parameters: Lattice, porosities: tuple[float, float], bottom_mm: float
) -> Grading | None:
    """The porosity at each sample: from one to the other over ``grading_mm``, then level."""
    if parameters.grading == "none":
        return None
    start = np.array(places(parameters.grading_places_lps_mm))

    def field(grid: Grid, distance: Field | None) -> Field:
        x, y, z = grid.axes()
        at: Array | Field
        if distance is not None:
            at = distance
        elif parameters.grading == "along z":
            at = np.broadcast_to(z - bottom_mm, grid.shape)
        else:
            squares = [
                (x - a)[:, None, None] ** 2 + (y - b)[:, None] ** 2 + (z - c) ** 2
                for a, b, c in start
            ]
            at = np.sqrt(np.min(squares, axis=0))
        share = np.clip(at / parameters.grading_mm, 0, 1)
        return np.asarray(porosities[0] + share * (porosities[1] - porosities[0]), np.float32)

    # With a skin there are distances too; only this grading follows them.
    if parameters.grading == "from the surface":
        return field
    return lambda grid, _: field(grid, None)


def _drains(envelope: Envelope, parameters: Lattice) -> manifold3d.Manifold | None:
    """Cylinders through the skin, square to the surface at its points nearest to the places."""
    if not parameters.drain_places_lps_mm:
        return None
    mesh = mesh_of(envelope.body)
    surface = pyvista.PolyData.from_regular_faces(mesh.vertices, mesh.faces)
    points = np.array(places(parameters.drain_places_lps_mm))
    triangles, nearest = surface.find_closest_cell(points, return_closest_point=True)
    length = 2 * (parameters.skin_mm + parameters.drain_mm)
    drains = manifold3d.Manifold()
    for middle, normal in zip(nearest, mesh.face_normals[triangles], strict=True):
        across = np.linalg.svd(normal[None])[2][1:]
        turned = np.column_stack([across[0], np.cross(normal, across[0]), normal, middle])
        radius = parameters.drain_mm / 2
        drains += manifold3d.Manifold.cylinder(length, radius, radius, 48, center=True).transform(
            turned
        )
    return drains


def _sizes(filled: Filled, made_of: Cell) -> tuple[float, float]:
    """Mean thickness of ligaments and width of pores, mm, from volume and surface.

    Plates are 2 V/S thick, rods 4 V/S (the plate and the rod model of bone
    histomorphometry, doi 10.1002/jbmr.5650020617); pores are 4 V/S wide.
    """
    void_mm3 = filled.porosity * filled.region.volume()
    solid_mm3 = filled.region.volume() - void_mm3
    return (
        (2 if made_of.sheet else 4) * solid_mm3 / filled.area_mm2,
        4 * void_mm3 / filled.area_mm2,
    )


def _checks(
    filled: Filled, found: pores.Pores, ligament_mm: float, parameters: Lattice
) -> list[Check]:
    wall_mm = equipment.printer(parameters.printer).nozzle_mm
    missed = filled.porosity - filled.target
    return [
        Check(
            name="porosity less what was asked for",
            value=missed,
            limit=f"±{POROSITY_TOLERANCE:g} (the project's own)",
            verdict="pass" if abs(missed) <= POROSITY_TOLERANCE else "fail",
        ),
        Check(
            name="sampling error of one cell's porosity",
            value=filled.sampling_error,
            limit=f"±{SAMPLING_ERROR:g} (the project's own)",
            verdict="pass" if abs(filled.sampling_error) <= SAMPLING_ERROR else "action",
        ),
        found.check(),
        Check(
            name="crumbs left out at the envelope",
            value=filled.loose,
            limit="at most 0.02 of the solid (the project's own)",
            verdict="pass" if filled.loose <= 0.02 else "action",
        ),
        Check(
            name="mean ligament",
            value=ligament_mm,
            unit="mm",
            limit=f"at least one line of the printer's nozzle, {wall_mm:g} mm",
            verdict="pass" if ligament_mm >= wall_mm else "action",
        ),
    ]


FAMILY = Family(
    design_lattice,
    limits=(
        "A prototype of a porous structure: not for implantation.",
        "Nothing is said of its strength, of cleaning or of what tissue does with it.",
        "Ligaments and pores are means over the part; thin places may be thinner.",
    ),
)
