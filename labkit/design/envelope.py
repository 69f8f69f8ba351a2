"""The space that a porous part fills: a patient's structure cut to length, or a plain body."""

from dataclasses import dataclass

import manifold3d
import numpy as np
import trimesh

from labkit.design.cutting import cut, lengthwise
from labkit.design.family import Anatomy
from labkit.design.part import Edit, Feature
from labkit.design.provenance import points_from
from labkit.design.solids import block, bounds, box, onto_plate
from labkit.errors import DesignError
from labkit.surface import Distances, mesh_of, signed_distances, solid
from labkit.volume import Array, affine

_SAMPLE = 20_000


@dataclass(frozen=True)
class Envelope:
    """A closed body in LPS mm.

    Parameters
    ----------
    body : what is filled.
    side : the same without its cut ends: what a skin with open ends runs along.
    surface : the patient's surface that it came from; None for a plain body.
    """

    body: manifold3d.Manifold
    side: manifold3d.Manifold
    surface: trimesh.Trimesh | None = None

    def extents(self, body: manifold3d.Manifold, within_mm: float) -> list[Feature]:
        """The envelope's extents along those axes where a body reaches both its sides."""
        low, high = bounds(self.body)
        reached = np.abs(np.array(bounds(body)) - (low, high)).max(axis=0) < within_mm
        around = box(low - 1, high + 1)
        return [
            Feature(f"overall {axis}", axis, float(size), around)
            for axis, size, both in zip("xyz", high - low, reached, strict=True)
            if both
        ]

    def edit(self, part: trimesh.Trimesh, body: manifold3d.Manifold, name: str) -> list[Edit]:
        """How far the part's triangles that stem from the patient's surface lie from it.

        ``part`` is the mesh of ``body``, both LPS mm.  Nothing for a plain body.
        """
        if self.surface is None:
            return []
        points = points_from(part, body, self.side, most=_SAMPLE)
        if not len(points):
            raise DesignError(
                "nothing of the part reaches the patient's surface",
                expected="a part that fills the structure",
                where="03_design, keep_from_mm, keep_length_mm",
                fix="keep more of the structure, or a smaller cell",
            )
        distances = Distances.of(signed_distances(points, self.surface))
        return [Edit(name, distances, float(body.volume() - self.surface.volume))]


def of_anatomy(anatomy: Anatomy, *, keep_from_mm: float, keep_length_mm: float) -> Envelope:
    """The patient's structure between two planes square to the long (S) axis; 0 keeps all.

    Raises
    ------
    DesignError
        The surface is not closed, or nothing is left after the cut.
    """
    surface = anatomy.surface
    whole = solid(surface.vertices, surface.faces, "the patient surface").as_original()
    bottom, *top = lengthwise(float(bounds(whole)[0][2]), keep_from_mm, keep_length_mm)
    kept = [bottom, *top] if keep_from_mm else top  # its own lower end stays the patient's
    return Envelope(cut(whole, kept), whole, surface)


def of_block(size_mm: tuple[float, float, float], middle: Array) -> Envelope:
    """A block around a place, (3,) LPS mm; its ends are those along z."""
    half = np.array(size_mm) / 2
    longer = half + np.array([0, 0, 2 * half.max()])
    return Envelope(block(middle - half, middle + half), block(middle - longer, middle + longer))


def of_cylinder(diameter_mm: float, height_mm: float, middle: Array) -> Envelope:
    """An upright cylinder around a place, (3,) LPS mm, of 128 sides."""
    tall = height_mm + 2 * diameter_mm
    bodies = [
        manifold3d.Manifold.cylinder(
            height, diameter_mm / 2, diameter_mm / 2, 128, center=True
        ).translate(middle)
        for height in (height_mm, tall)
    ]
    return Envelope(*bodies)


def middle_of(anatomy: Anatomy) -> Array:
    """(3,) LPS mm: the middle of the structure's bounding box, where plain bodies are put."""
    return np.asarray(anatomy.surface.bounds.mean(axis=0), float)


def on_plate(body: manifold3d.Manifold) -> tuple[trimesh.Trimesh, Array, Array]:
    """A body in LPS mm as a mesh in the plate frame, plate to patient (4, 4), and the shift."""
    shift = onto_plate(*bounds(body))
    return mesh_of(body.translate(shift)), affine(np.eye(3), -shift), shift
