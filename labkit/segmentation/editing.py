"""The digital editing error: how far each operation moves a surface.

Segmentation and printing have published medians of 0.8 and 0.26 mm; for editing there is
none (Schulze 2024, doi 10.1186/s41205-024-00210-5).  So every step here is measured.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import trimesh
from scipy.spatial import cKDTree

from labkit.surface import Distances, signed_distances
from labkit.volume import Array

_ON_THE_MAP = 20_000

_SAME_MM = 1e-9
"""Less than the rounding of 64 bits within a scan."""


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


def two_sided_mm(before: trimesh.Trimesh, after: trimesh.Trimesh) -> tuple[Array, Array]:
    """Places (n, 3) and how far the surface after lies from the one before there, mm.

    Seen from every point of the one before, and from places on the one after.
    """
    here, there = np.asarray(before.vertices), places_on(after)
    # What is a point of both lies on both: most of them, and a search would take longer.
    to_point, _ = cKDTree(after.vertices, balanced_tree=False, compact_nodes=False).query(
        here, distance_upper_bound=_SAME_MM
    )
    moved = np.asarray(to_point) >= _SAME_MM
    signed_mm = np.zeros(len(here))
    if moved.any():
        signed_mm[moved] = -signed_distances(here[moved], after)
    return np.vstack([here, there]), np.concatenate([signed_mm, signed_distances(there, before)])


def _drawn(count: int) -> npt.NDArray[np.int64]:
    if count <= _ON_THE_MAP:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, _ON_THE_MAP, replace=False))
