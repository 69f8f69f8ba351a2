"""Round bores of an imported part: found, and given back their size; mm.

A bore is a band of facets that bend inwards about one axis: their normals point to it,
their corners lie on one circle, and they go around it.
"""

from dataclasses import dataclass

import manifold3d
import numpy as np
import numpy.typing as npt
import pyvista
import trimesh
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from labkit.surface import solid
from labkit.volume import Array

ROUND_MM = 0.05
"""How far a corner may lie off the circle; the project's own: a tenth of a thin line."""
WIDEST_GAP_DEG = 60.0
"""Around the axis without a corner: five sixths of a circle hold a pin; the project's own."""
SMALLEST_MM = 0.8
"""Narrower bores close in printing: two lines of a 0.4 mm nozzle; the project's own."""
_FEWEST_FACETS = 12
_FLAT_DEG, _SHARPEST_DEG = 0.006, 40.0
_SIDES = 96


@dataclass(frozen=True)
class Bore:
    """A round bore.

    Parameters
    ----------
    start, end : (3,) on the axis, at the farthest corners.
    diameter_mm : of the circle that the corners lie on.
    faces : the facets, by number.
    """

    start: Array
    end: Array
    diameter_mm: float
    faces: npt.NDArray[np.int64]

    @property
    def axis(self) -> Array:
        """(3,) unit vector."""
        along = self.end - self.start
        return np.asarray(along / np.linalg.norm(along))

    def scaled(self, scale: float) -> "Bore":
        """The same bore in a part that was scaled about the origin."""
        return Bore(self.start * scale, self.end * scale, self.diameter_mm * scale, self.faces)

    def cylinder(self, diameter_mm: float, beyond_mm: float) -> manifold3d.Manifold:
        """A cylinder of this diameter along the bore and so far beyond each end."""
        length = float(np.linalg.norm(self.end - self.start)) + 2 * beyond_mm
        made = manifold3d.Manifold.cylinder(length, diameter_mm / 2, diameter_mm / 2, _SIDES)
        turn = trimesh.geometry.align_vectors([0, 0, 1], self.axis)
        turn[:3, 3] = self.start - self.axis * beyond_mm
        return made.transform(turn[:3])


def bores(mesh: trimesh.Trimesh) -> list[Bore]:
    """All round bores of a closed part, narrowest first."""
    angles, pairs = mesh.face_adjacency_angles, mesh.face_adjacency
    flat = angles < np.radians(_FLAT_DEG)
    inwards = ~mesh.face_adjacency_convex & (angles < np.radians(_SHARPEST_DEG))
    a, b = pairs[flat | inwards].T
    count = len(mesh.faces)
    _, label = connected_components(coo_matrix((np.ones(len(a)), (a, b)), (count, count)))
    order = np.argsort(label, kind="stable")
    bands = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
    found = [_bore(mesh, band) for band in bands if len(band) >= _FEWEST_FACETS]
    return sorted((bore for bore in found if bore), key=lambda bore: bore.diameter_mm)


def _bore(mesh: trimesh.Trimesh, faces: npt.NDArray[np.int64]) -> Bore | None:
    normals, areas = mesh.face_normals[faces], mesh.area_faces[faces]
    spread, directions = np.linalg.eigh((normals * areas[:, None]).T @ normals)
    if spread[0] > 1e-3 * areas.sum() or np.abs(normals @ directions[:, 0]).max() > 0.05:
        return None
    axis, plane = directions[:, 0], directions[:, 1:]
    points = mesh.vertices[np.unique(mesh.faces[faces])]
    flat = points @ plane
    # the circle x² + y² + ax + by + c = 0 nearest to the corners, by least squares
    sums = np.column_stack([flat, np.ones(len(flat))])
    solved, *_ = np.linalg.lstsq(sums, -(flat**2).sum(axis=1), rcond=None)
    centre = -solved[:2] / 2
    radius = np.sqrt(max(float(centre @ centre - solved[2]), 0.0))
    off = np.abs(np.linalg.norm(flat - centre, axis=1) - radius).max()
    if off > ROUND_MM or 2 * radius < SMALLEST_MM or off > 0.1 * radius:
        return None
    around = np.sort(np.arctan2(*(flat - centre).T[::-1]))
    gap = np.degrees(np.diff(np.append(around, around[0] + 2 * np.pi)).max())
    towards = mesh.triangles_center[faces] @ plane - centre
    if gap > WIDEST_GAP_DEG or (np.einsum("ij,ij->i", normals @ plane, towards) > 0).any():
        return None
    along = points @ axis
    middle = plane @ centre
    ends = (middle + axis * along.min(), middle + axis * along.max())
    return Bore(*ends, float(2 * radius), faces)


def plug(mesh: trimesh.Trimesh, bore: Bore) -> manifold3d.Manifold:
    """What fills a bore, flush with its mouths: its own facets, closed by a fan at each mouth."""
    faces = mesh.faces[bore.faces][:, ::-1]
    edges = np.vstack([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    there = {(int(a), int(b)) for a, b in edges}
    rim = {a: b for a, b in there if (b, a) not in there}
    points, fans = list(mesh.vertices), []
    while rim:
        first, following = rim.popitem()
        loop = [first]
        while following != first and following in rim:
            loop.append(following)
            following = rim.pop(following)
        points.append(mesh.vertices[loop].mean(axis=0))
        fans += [(b, a, len(points) - 1) for a, b in zip(loop, [*loop[1:], first], strict=True)]
    closed = trimesh.Trimesh(np.array(points), np.vstack([faces, np.array(fans)]), process=False)
    closed.remove_unreferenced_vertices()
    return solid(closed.vertices, closed.faces, "the filling of a bore")


def wall_around(mesh: trimesh.Trimesh, bore: Bore, diameter_mm: float) -> float:
    """The least material outwards from a bore, mm: rays square to its axis, 24 around, 5 along.

    Rays that begin in the open, where another bore crosses, do not count; infinite where
    none is left.
    """
    surface = pyvista.PolyData.from_regular_faces(mesh.vertices, mesh.faces)
    across = np.linalg.svd(bore.axis[None])[2][1:]
    reach = float(np.linalg.norm(mesh.extents))
    least = np.inf
    for share in np.linspace(0.1, 0.9, 5):
        middle = bore.start + share * (bore.end - bore.start)
        for angle in np.linspace(0, 2 * np.pi, 24, endpoint=False):
            out = np.cos(angle) * across[0] + np.sin(angle) * across[1]
            begin = middle + out * (diameter_mm / 2 + 0.02)
            hits, _ = surface.ray_trace(begin, begin + out * reach)
            if len(hits) % 2:
                least = min(least, float(np.linalg.norm(hits - begin, axis=1).min()))
    return least
