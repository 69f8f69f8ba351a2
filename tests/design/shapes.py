"""Analytic surfaces that stand for a patient's, LPS mm."""

from typing import Any

import numpy as np
import trimesh

from labkit.volume import Array

PLACE = np.array([-140.0, 25.0, 1300.0])
"""A place like a patient's."""


def ball(radius_mm: float, at: Any = PLACE, fineness: int = 4) -> trimesh.Trimesh:
    """A ball; its corners lie on the sphere."""
    made: trimesh.Trimesh = trimesh.creation.icosphere(subdivisions=fineness, radius=radius_mm)
    made.apply_translation(at)
    return made


def ellipsoid(half_axes_mm: tuple[float, float, float], fineness: int = 4) -> trimesh.Trimesh:
    """An ellipsoid at `PLACE`."""
    made: trimesh.Trimesh = trimesh.creation.icosphere(subdivisions=fineness, radius=1.0)
    made.apply_scale(half_axes_mm)
    made.apply_translation(PLACE)
    return made


def on_ellipsoid(half_axes_mm: tuple[float, float, float], direction: Any) -> Array:
    """(3,): where a ray from the middle of `ellipsoid` leaves it."""
    towards = np.asarray(direction, float)
    return np.asarray(PLACE + towards / np.linalg.norm(towards / np.array(half_axes_mm)))


def crossing_bar() -> trimesh.Trimesh:
    """A bar of 20 by 10 by 4 mm at the origin, its end bent round and back through itself.

    One closed manifold shell, oriented outwards.
    """
    bar = trimesh.creation.box(bounds=((0, -5, -2), (80, 5, 2)))
    points, faces = trimesh.remesh.subdivide_to_size(bar.vertices, bar.faces, 1.5)
    turn = np.clip(points[:, 0] - 20, 0, None) / 10  # on a circle of 10 mm, nearly all around
    radius = 10 - points[:, 2]
    x = np.where(turn > 0, 20 + radius * np.sin(turn), points[:, 0])
    z = np.where(turn > 0, 10 - radius * np.cos(turn), points[:, 2])
    return trimesh.Trimesh(np.column_stack([x, points[:, 1], z]), faces)


def joined(*surfaces: trimesh.Trimesh) -> trimesh.Trimesh:
    """Their union."""
    made = trimesh.boolean.union(list(surfaces), engine="manifold")
    assert isinstance(made, trimesh.Trimesh)
    return made


def text(*places: Any) -> str:
    """Places as a parameter has them."""
    return "; ".join(", ".join(f"{value:.6f}" for value in place) for place in places)
