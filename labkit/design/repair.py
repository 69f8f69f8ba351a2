"""Broken surfaces made into bodies, with the change measured; or refused with the place."""

from dataclasses import dataclass, field

import manifold3d
import numpy as np
import pyvista
import trimesh

from labkit.design.solids import joined
from labkit.errors import DesignError
from labkit.self_intersection import self_intersections
from labkit.surface import Distances, mesh_of, signed_distances
from labkit.volume import Array

MOST_TRIANGLES = 1_000_000
"""Larger surfaces are not searched for crossings: these take about 20 s on two processors."""
_SAMPLE = 20_000


@dataclass(frozen=True)
class Repaired:
    """A closed body, and what it took.

    Parameters
    ----------
    mesh : watertight, manifold, oriented outwards; the frame and unit of the input.
    steps : what was done, in words; empty where nothing had to be.
    change : how far the repaired surface lies from the one that came, without sign.
    volume_change_mm3 : None where the input was open and had no volume.
    crossing : (n, 3) where it passes through itself still, which nothing here mends;
        None where it is too large to be searched.
    """

    mesh: trimesh.Trimesh
    steps: list[str]
    change: Distances
    volume_change_mm3: float | None
    crossing: Array | None


@dataclass
class _Work:
    mesh: trimesh.Trimesh
    name: str
    steps: list[str] = field(default_factory=list)

    def done(self, words: str) -> None:
        self.steps.append(words)


def repaired(mesh: trimesh.Trimesh, *, bound_mm: float, name: str = "the surface") -> Repaired:
    """The body that a surface was meant to be, mm, no further from it than ``bound_mm``.

    trimesh merges points, drops what has no area or lies twice, and turns facets the
    same way round; VTK closes holes; manifold3d joins bodies that overlap and judges
    the outcome.

    Restrictions
    ------------
    A hole is closed by a patch across its rim: how far the patch lies from the rim is
    the change that is bounded; what the missing surface was like, nobody knows.

    Raises
    ------
    DesignError
        It cannot be closed, or only by moving more than the bound: with the place.
    """
    before = mesh.copy()
    work = _Work(mesh.copy(), name)
    with np.errstate(divide="ignore", invalid="ignore"):  # trimesh weighs what has no volume
        _tidied(work)
        _closed(work)
        body = _body(work)
    made = mesh_of(body)
    change = _change(before, made)
    if change.max_mm > bound_mm:
        raise _refused(
            work,
            f"a repair would move the surface by {change.max_mm:.3g} mm",
            _farthest(before, made),
            f"a change of at most {bound_mm:g} mm",
        )
    volume = float(made.volume - before.volume) if before.is_watertight else None
    return Repaired(made, work.steps, change, volume, crossing_places(made))


def crossing_places(mesh: trimesh.Trimesh) -> Array | None:
    """(n, 3), the frame and unit of the surface: where it passes through itself.

    None where it has more than `MOST_TRIANGLES`.
    """
    if len(mesh.faces) > MOST_TRIANGLES:
        return None
    crossing = self_intersections(np.asarray(mesh.vertices), np.asarray(mesh.faces))
    return np.asarray(mesh.triangles_center[crossing[:, 0]], float)


def _tidied(work: _Work) -> None:
    mesh = work.mesh
    mesh.merge_vertices(merge_tex=True, merge_norm=True)  # moves nothing: no step of a repair
    faces = len(mesh.faces)
    mesh.update_faces(mesh.unique_faces() & mesh.nondegenerate_faces())
    mesh.remove_unreferenced_vertices()
    if len(mesh.faces) < faces:
        work.done(f"{faces - len(mesh.faces)} facets without area or doubled left out")
    if not mesh.is_winding_consistent or (mesh.is_watertight and mesh.volume < 0):
        mesh.fix_normals(multibody=True)
        work.done("facets turned the same way round")


def _closed(work: _Work) -> None:
    if work.mesh.is_watertight:
        return
    apart = manifold3d.Mesh64(
        vert_properties=np.asarray(work.mesh.vertices, np.float64),
        tri_verts=np.asarray(work.mesh.faces, np.uint64),
    )
    if apart.merge():  # open edges that lie on each other within the float's precision
        body = manifold3d.Manifold(apart)
        if body.status() == manifold3d.Error.NoError and body.volume() > 0:
            work.mesh = mesh_of(body)
            work.done("open edges that lie on each other joined")
            return
    rims = _rims(work.mesh)
    surface = pyvista.PolyData.from_regular_faces(work.mesh.vertices, work.mesh.faces)
    filled = surface.fill_holes(2 * float(work.mesh.scale)).triangulate().clean()
    mesh = trimesh.Trimesh(np.array(filled.points, float), filled.regular_faces, process=True)
    if mesh.is_watertight and not mesh.is_winding_consistent:
        mesh.fix_normals(multibody=True)
    if mesh.is_watertight and mesh.volume < 0:
        mesh.invert()
    work.mesh = mesh
    if rims:
        work.done(f"{rims} hole{'s' if rims > 1 else ''} closed")


def _body(work: _Work) -> manifold3d.Manifold:
    """The union of the pieces, each a body of its own."""
    bodies = []
    for piece in work.mesh.split(only_watertight=False, repair=False):
        shell = manifold3d.Mesh64(
            vert_properties=np.asarray(piece.vertices, np.float64),
            tri_verts=np.asarray(piece.faces, np.uint64),
        )
        body = manifold3d.Manifold(shell)
        if body.status() != manifold3d.Error.NoError:
            place = _bad_edge(piece)
            raise _refused(work, "edges that are not shared by two facets each", place)
        bodies.append(body)
    solids = [body for body in bodies if body.volume() > 0]
    holes = [body for body in bodies if body.volume() < 0]
    if not solids:
        raise _refused(work, "no volume inside", work.mesh.bounds.mean(axis=0))
    whole = joined(solids)
    if len(solids) > 1 and whole.volume() < 0.9999 * sum(body.volume() for body in solids):
        work.done(f"{len(solids)} bodies that overlap joined")
    for hole in holes:  # a cavity: its facets look inwards
        whole -= _inverted(hole)
    return whole


def _inverted(body: manifold3d.Manifold) -> manifold3d.Manifold:
    mesh = mesh_of(body)
    mesh.invert()
    return manifold3d.Manifold(
        manifold3d.Mesh64(
            vert_properties=np.asarray(mesh.vertices, np.float64),
            tri_verts=np.asarray(mesh.faces, np.uint64),
        )
    )


def _change(before: trimesh.Trimesh, after: trimesh.Trimesh) -> Distances:
    """Distances both ways, without sign: an open surface has no inside."""
    away = np.abs(signed_distances(_places(after), before))
    left = np.abs(signed_distances(_places(before), after))
    return Distances.of(np.concatenate([away, left]))


def _farthest(before: trimesh.Trimesh, after: trimesh.Trimesh) -> Array:
    places = _places(after)
    place: Array = places[int(np.argmax(np.abs(signed_distances(places, before))))]
    return place


def _places(mesh: trimesh.Trimesh) -> Array:
    drawn, _ = trimesh.sample.sample_surface(mesh, _SAMPLE, seed=0)
    places: Array = np.vstack([mesh.vertices[np.unique(mesh.faces)], drawn])
    return places


def _rims(mesh: trimesh.Trimesh) -> int:
    """How many separate open edges' loops there are."""
    surface = pyvista.PolyData.from_regular_faces(mesh.vertices, mesh.faces)
    open_edges = surface.extract_feature_edges(
        boundary_edges=True, feature_edges=False, manifold_edges=False, non_manifold_edges=False
    )
    if not open_edges.n_cells:
        return 0
    return int(open_edges.connectivity()["RegionId"].max()) + 1


def _bad_edge(mesh: trimesh.Trimesh) -> Array:
    """The middle of the first edge that does not have two facets."""
    edges, count = np.unique(mesh.edges_sorted, axis=0, return_counts=True)
    bad = edges[count != 2]
    chosen = bad[0] if len(bad) else edges[0]
    place: Array = mesh.vertices[chosen].mean(axis=0)
    return place


def _refused(
    work: _Work, found: str, place: Array, expected: str = "a surface that can be closed"
) -> DesignError:
    x, y, z = place
    return DesignError(
        f"{found}, at {x:.4g}, {y:.4g}, {z:.4g} mm",
        expected=expected,
        where=work.name,
        fix="mend it in the program that made it, or allow a larger change",
    )
