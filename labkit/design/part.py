"""A designed part, and the files it travels in."""

from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import trimesh

from labkit.case import Check
from labkit.surface import Distances, pieces, solid
from labkit.volume import Array, affine

Box = tuple[tuple[float, float, float], tuple[float, float, float]]
"""The low and the high corner of a box, mm."""


Matrix = tuple[tuple[float, float, float, float], ...]
"""(4, 4) float64: from a feature's own frame to the plate's, mm."""


@dataclass(frozen=True)
class Feature:
    """A dimension that inspection measures along one axis inside a box.

    Parameters
    ----------
    region_mm : (2, 3) float64, mm: the box that holds the feature.  For what lies
        inside a round hole it is narrow across the axis.
    kind : *outside* is the extent of the material, as between a caliper's jaws; *inside*
        the width of the opening around the middle of the box.
    to_plate : the frame of axis and box; left out, they are those of the plate.
    """

    name: str
    axis: str
    nominal_mm: float
    region_mm: Box
    instrument: str = "caliper"
    kind: Literal["outside", "inside"] = "outside"
    to_plate: Matrix | None = None

    @property
    def direction(self) -> tuple[float, float, float]:
        """The direction that is measured along, a unit vector in the plate frame."""
        turn = self._frame
        x, y, z = turn[:3, "xyz".index(self.axis)].round(9).tolist()
        return x, y, z

    @property
    def _frame(self) -> Array:
        """(4, 4) from the frame of axis and box to the plate's, mm."""
        return np.eye(4) if self.to_plate is None else np.array(self.to_plate)

    def as_dict(self) -> dict[str, Any]:
        """The feature as it stands in the part's record."""
        return {**vars(self), "direction": self.direction}

    def moved(self, shift_mm: Array) -> "Feature":
        """The same feature, moved by (3,) mm."""
        return self.turned(affine(np.eye(3), shift_mm))

    def turned(self, motion: Array) -> "Feature":
        """The same feature after a rigid motion (4, 4) of the part: box and axis go with it."""
        turn = motion @ self._frame
        square = np.abs(turn[:3, :3]).round(9)
        if not np.isin(square, (0.0, 1.0)).all():
            return replace(self, to_plate=tuple((a, b, c, d) for a, b, c, d in turn.tolist()))
        corners = np.array(self.region_mm) @ turn[:3, :3].T + turn[:3, 3]
        (x, y, z), (u, v, w) = np.sort(corners, axis=0).tolist()
        axis = "xyz"[int(np.argmax(square[:, "xyz".index(self.axis)]))]
        return replace(self, region_mm=((x, y, z), (u, v, w)), axis=axis, to_plate=None)


@dataclass(frozen=True)
class PrintObject:
    """One closed body of a part, by its name: what a slicer's plate lists.

    ``mesh`` is in mm; ``colour`` as ``#rrggbb``.
    """

    name: str
    mesh: trimesh.Trimesh
    colour: str = "#d9d2c5"


def as_one(objects: tuple[PrintObject, ...]) -> trimesh.Trimesh:
    """All objects as one surface, mm, in their frame."""
    if len(objects) == 1:
        return objects[0].mesh
    together = trimesh.util.concatenate([each.mesh for each in objects])
    assert isinstance(together, trimesh.Trimesh)
    return together


@dataclass(frozen=True)
class Edit:
    """What one operation of the design did to the patient's surface: its digital editing error."""

    name: str
    distances: Distances
    volume_change_mm3: float

    def row(self) -> dict[str, Any]:
        """The step as a line of the record's table."""
        return {
            "step": self.name,
            **{name: round(value, 6) for name, value in vars(self.distances).items()},
            "volume_change_mm3": round(self.volume_change_mm3, 3),
        }


EDIT_COLUMNS = ("step", *(each.name for each in fields(Distances)), "volume_change_mm3")
"""The columns of the table of editing errors."""


@dataclass(frozen=True)
class Part:
    """Closed bodies ready to be sliced, and what is known of them.

    Parameters
    ----------
    objects : mm, plate frame: z up from the plate, the middle of the part's bounding box
        over the origin.  One in most families; halves, sets and labels have several.
    plate_to_patient : (4, 4) float64: plate frame to LPS mm.  With a scale other
        than 1 it undoes the scaling too; where the part was mirrored, its determinant
        is negative.
    features : dimensions that inspection measures.
    checks : what the family itself holds against its limits.
    metrics : numbers for the record, units in the names.
    details : words and tables for the record: trajectories, plans of sizes.
    edits : the digital editing error of each operation.
    warnings : sentences for this stage's record.
    caveats : sentences that every later record repeats: scaled, mirrored, prototype.
    critical : boxes around surfaces that no support should stand on, mm, plate frame.
    pulled_along : (3,) the direction, plate frame, in which the part is loaded: layers
        come apart more easily than they break; left out where it is not known.
    lies_because : why it must lie as designed; empty where it may be turned.
    """

    objects: tuple[PrintObject, ...]
    plate_to_patient: Array
    features: list[Feature] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    edits: list[Edit] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    caveats: list[str] = field(default_factory=list)
    critical: tuple[Box, ...] = ()
    pulled_along: tuple[float, float, float] | None = None
    lies_because: str = ""

    @cached_property
    def mesh(self) -> trimesh.Trimesh:
        """All objects as one surface, mm, plate frame."""
        return as_one(self.objects)

    @cached_property
    def bodies(self) -> int:
        """How many separate bodies there are; cavities are none."""
        solids = (solid(each.mesh.vertices, each.mesh.faces, each.name) for each in self.objects)
        return sum(len(pieces(body)) for body in solids)
