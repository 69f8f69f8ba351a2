"""The axis of a bore, fitted to the facets of a mesh."""

from dataclasses import dataclass

import numpy as np
import trimesh

from labkit.errors import DesignError
from labkit.volume import Array


@dataclass(frozen=True)
class FittedBore:
    """A fitted round bore: a place on its axis, its direction, its diameter; mm."""

    place: Array
    direction: Array
    diameter_mm: float

    def off_axis_mm(self, place: Array) -> float:
        """How far a place lies from the axis."""
        return float(np.linalg.norm(np.cross(place - self.place, self.direction)))

    def angle_deg(self, direction: Array) -> float:
        """Between the axis and a direction, 0 to 90 degrees."""
        across = np.linalg.norm(np.cross(direction, self.direction))
        return float(np.degrees(np.arctan2(across, abs(direction @ self.direction))))


def fitted_bore(
    mesh: trimesh.Trimesh, place: Array, direction: Array, *, largest_mm: float, what: str
) -> FittedBore:
    """The bore of a mesh near a line, fitted to the facets that face it, mm.

    The direction is the one to which the facets' normals are squarest (least squares,
    weighted by area), the axis the middle of the circle through their corners
    (Kåsa's algebraic fit), seen along it.

    Parameters
    ----------
    place, direction : (3,) the line; the bore may lie beside it and aslant.
    largest_mm : diameter within which facets are taken for the bore's.
    what : the bore's name, for the error.

    Raises
    ------
    DesignError
        No such facets.
    """
    apart = mesh.triangles_center - place
    inward = -(apart - np.outer(apart @ direction, direction))
    radius = np.linalg.norm(inward, axis=1)
    facing = (mesh.face_normals * inward).sum(axis=1) > 0.8 * radius
    square = np.abs(mesh.face_normals @ direction) < 0.1
    faces = np.flatnonzero(facing & square & (radius < largest_mm / 2))
    if len(faces) < 8:
        raise DesignError(
            f"no bore where {what} was planned",
            expected="a round bore through the part",
            where="03_design",
            fix="lengthen the sleeve, or move it to where the guide is",
        )
    normals = mesh.face_normals[faces]
    weighted = normals * mesh.area_faces[faces, None]
    _, vectors = np.linalg.eigh(weighted.T @ normals)
    axis = vectors[:, 0]
    across = vectors[:, 1:]
    corners = np.asarray(mesh.vertices)[np.unique(mesh.faces[faces])]
    flat = (corners - place) @ across
    system = np.column_stack([2 * flat, np.ones(len(flat))])
    x, y, rest = np.linalg.lstsq(system, (flat**2).sum(axis=1), rcond=None)[0]
    return FittedBore(
        place + across @ np.array([x, y]), axis, float(2 * np.sqrt(rest + x**2 + y**2))
    )
