"""The digital editing error: how far each operation moves a surface.

Segmentation and printing have published medians of 0.8 and 0.26 mm; for editing there is
none (Schulze 2024, doi 10.1186/s41205-024-00210-5).  So every step here is measured.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import trimesh

from labkit.nearest import near_distances
from labkit.surface import Distances, Indices, signed_distances
from labkit.volume import Array

_ON_THE_MAP = 20_000


@dataclass(frozen=True)
class EditingStep:
    """What one operation did to the surface before it.

    Parameters
    ----------
    name : the operation.
    distances : mm, of the new surface from the one before; positive is outwards.
    volume_change_mm3 : by how much the body grew.
    points_lps_mm : (n, 3) float64, mm, LPS: the map, at up to 20,000 places.
    signed_mm : (n,) float64, mm: how far the surface lies from the one before there.
    """

    name: str
    distances: Distances
    volume_change_mm3: float
    points_lps_mm: Array
    signed_mm: Array

    def metrics(self) -> dict[str, float]:
        """The numbers under names that begin with the step's, for the record."""
        prefix = self.name.replace(" ", "_")
        return self.distances.metrics(prefix) | {
            f"{prefix}_volume_change_mm3": self.volume_change_mm3
        }


def editing_step(
    name: str, points_lps_mm: Array, signed_mm: Array, volume_change_mm3: float
) -> EditingStep:
    """The step that moved the surface by so much at each of the points (n, 3), mm, LPS."""
    shown = _drawn(len(signed_mm))
    return EditingStep(
        name,
        Distances.of(signed_mm),
        volume_change_mm3,
        points_lps_mm[shown],
        signed_mm[shown],
    )


def places_on(mesh: trimesh.Trimesh) -> Array:
    """(n, 3) float64: the middles of up to 20,000 triangles, drawn with a fixed seed."""
    return np.asarray(mesh.vertices[mesh.faces[_drawn(len(mesh.faces))]].mean(axis=1))


def two_sided_mm(
    points: Array, triangles: Indices, after: trimesh.Trimesh, near_mm: float = 0.1
) -> tuple[Array, Array]:
    """Places (n, 3) and how far the surface after lies from the one before there, mm.

    Seen from every point of the one before, and from places on the one after.  Exact also
    where they are farther apart than ``near_mm``, which only says what is looked for first.

    Parameters
    ----------
    points, triangles : (n, 3), mm, and (m, 3): the surface before, in the frame of the one after.
    """
    here, there = np.asarray(points), places_on(after)
    signed_mm = np.empty(len(here) + len(there))
    behind = _distances(here, np.asarray(after.vertices), np.asarray(after.faces), near_mm)
    np.negative(behind, out=signed_mm[: len(here)])
    signed_mm[len(here) :] = _distances(there, here, triangles, near_mm)
    return np.vstack([here, there]), signed_mm


def _distances(points: Array, surface: Array, triangles: Indices, near_mm: float) -> Array:
    signed_mm = near_distances(points, surface, triangles, near_mm)
    far = np.isnan(signed_mm)
    if far.any():
        mesh = trimesh.Trimesh(surface, triangles, process=False)
        signed_mm[far] = signed_distances(points[far], mesh)
    return signed_mm


def _drawn(count: int) -> npt.NDArray[np.int64]:
    if count <= _ON_THE_MAP:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, _ON_THE_MAP, replace=False))
