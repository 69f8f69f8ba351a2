"""A hollow inside, and holes for what would stay in it."""

from dataclasses import dataclass

import manifold3d
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from labkit.case import Check
from labkit.design.offset import DistanceField, distance_field, level_set
from labkit.design.solids import bounds, joined, rod
from labkit.errors import DesignError
from labkit.parameters import AnatomicalModel
from labkit.surface import Distances, mesh_of, signed_distances
from labkit.volume import Array

FINEST_MM, SAMPLES = 0.4, 6_000_000
"""Steps of the grid: as fine as so many samples allow, at most half the wall."""
SIMPLIFIED_MM = 0.01
"""Of the hollow's surface: far below what a wall is measured with."""
SMALLEST_CAVITY_MM3 = 200.0
"""Smaller ones stay full: each would need a hole (the project's own)."""
TRAPPED_PERCENT = 1.0
"""Of a hollow: what may stay in it (the project's own)."""
WALL_MM = 0.05
"""By which the wall may miss what was asked: the project's own."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Hollow:
    """What is taken out of a body, in the body's frame, mm.

    Parameters
    ----------
    cavity : the hollow itself.
    outlets : (n, 3) float64: where a drain begins, inside the hollow; it runs straight down.
    trapped_mm3 : what cannot flow out through them, the part standing as designed.
    wall : by how much the wall differs from the one asked for, from points of the hollow.
    """

    cavity: manifold3d.Manifold
    outlets: Array
    trapped_mm3: float
    wall: Distances
    thinnest_mm: float

    def drains(self, bottom_mm: float, diameter_mm: float) -> manifold3d.Manifold:
        """The holes, from below the part up into the hollow."""
        return joined(
            rod((x, y, bottom_mm - 1), (x, y, z), diameter_mm) for x, y, z in self.outlets.tolist()
        )

    def checks(self, wall_mm: float) -> list[Check]:
        """The wall and what stays behind, against the project's own limits."""
        percent = 100 * self.trapped_mm3 / self.cavity.volume()
        return [
            Check(
                name="thinnest wall around the hollow",
                value=round(self.thinnest_mm, 3),
                unit="mm",
                limit=f"at least {wall_mm - WALL_MM:g} (the project's own)",
                verdict="pass" if self.thinnest_mm >= wall_mm - WALL_MM else "fail",
            ),
            Check(
                name="resin or powder that cannot flow out",
                value=round(percent, 2),
                unit="% of the hollow",
                limit=f"at most {TRAPPED_PERCENT:g} (the project's own)",
                verdict="pass" if percent <= TRAPPED_PERCENT else "action",
            ),
        ]


def hollow(body: manifold3d.Manifold, parameters: AnatomicalModel) -> Hollow:
    """The hollow that leaves ``wall_mm`` everywhere, as a level set of the signed distance.

    Raises
    ------
    DesignError
        The part is nowhere thick enough.
    """
    wall_mm = parameters.wall_mm
    low, high = bounds(body)
    step = float(np.clip((np.prod(high - low) / SAMPLES) ** (1 / 3), FINEST_MM, wall_mm / 2))
    surface = mesh_of(body)
    field = distance_field(
        surface, low - step, high + step, spacing_mm=step, levels_mm=(-wall_mm, -wall_mm)
    )
    inside = field.values < -wall_mm
    labels, _ = ndimage.label(inside)
    large = np.bincount(labels.ravel()) * step**3 >= SMALLEST_CAVITY_MM3
    large[0] = False
    kept = large[labels]
    if not kept.any():
        raise DesignError(
            "no room for a hollow",
            expected=f"somewhere more than two walls of {wall_mm:g} mm thick",
            where="03_design, hollow and wall_mm",
            fix="set hollow to false, or a thinner wall_mm",
        )
    values = np.where(inside & ~kept, np.float32(0), field.values)
    cavity = level_set(values, -wall_mm, field.first_mm, step).simplify(SIMPLIFIED_MM)
    outlets, trapped = _outlets(kept, parameters)
    mesh = mesh_of(cavity)
    points = np.vstack([mesh.vertices, mesh.triangles_center])
    if len(points) > 50_000:
        points = points[np.random.default_rng(0).choice(len(points), 50_000, replace=False)]
    walls = -signed_distances(points, surface)
    return Hollow(
        cavity,
        _places(field, outlets),
        float(trapped.sum()) * step**3,
        Distances.of(walls - wall_mm),
        float(walls.min()),
    )


def _places(field: DistanceField, outlets: list[tuple[int, int, int]]) -> Array:
    return field.at(np.array(outlets, float).reshape(-1, 3))


def _outlets(hollow: Mask, parameters: AnatomicalModel) -> tuple[list[tuple[int, int, int]], Mask]:
    """Samples (x, y, z) at the bottom of what would not flow out, and what still does not."""
    outlets: list[tuple[int, int, int]] = []
    drained = np.zeros_like(hollow)
    for _ in range(parameters.drains):
        pools, count = ndimage.label(hollow & ~drained)
        if not count:
            break
        sizes = np.bincount(pools.ravel())
        sizes[0] = 0
        if outlets and sizes.sum() * 100 <= TRAPPED_PERCENT * hollow.sum():
            break
        pool = pools == sizes.argmax()
        bottom = int(pool.any(axis=(0, 1)).argmax())
        floor = np.pad(pool[:, :, bottom], 1)
        x, y = np.unravel_index(ndimage.distance_transform_edt(floor).argmax(), floor.shape)
        outlets.append((int(x) - 1, int(y) - 1, bottom))
        drained = _drained(hollow, outlets)
    return outlets, hollow & ~drained


def _drained(hollow: Mask, outlets: list[tuple[int, int, int]]) -> Mask:
    """What flows out: from where an outlet is reached by never going up.

    Layer by layer from below: a pool's layer flows out where it touches one that does.
    """
    drained = np.zeros_like(hollow)
    for z in range(hollow.shape[2]):
        layer, _ = ndimage.label(hollow[:, :, z])
        reached = set(layer[drained[:, :, z - 1]].tolist()) if z else set()
        reached |= {int(layer[x, y]) for x, y, at in outlets if at == z}
        drained[:, :, z] = np.isin(layer, list(reached - {0}))
    return drained
