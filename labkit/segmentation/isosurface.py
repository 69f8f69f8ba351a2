"""The surface of a masked structure, read from the grey values."""

from dataclasses import dataclass

import manifold3d
import numpy as np
import numpy.typing as npt
import pyvista
import trimesh

from labkit.errors import SegmentationError
from labkit.parameters import Segmentation
from labkit.surface import Distances, distances, mesh_of, solid
from labkit.volume import AIR_HU, Array, Volume

SMALLEST_PIECE_MM3 = 1.0
"""Fragments of the surface below this are noise of a few voxels."""

PINCH_MM = 0.002
"""Far below what a printer resolves, far above the rounding of STL's 32-bit numbers."""


@dataclass(frozen=True)
class Surface:
    """A closed surface in the patient and what was left out on the way to it."""

    mesh: trimesh.Trimesh
    full_triangles: int
    handles: int
    dropped_pieces: int
    edit: Distances


def extract_surface(
    volume: Volume, mask: npt.NDArray[np.uint8], parameters: Segmentation
) -> Surface:
    """The closed surface of the masked structure at the threshold, in LPS mm.

    Watertight, manifold and oriented outwards; made lighter (manifold3d ``simplify``)
    until the measured distance to the full surface would exceed
    ``decimation_bound_mm``.

    Raises
    ------
    SegmentationError
        The mask is empty, or holds nothing of printable size.
    DesignError
        The surface is not closed.
    """
    points, triangles = _isosurface(volume, mask, parameters.threshold_hu)
    full = solid(points, triangles, "the surface at this threshold")
    kept, dropped = _main_pieces(full, parameters.components)
    reference = mesh_of(kept)
    light, edit = _lighter(kept, reference, parameters.decimation_bound_mm)
    return Surface(
        mesh=_pinches_opened(mesh_of(light)),
        full_triangles=len(reference.faces),
        handles=light.genus(),
        dropped_pieces=dropped,
        edit=edit,
    )


def _isosurface(
    volume: Volume, mask: npt.NDArray[np.uint8], threshold_hu: int
) -> tuple[Array, npt.NDArray[np.int64]]:
    inside = mask > 0
    if not inside.any():
        raise SegmentationError(
            "an empty mask",
            expected="at least one voxel of the structure",
            where="02_segmentation",
            fix="lower the threshold",
        )
    box = tuple(
        slice(max(int(hit[0]) - 2, 0), int(hit[-1]) + 3)
        for axis in range(3)
        if (hit := np.flatnonzero(inside.any(axis=tuple({0, 1, 2} - {axis})))).size
    )
    hu, inside = volume.voxels[box].copy(), inside[box]
    hu[(hu > threshold_hu) & ~inside] = AIR_HU  # other structures at this grey value
    hu[(hu <= threshold_hu) & inside] = threshold_hu + 1  # filled cavities
    hu = np.pad(hu, 1, constant_values=min(AIR_HU, threshold_hu))
    image = pyvista.ImageData(dimensions=hu.shape[::-1])
    image.point_data["hu"] = hu.ravel()
    # Between two whole numbers no grey value equals the level: no degenerate triangles.
    contour = image.contour(
        [threshold_hu + 0.5],
        scalars="hu",
        method="flying_edges",
        compute_normals=False,
        compute_scalars=False,
    )
    offset_ijk = np.array([part.start for part in box[::-1]]) - 1
    points = volume.to_lps(np.asarray(contour.points, float) + offset_ijk)
    return points, np.asarray(contour.regular_faces, np.int64)


def _main_pieces(surface: manifold3d.Manifold, count: int) -> tuple[manifold3d.Manifold, int]:
    """The ``count`` largest bodies with their large cavities, and how many bits were dropped."""
    pieces = sorted(surface.decompose(), key=lambda piece: -piece.volume())
    bodies = [piece for piece in pieces[:count] if piece.volume() > SMALLEST_PIECE_MM3]
    cavities = [piece for piece in pieces if piece.volume() < -SMALLEST_PIECE_MM3]
    if not bodies:
        raise SegmentationError(
            f"nothing larger than {SMALLEST_PIECE_MM3:g} mm3",
            expected="a structure of printable size",
            where="02_segmentation",
            fix="lower the threshold",
        )
    # Put side by side as triangles: a Boolean would lose the cavities' inner surfaces.
    meshes = [mesh_of(piece) for piece in bodies + cavities]
    first = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes[:-1]])
    points = np.vstack([mesh.vertices for mesh in meshes])
    faces = np.vstack([mesh.faces + start for mesh, start in zip(meshes, first, strict=True)])
    return solid(points, faces, "the largest pieces"), len(pieces) - len(meshes)


def _lighter(
    full: manifold3d.Manifold, reference: trimesh.Trimesh, bound_mm: float
) -> tuple[manifold3d.Manifold, Distances]:
    """The body with fewer triangles, and how far its surface lies from the full one.

    The tolerance of ``simplify`` holds for one step and not for their sum, so the
    distance is measured and the tolerance halved until the bound holds.
    """
    tolerance_mm = bound_mm
    for _ in range(8 if bound_mm else 0):
        light = full.simplify(tolerance_mm)
        edit = distances(reference.vertices, mesh_of(light))
        if edit.max_mm <= bound_mm:
            return light, edit
        tolerance_mm *= 0.6
    return full, Distances(0.0, 0.0, 0.0, 0.0, 0.0)


def _pinches_opened(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The mesh with points that only touch drawn apart, inwards, by micrometres.

    A manifold body may touch itself at a point or an edge.  STL joins points by
    position, and would join such a place to an edge with four triangles.
    """
    points = np.array(mesh.vertices)
    for _ in range(10):
        _, place, count = np.unique(
            points.astype(np.float32), axis=0, return_inverse=True, return_counts=True
        )
        touching = count[place.ravel()] > 1
        if not touching.any():
            break
        points[touching] -= PINCH_MM * mesh.vertex_normals[touching]
    return trimesh.Trimesh(points, mesh.faces, process=False)
