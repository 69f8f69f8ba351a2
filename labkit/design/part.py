"""A designed part, and the files it travels in."""

import re
import uuid
import zipfile
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import trimesh

from labkit.files import write_whole
from labkit.volume import Array


@dataclass(frozen=True)
class Feature:
    """A dimension that inspection measures: an extent along one axis inside a box.

    ``region_mm`` is (2, 3) float64, mm, plate frame: the box that holds the feature.
    """

    name: str
    axis: str
    nominal_mm: float
    region_mm: tuple[tuple[float, float, float], tuple[float, float, float]]
    instrument: str = "caliper"

    def as_dict(self) -> dict[str, Any]:
        """The feature as it stands in the part's record."""
        return dict(vars(self))


@dataclass(frozen=True)
class Part:
    """A closed body ready to be sliced.

    Parameters
    ----------
    mesh : vertices (n, 3) float64, mm, plate frame: z up from the plate, the middle
        of the part's bounding box over the origin.
    plate_to_patient : (4, 4) float64: plate frame to LPS mm.  With a scale other
        than 1 it undoes the scaling too.
    bodies : how many separate bodies the part consists of.
    """

    mesh: trimesh.Trimesh
    plate_to_patient: Array
    bodies: int
    features: list[Feature] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def write_3mf(mesh: trimesh.Trimesh, path: Path, *, name: str, metadata: dict[str, str]) -> None:
    """Write the mesh as 3MF: millimetres, the object's name, and metadata.

    The same part gives the same bytes: the identifiers that trimesh draws at random
    are replaced by ones made from the content.
    """
    scene = trimesh.Scene()
    scene.add_geometry(mesh, geom_name=name)
    packed = scene.export(file_type="3mf")
    with zipfile.ZipFile(BytesIO(packed)) as source:
        files = {entry: source.read(entry) for entry in source.namelist()}
    model = files["3D/3dmodel.model"].decode()
    drawn = list(dict.fromkeys(re.findall(r'UUID="([^"]+)"', model)))
    for number, identifier in enumerate(drawn):
        stable = uuid.uuid5(
            uuid.NAMESPACE_OID, f"labkit 3MF {number} {name} {mesh.identifier_hash}"
        )
        model = model.replace(identifier, str(stable))
    words = "".join(
        f"<metadata name={quoteattr(key)}>{_escaped(value)}</metadata>"
        for key, value in metadata.items()
    )
    files["3D/3dmodel.model"] = model.replace("<resources>", words + "<resources>", 1).encode()
    repacked = BytesIO()
    with zipfile.ZipFile(repacked, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in sorted(files):
            target.writestr(zipfile.ZipInfo(entry), files[entry], zipfile.ZIP_DEFLATED, 6)
    write_whole(path, repacked.getvalue())


def _escaped(text: str) -> str:
    return quoteattr(text)[1:-1]
