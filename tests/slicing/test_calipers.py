"""Virtual calipers against parts that were really sliced: outside, inside, and askew."""

from pathlib import Path

import manifold3d
import numpy as np
import pytest
import trimesh

from labkit.equipment import MaterialProfile, PrinterProfile
from labkit.errors import SlicingError
from labkit.slicing.calipers import measure
from labkit.slicing.slicer import Sliced, slice_part
from labkit.surface import mesh_of

ASKEW = trimesh.transformations.rotation_matrix(np.radians(30), (0, 0, 1))


@pytest.fixture
def sliced(tmp_path: Path, printer: PrinterProfile, pla: MaterialProfile) -> tuple[Path, Sliced]:
    """A block 20 × 14 × 8 mm with a bore of 6 mm, turned by 30° about the vertical."""
    block = manifold3d.Manifold.cube((20, 14, 8)).translate((-10, -7, 0))
    bore = manifold3d.Manifold.cylinder(20, 3, 3, 96).translate((3, 0, -5))
    turned = (block - bore).transform(ASKEW[:3])
    mesh_of(turned).export(tmp_path / "part.stl")
    done = slice_part(
        tmp_path / "part.stl",
        tmp_path / "part.gcode",
        printer=printer,
        material=pla,
        layer_height_mm=0.2,
        infill_percent=10,
        supports=False,
    )
    return tmp_path / "part.gcode", done


def _feature(name: str, axis: str, region: object, kind: str = "outside") -> dict[str, object]:
    return {
        "name": name,
        "axis": axis,
        "region_mm": region,
        "kind": kind,
        "to_plate": ASKEW.tolist(),
    }


def test_a_turned_blocks_sides_and_bore_are_measured_along_its_own_axes(
    sliced: tuple[Path, Sliced],
) -> None:
    gcode, done = sliced
    features = [
        _feature("length", "x", ((-11, -8, 2), (11, 8, 6))),
        _feature("width", "y", ((-11, -8, 2), (11, 8, 6))),
        _feature("height", "z", ((-11, -8, -1), (11, 8, 9))),
        _feature("bore", "y", ((2.7, -5, 2), (3.3, 5, 6)), "inside"),
    ]
    found = measure(gcode, features, done.shift_mm)
    for name, nominal_mm in (("length", 20), ("width", 14), ("height", 8)):
        assert found[name] == pytest.approx(nominal_mm, abs=0.1), name
    assert found["bore"] == pytest.approx(6, abs=0.15)


def test_where_nothing_is_printed_nothing_is_measured(sliced: tuple[Path, Sliced]) -> None:
    gcode, done = sliced
    beside = _feature("beside", "x", ((50, 50, 0), (60, 60, 5)))
    with pytest.raises(SlicingError, match="where beside should be"):
        measure(gcode, [beside], done.shift_mm)
