"""Which triangles of a body stem from which of the bodies that it was made of."""

import manifold3d
import numpy as np
import numpy.typing as npt
import trimesh

from labkit.volume import Array


def triangles_from(body: manifold3d.Manifold, originals: set[int]) -> npt.NDArray[np.bool_]:
    """(m,) bool: the triangles of a body that stem from bodies with these identities."""
    mesh = body.to_mesh64()
    ends = np.array(mesh.run_index, np.int64) // 3
    stems = [which in originals for which in mesh.run_original_id]
    return np.repeat(np.array(stems, bool), np.diff(ends))


def points_from(
    part: trimesh.Trimesh, body: manifold3d.Manifold, source: manifold3d.Manifold, *, most: int
) -> Array:
    """(n, 3): corners and middles of the triangles that stem from one source, one frame.

    At most so many, drawn with a fixed seed; none where nothing of the source is left.

    Parameters
    ----------
    part : the mesh of ``body``.
    """
    corners = part.triangles[triangles_from(body, {source.original_id()})]
    points = np.vstack([corners.reshape(-1, 3), corners.mean(axis=1)])
    return np.asarray(points[np.random.default_rng(0).permutation(len(points))[:most]], float)
