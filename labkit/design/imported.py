"""Parts that were drawn elsewhere: STL, OBJ, PLY, OFF, VTP, 3MF and STEP, in mm.

A surface file holds no unit.  It is asked for and never guessed: a part 25.4 times
too large prints as well as the right one.
"""

import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyvista
import trimesh

from labkit.design.part import PrintObject, as_one
from labkit.design.threemf import UNITS_MM, read_3mf
from labkit.errors import DesignError, ToolMissingError
from labkit.files import sha256_of
from labkit.processes import run

Name = TypeVar("Name")
_LONG = {"mm": "millimeter", "cm": "centimeter", "m": "meter", "inch": "inch"}
UNITS = {name: UNITS_MM[long] for name, long in _LONG.items()}
"""What a person may say, in mm."""
SURFACES = ("stl", "obj", "ply", "off", "vtp")
LARGEST_MM = 10_000.0
"""The project's own: no part and no patient is longer, and such numbers are damage."""
STEP_DEFLECTION_MM = 0.01
"""How far a STEP file's curved faces may lie from their triangles: OpenCASCADE's linear
deflection, and a tenth of a fine layer."""
_STEP_TIMEOUT_S = 300.0
_STEP = """
import cascadio, pathlib, sys
made = cascadio.load(pathlib.Path(sys.argv[1]).read_bytes(), tol_linear=float(sys.argv[3]),
                     tol_angular=0.2)
pathlib.Path(sys.argv[2]).write_bytes(made)
"""


@dataclass(frozen=True)
class Imported:
    """A part from a file, mm, in the file's own frame.

    ``unit`` is the file's, ``unit_from`` who said so; nothing has been repaired.
    """

    objects: tuple[PrintObject, ...]
    unit: str
    unit_from: str
    sha256: str

    @cached_property
    def mesh(self) -> trimesh.Trimesh:
        """All objects as one surface, mm."""
        return as_one(self.objects)

    def as_dict(self) -> dict[str, object]:
        """What the record keeps of it.

        Neither the file's name nor its objects': they may be a patient's.
        """
        return {
            "objects": len(self.objects),
            "unit": self.unit,
            "unit_from": self.unit_from,
            "sha256": self.sha256,
        }


def read_part(path: Path, unit: str = "") -> Imported:
    """A part from STL, OBJ, PLY, OFF or VTP in the unit named, or from 3MF or STEP in its own.

    Parameters
    ----------
    unit : one of ``UNITS``.  For 3MF and STEP it may be left out; where it is given,
        it must be the 3MF's.

    Restrictions
    ------------
    Shape only: colours, textures and other files that it names are not read.  STEP
    comes as triangles, which lie up to `STEP_DEFLECTION_MM` off its curved faces.

    Raises
    ------
    DesignError
        No such file, of another kind, damaged or empty; no unit, or one that
        contradicts the file.
    ToolMissingError
        STEP is read by cascadio, which is not installed.
    """
    kind = path.suffix.lower().lstrip(".")
    if kind not in (*SURFACES, "3mf", "step", "stp"):
        raise _refused(path, f"a {path.suffix or 'nameless'} file")
    if unit and unit not in UNITS:
        raise _no_unit(path, f"the unit {unit!r}")
    if not path.is_file():
        raise _refused(path, f"{path.name} is not there", "correct the path")
    if not path.stat().st_size:
        raise _refused(path, f"{path.name} is empty")
    said_by = "the file"
    if kind == "3mf":
        objects, own = read_3mf(path)
        if unit and _LONG[unit] != own:
            raise _no_unit(path, f"the unit {unit}, while the file itself says {own}")
        named = {number: each.mesh for number, each in enumerate(objects)}
        _placed(named, path)
    elif kind in ("step", "stp"):
        objects, own = _objects(_placed(_read_step(path), path)), "as the STEP file says"
    else:
        surfaces = _read_surface(path, kind)
        if not unit:
            raise _no_unit(path, f"no unit for a {kind.upper()} file, which holds none", surfaces)
        for mesh in surfaces.values():
            mesh.apply_scale(UNITS[unit])
        objects, own, said_by = _objects(_placed(surfaces, path)), unit, "a person"
    return Imported(objects, own, said_by, sha256_of(path))


def _read_surface(path: Path, kind: str) -> dict[str, trimesh.Trimesh]:
    """What a surface file holds, in its own unit."""
    try:
        if kind == "vtp":
            grid = pyvista.read(path).triangulate()
            return _meshes({"part": trimesh.Trimesh(grid.points, grid.regular_faces)}, path)
        # from bytes, so that no other file that it names is opened
        content = BytesIO(path.read_bytes())
        scene = trimesh.load_scene(content, file_type=kind, process=False, skip_materials=True)
    except DesignError:
        raise
    except Exception as error:  # the libraries raise whatever the bytes lead them to
        raise _refused(path, f"{path.name} cannot be read as {kind.upper()}") from error
    return _meshes(scene.geometry, path)


def _read_step(path: Path) -> dict[str, trimesh.Trimesh]:
    """The bodies of a STEP file, mm, by OpenCASCADE in a process of its own.

    It is a large C++ library: what a damaged file does to it must not end the kernel.
    """
    if find_spec("cascadio") is None:
        raise ToolMissingError(
            "cascadio is not installed",
            expected="the reader of STEP files",
            where=path.name,
            fix="pip install 'labkit[cad]', or export the part as 3MF",
        )
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder) / "part.step", Path(folder) / "part.glb"
        source.write_bytes(path.read_bytes())
        run(
            [sys.executable, "-c", _STEP, source, made, str(STEP_DEFLECTION_MM)],
            timeout_s=_STEP_TIMEOUT_S,
        )
        if not made.is_file() or not made.stat().st_size:
            raise _refused(path, f"{path.name} cannot be read as STEP")
        scene = trimesh.load_scene(made)
    named = {}
    for node in scene.graph.nodes_geometry:
        place, geometry = scene.graph[node]
        mesh = scene.geometry[geometry].copy()
        mesh.apply_transform(place)
        mesh.apply_scale(1000.0)  # glTF is in metres by its specification
        named[str(node)] = mesh
    return _meshes(named, path)


def _meshes(named: Mapping[str, object], path: Path) -> dict[str, trimesh.Trimesh]:
    """The triangle surfaces among these, without colours."""
    found = {
        str(name): trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
        for name, mesh in named.items()
        if isinstance(mesh, trimesh.Trimesh) and len(mesh.faces)
    }
    if not found:
        raise _refused(path, f"{path.name} holds no triangles")
    return found


def _placed(named: Mapping[Name, trimesh.Trimesh], path: Path) -> Mapping[Name, trimesh.Trimesh]:
    """The same surfaces, if all their points are places that a part can have."""
    for mesh in named.values():
        points = mesh.vertices[np.unique(mesh.faces)]
        if not np.isfinite(points).all() or np.abs(points).max() > LARGEST_MM:
            raise _refused(
                path,
                f"{path.name} has coordinates that are no places of a part",
                "look whether the unit is the one it was drawn in; else export the part again",
            )
    return named


def _objects(named: Mapping[str, trimesh.Trimesh]) -> tuple[PrintObject, ...]:
    """The surfaces as objects, their triangles sharing points."""
    for mesh in named.values():
        mesh.merge_vertices(merge_tex=True, merge_norm=True)
    return tuple(PrintObject(name, mesh) for name, mesh in named.items())


def _no_unit(
    path: Path, found: str, surfaces: Mapping[str, trimesh.Trimesh] | None = None
) -> DesignError:
    fix = "give the unit that the part was drawn in"
    if surfaces is not None:
        corners = np.array([mesh.bounds for mesh in surfaces.values()])
        size = corners[:, 1].max(axis=0) - corners[:, 0].min(axis=0)
        sizes = (
            f"{name}: {' × '.join(f'{mm:.4g}' for mm in size * factor)} mm"
            for name, factor in UNITS.items()
        )
        fix += "; the part would be, in " + ", ".join(sizes)
    return DesignError(
        found, expected="one of " + ", ".join(UNITS), where=f"{path.name}, unit", fix=fix
    )


def _refused(
    path: Path, found: str, fix: str = "export the part again, from the program that made it"
) -> DesignError:
    return DesignError(
        found,
        expected=f"a part as {', '.join(SURFACES)}, 3mf or step, in numbers up to "
        f"{LARGEST_MM:g} mm",
        where=str(path.parent.absolute()),
        fix=fix,
    )
