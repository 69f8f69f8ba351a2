"""The printable surface of a masked structure, with what every step on the way did to it."""

from collections.abc import Iterator
from dataclasses import dataclass

import manifold3d
import numpy as np
import numpy.typing as npt
import trimesh
from scipy.spatial import cKDTree

from labkit.errors import SegmentationError
from labkit.parameters import Segmentation
from labkit.segmentation.decimation import folded, half_edges
from labkit.segmentation.editing import EditingStep, editing_step, two_sided_mm
from labkit.segmentation.half_height import half_height_shift
from labkit.segmentation.isosurface import Isosurface, isosurface, off_grey_values_mm
from labkit.segmentation.shells import cone_volumes_mm3, largest_bodies
from labkit.segmentation.smoothing import point_normals, smoothing_shift
from labkit.self_intersection import self_intersections
from labkit.surface import Indices, mesh_of, solid
from labkit.volume import Array, Volume

PINCH_MM = 0.002
"""Far below what a printer resolves, far above the rounding of STL's 32-bit numbers."""

FIRST_TOLERANCE = 0.12
"""Of the decimation's bound: the tolerance is a mean.  Single points lay 3 to 6 times as far on the
skull phantom and the formula of ``benchmarks/surface.py``, and up to 7 times on pure noise."""

_ATTEMPTS = 4

_MIXERS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)
"""Odd, with their bits spread: the coordinates of a place become one number."""


class SurfaceError(SegmentationError):
    """No surface that can be printed came out; ``places_lps_mm`` (n, 3) is where."""

    places_lps_mm: Array = np.empty((0, 3))


@dataclass(frozen=True)
class Surface:
    """A closed surface in the patient, what was left out, and what was done to it.

    Parameters
    ----------
    mesh : mm, LPS; watertight, manifold, oriented outwards, not passing through itself.
    full_triangles : how many there were before it was made lighter.
    bodies, cavities : how many closed shells of each kind it has.
    handles : tunnels through it, the sum over its shells.
    dropped_pieces : islands and cavities that were left out.
    gated_share : part of the points set by the mask, not by the grey value, 0 to 1.
    steps : gate, half height, smoothing, decimation, repair: those that did something.
    """

    mesh: trimesh.Trimesh
    full_triangles: int
    bodies: int
    cavities: int
    handles: int
    dropped_pieces: int
    gated_share: float
    steps: tuple[EditingStep, ...]


def extract_surface(
    volume: Volume,
    mask: npt.NDArray[np.uint8],
    parameters: Segmentation,
) -> Surface:
    """The closed surface of the masked structure at the threshold, in LPS mm.

    Taken from the grey values; moved to the local half height, up to ``half_height_bound_mm``;
    smoothed within ``smoothing_bound_mm``; made lighter as far as the distance to the full
    surface, measured from every point of it and back, stays within ``decimation_bound_mm``.
    A bound of 0 turns a step off.  Where the surface then passes through itself, smoothing is
    taken back there and less is left out.

    Raises
    ------
    SegmentationError
        The mask is empty, or holds nothing of printable size.
    SurfaceError
        The surface passes through itself and cannot be repaired; carries where.
    DesignError
        The surface is not closed.
    """
    everything = isosurface(volume, mask, parameters.threshold_hu)
    shells = largest_bodies(everything, parameters.components)
    start = shells.surface
    gate = _gate_step(volume, mask, parameters.threshold_hu, everything)
    del everything
    stay = np.zeros(len(start.points_lps_mm), np.bool_)
    bound_mm = parameters.decimation_bound_mm
    for attempt in range(_ATTEMPTS):
        if attempt == _ATTEMPTS - 1:
            stay[:], bound_mm = True, 0.0
        points, steps = _moved(volume, start, parameters, stay)
        light, decimation = _lighter(points, start.triangles, bound_mm)
        del points
        mesh, repair = _pinches_opened(light)
        crossing = self_intersections(np.asarray(mesh.vertices), np.asarray(mesh.faces))
        if not len(crossing):
            break
        places = mesh.triangles_center[crossing[:, 0]]
        radius_mm = 2.0**attempt * float(volume.spacing_mm.max())
        far_mm, _ = cKDTree(places).query(start.points_lps_mm, distance_upper_bound=radius_mm)
        stay |= np.isfinite(far_mm)
        bound_mm /= 2
    else:
        raise _passes_through_itself(places)
    return Surface(
        mesh=mesh,
        full_triangles=len(start.triangles),
        bodies=shells.bodies,
        cavities=shells.cavities,
        handles=_handles(mesh, shells.bodies + shells.cavities),
        dropped_pieces=shells.dropped,
        gated_share=float(start.gated.mean()),
        steps=(*gate, *steps, *decimation, *repair),
    )


def checked_mesh(body: manifold3d.Manifold) -> trimesh.Trimesh:
    """The surface of a body, its pinches opened.

    Raises
    ------
    SurfaceError
        It passes through itself; carries where.
    """
    mesh, _ = _pinches_opened(mesh_of(body))
    crossing = self_intersections(np.asarray(mesh.vertices), np.asarray(mesh.faces))
    if len(crossing):
        raise _passes_through_itself(mesh.triangles_center[crossing[:, 0]])
    return mesh


def _moves(
    volume: Volume, start: Isosurface, parameters: Segmentation
) -> Iterator[tuple[str, Array, Array]]:
    """Of each step its name, where each point goes (n, 3), and how far off the surface (n,), mm."""
    points, triangles = start.points_lps_mm, start.triangles
    if bound_mm := parameters.half_height_bound_mm:
        normals = point_normals(points, triangles)
        off_mm = half_height_shift(volume, points, triangles, normals, bound_mm)
        off_mm[start.gated | start.cut_off] = 0.0
        shift_mm = off_mm[:, None] * normals
        points = points + shift_mm
        yield "half height", shift_mm, off_mm
    if bound_mm := parameters.smoothing_bound_mm:
        yield "smoothing", *smoothing_shift(points, triangles, bound_mm)


def _moved(
    volume: Volume, start: Isosurface, parameters: Segmentation, stay: npt.NDArray[np.bool_]
) -> tuple[Array, list[EditingStep]]:
    """The points (n, 3), mm, LPS, after the steps that move them; some stay where they are."""
    points, steps = start.points_lps_mm, []
    if stay.all():
        return points, []
    volume_mm3 = cone_volumes_mm3(points, start.triangles).sum()
    for name, shift_mm, off_mm in _moves(volume, start, parameters):
        shift_mm[stay], off_mm[stay] = 0.0, 0.0
        points = np.add(points, shift_mm, out=shift_mm)
        before_mm3, volume_mm3 = volume_mm3, cone_volumes_mm3(points, start.triangles).sum()
        steps.append(editing_step(name, points, off_mm, float(volume_mm3 - before_mm3)))
    return points, steps


def _lighter(
    points: Array, triangles: Indices, bound_mm: float
) -> tuple[trimesh.Trimesh, list[EditingStep]]:
    """The surface with fewer triangles, its two-sided distance from the full one in the bound."""
    tolerance_mm = FIRST_TOLERANCE * bound_mm
    for _ in range(8 if bound_mm else 0):
        edges = half_edges(triangles, len(points))
        manifold = edges.manifold
        fewer = folded(points, edges, tolerance_mm)
        del edges
        light = _closed(*fewer, manifold)
        del fewer
        tolerance_mm *= 0.7
        places, signed_mm = two_sided_mm(points, triangles, light, bound_mm)
        if np.abs(signed_mm).max() <= bound_mm:
            change_mm3 = cone_volumes_mm3(light.vertices, light.faces).sum()
            change_mm3 -= cone_volumes_mm3(points, triangles).sum()
            return light, [editing_step("decimation", places, signed_mm, float(change_mm3))]
    return _closed(points, triangles, half_edges(triangles, len(points)).manifold), []


def _closed(points: Array, triangles: Indices, manifold: bool) -> trimesh.Trimesh:
    """The surface as that of one manifold body; where it touches itself, points are doubled."""
    if manifold and cone_volumes_mm3(points, triangles).sum() > 0:
        return trimesh.Trimesh(points, triangles, process=False)
    return mesh_of(solid(points, triangles, "the surface at this threshold"))


def _pinches_opened(mesh: trimesh.Trimesh) -> tuple[trimesh.Trimesh, list[EditingStep]]:
    """The mesh with points that only touch drawn apart, inwards, by micrometres.

    A manifold body may touch itself at a point or an edge.  STL joins points by
    position, and would join such a place to an edge with four triangles.
    """
    points = np.array(mesh.vertices)
    touching = _touching(points)
    if not touching.any():
        return mesh, []
    for _ in range(10):
        points[touching] -= PINCH_MM * mesh.vertex_normals[touching]
        touching = _touching(points)
        if not touching.any():
            break
    opened = trimesh.Trimesh(points, mesh.faces, process=False)
    signed_mm = -np.linalg.norm(points - mesh.vertices, axis=1)
    return opened, [editing_step("repair", points, signed_mm, opened.volume - mesh.volume)]


def _touching(points: Array) -> npt.NDArray[np.bool_]:
    """(n,): which of the points lie where another does, in the 32-bit numbers of STL."""
    places = points.astype(np.float32) + np.float32(0)  # −0 becomes 0
    bits = places.view(np.uint32).astype(np.uint64)
    key = bits[:, 0] * _MIXERS[0] ^ bits[:, 1] * _MIXERS[1] ^ bits[:, 2] * _MIXERS[2]
    inorder = np.sort(key)
    touching = np.isin(key, inorder[1:][inorder[1:] == inorder[:-1]])
    if touching.any():  # different places may share a key
        _, place, count = np.unique(
            places[touching], axis=0, return_inverse=True, return_counts=True
        )
        touching[touching] = count[place.ravel()] > 1
    return touching


def _gate_step(
    volume: Volume, mask: npt.NDArray[np.uint8], threshold_hu: int, gated: Isosurface
) -> list[EditingStep]:
    """How far what the mask set lies from where the grey value would have put a surface.

    The change in volume is that of all voxels above the threshold to those of the mask.
    """
    if not gated.gated.any():
        return []
    signed_mm = np.zeros(len(gated.gated))  # all others lie where the grey value put them
    signed_mm[gated.gated] = off_grey_values_mm(
        volume, mask, threshold_hu, gated.points_lps_mm[gated.gated]
    )
    voxels = sum(
        np.count_nonzero(inside) - np.count_nonzero(hu > threshold_hu)
        for inside, hu in zip(mask, volume.voxels, strict=True)
    )
    change_mm3 = voxels * float(np.prod(volume.spacing_mm))
    return [editing_step("gate", gated.points_lps_mm, signed_mm, change_mm3)]


def _handles(mesh: trimesh.Trimesh, shells: int) -> int:
    return shells - (len(mesh.vertices) - len(mesh.faces) // 2) // 2


def _passes_through_itself(places: Array) -> SurfaceError:
    x, y, z = places[0]
    error = SurfaceError(
        f"a surface that passes through itself in {len(places)} places",
        expected="a surface that a printer can fill",
        where=f"02_segmentation, first at ({x:.1f}, {y:.1f}, {z:.1f}) mm, LPS",
        fix="a threshold a few HU away, or correct the mask there",
    )
    error.places_lps_mm = places
    return error
