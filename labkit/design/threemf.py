"""3MF, the working format of parts: written with the same bytes each time, read strictly."""

import re
import zipfile
from collections import Counter
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import lib3mf
import numpy as np
import trimesh

from labkit.design.part import Part, PrintObject
from labkit.errors import DesignError
from labkit.files import write_whole
from labkit.volume import Array

_MODEL = "3D/3dmodel.model"
_NAME_SPACE = "urn:labkit:3mf"
_LISTED = {"Title", "Designer", "Description", "Copyright", "LicenseTerms", "Rating"} | {
    "CreationDate",
    "ModificationDate",
    "Application",
}
"""The names of metadata that any file may have (3MF core specification, section 3.4.1)."""
_UNKNOWN_METADATA = 32946
"""lib3mf's warning for a name outside the specification's list, which a reader must accept."""

UNITS_MM = {
    "micrometer": 0.001,
    "millimeter": 1.0,
    "centimeter": 10.0,
    "inch": 25.4,
    "foot": 304.8,
    "meter": 1000.0,
}
"""The units of a 3MF model (3MF core specification 1.3, section 3.4), in mm, as lib3mf counts."""


def write_3mf(part: Part, path: Path, *, metadata: dict[str, str]) -> None:
    """Write the part as 3MF: millimetres, the objects' names and colours, and metadata.

    The same part gives the same bytes: the identifiers that trimesh draws at random are
    left out, which the core specification does not ask for.  Names of metadata that it
    does not list go into a name space of the kit's.
    """
    scene = trimesh.Scene()
    for each in part.objects:
        scene.add_geometry(each.mesh, geom_name=each.name)
    packed = scene.export(file_type="3mf")
    with zipfile.ZipFile(BytesIO(packed)) as source:
        files = {entry: source.read(entry) for entry in source.namelist()}
    # without the name spaces of extensions: who declares one, must keep its rules
    model = re.sub(r' (p:UUID|xmlns:\w+)="[^"]*"', "", files[_MODEL].decode())
    model = re.sub(r'<item xmlns="[^"]*"', "<item", model)  # said already, lib3mf warns of it
    model = model.replace("<model ", f'<model xmlns:labkit="{_NAME_SPACE}" ', 1)
    words = "".join(
        f"<metadata name={quoteattr(_metadata_name(key))}>{_escaped(value)}</metadata>"
        for key, value in metadata.items()
    )
    group = len(part.objects) + 1  # trimesh numbers the objects from 1
    bases = "".join(
        f'<base name={quoteattr(each.name)} displaycolor="{each.colour.upper()}"/>'
        for each in part.objects
    )
    colours = f'<basematerials id="{group}">{bases}</basematerials>'
    model = model.replace("<resources>", f"{words}<resources>{colours}", 1)
    for number in range(len(part.objects)):
        start = f'<object id="{number + 1}" '
        model = model.replace(start, f'{start}pid="{group}" pindex="{number}" ', 1)
    files[_MODEL] = model.encode()
    repacked = BytesIO()
    with zipfile.ZipFile(repacked, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in sorted(files):
            target.writestr(zipfile.ZipInfo(entry), files[entry], zipfile.ZIP_DEFLATED, 6)
    write_whole(path, repacked.getvalue())


def read_3mf(path: Path) -> tuple[tuple[PrintObject, ...], str]:
    """The objects on the plate of a 3MF file, mm, and the unit that the file itself has.

    Read by lib3mf, the 3MF Consortium's own library: what it refuses or warns of is
    refused, but for metadata of unknown names.

    Raises
    ------
    DesignError
        The file breaks the specification, or there is nothing on its plate.
    """
    model = lib3mf.get_wrapper().CreateModel()
    reader = model.QueryReader("3mf")
    try:
        reader.ReadFromBuffer(path.read_bytes())
    except lib3mf.ELib3MFException as error:
        raise _refused(path, str(error).partition(": ")[2]) from error
    for number in range(reader.GetWarningCount()):
        code, words = reader.GetWarning(number)
        if code != _UNKNOWN_METADATA:
            raise _refused(path, words)
    unit, mm = list(UNITS_MM.items())[int(model.GetUnit())]
    items = model.GetBuildItems()
    objects: list[PrintObject] = []
    while items.MoveNext():
        item = items.GetCurrent()
        placed = _matrix(item.GetObjectTransform()) if item.HasObjectTransform() else np.eye(4)
        objects += _meshes(item.GetObjectResource(), np.diag([mm] * 3 + [1.0]) @ placed)
    if not objects:
        raise _refused(path, "there is nothing on its plate")
    return _named_apart(objects), unit


def _named_apart(objects: list[PrintObject]) -> tuple[PrintObject, ...]:
    """The same objects, those that stand on the plate several times numbered."""
    seen: Counter[str] = Counter()
    found = []
    for each in objects:
        seen[each.name] += 1
        number = seen[each.name]
        found.append(replace(each, name=f"{each.name} {number}") if number > 1 else each)
    return tuple(found)


def _meshes(thing: Any, placed: Array) -> list[PrintObject]:
    """The meshes of an object or of its components, moved by a (4, 4) transform."""
    if thing.IsComponentsObject():
        found = []
        for number in range(thing.GetComponentCount()):
            component = thing.GetComponent(number)
            inside = _matrix(component.GetTransform())
            found += _meshes(component.GetObjectResource(), placed @ inside)
        return found
    if not thing.GetTriangleCount():
        return []
    points = np.array([tuple(each.Coordinates) for each in thing.GetVertices()], float)
    faces = np.array([tuple(each.Indices) for each in thing.GetTriangleIndices()], np.int64)
    mesh = trimesh.Trimesh(points, faces, process=False)
    mesh.apply_transform(placed)
    name = thing.GetName() or f"object {thing.GetResourceID()}"
    return [PrintObject(name, mesh)]


def _matrix(transform: Any) -> Array:
    """(4, 4) float64 of the 4 × 3 that 3MF multiplies from the right."""
    matrix = np.eye(4)
    matrix[:3, :4] = np.array([list(row) for row in transform.Fields], float).T
    return matrix


def _metadata_name(key: str) -> str:
    return key if key in _LISTED else f"labkit:{key}"


def _escaped(text: str) -> str:
    return quoteattr(text)[1:-1]


def _refused(path: Path, why: str) -> DesignError:
    return DesignError(
        f"{path.name} is no valid 3MF: {why}",
        expected="a file after the 3MF core specification",
        where=str(path.parent),
        fix="export the part again, from the program that made it",
    )
