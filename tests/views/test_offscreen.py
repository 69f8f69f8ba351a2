import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit import processes
from labkit.errors import ToolMissingError
from labkit.views import offscreen

# no graphics library can be loaded where these are found first
_GRAPHICS_LIBRARIES = (
    *("libEGL.so.1", "libEGL.so", "libOSMesa.so.8", "libOSMesa.so", "libGL.so.1", "libGL.so"),
    *("libX11.so.6", "libOpenGL.so.0"),
)

DRAW = """
import sys, trimesh
from labkit import views
from labkit.views import offscreen
picture = views.surface(trimesh.creation.box(), frame="plate")
sys.stdout.write(f"{offscreen.window_class()} {picture.png[1:4].decode()}")
"""


@pytest.fixture(autouse=True)
def _asked_afresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(offscreen.ANSWER_VARIABLE, raising=False)
    monkeypatch.delenv("VTK_DEFAULT_OPENGL_WINDOW", raising=False)
    offscreen.window_class.cache_clear()
    yield
    offscreen.window_class.cache_clear()


@pytest.fixture
def no_graphics(tmp_path: Path) -> dict[str, str]:
    if sys.platform != "linux":
        pytest.skip("the graphics libraries can be hidden in this way on Linux only")
    for name in _GRAPHICS_LIBRARIES:
        (tmp_path / name).write_bytes(b"")
    return {**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}


def test_a_surface_is_drawn_by_vtk_where_it_can(tmp_path: Path) -> None:
    if offscreen.window_class() is None:
        pytest.skip("no graphics library here: apt install libegl1 libgl1-mesa-dri")
    done = processes.run([sys.executable, "-c", DRAW], environment=os.environ, timeout_s=60)
    assert (done.exit_code, done.errors) == (0, "")
    assert done.output == f"{offscreen.window_class()} PNG"


def test_without_graphics_libraries_a_surface_is_still_drawn(no_graphics: dict[str, str]) -> None:
    done = processes.run([sys.executable, "-c", DRAW], environment=no_graphics, timeout_s=60)
    assert (done.exit_code, done.output) == (0, "None PNG"), done.errors


def test_unprobed_vtk_does_end_the_process(no_graphics: dict[str, str]) -> None:
    # if this ever fails, VTK raises by itself and the probe can go
    probe = [sys.executable, "-c", offscreen._PROBE]
    done = processes.run(probe, environment=no_graphics, timeout_s=60)
    assert done.exit_code == -11


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(offscreen.ANSWER_VARIABLE, "none")
    monkeypatch.setenv("VTK_WASM_DIR_OVERRIDE", "")
    with pytest.raises(ToolMissingError, match="libegl1 libgl1-mesa-dri"):
        offscreen.prepare()


def test_the_question_is_asked_once_and_not_again_in_children(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def only_mesa(name: str) -> bool:
        asked.append(name)
        return name == "vtkOSOpenGLRenderWindow"

    monkeypatch.setattr(offscreen, "_draws", only_mesa)
    monkeypatch.setattr(offscreen, "_CANDIDATES", ("vtkEGLRenderWindow", "vtkOSOpenGLRenderWindow"))
    told = offscreen.environment()
    assert told == offscreen.environment()
    assert asked == ["vtkEGLRenderWindow", "vtkOSOpenGLRenderWindow"]
    assert told["VTK_DEFAULT_OPENGL_WINDOW"] == "vtkOSOpenGLRenderWindow"

    for name, value in told.items():  # as a child process sees it
        monkeypatch.setenv(name, value)
    offscreen.window_class.cache_clear()
    assert offscreen.window_class() == "vtkOSOpenGLRenderWindow"
    assert len(asked) == 2


@pytest.mark.parametrize(("drawn", "told"), [("", "default"), (None, "none")])
def test_every_answer_survives_the_way_to_a_child(
    monkeypatch: pytest.MonkeyPatch, drawn: str | None, told: str
) -> None:
    monkeypatch.setattr(offscreen, "_draws", lambda name: name == drawn)
    monkeypatch.setattr(offscreen, "_CANDIDATES", ("",))
    assert offscreen.window_class() == drawn
    answer = offscreen.environment()
    assert answer[offscreen.ANSWER_VARIABLE] == told
    assert "VTK_DEFAULT_OPENGL_WINDOW" not in answer
    monkeypatch.setenv(offscreen.ANSWER_VARIABLE, told)
    offscreen.window_class.cache_clear()
    assert offscreen.window_class() == drawn
