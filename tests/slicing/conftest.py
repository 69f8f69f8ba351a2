"""Parts with known dimensions, sliced by the real PrusaSlicer."""

import os
from dataclasses import dataclass
from pathlib import Path

import manifold3d
import numpy as np
import pytest
import trimesh

from labkit import equipment
from labkit.slicing.slicer import Sliced, slice_part

Box = tuple[float, float, float]


def write_boxes(path: Path, *boxes: tuple[Box, Box]) -> Path:
    """The union of boxes (low and high corner, mm) as a binary STL."""
    solid = manifold3d.Manifold()
    for low, high in boxes:
        size = np.subtract(high, low).tolist()
        solid += manifold3d.Manifold.cube(size).translate(low)
    mesh = solid.to_mesh()
    trimesh.Trimesh(mesh.vert_properties[:, :3], mesh.tri_verts).export(path)
    return path


@pytest.fixture(autouse=True)
def _lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "home"))


@pytest.fixture
def printer() -> equipment.PrinterProfile:
    return equipment.printer("practice")


@pytest.fixture
def pla() -> equipment.MaterialProfile:
    return equipment.material("PLA")


@pytest.fixture(scope="session")
def box_stl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A 20 mm box, away from the origin."""
    path = tmp_path_factory.mktemp("parts") / "box.stl"
    return write_boxes(path, ((100, -50, 30), (120, -30, 50)))


@dataclass(frozen=True)
class SlicedPart:
    gcode: Path
    sliced: Sliced
    progress: list[tuple[int, str]]


@pytest.fixture(scope="session")
def sliced_box(box_stl: Path, tmp_path_factory: pytest.TempPathFactory) -> SlicedPart:
    folder = tmp_path_factory.mktemp("sliced")
    gcode, said = folder / "part.gcode", list[tuple[int, str]]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABKIT_HOME", str(folder / "home"))
        sliced = slice_part(
            box_stl,
            gcode,
            printer=equipment.printer("practice"),
            material=equipment.material("PLA"),
            layer_height_mm=0.2,
            infill_percent=10,
            supports=False,
            progress=lambda percent, words: said.append((percent, words)),
        )
    return SlicedPart(gcode, sliced, said)


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = os.environ.get("LABKIT_REAL_DATA")
    if not folder:
        pytest.skip("LABKIT_REAL_DATA is not set: no files of other slicers and machines here")
    return Path(folder)
