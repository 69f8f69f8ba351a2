"""The benchmarks' files and pass lines, at a small size and without the programs beside them."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from labkit.slicing.gcode import read_gcode
from tests.conftest import PROJECT

from .conftest import SlicedPart


@pytest.fixture
def script(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(PROJECT / "benchmarks")
    return import_module(request.param)


@pytest.mark.parametrize("script", ["sliced"], indirect=True)
def test_a_file_written_again_as_cura_writes_is_the_same_print(
    script: ModuleType, sliced_box: SlicedPart, tmp_path: Path
) -> None:
    script.rewrite_as_cura(sliced_box.gcode, tmp_path / "cura.gcode")
    one, other = (
        read_gcode(path, filament_diameter_mm=1.75, density_g_cm3=1.24)
        for path in (sliced_box.gcode, tmp_path / "cura.gcode")
    )
    assert b"\r\n;LAYER:99\r\n" in (tmp_path / "cura.gcode").read_bytes()
    assert other.filament_mm == pytest.approx(one.filament_mm)
    assert len(other.layers) == len(one.layers) and "WALL-OUTER" in other.features
    assert np.allclose(other.part_bounds_mm, one.part_bounds_mm)  # type: ignore[arg-type]


@pytest.mark.parametrize("script", ["sliced"], indirect=True)
def test_the_made_parts_are_closed(script: ModuleType) -> None:
    mesh = script.bone(60, 50)
    assert mesh.is_watertight and mesh.volume > 0
    assert all(part.volume() > 100 for part in script.parts().values())


@pytest.mark.parametrize("script", ["gcode"], indirect=True)
def test_readers_are_held_to_their_limits(script: ModuleType) -> None:
    found = {
        "labkit": {"mb_s": 50.0, "times": 5.0},
        "labkit, first ever": {"mb_s": 2.0, "times": 9.0},
        "plain loop": {"mb_s": 15.0, "times": 4.0},
        "gcodeparser": {"mb_s": 2.0, "times": 20.0},
    }
    assert [line.rpartition(": ")[2] for line in script.verdicts(found)] == ["met"] * 3
    found["labkit"] = {"mb_s": 19.0, "times": 8.1}
    assert [line.rpartition(": ")[2] for line in script.verdicts(found)] == ["NOT MET"] * 3
    assert "plain loop, the fastest other" in script.verdicts(found)[0]


@pytest.mark.parametrize("script", ["gcode_estimates"], indirect=True)
def test_estimates_are_held_to_the_slicers(script: ModuleType, tmp_path: Path) -> None:
    rows = script.estimate_rows(tmp_path, [("box with a bore", 0.3, 10, {})])
    assert all(line.endswith(": met") for line in script.verdicts(rows))
    rows[0] |= {"time_off_percent": "-5.1", "mass_off_percent": "+1.1"}
    assert all(line.endswith(": NOT MET") for line in script.verdicts(rows))
