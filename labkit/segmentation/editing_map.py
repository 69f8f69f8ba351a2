"""What editing did to a surface, for a person: one row per step, and a map."""

from collections.abc import Sequence

import numpy as np
import trimesh
from scipy.spatial import cKDTree

from labkit.segmentation.editing import EditingStep
from labkit.volume import Array

EDITING_COLUMNS = ["step", "mean", "SD", "median", "p95", "maximum", "volume change"]
"""Distances in mm, the change in mm3."""


def editing_table(steps: Sequence[EditingStep]) -> list[list[str]]:
    """One row per step: distances in mm to the surface before it, and the change in mm3."""
    return [
        [
            step.name,
            *(f"{value:.3f}" for value in vars(step.distances).values()),
            f"{step.volume_change_mm3:+.1f}",
        ]
        for step in steps
    ]


def editing_map(mesh: trimesh.Trimesh, steps: Sequence[EditingStep]) -> Array:
    """(n,) float64, mm: how far editing moved the surface at each of its points, in all.

    The sum over the steps, each taken at the nearest place where it was measured; positive
    is outwards.  Without the gate, which does not edit: it says what belongs.
    """
    moved_mm = np.zeros(len(mesh.vertices))
    for step in steps:
        if not step.name.startswith("gate"):
            _, nearest = cKDTree(step.points_lps_mm).query(mesh.vertices)
            moved_mm += step.signed_mm[nearest]
    return moved_mm
