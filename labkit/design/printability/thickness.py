"""How thick the walls of a part are and how wide its gaps, seen along the surface's normals."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyvista
import trimesh
from vtkmodules.vtkCommonCore import reference
from vtkmodules.vtkCommonDataModel import vtkStaticCellLocator

from labkit.volume import Array

_STRAYS = 20_000
"""How many places are looked at besides the middles of all triangles, spread by area."""
_START_MM = 1e-4
"""How far from the surface a ray begins, so that it does not hit where it starts."""
_TOLERANCE_MM = 1e-5
"""VTK misses triangles square to an axis without one."""
_FACING = -0.5
"""Cosine between the normals of two sides: beyond 120° they are those of a wall or a gap,
below it those of an edge or a corner, which is thin at its tip by nature.  The project's own.
"""


@dataclass(frozen=True)
class Distances:
    """What rays along the normals found, one per place of the surface.

    Parameters
    ----------
    points : (n, 3) float64, mm: the places.
    area_mm2 : (n,) float64: how much of the surface each stands for.
    mm : (n,) float64: distance to the opposite side; infinite where there is none in reach.
    faces : (n,) int64: the triangle of each place.
    """

    points: Array
    area_mm2: Array
    mm: Array
    faces: npt.NDArray[np.int64]

    def exceeded(self, but_for_mm2: float = 0.0) -> tuple[float, Array]:
        """The distance that all but so much of the surface exceeds, mm, and its place (3,)."""
        order = np.argsort(self.mm)
        below = np.cumsum(self.area_mm2[order])
        first = int(np.searchsorted(below, but_for_mm2, side="right"))
        chosen = order[min(first, len(order) - 1)]
        return float(self.mm[chosen]), self.points[chosen]

    def area_below_mm2(self, limit_mm: float) -> float:
        """How much of the surface lies closer than this to its opposite side, mm²."""
        return float(self.area_mm2[self.mm < limit_mm].sum())

    def of_faces(self, mesh: trimesh.Trimesh) -> Array:
        """(triangles,) float64, mm: the smallest distance found on each; else infinite."""
        values = np.full(len(mesh.faces), np.inf)
        np.minimum.at(values, self.faces, self.mm)
        return values


def walls(mesh: trimesh.Trimesh, *, reach_mm: float) -> Distances:
    """The wall under each place: from the surface straight inwards to a side facing away.

    Exact on plates, and on balls up to their facets.  A wedge of up to 60° counts as a
    wall, and seems thicker than its shortest way across by 1 / cos of half its angle.
    """
    return _opposite(mesh, reach_mm, -1.0)


def gaps(mesh: trimesh.Trimesh, *, reach_mm: float) -> Distances:
    """The gap over each place: from the surface straight outwards to the part itself."""
    return _opposite(mesh, reach_mm, 1.0)


def _opposite(mesh: trimesh.Trimesh, reach_mm: float, sense: float) -> Distances:
    drawn, on = trimesh.sample.sample_surface(mesh, _STRAYS, seed=0)
    points = np.vstack([mesh.triangles_center, drawn])
    faces = np.concatenate([np.arange(len(mesh.faces)), on])
    area = mesh.area_faces[faces] / np.bincount(faces, minlength=len(mesh.faces))[faces]
    real = area > 0  # a sliver has neither area nor normal
    points, faces, area = points[real], faces[real], area[real]
    normals = mesh.face_normals
    along = sense * normals[faces]
    start, end = points + _START_MM * along, points + reach_mm * along
    share, met = _first_hits(mesh, start, end)
    facing = np.einsum("ij,ij->i", normals[faces], normals[met]) < _FACING
    reached = (met >= 0) & facing
    mm = np.where(reached, _START_MM + share * (reach_mm - _START_MM), np.inf)
    return Distances(points, area, mm, faces)


def _first_hits(
    mesh: trimesh.Trimesh, start: Array, end: Array
) -> tuple[Array, npt.NDArray[np.int64]]:
    """The share of each way after which it first meets a triangle, and which; -1 for none."""
    locator: Any = vtkStaticCellLocator()
    locator.SetDataSet(pyvista.PolyData.from_regular_faces(mesh.vertices, mesh.faces))
    locator.BuildLocator()
    share: Any = reference(0.0)
    piece: Any = reference(0)
    cell: Any = reference(0)
    place, inside = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
    found, met = np.ones(len(start)), np.full(len(start), -1)
    meets = locator.IntersectWithLine
    for number, (one, other) in enumerate(zip(start.tolist(), end.tolist(), strict=True)):
        if meets(one, other, _TOLERANCE_MM, share, place, inside, piece, cell):
            found[number], met[number] = share.get(), cell.get()
    return found, met
