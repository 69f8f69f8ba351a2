"""The surfaces of one or several structures: bodies that share their boundary."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

import manifold3d
import numpy as np
import numpy.typing as npt
import trimesh

from labkit.errors import SegmentationError
from labkit.segmentation.editing import EditingStep
from labkit.segmentation.extraction import Surface, SurfaceError, checked_mesh, extract_surface
from labkit.segmentation.label_surfaces import extract_label_surfaces
from labkit.segmentation.shells import cone_volumes_mm3
from labkit.segmentation.structures import Structures, named_in_errors
from labkit.surface import solid
from labkit.volume import Array, Volume

LEAST_PIECE_MM3 = 0.01
"""Slivers that one body leaves of another where both end at the same place: far below what a
printer resolves (labkit's own)."""

SLIVER_MM = (0.001, 0.002, 0.004, 0.008)
"""How far slivers may be evened out, the least that is enough (labkit's own)."""


@dataclass(frozen=True)
class StructureSurfaces:
    """The surface around all structures together, and the closed body of each, mm, LPS.

    ``meshes`` and ``rgb`` are by name.  The bodies do not overlap, and neighbours have no gap
    between them: exactly, or to 0.01 mm where slivers between two thresholds had to be evened out.
    """

    whole: Surface
    meshes: dict[str, trimesh.Trimesh]
    rgb: dict[str, tuple[float, float, float]]

    @property
    def parts(self) -> dict[str, tuple[trimesh.Trimesh, tuple[float, float, float]]]:
        """Of several structures each with its colour, for a picture; empty of one."""
        if len(self.meshes) == 1:
            return {}
        return {name: (mesh, self.rgb[name]) for name, mesh in self.meshes.items()}

    @property
    def files(self) -> dict[str, trimesh.Trimesh]:
        """What is written: ``surface.stl`` is the whole; of several, ``surface_NAME.stl`` each."""
        found = {"surface.stl": self.whole.mesh}
        if len(self.meshes) > 1:
            found |= {self.file_of(name): mesh for name, mesh in self.meshes.items()}
        return found

    def file_of(self, name: str) -> str:
        """The file that holds the body of a structure."""
        if len(self.meshes) == 1:
            return "surface.stl"
        return f"surface_{_stems(self.meshes)[name]}.stl"

    @property
    def decimation_mm(self) -> float:
        """How far the farthest point of a surface that was made lighter lies from the full one."""
        told = [s.distances.max_mm for s in self.whole.steps if s.name.startswith("decimation")]
        return max(told, default=0.0)


def extract_structures(volume: Volume, structures: Structures) -> StructureSurfaces:
    """The bodies of all structures, each taken from the grey values at its own threshold.

    Structures of one threshold are cut apart along the border of their labels.  What has a
    higher threshold is taken out of what has a lower one.

    Raises
    ------
    SegmentationError
        Nothing of printable size is left of a structure; or as `extract_surface`.
    """
    names, segments = structures.names, structures.label_map.segments
    found, groups = [], _by_threshold(structures)
    for values in groups:
        of = ", ".join(names[value] for value in values) if len(groups) > 1 else ""
        with named_in_errors(of):
            found.append(_surfaces(volume, structures, values))
    whole, bodies = found[0] if len(found) == 1 else _fitted(found, names)
    return StructureSurfaces(
        whole,
        {name: bodies[value] for value, name in names.items()},
        {name: segments[value].rgb for value, name in names.items()},
    )


def _surfaces(
    volume: Volume, structures: Structures, values: list[int]
) -> tuple[Surface, dict[int, trimesh.Trimesh]]:
    """The surface around structures of one threshold, and the body of each."""
    own = structures.decided[values[0]]
    if len(values) == 1:
        surface = extract_surface(volume, structures.mask_of(values[0]), own)
        return surface, {values[0]: surface.mesh}
    cut = extract_label_surfaces(volume, structures.labels_among(values), own, structures.names)
    return cut.whole, cut.meshes


def _by_threshold(structures: Structures) -> list[list[int]]:
    """The values of one threshold together, the highest threshold first."""
    groups: dict[int, list[int]] = {}
    for value, own in structures.decided.items():
        groups.setdefault(own.threshold_hu, []).append(value)
    return [groups[threshold_hu] for threshold_hu in sorted(groups, reverse=True)]


def _fitted(
    found: list[tuple[Surface, dict[int, trimesh.Trimesh]]], names: dict[int, str]
) -> tuple[Surface, dict[int, trimesh.Trimesh]]:
    """The bodies, each without those that come before it."""
    together, bodies = manifold3d.Manifold(), {}
    for surface, meshes in found:
        for value, mesh in meshes.items():
            body = solid(mesh.vertices, mesh.faces, f"the surface of {names[value]}")
            bodies[value] = body - together
        together += solid(surface.mesh.vertices, surface.mesh.faces, "the surfaces so far")
    mesh = _printable(together)
    _, size_mm3 = _shells(mesh)
    whole = Surface(
        mesh=mesh,
        full_triangles=sum(surface.full_triangles for surface, _ in found),
        bodies=int((size_mm3 > 0).sum()),
        cavities=int((size_mm3 < 0).sum()),
        handles=len(size_mm3) - mesh.euler_number // 2,
        dropped_pieces=sum(surface.dropped_pieces for surface, _ in found),
        gated_share=max(surface.gated_share for surface, _ in found),
        steps=tuple(_named_steps(found, names)),
    )
    parts = {value: _printable(body) for value, body in bodies.items()}
    return whole, {value: _without_slivers(part, names[value]) for value, part in parts.items()}


def _printable(body: manifold3d.Manifold) -> trimesh.Trimesh:
    """The surface of a body, freed of the slivers where two surfaces nearly coincide."""
    try:
        return checked_mesh(body)
    except SurfaceError:
        for tolerance_mm in SLIVER_MM:
            with suppress(SurfaceError):
                return checked_mesh(body.simplify(tolerance_mm))
        raise


def _named_steps(
    found: Iterable[tuple[Surface, dict[int, trimesh.Trimesh]]], names: dict[int, str]
) -> Iterator[EditingStep]:
    for surface, meshes in found:
        first, *others = (names[value] for value in meshes)
        of = f"{first} and {len(others)} more" if others else first
        for step in surface.steps:
            yield replace(step, name=f"{step.name} of {of}")


def _shells(mesh: trimesh.Trimesh) -> tuple[npt.NDArray[np.int64], Array]:
    """(m,) the shell of each triangle, and (n,) the volume of each shell, mm3; cavities < 0."""
    triangles = np.asarray(mesh.faces)
    shell = trimesh.graph.connected_component_labels(mesh.face_adjacency, len(triangles))
    cones_mm3 = cone_volumes_mm3(np.asarray(mesh.vertices), triangles)
    return shell, np.bincount(shell, weights=cones_mm3).astype(np.float64)


def _without_slivers(mesh: trimesh.Trimesh, name: str) -> trimesh.Trimesh:
    shell, size_mm3 = _shells(mesh)
    kept = np.abs(size_mm3) >= LEAST_PIECE_MM3
    if not kept.any():
        raise SegmentationError(
            f"nothing of {name} outside the structures that have a higher threshold",
            expected="a structure of printable size",
            where="02_segmentation, parameter structures",
            fix=f"leave {name} out, or give it another threshold",
        )
    mesh.update_faces(kept[shell])
    mesh.remove_unreferenced_vertices()
    return mesh


def _stems(names: Iterable[str]) -> dict[str, str]:
    """Names as parts of file names, no two alike: ``Left femur`` is ``left_femur``."""
    stems: dict[str, str] = {}
    for name in names:
        letters = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
        stem = plain = re.sub(r"[^a-z0-9]+", "_", letters).strip("_")[:40] or "structure"
        number = 1
        while stem in stems.values():
            number += 1
            stem = f"{plain}_{number}"
        stems[name] = stem
    return stems
