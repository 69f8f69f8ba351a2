"""A shell around a limb, with a clearance that differs from place to place, mm.

The inner wall is where the distance from the skin equals the clearance asked for at that
place, the outer one where the distance from the inner equals the wall.  Both are level
sets of exact distances, so what was asked for can be measured on the part.
"""

from dataclasses import dataclass

import manifold3d
import numpy as np
from trimesh import Trimesh

from labkit.case import Check, Order
from labkit.design import growth, mirroring
from labkit.design.implicit import Field
from labkit.design.limb import Limb
from labkit.design.offset import DistanceField, distance_field, level_set
from labkit.design.part import Edit
from labkit.design.provenance import points_from
from labkit.design.solids import bounds
from labkit.errors import DesignError
from labkit.parameters.design.fitted import Fitted, pairs
from labkit.parameters.fields import places
from labkit.surface import Distances, mesh_of, pieces, signed_distances
from labkit.volume import Array

PROTOTYPE = "prototype: not for use on a patient before a qualified person has released it"
"""What every part to be worn says of itself."""
CLEARANCE_ERROR_MM = 0.05
"""How far the clearance may be off, at 95 % of the inner wall; the project's own."""
DISTAL_REACH_MM = 30.0
"""How far along the limb the relief of its end reaches; the project's own."""
_BEYOND_STEPS = 3
_NOWHERE = (np.inf, np.inf)
_BAND_STEPS = 2.5
"""Around the wall; away from it the distance errs by less than one step and a half."""
_RIM_WALLS = 0.5**0.5
"""Height of the upright rim over the wall: at a lean of 45°, the rim is then as wide as high."""
_SAMPLE = 5_000


@dataclass(frozen=True)
class Clearance:
    """How far the inner wall is to lie from the skin, place by place, mm.

    Parameters
    ----------
    heights_mm, clearances_mm : (n,) along the limb's axis; straight between them.
    reliefs : (m, 3) places in the limb's frame.
    distal_mm : added at the distal end, falling to nothing over `DISTAL_REACH_MM`.
    open_distal : the shell is open there too, and both edges bend outwards; else only
        the proximal one does, and the shell goes around the limb's end.
    """

    parameters: Fitted
    low_mm: float
    high_mm: float
    heights_mm: Array
    clearances_mm: Array
    reliefs: Array
    distal_mm: float = 0.0
    open_distal: bool = True

    @classmethod
    def of(
        cls, limb: Limb, parameters: Fitted, *, distal_mm: float, open_distal: bool
    ) -> "Clearance":
        """What the parameters ask for on this limb.

        Raises
        ------
        DesignError
            The table of heights does not rise, lies off the part, or holds a clearance
            out of the range of ``clearance_mm``; a relief lies nowhere near the limb.
        """
        table = np.array(
            pairs(parameters.clearance_along) or ((0.0, parameters.clearance_mm),), float
        )
        length = limb.high_mm - limb.low_mm
        if (np.diff(table[:, 0]) <= 0).any() or table[-1, 0] > length or table[:, 1].max() > 12:
            raise DesignError(
                f"clearance_along = {parameters.clearance_along!r}",
                expected=f"heights that rise, from 0 to {length:g} mm, and clearances up to 12 mm",
                where="03_design, clearance_along",
                fix="put the lines in order, heights as measured from the part's distal edge",
            )
        found = np.array(places(parameters.relief_lps_mm), float).reshape(-1, 3)
        reliefs = limb.from_source(found) if len(found) else found
        if len(reliefs):
            off = np.abs(signed_distances(reliefs, limb.surface))
            if off.max() > parameters.relief_radius_mm / 2:
                raise DesignError(
                    f"a relief {off.max():.0f} mm off the skin",
                    expected="a place on the skin",
                    where=f"03_design, relief_lps_mm, place {int(off.argmax()) + 1}",
                    fix="read the place from the surface, in the scan's LPS mm",
                )
        heights, clearances = table[:, 0] + limb.low_mm, table[:, 1]
        ends = limb.low_mm, limb.high_mm
        return cls(parameters, *ends, heights, clearances, reliefs, distal_mm, open_distal)

    @property
    def most_mm(self) -> float:
        """No place has more."""
        relief = self.parameters.relief_mm if len(self.reliefs) else 0.0
        bent = self.distal_mm + self.parameters.flare_mm
        return float(self.clearances_mm.max()) + bent + relief

    def at(self, x: Array, y: Array, z: Array, off: Array) -> Array:
        """What is asked for at places so far off the skin; arrays that broadcast, mm."""
        along = np.interp(z, self.heights_mm, self.clearances_mm)
        length, into = self.parameters.flare_length_mm, z - self.low_mm
        ends = [self.high_mm - z, into] if self.open_distal else [self.high_mm - z]
        for inwards in ends:  # beyond an edge it bends on, so that samples there do no harm
            share = np.clip(1 - inwards / length, 0, None)
            bent = np.where(share > 1, 2 * share - 1, share**2)
            along = along + self.parameters.flare_mm * bent
        if not self.open_distal:
            share = np.clip(into / DISTAL_REACH_MM, 0, 1)
            along = along + self.distal_mm * (1 - share**2 * (3 - 2 * share))
        asked = np.broadcast_to(along, np.broadcast_shapes(x.shape, y.shape, z.shape)).copy()
        for place in self.reliefs:  # how far along the skin, whatever the clearance
            square = (x - place[0]) ** 2 + (y - place[1]) ** 2 + (z - place[2]) ** 2
            square = np.maximum(square - off**2, 0)
            share = np.clip(1 - square / self.parameters.relief_radius_mm**2, 0, 1)
            asked = np.maximum(asked, along + self.parameters.relief_mm * share**2)
        return asked

    def at_points(self, points: Array, off: Array) -> Array:
        """(n,) of places (n, 3), (n,) off the skin."""
        x, y, z = points.T
        return self.at(x, y, z, off)


@dataclass(frozen=True)
class Shell:
    """What lies inside the inner and inside the outer wall, beyond both ends, limb frame."""

    limb: Limb
    clearance: Clearance
    inner: manifold3d.Manifold
    outer: manifold3d.Manifold

    @property
    def wall(self) -> manifold3d.Manifold:
        """The shell between its two ends."""
        return self._between_ends(self.outer - self.inner)

    def fit(self, part: Trimesh, body: manifold3d.Manifold) -> Distances:
        """How far the part's inner wall lies from where it was asked for; positive is looser.

        ``part`` is the mesh of ``body``, limb frame.
        """
        points = _wall_points(part, body, self.inner)
        off = signed_distances(points, self.limb.surface)
        return Distances.of(off - self.clearance.at_points(points, off))

    def thickness(self, part: Trimesh, body: manifold3d.Manifold) -> Array:
        """(n,) mm: how far places of the part's outer wall, off its rims, lie from the inner."""
        points = _wall_points(part, body, self.outer)
        for up, begins in _rims(self.clearance, self.clearance.parameters.wall_mm):
            points = points[up * (points[:, 2] - begins) < 0]
        return signed_distances(points, mesh_of(self.inner))

    def checks(self, fit: Distances, thickness: Array) -> list[Check]:
        """The clearance and the wall against what was asked for."""
        thin = float(np.percentile(thickness, 1))
        wall = self.clearance.parameters.wall_mm
        off = fit.p95_mm
        return [
            Check(
                name="clearance, 95 % of the inner wall, off by",
                value=round(off, 4),
                unit="mm",
                limit=f"<= {CLEARANCE_ERROR_MM} (the project's own)",
                verdict="pass" if off <= CLEARANCE_ERROR_MM else "action",
            ),
            Check(
                name="wall off its rims, thinnest 1 %",
                value=round(thin, 3),
                unit="mm",
                limit=f">= {0.9 * wall:g}, 90 % of wall_mm (the project's own)",
                verdict="pass" if thin >= 0.9 * wall else "fail",
            ),
        ]

    def metrics(self, fit: Distances, thickness: Array) -> dict[str, float]:
        """Clearance and wall as numbers for the record."""
        return {
            **fit.metrics("clearance_error"),
            "wall_p01_mm": float(np.percentile(thickness, 1)),
            "wall_median_mm": float(np.median(thickness)),
        }

    def edit(self, fit: Distances) -> Edit:
        """What the shell did to the patient's surface, beyond the clearance asked for."""
        limb = self.limb.body().volume()
        return Edit(
            "inner wall, against skin and clearance",
            fit,
            self._between_ends(self.inner).volume() - limb,
        )

    def _between_ends(self, body: manifold3d.Manifold) -> manifold3d.Manifold:
        cut = body.trim_by_plane((0, 0, -1), -self.limb.high_mm)
        open_distal = self.clearance.open_distal
        return cut.trim_by_plane((0, 0, 1), self.limb.low_mm) if open_distal else cut


def caveats_of(parameters: Fitted, order: Order, sizes: list[growth.Size]) -> list[str]:
    """What must travel with a part that is worn."""
    scanned = parameters.scanned_side
    return [
        *([mirroring.caveat(scanned, order)] if parameters.mirror else []),
        *growth.caveats_of(sizes),
        PROTOTYPE,
    ]


def shell_of(
    limb: Limb, parameters: Fitted, *, distal_mm: float = 0.0, open_distal: bool = True
) -> Shell:
    """The shell around a limb: a sleeve, or a cup around its distal end.

    Raises
    ------
    DesignError
        What the parameters ask for makes no sense on this limb, or the limb is not one
        piece there.
    """
    flares = 1 + open_distal
    if parameters.flare_mm > parameters.flare_length_mm / 2:
        raise DesignError(
            f"a flare of {parameters.flare_mm:g} mm over {parameters.flare_length_mm:g} mm",
            expected="at most half: its edge then leans by 45° and prints without supports",
            where="03_design, flare_mm and flare_length_mm",
            fix=f"set flare_mm to {parameters.flare_length_mm / 2:g}, or lengthen the flare",
        )
    if parameters.length_mm < (flares + 1) * parameters.flare_length_mm:
        raise DesignError(
            f"{flares} flares of {parameters.flare_length_mm:g} mm",
            expected=f"a third of the {parameters.length_mm:g} mm left between them",
            where="03_design, flare_length_mm and length_mm",
            fix="shorten flare_length_mm, or lengthen the part",
        )
    clearance = Clearance.of(limb, parameters, distal_mm=distal_mm, open_distal=open_distal)
    spacing = parameters.step_mm
    beyond = _BEYOND_STEPS * spacing + parameters.wall_mm  # the outer wall needs that much
    most = clearance.most_mm + parameters.wall_mm + beyond
    low, high = bounds(limb.body(beyond))
    bottom = limb.low_mm - beyond - (0.0 if open_distal else most)
    corners = (
        np.array([*(low[:2] - most - beyond), bottom]),
        np.array([*(high[:2] + most + beyond), limb.high_mm + beyond]),
    )
    # exact only around the inner wall, which the field alone does not know
    field = distance_field(limb.surface, *corners, spacing_mm=spacing, levels_mm=_NOWHERE)
    axes = [field.first_mm[i] + np.arange(n) * spacing for i, n in enumerate(field.values.shape)]
    grid = axes[0][:, None, None], axes[1][None, :, None], axes[2][None, None, :]
    over = _over(field.values, clearance, grid)
    near = np.argwhere(np.abs(over) < _BAND_STEPS * spacing)
    field.values[tuple(near.T)] = signed_distances(field.at(near), limb.surface)
    over = _over(field.values, clearance, grid)
    inner = level_set(over, 0.0, field.first_mm, spacing).as_original()
    wall = (parameters.wall_mm, parameters.wall_mm)
    around = distance_field(mesh_of(inner), *corners, spacing_mm=spacing, levels_mm=wall)
    for up, begins in _rims(clearance, parameters.wall_mm):
        _upright(around, up, begins)
    outer = around.within(parameters.wall_mm).as_original()
    shell = Shell(limb, clearance, inner, outer)
    count = len(pieces(shell.wall))
    if count != 1:
        raise DesignError(
            f"a shell in {count} pieces",
            expected="one limb between the two heights",
            where="03_design, from_mm and length_mm",
            fix="keep only the limb in the segmentation, or choose another length",
        )
    return shell


def _rims(clearance: Clearance, wall_mm: float) -> list[tuple[int, float]]:
    """Which way each flared edge ends, and the height where its rim begins."""
    rim = wall_mm * _RIM_WALLS if clearance.parameters.flare_mm else 0.0
    top, bottom = (1, clearance.high_mm - rim), (-1, clearance.low_mm + rim)
    return [top, bottom] if clearance.open_distal else [top]


def _upright(field: DistanceField, up: int, begins: float) -> None:
    """Beyond a height, nothing gets nearer than it is there: no knife's edge at a flare's end."""
    at = (begins - field.first_mm[2]) / field.spacing_mm
    below, values = int(at), field.values
    there = values[:, :, below] + (at - below) * (values[:, :, below + 1] - values[:, :, below])
    beyond = slice(below + 1, None) if up > 0 else slice(None, below + 1)
    values[:, :, beyond] = np.maximum(values[:, :, beyond], there[:, :, None])


def _over(off: Field, clearance: Clearance, grid: tuple[Array, Array, Array]) -> Field:
    """How far samples, so far off the skin, lie beyond the clearance asked for."""
    return np.asarray(off - clearance.at(*grid, off.astype(float)), np.float32)


def _wall_points(part: Trimesh, body: manifold3d.Manifold, wall: manifold3d.Manifold) -> Array:
    """Places of a part, the mesh of ``body``, on its inner or outer wall."""
    points = points_from(part, body, wall, most=_SAMPLE)
    if not len(points):
        raise DesignError(
            "nothing left of the wall",
            expected="a wall between holes, slots and edges",
            where="03_design",
            fix="make the holes smaller, or the part longer",
        )
    return points
