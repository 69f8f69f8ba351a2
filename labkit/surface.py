"""Triangle surfaces: read, written, made into exact bodies, compared."""

from dataclasses import dataclass
from pathlib import Path

import manifold3d
import numpy as np
import numpy.typing as npt
import pyvista
import trimesh

from labkit.errors import DesignError
from labkit.files import written_whole
from labkit.volume import Array

Indices = npt.NDArray[np.integer]
"""The points of triangles (m, 3)."""

_SAMPLE = 20_000

_STL_ROW = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_STL_CHUNK = 50_000


@dataclass(frozen=True)
class Distances:
    """Signed distances of points from a surface, in mm; positive is outside."""

    mean_mm: float
    sd_mm: float
    median_mm: float
    p95_mm: float
    max_mm: float

    @classmethod
    def of(cls, signed_mm: Array) -> "Distances":
        """What these signed distances (n,), mm, come to."""
        distance = np.abs(signed_mm)
        return cls(
            mean_mm=float(signed_mm.mean()),
            sd_mm=float(signed_mm.std()),
            median_mm=float(np.median(distance)),
            p95_mm=float(np.percentile(distance, 95)),
            max_mm=float(distance.max()),
        )

    def metrics(self, prefix: str) -> dict[str, float]:
        """The numbers under names that begin with ``prefix``, for the record."""
        return {f"{prefix}_{name}": value for name, value in vars(self).items()}


def distances(points: npt.ArrayLike, mesh: trimesh.Trimesh) -> Distances:
    """How far points (n, 3) lie from a surface: both mm, one frame.

    Exact point-to-triangle distances of up to 20,000 of the points, drawn with a
    fixed seed.  The median, p95 and maximum are of the absolute distance.
    """
    chosen = np.asarray(points, float)
    if len(chosen) > _SAMPLE:
        chosen = chosen[np.random.default_rng(0).choice(len(chosen), _SAMPLE, replace=False)]
    return Distances.of(signed_distances(chosen, mesh))


def signed_distances(points: npt.ArrayLike, mesh: trimesh.Trimesh) -> Array:
    """(n,) float64, mm: how far each of the points (n, 3) lies from a surface, exactly.

    Positive is outside.  Both mm, one frame.
    """
    faces = mesh.faces[mesh.area_faces > 0]  # VTK has crashed on those without area
    target = pyvista.PolyData.from_regular_faces(mesh.vertices, faces)
    measured = pyvista.PolyData(np.asarray(points, float)).compute_implicit_distance(target)
    return np.asarray(measured["implicit_distance"], float)


def solid(points: Array, triangles: Indices, what: str) -> manifold3d.Manifold:
    """The body inside a closed surface, for exact Booleans.

    Parameters
    ----------
    points : (n, 3) float64, mm.
    triangles : (m, 3), oriented outwards.
    what : the surface's name, for the error.

    Raises
    ------
    DesignError
        It is not closed, or it is inside out.
    """
    body = manifold3d.Manifold(
        manifold3d.Mesh64(
            vert_properties=np.asarray(points, np.float64),
            tri_verts=np.asarray(triangles, np.uint64),
        )
    )
    if body.status() != manifold3d.Error.NoError or body.volume() <= 0:
        raise DesignError(
            f"{what} is not a closed body ({body.status().name}, {body.volume():.0f} mm3)",
            expected="a watertight surface, oriented outwards",
            where=what,
            fix="mend a file where it was drawn; segment a scan again, its threshold a few HU away",
        )
    return body


def pieces(body: manifold3d.Manifold) -> list[manifold3d.Manifold]:
    """The separate bodies that a body is made of; its cavities are none."""
    return [piece for piece in body.decompose() if piece.volume() > 0]


def mesh_of(body: manifold3d.Manifold) -> trimesh.Trimesh:
    """The surface of a body, in the body's own frame and unit."""
    mesh = body.to_mesh64()
    return trimesh.Trimesh(
        np.array(mesh.vert_properties)[:, :3], np.array(mesh.tri_verts, np.int64), process=False
    )


def sampled(mesh: trimesh.Trimesh) -> Array:
    """(n, 3) float64: the vertices, then 20,000 points spread by area, drawn with a fixed seed.

    Large triangles have few vertices.
    """
    drawn, _ = trimesh.sample.sample_surface(mesh, _SAMPLE, seed=0)
    places: Array = np.vstack([mesh.vertices, drawn])
    return places


def contour(
    values: npt.NDArray[np.float32] | npt.NDArray[np.int16],
    level: float,
    *,
    first: npt.ArrayLike = (0.0, 0.0, 0.0),
    spacing: float = 1.0,
) -> tuple[Array, npt.NDArray[np.int32]]:
    """Points (n, 3) and triangles (m, 3) where values on a grid cross a level: flying edges.

    The triangles look towards what is below the level.  No value may be the level itself:
    triangles without area would come of it.

    Parameters
    ----------
    values : (k, j, i), i running along x.
    first, spacing : where the first value is, (3,) x, y, z, and how far the next.
    """
    image = pyvista.ImageData(
        dimensions=values.shape[::-1], spacing=(spacing,) * 3, origin=np.asarray(first, float)
    )
    image.point_data["value"] = values.ravel()
    found = image.contour(
        [level],
        scalars="value",
        method="flying_edges",
        compute_normals=False,
        compute_scalars=False,
    )
    return np.asarray(found.points, float), np.asarray(found.regular_faces, np.int32)


def inside(
    mesh: trimesh.Trimesh, first: npt.ArrayLike, shape: tuple[int, int, int], spacing: float
) -> npt.NDArray[np.bool_]:
    """(x, y, z) bool: which places of a grid, from its first, lie in a closed surface."""
    surface = pyvista.PolyData.from_regular_faces(mesh.vertices, mesh.faces)
    grid = pyvista.ImageData(
        dimensions=shape, spacing=(spacing,) * 3, origin=np.asarray(first, float)
    )
    mask = surface.voxelize_binary_mask(reference_volume=grid)["mask"]
    return np.asarray(mask, bool).reshape(shape, order="F")


def read_stl(path: Path) -> trimesh.Trimesh:
    """A surface from STL, mm, with shared points.

    Raises
    ------
    DesignError
        The file holds no triangles.
    """
    mesh = trimesh.load_mesh(path, file_type="stl")
    if not isinstance(mesh, trimesh.Trimesh) or not len(mesh.faces):
        raise DesignError(
            f"{path.name} holds no triangles",
            expected="a surface that an earlier stage wrote",
            where=str(path.parent),
            fix="run that stage again",
        )
    return mesh


def write_stl(mesh: trimesh.Trimesh, path: Path) -> None:
    """Write a surface as binary STL, mm.  STL holds no unit, name or frame: 3MF does."""
    points, faces = np.asarray(mesh.vertices), mesh.faces
    with written_whole(path) as temporary, temporary.open("wb") as stream:
        stream.write(bytes(80) + len(faces).to_bytes(4, "little"))
        for start in range(0, len(faces), _STL_CHUNK):
            corners = points[faces[start : start + _STL_CHUNK]]
            rows = np.zeros(len(corners), _STL_ROW)
            across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
            rows["normal"] = across / np.maximum(np.linalg.norm(across, axis=1), 1e-30)[:, None]
            rows["corners"] = corners
            stream.write(rows.tobytes())
