"""Bodies inside bodies: a cavity whose surface is turned over looks closed, and is filled."""

import numpy as np
import numpy.typing as npt
import trimesh
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Array = npt.NDArray[np.float64]

_PROBES = 16
"""Corners of a body that are looked at: all of them must lie inside the other."""

_TURN = np.linalg.qr(np.array([[3.0, 1.0, 4.0], [1.0, 5.0, 9.0], [2.0, 6.0, 5.0]]))[0]
"""A frame whose z runs along no edge that somebody draws: rays go up there."""


def swallowed_at(mesh: trimesh.Trimesh) -> Array | None:
    """A corner of a body that lies wholly inside another's material, (3,) mm, or None.

    Such a body adds nothing to what is printed; mostly it is a cavity whose facets are
    turned over.  A body inside a true cavity is not meant, nor are bodies that cross.

    Parameters
    ----------
    mesh : closed, facets outwards, corners merged.
    """
    faces = np.asarray(mesh.faces)
    corners = np.asarray(mesh.vertices, dtype=np.float64)
    ends = np.vstack([faces[:, :2], faces[:, 1:]])
    links = coo_array((np.ones(len(ends), bool), (ends[:, 0], ends[:, 1])), (len(corners),) * 2)
    count, of_corner = connected_components(links, directed=False)
    if count == 1:
        return None
    of_face = of_corner[faces[:, 0]]
    triangles = corners[faces]
    volume = np.bincount(of_face, np.linalg.det(triangles - corners.mean(axis=0)), count)
    low, high = np.full((2, count, 3), np.inf)
    np.minimum.at(low, of_corner, corners)
    np.minimum.at(high, of_corner, -corners)
    high = -high
    columns: dict[int, _Columns] = {}
    for body in np.flatnonzero(volume > 0):
        around = (low < low[body]).all(axis=1) & (high > high[body]).all(axis=1)
        if not (around & (volume > 0)).any():
            continue
        for one in np.flatnonzero(around).tolist():
            if one not in columns:
                columns[one] = _Columns(triangles[of_face == one])
        own = corners[of_corner == body]
        probes = own[np.linspace(0, len(own) - 1, min(_PROBES, len(own))).astype(int)]
        signs = {one: np.sign(volume[one]) for one in np.flatnonzero(around).tolist()}
        if all(sum(signs[one] * columns[one].hold(at) for one in signs) >= 1 for at in probes):
            first: Array = probes[0]
            return first
    return None


class _Columns:
    """The triangles of a closed body, turned, with the box of each as seen from above."""

    def __init__(self, triangles: Array) -> None:
        self.triangles = triangles @ _TURN
        self.low, self.high = self.triangles.min(axis=1), self.triangles.max(axis=1)

    def hold(self, point: Array) -> bool:
        """Whether a point lies inside: going up, it leaves the body an odd number of times."""
        x, y, z = point @ _TURN
        near = (self.low[:, 0] <= x) & (self.high[:, 0] > x)
        near &= (self.low[:, 1] <= y) & (self.high[:, 1] > y) & (self.high[:, 2] > z)
        corner = self.triangles[near]
        origin, along, across = (
            corner[:, 0],
            corner[:, 1] - corner[:, 0],
            corner[:, 2] - corner[:, 0],
        )
        dx, dy = x - origin[:, 0], y - origin[:, 1]
        area = along[:, 0] * across[:, 1] - along[:, 1] * across[:, 0]
        with np.errstate(divide="ignore", invalid="ignore"):
            u = (dx * across[:, 1] - dy * across[:, 0]) / area
            v = (along[:, 0] * dy - along[:, 1] * dx) / area
            height = origin[:, 2] + u * along[:, 2] + v * across[:, 2]
        crossed = (u >= 0) & (v >= 0) & (u + v <= 1) & (height > z)
        return bool(np.count_nonzero(crossed) % 2)
