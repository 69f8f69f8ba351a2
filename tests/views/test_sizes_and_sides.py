"""Each static picture says sizes in mm and its sides, drawn and in words.

Left out: the thumbnail of a G-code, which has no room for words.
"""

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import trimesh
from matplotlib.figure import Figure
from matplotlib.text import Text

from labkit import views
from labkit.scan import discover
from labkit.slicing.toolpath import read_toolpath
from tests.conftest import SAMPLE
from tests.views import test_fidelity_picture
from tests.views.test_pictures import phantom

BLOCK = trimesh.creation.box((10, 20, 30))
PART = {"frame": "plate"}
PLATE = ("−X", "+X", "+Y", "−Y", "+Z", "−Z")
PATIENT = ("R", "L", "A", "P", "S", "I")


def _planes(_: Path) -> Any:
    return views.slices(phantom(np.eye(3), (2.0, 2.0, 2.0)))


def _surface(**look: Any) -> Callable[[Path], Any]:
    return lambda _: views.surface(BLOCK, **look)


def _hard_to_print(_: Path) -> Any:
    short_mm = np.where(np.arange(len(BLOCK.faces)) == 3, 0.4, 0.0)
    return views.printable(BLOCK, SimpleNamespace(too_thin_mm=short_mm, places={}))


def _changed(folder: Path) -> Any:
    change = SimpleNamespace(of_vertices_mm=np.linspace(-1, 1, len(BLOCK.vertices)))
    return views.difference(BLOCK, change, folder / "difference.png")


def _toolpath(folder: Path) -> Any:
    lines = ["G21", "G90", "M83", "G28", ";LAYER_CHANGE", ";TYPE:External perimeter"]
    lines += ["G1 X10 Y10 Z0.2 F600", "G1 X20 E1", "G1 Y20 E1", "G1 X10 E1", "G1 Y10 E1"]
    (folder / "a.gcode").write_text("\n".join(lines) + "\n")
    return views.toolpath(SimpleNamespace(headless=True), read_toolpath(folder / "a.gcode"))


def _stack(_: Path) -> Any:
    return views.stack(discover(SAMPLE).series[0])


def _fidelity(_: Path) -> Any:
    return views.fidelity(test_fidelity_picture.found())


SPREAD = {"spread_mm": np.linspace(0, 1, len(BLOCK.vertices))}
DISTANCES = {"distances_mm": np.linspace(-1, 1, len(BLOCK.vertices))}
PICTURES: dict[str, tuple[Callable[[Path], Any], tuple[str, ...], str]] = {
    "planes": (_planes, PATIENT, "patient left on the right"),
    "surface": (_surface(), PATIENT, "patient left on the right"),
    "map": (_surface(**DISTANCES), PATIENT, "patient left on the right"),
    "spread": (_surface(**SPREAD), PATIENT, "patient left on the right"),
    "part": (_surface(**PART), PLATE, "X to the right"),
    "hard to print": (_hard_to_print, PLATE, "X to the right"),
    "revision": (_changed, PLATE, "X to the right"),
    "tool path": (_toolpath, ("left", "right", "front", "back"), "X to the right"),
    "stack": (_stack, ("mm, feet to head",), "mm upwards from feet to head"),
    "fidelity": (_fidelity, ("Z (mm)",), "from inside to outside"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_sizes_in_mm_and_sides_are_drawn_and_said(
    name: str, tmp_path: Path, lab_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    save = Figure.savefig

    def noted(figure: Figure, *words: Any, **more: Any) -> Any:
        drawn.extend(text.get_text() for text in figure.findobj(Text) if text.get_visible())
        return save(figure, *words, **more)

    monkeypatch.setattr(Figure, "savefig", noted)
    picture, sides, said = PICTURES[name]
    alt = picture(tmp_path).alt
    assert re.search(r"\d mm\b", alt)
    assert said in alt
    assert any(re.search(r"\bmm\b", text) for text in drawn)
    assert not [side for side in sides if side not in drawn]
