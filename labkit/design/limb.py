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
from labkit.errors import DesignError
from labkit.parameters.design.fitted import Fitted
from labkit.surface import solid
from labkit.volume import Array


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
        The side, the file or its unit is wrong, the surface is not closed, or the part
        reaches beyond it.
    """
    check_side(order, parameters.scanned_side, parameters.mirror)
    surface, source = anatomy.surface, dict[str, object]()
    if parameters.limb_file:
        unit = "" if parameters.limb_file_unit == "not stated" else parameters.limb_file_unit
        found = read_part(Path(parameters.limb_file).expanduser(), unit)
        surface, source = found.mesh, found.as_dict()
    solid(surface.vertices, surface.faces, "the limb's surface")
    to_limb = np.eye(4)
    to_limb[:3, :3] = _directions(surface, parameters, turn_deg)
    if parameters.mirror:
        to_limb = MIRROR @ to_limb
    limb = placed(surface, to_limb)
    low, high = limb.bounds
    shift = -np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]])
    limb.apply_translation(shift)
    to_limb[:3, 3] = shift
    length = float(high[2] - low[2])
    begin = 0.0 if to_end else parameters.from_mm
    if begin + parameters.length_mm > length:
        raise DesignError(
            f"a part from {begin:g} to {begin + parameters.length_mm:g} mm along the limb",
            expected=f"at most the {length:.0f} mm that the surface shows",
            where="03_design, from_mm and length_mm",
            fix="shorten it, or scan more of the limb",
        )
    return Limb(
        limb, np.asarray(np.linalg.inv(to_limb), float), begin, begin + parameters.length_mm, source
    )


def _directions(surface: trimesh.Trimesh, parameters: Fitted, turn_deg: float) -> Array:
    """(3, 3) rows: the limb's x, y and z in LPS."""
    along = np.array([0.0, 0.0, 1.0])
    if parameters.axis == "limb":
        moments, axes = np.linalg.eigh(surface.moment_inertia)
        along = axes[:, np.argmin(moments)]
    if abs(along[2]) > 1e-3 and (along[2] < 0) == (parameters.distal_end == "inferior"):
        along = -along
    left = np.eye(3)[0 if abs(along[0]) < 0.9 else 1]
    across = left - along * (left @ along)
    across /= np.linalg.norm(across)
    turn = np.radians(turn_deg)
    x = np.cos(turn) * across + np.sin(turn) * np.cross(along, across)
    return np.array([x, np.cross(along, x), along])
