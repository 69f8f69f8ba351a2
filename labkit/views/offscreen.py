"""Can this machine draw in three dimensions without a screen?  Asked in a child process.

VTK does not raise where the graphics libraries are missing: it ends the whole
process.  So the question is put to a child first, and the answer is kept.
"""

import functools
import os
import sys
from pathlib import Path

from labkit.errors import ToolError, ToolMissingError
from labkit.home import home_folder
from labkit.processes import run

ANSWER_VARIABLE = "LABKIT_OFFSCREEN"
"""Hands the answer to child processes: a window class of VTK, or ``none``."""

_WINDOW_VARIABLE = "VTK_DEFAULT_OPENGL_WINDOW"
# EGL first: it is the durable one, and silent without a screen
_CANDIDATES = (
    ("vtkEGLRenderWindow", "vtkOSOpenGLRenderWindow") if sys.platform == "linux" else ("",)
)

_PROBE = """
import vtkmodules.vtkRenderingOpenGL2
from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow, vtkWindowToImageFilter
window = vtkRenderWindow()
window.SetOffScreenRendering(1)
window.SetSize(16, 16)
renderer = vtkRenderer()
renderer.SetBackground(1, 0, 0)
window.AddRenderer(renderer)
window.Render()
picture = vtkWindowToImageFilter()
picture.SetInput(window)
picture.ReadFrontBufferOff()
picture.Update()
red = picture.GetOutput().GetPointData().GetScalars().GetTuple(0)
import sys
sys.stdout.write("red" if red[:3] == (255, 0, 0) else "")
"""


@functools.cache
def window_class() -> str | None:
    """VTK's window class that draws off-screen here, or None where none does.

    ``""`` is VTK's own choice.  Found by drawing one red picture in a child
    process; a parent's answer in ``LABKIT_OFFSCREEN`` is believed.
    """
    if known := os.environ.get(ANSWER_VARIABLE):
        return None if known == "none" else known.removeprefix("default")
    return next((name for name in _CANDIDATES if _draws(name)), None)


def _draws(name: str) -> bool:
    chosen = {key: value for key, value in os.environ.items() if key != _WINDOW_VARIABLE}
    if name:
        chosen[_WINDOW_VARIABLE] = name
    try:
        done = run([sys.executable, "-c", _PROBE], environment=chosen, timeout_s=120)
    except ToolError:
        return False
    return done.exit_code == 0 and done.output == "red"


def environment() -> dict[str, str]:
    """What a kernel must be told before it imports pyvista, as environment variables.

    The answer of `window_class`, so that it is not asked again; and an empty
    folder in place of the WebAssembly that trame would fetch from the internet.
    """
    name = window_class()
    told = {
        ANSWER_VARIABLE: "none" if name is None else name or "default",
        "VTK_WASM_DIR_OVERRIDE": str(_no_wasm()),
    }
    return told | ({_WINDOW_VARIABLE: name} if name else {})


def _no_wasm() -> Path:
    folder = home_folder() / "no-wasm"
    folder.mkdir(exist_ok=True)
    return folder


def prepare() -> None:
    """Make this process ready to draw; to be called before pyvista is imported.

    Raises
    ------
    ToolMissingError
        No graphics library: the package that brings it is named.
    """
    os.environ.update(environment())
    if window_class() is None:
        raise ToolMissingError(
            "no graphics library that draws without a screen",
            expected="EGL with a software driver",
            where="this machine",
            fix="on Debian or Ubuntu: apt install libegl1 libgl1-mesa-dri",
        )
