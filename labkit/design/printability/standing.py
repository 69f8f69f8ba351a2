"""How a part lies on its plate: overhangs, contact, and how far it is from tipping over."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import trimesh
from scipy.spatial import ConvexHull, QhullError

from labkit.volume import Array

GRAVITY_MM_S2 = 9806.65
"""Standard acceleration of free fall (ISO 80000-3, 3rd CGPM 1901)."""
ON_PLATE_MM = 0.05
"""What lies closer to the plate than this stands on it."""


@dataclass(frozen=True)
class Overhangs:
    """What leans out over nothing: triangles flatter than the angle, not on the plate.

    ``area_mm2`` is their own area, ``footprint_mm2`` that seen from above, ``volume_mm3``
    an upper bound of the support under them, as if it went down to the plate.
    """

    area_mm2: float
    footprint_mm2: float
    volume_mm3: float
    steepest_deg: float
    at: Array


def leans(mesh: trimesh.Trimesh, max_overhang_deg: float) -> npt.NDArray[np.bool_]:
    """(triangles,) bool: what looks down and lies flatter than the angle from the vertical."""
    down = -mesh.face_normals[:, 2]
    return np.asarray(down > np.sin(np.radians(max_overhang_deg)) + 1e-6)


def overhangs(mesh: trimesh.Trimesh, *, max_overhang_deg: float) -> Overhangs:
    """The overhangs of a part in the plate frame; angles are from the vertical."""
    down = -mesh.face_normals[:, 2]
    middle = mesh.triangles_center[:, 2]
    floor = float(mesh.bounds[0, 2])
    on_plate = mesh.triangles[:, :, 2].max(axis=1) - floor < ON_PLATE_MM
    hangs = leans(mesh, max_overhang_deg) & ~on_plate
    if not hangs.any():
        return Overhangs(0.0, 0.0, 0.0, 0.0, np.zeros(3))
    footprint = mesh.area_faces[hangs] * down[hangs]
    worst = np.flatnonzero(hangs)[np.argmax(footprint)]
    return Overhangs(
        area_mm2=float(mesh.area_faces[hangs].sum()),
        footprint_mm2=float(footprint.sum()),
        volume_mm3=float((footprint * (middle[hangs] - floor)).sum()),
        steepest_deg=float(np.degrees(np.arcsin(np.clip(down[hangs].max(), 0, 1)))),
        at=mesh.triangles_center[worst],
    )


@dataclass(frozen=True)
class Standing:
    """How firmly a part stands.

    ``tipping_deg`` is how far the plate could be tilted before the part falls, 0 if it
    would at once; ``contact_mm2`` is what touches the plate.
    """

    tipping_deg: float
    contact_mm2: float


def standing(mesh: trimesh.Trimesh) -> Standing:
    """The angle to the nearest edge of the contact's hull, seen from the centre of mass."""
    floor = float(mesh.bounds[0, 2])
    flat = mesh.triangles[:, :, 2].max(axis=1) - floor < ON_PLATE_MM
    contact = float((mesh.area_faces[flat] * np.abs(mesh.face_normals[flat, 2])).sum())
    points = mesh.vertices[mesh.vertices[:, 2] - floor < ON_PLATE_MM][:, :2]
    try:
        hull = ConvexHull(points)
    except (QhullError, ValueError):  # a point or a line
        return Standing(0.0, contact)
    centre = np.asarray(mesh.center_mass)
    inside_mm = float(-(hull.equations[:, :2] @ centre[:2] + hull.equations[:, 2]).max())
    angle = np.degrees(np.arctan2(inside_mm, centre[2] - floor))
    return Standing(max(float(angle), 0.0), contact)


def needed_deg(acceleration_mm_s2: float) -> float:
    """The tipping angle at which a plate that is moved with this acceleration throws it over.

    Statics of a rigid body that merely stands: tan(angle) = a / g.  That it also sticks
    to the plate is a reserve.
    """
    return float(np.degrees(np.arctan2(acceleration_mm_s2, GRAVITY_MM_S2)))
