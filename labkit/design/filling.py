"""An envelope filled with periodic cells, to a porosity: one body, no trapped void."""

from collections.abc import Callable
from dataclasses import dataclass

import manifold3d
import numpy as np
import numpy.typing as npt

from labkit.design.envelope import Envelope
from labkit.design.implicit import Cell, Field, Grid, below, solid_of
from labkit.design.provenance import triangles_from
from labkit.design.solids import bounds, box
from labkit.errors import DesignError
from labkit.surface import inside, mesh_of, signed_distances
from labkit.volume import Array

MOST_SAMPLES = 4_000_000
"""About 160³.  The samples take 16 MB a field, the exact Booleans on the mesh far more:
1.8 GB were measured at 128³."""
MOST_LOOSE = 0.1
"""Share of the solid that may be crumbs at the envelope; the project's own."""
MOST_TRAPPED = 0.02
"""Share of the void that may be closed pockets, which are filled; the project's own."""
POROSITY_TOLERANCE = 0.02
_GOOD_ENOUGH = 0.004
_ROUNDS = 4
_DISTANCE_STEPS = 40
_NEAR_ENOUGH_MM = 1.0

Grading = Callable[[Grid, Field | None], Field]
"""The porosity wanted at each sample, from the grid and the distances from the surface (mm,
positive inside; None where nothing asked for them)."""


@dataclass(frozen=True)
class Filled:
    """A filled envelope, LPS mm.

    Parameters
    ----------
    body : one piece.
    region : what of the envelope is porous: all but the skin.
    porosity : void share of the region, from the mesh.
    target : mean of what was wanted there.
    area_mm2 : surface of the cells, without the envelope's own faces.
    loose, trapped : shares of solid and void that were crumbs or closed pockets.
    spacing_mm : between samples.
    sampling_error : porosity of one cell's mesh less its formula.
    """

    body: manifold3d.Manifold
    region: manifold3d.Manifold
    porosity: float
    target: float
    area_mm2: float
    loose: float
    trapped: float
    spacing_mm: float
    sampling_error: float


def fill(
    envelope: Envelope,
    cell: Cell,
    cell_mm: float,
    porosities: tuple[float, float],
    *,
    grading: Grading | None = None,
    needs_distance: bool = False,
    skin_mm: float = 0.0,
    ends_open: bool = False,
    drains: manifold3d.Manifold | None = None,
) -> Filled:
    """The envelope, filled so that the mesh has the porosity; solved by shifting the level.

    Parameters
    ----------
    porosities : of the first and the other end of the grading; without one the first counts.
    grading : the porosity at each sample; it lies between the two.
    skin_mm : solid shell inside the envelope; 0 leaves none.
    ends_open : no shell over the cut ends.
    drains : taken out of the shell.

    Raises
    ------
    DesignError
        Too many samples, a structure in pieces, or a void without a way out.
    """
    porosities = porosities if grading else (porosities[0], porosities[0])
    count, error = cell.sampling(porosities)
    grid = Grid.over(box(*bounds(envelope.body)), cell_mm, count)
    _check_size(grid)
    distance = None
    if skin_mm or needs_distance:
        distance = _distance(envelope.side if ends_open else envelope.body, grid)
    region = envelope.body
    if skin_mm and distance is not None:
        region = below(np.float32(skin_mm) - distance, grid.first_mm, grid.spacing_mm)
        region ^= envelope.body
        if region.volume() < cell_mm**3:
            raise DesignError(
                f"{region.volume():.0f} mm3 left inside the skin",
                expected=f"room for one cell of {cell_mm:g} mm",
                where="03_design, skin_mm and cell_mm",
                fix="a thinner skin or a smaller cell",
            )
    shell_mm3 = 0.0
    if skin_mm:
        shell_mm3 = envelope.body.volume() - region.volume()
        shell_mm3 -= (envelope.body ^ (drains - region)).volume() if drains else 0.0
    within = inside(mesh_of(region), grid.first_mm, grid.shape, grid.spacing_mm)
    wanted = grading(grid, distance) if grading else np.float32(porosities[0])
    target = float(np.broadcast_to(wanted, within.shape)[within].mean())
    shift = _shift(cell, grid, wanted, within, target) - error
    for _ in range(_ROUNDS):
        lattice = solid_of(cell, grid, cell.levels(_limited(wanted, shift)))
        body = envelope.body - (region - lattice) if skin_mm else lattice ^ envelope.body
        if drains is not None:
            body -= drains - region
        body, loose, trapped = one_piece(body, region.volume() * target)
        porosity = 1 - (body.volume() - shell_mm3) / region.volume()
        if abs(porosity - target) < _GOOD_ENOUGH:
            break
        shift += target - porosity
    return Filled(
        body=body,
        region=region,
        porosity=porosity,
        target=target,
        area_mm2=_pore_area(body, lattice),
        loose=loose,
        trapped=trapped,
        spacing_mm=grid.spacing_mm,
        sampling_error=error,
    )


def _check_size(grid: Grid) -> None:
    samples = float(np.prod(grid.shape, dtype=float))
    if samples > MOST_SAMPLES:
        least = grid.cell_mm * (samples / MOST_SAMPLES) ** (1 / 3)
        raise DesignError(
            f"{samples / 1e6:.0f} million samples for cells of {grid.cell_mm:g} mm",
            expected=f"at most {MOST_SAMPLES / 1e6:.0f} million",
            where="03_design, cell_mm and the size of the part",
            fix=f"cells of at least {np.ceil(10 * least) / 10:g} mm, or a smaller part",
        )


def _distance(body: manifold3d.Manifold, grid: Grid) -> Field:
    """(x, y, z) float32, mm, positive inside: exact on a coarse grid, linear between."""
    axes = grid.axes()
    extent = max(float(axis[-1] - axis[0]) for axis in axes)
    step = max(grid.spacing_mm, min(_NEAR_ENOUGH_MM, extent / _DISTANCE_STEPS))
    coarse = [np.arange(axis[0], axis[-1] + step, step) for axis in axes]
    points = np.stack(np.meshgrid(*coarse, indexing="ij"), axis=-1)
    exact = -signed_distances(points.reshape(-1, 3), mesh_of(body)).reshape(points.shape[:3])
    values: Array = exact.astype(np.float32)
    for number, (axis, start) in enumerate(zip(axes, grid.first_mm, strict=True)):
        values = _along(values, (axis - start) / step, number)
    return np.ascontiguousarray(values, np.float32)


def _along(values: Array, at: Array, axis: int) -> Array:
    """Values along one axis at places counted in steps, linear between."""
    low = np.clip(np.floor(at + 1e-9).astype(int), 0, values.shape[axis] - 2)
    shape = [-1 if number == axis else 1 for number in range(3)]
    share = (at - low).astype(np.float32).reshape(shape)
    return np.asarray(
        np.take(values, low, axis) * (1 - share) + np.take(values, low + 1, axis) * share
    )


def _limited(wanted: Field | np.float32, shift: float) -> Field:
    return np.asarray(np.clip(wanted + np.float32(shift), 0.02, 0.98), np.float32)


def _shift(
    cell: Cell,
    grid: Grid,
    wanted: Field | np.float32,
    within: npt.NDArray[np.bool_],
    target: float,
) -> float:
    """What to add to the porosity, so that the samples in the region have the target's."""
    values = grid.values(cell)[within]
    values = np.abs(values) if cell.sheet else values
    local = np.broadcast_to(wanted, within.shape)[within]
    shift = 0.0
    for _ in range(3):
        found = float((values >= cell.levels(_limited(local, shift))).mean())
        shift += target - found
    return shift


def one_piece(
    body: manifold3d.Manifold, void_mm3: float
) -> tuple[manifold3d.Manifold, float, float]:
    """The largest piece with its closed pockets filled; the shares of crumbs and pockets."""
    pieces = body.decompose()
    volumes = np.array([piece.volume() for piece in pieces])
    if not (volumes > 0).any():
        raise _in_pieces(1.0)
    largest = int(volumes.argmax())
    pockets = min(float(-volumes[volumes < 0].sum() / void_mm3), 1.0)
    if pockets > MOST_TRAPPED:
        raise DesignError(
            f"{100 * pockets:.0f} % of the void has no way out: powder or resin stays in it",
            expected=f"at most {100 * MOST_TRAPPED:.0f} %, which is filled",
            where="03_design, skin, drain_places_lps_mm and porosity",
            fix="skin 'open ends' with a cut end, drains, or a higher porosity",
        )
    whole = volumes[volumes > 0].sum()
    loose = float(1 - volumes[largest] / whole)
    if loose > MOST_LOOSE:
        raise _in_pieces(loose)
    return pieces[largest], loose, pockets


def _in_pieces(loose: float) -> DesignError:
    return DesignError(
        f"a structure in pieces: {100 * loose:.0f} % hangs on nothing",
        expected=f"one body, and at most {100 * MOST_LOOSE:.0f} % crumbs at the envelope",
        where="03_design, cell, cell_mm and porosity",
        fix="a lower porosity, a sheet instead of a network, or smaller cells",
    )


def _pore_area(body: manifold3d.Manifold, lattice: manifold3d.Manifold) -> float:
    """Surface of a body that stems from the lattice and not from its envelope, mm2."""
    own = triangles_from(body, set(lattice.to_mesh64().run_original_id))
    return float(mesh_of(body).area_faces[own].sum())
