"""The picture of the nozzle's path, and what the page gets to draw its layers."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from labkit import views
from labkit.slicing.features import ROLES, role_of
from labkit.slicing.toolpath import Toolpath, read_toolpath
from labkit.views.live_layers import LiveLayers
from labkit.views.live_planes import LivePicture
from labkit.views.toolpaths import ROLE_COLOURS

HEADLESS, BY_HAND = SimpleNamespace(headless=True), SimpleNamespace(headless=False)
BED_MM = ((0.0, 0.0), (250.0, 210.0))


@pytest.fixture
def ring(tmp_path: Path) -> Toolpath:
    """Two layers of an oval of 40 × 20 mm about (90, 80), the upper one of infill."""
    lines = ["G21", "G90", "M83", "G28", "G1 X5 Y5 Z0.3 F600", "G1 X50 E9"]
    for z, kind, pushed in ((1, "External perimeter", 0.1), (2, "Internal infill", 0.2)):
        lines += [";LAYER_CHANGE", f";TYPE:{kind}", ";WIDTH:0.5", f"G1 X110 Y80 Z{z}"]
        for turn in np.linspace(0, 2 * np.pi, 201)[1:]:
            x, y = 90 + 20 * np.cos(turn), 80 + 10 * np.sin(turn)
            lines.append(f"G1 X{x:.3f} Y{y:.3f} E{pushed}")
    path = tmp_path / "ring.gcode"
    path.write_text("\n".join(lines) + "\n")
    return read_toolpath(path)


def test_a_tool_path_shows_size_layers_and_bed(ring: Toolpath, tmp_path: Path) -> None:
    picture = views.toolpath(HEADLESS, ring, bed_mm=BED_MM, title="Ring")
    for said in ("40.0 mm (X) × 20.0 mm (Y) × 1.0 mm (Z)", "2 layers", "bed of 250 × 210 mm"):
        assert said in picture.alt
    assert type(picture) is views.Picture
    assert views.toolpath(HEADLESS, ring, bed_mm=BED_MM, title="Ring").png == picture.png
    with Image.open(picture.save(tmp_path / "ring.png")) as shown:
        seen = np.asarray(shown.convert("RGB")).reshape(-1, 3)
    outer = np.array(list(bytes.fromhex(ROLE_COLOURS["outer wall"].removeprefix("#"))))
    assert (np.abs(seen - outer).sum(axis=1) < 12).sum() > 500  # the layer shown is of walls


def test_a_file_without_layers_has_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "start.gcode"
    path.write_text("G28\nG1 X10 Y10 F600\n")
    with pytest.raises(ValueError, match="no line is laid"):
        views.toolpath(HEADLESS, read_toolpath(path))


def test_the_page_gets_the_lines_of_the_layer_it_asks_for(
    ring: Toolpath, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = views.toolpath(BY_HAND, ring, title="Ring")
    assert isinstance(picture, LivePicture)
    layers = picture.planes
    assert isinstance(layers, LiveLayers)
    assert layers.facts["z_mm"] == [1, 2]
    assert layers.facts["filament_mm"] == pytest.approx([20, 40])
    assert layers.facts["low_mm"] == pytest.approx([70, 70])
    sent: list[tuple[int, Any]] = []

    def send(content: dict[str, int], buffers: list[memoryview]) -> None:
        sent.append((content["layer"], np.frombuffer(buffers[0], "<f4").reshape(-1, 6)))

    monkeypatch.setattr(layers, "send", send)
    for asked in ({"layer": 1}, {"layer": 2}, {"layer": "1"}, {}):
        layers._handle_custom_msg(asked, [])
    ((number, rows),) = sent
    assert (number, rows.shape) == (1, (200, 6))
    assert rows[0, :2] == pytest.approx([110, 80])
    assert rows[:-1, 2:4] == pytest.approx(rows[1:, :2])
    assert set(rows[:, 4]) == {0.5}
    assert {ROLES[int(role)] for role in rows[:, 5]} == {"infill"}


@pytest.mark.parametrize(
    ("feature", "role"),
    [
        ("External perimeter", "outer wall"),
        ("WALL-OUTER", "outer wall"),
        ("Outer wall", "outer wall"),
        ("FILL", "infill"),
        ("Support material interface", "support"),
        ("Skirt/Brim", "beside the part"),
        ("a new kind", "inner wall"),
    ],
)
def test_the_names_of_three_slicers_mean_the_same_few_kinds(feature: str, role: str) -> None:
    assert role_of(feature) == role
