"""The space that a porous part fills: a patient's structure cut to length, or a plain body."""

from dataclasses import dataclass

import manifold3d
import numpy as np
import numpy.typing as npt
import trimesh

from labkit.design.cutting import cut, lengthwise
from labkit.design.family import Anatomy
from labkit.design.part import Edit
from labkit.design.solids import block, bounds
from labkit.errors import DesignError
from labkit.surface import Distances, mesh_of, signed_distances, solid
from labkit.volume import Array, affine


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

    def edit(self, part: trimesh.Trimesh, body: manifold3d.Manifold, name: str) -> list[Edit]:
        """How far the part's triangles that stem from the patient's surface lie from it.

        ``part`` is the mesh of ``body``, both LPS mm.  Nothing for a plain body.
        """
        if self.surface is None:
            return []
        from_patient = triangles_from(body, {self.side.original_id()})
        if not from_patient.any():
            raise DesignError(
                "nothing of the part reaches the patient's surface",
                expected="a part that fills the structure",
                where="03_design, keep_from_mm, keep_length_mm",
                fix="keep more of the structure, or a smaller cell",
            )
        corners = part.triangles[from_patient].reshape(-1, 3)
        middle = corners.reshape(-1, 3, 3).mean(axis=1)
        points = np.vstack([corners, middle])
        chosen = np.random.default_rng(0).permutation(len(points))[:20_000]
        distances = Distances.of(signed_distances(points[chosen], self.surface))
        return [Edit(name, distances, float(body.volume() - self.surface.volume))]


def triangles_from(body: manifold3d.Manifold, originals: set[int]) -> npt.NDArray[np.bool_]:
    """(m,) bool: the triangles of a body that stem from bodies with these identities."""
    mesh = body.to_mesh64()
    ends = np.array(mesh.run_index, np.int64) // 3
    stems = [which in originals for which in mesh.run_original_id]
    return np.repeat(np.array(stems, bool), np.diff(ends))


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
    low, high = bounds(body)
    shift = -np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]])
    return mesh_of(body.translate(shift)), affine(np.eye(3), -shift), shift
