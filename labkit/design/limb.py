"""A limb in a frame of its own: z along it from the distal end, mm.

The frame's x is the patient's left, made square to z and turned about it; where the
limb is mirrored, x is mirrored in this frame, so that the way back mirrors too.
"""

from dataclasses import dataclass
from pathlib import Path

import manifold3d
import numpy as np
import trimesh

from labkit.case import Order
from labkit.design.family import Anatomy
from labkit.design.imported import read_part
from labkit.design.mirroring import MIRROR, check_side, placed
from labkit.design.repair import MOST_TRIANGLES, crossing_places
from labkit.design.solids import onto_plate
from labkit.errors import DesignError
from labkit.parameters.design.fitted import Fitted, stated
from labkit.surface import solid
from labkit.volume import Array, affine

LEVEL = 0.1
"""Sine of the axis' rise below which no end is the lower one: 6°, the project's own."""


@dataclass(frozen=True)
class Limb:
    """A limb between two heights.

    Parameters
    ----------
    surface : the whole limb, mm, its own frame.
    to_source : (4, 4) this frame to that of the scan, LPS mm.
    low_mm, high_mm : the heights that the part begins and ends at.
    source : what is known of the file it came from; empty for the segmented surface.
    """

    surface: trimesh.Trimesh
    to_source: Array
    low_mm: float
    high_mm: float
    source: dict[str, object]

    def body(self, beyond_mm: float = 0.0) -> manifold3d.Manifold:
        """The limb between its two heights, and so far beyond each."""
        whole = solid(self.surface.vertices, self.surface.faces, "the limb's surface")
        cut = whole.trim_by_plane((0, 0, 1), self.low_mm - beyond_mm)
        return cut.trim_by_plane((0, 0, -1), -(self.high_mm + beyond_mm))

    def from_source(self, points_lps: Array) -> Array:
        """Places of the scan, (n, 3) LPS mm, in this frame."""
        return np.asarray(trimesh.transform_points(points_lps, np.linalg.inv(self.to_source)))


def limb_of(
    anatomy: Anatomy, parameters: Fitted, order: Order, *, turn_deg: float, to_end: bool = False
) -> Limb:
    """The limb that the part is made around, turned so that x lies where it is asked for.

    Parameters
    ----------
    to_end : the part covers the distal end; else it begins at ``from_mm``.

    Raises
    ------
    DesignError
        The side, the file or its unit is wrong, the surface is not closed or passes
        through itself, its distal end is not told by its axis, or the part reaches beyond it.
    """
    check_side(order, parameters.scanned_side, parameters.mirror)
    surface, source = anatomy.surface, dict[str, object]()
    if parameters.limb_file:
        file = Path(parameters.limb_file).expanduser()
        found = read_part(file, stated(parameters.limb_file_unit))
        surface, source = found.mesh, found.as_dict()
    solid(surface.vertices, surface.faces, "the limb's surface")
    if parameters.limb_file:  # the segmentation's own surfaces are searched where they are made
        _check_crossings(surface)
    to_limb = affine(_directions(surface, parameters, turn_deg), np.zeros(3))
    if parameters.mirror:
        to_limb = MIRROR @ to_limb
    limb = placed(surface, to_limb)
    low, high = limb.bounds
    shift = onto_plate(low, high)
    limb.apply_translation(shift)
    to_limb[:3, 3] = shift
    length = float(high[2] - low[2])
    begin = 0.0 if to_end else parameters.from_mm
    if begin + parameters.length_mm > length:
        raise DesignError(
            f"a part from {begin:g} to {begin + parameters.length_mm:g} mm along the limb",
            expected=f"at most the {length:.3g} mm that the surface shows",
            where="03_design, from_mm and length_mm",
            fix="shorten it, scan more of the limb, or give the unit of its file as it was drawn",
        )
    return Limb(
        limb, np.asarray(np.linalg.inv(to_limb), float), begin, begin + parameters.length_mm, source
    )


def _check_crossings(surface: trimesh.Trimesh) -> None:
    """A distance from a surface that passes through itself has no sure sign."""
    crossing = crossing_places(surface)
    if crossing is None:
        raise DesignError(
            f"a limb of {len(surface.faces)} triangles",
            expected=f"at most {MOST_TRIANGLES}: more are not searched for crossings",
            where="03_design, limb_file",
            fix="export it with fewer triangles",
        )
    if len(crossing):
        x, y, z = crossing[0]
        raise DesignError(
            f"a limb that passes through itself in {len(crossing)} places, first at "
            f"{x:.1f}, {y:.1f}, {z:.1f} mm",
            expected="a surface with one inside",
            where="03_design, limb_file",
            fix="mend it in the program that made it",
        )


def _directions(surface: trimesh.Trimesh, parameters: Fitted, turn_deg: float) -> Array:
    """(3, 3) rows: the limb's x, y and z in LPS."""
    along = np.array([0.0, 0.0, 1.0])
    if parameters.axis == "limb":
        moments, axes = np.linalg.eigh(surface.moment_inertia)
        along = axes[:, np.argmin(moments)]
        if abs(along[2]) < LEVEL:
            raise DesignError(
                "a limb that lies level: its axis does not say which end is distal",
                expected="an axis that rises towards superior, +z, or falls",
                where="03_design, axis and distal_end",
                fix="turn the file so that the limb stands along z, or set axis to superior",
            )
    if (along[2] < 0) == (parameters.distal_end == "inferior"):
        along = -along
    left = np.eye(3)[0 if abs(along[0]) < 0.9 else 1]
    across = left - along * (left @ along)
    across /= np.linalg.norm(across)
    turn = np.radians(turn_deg)
    x = np.cos(turn) * across + np.sin(turn) * np.cross(along, across)
    return np.array([x, np.cross(along, x), along])
