"""What is installed, in which version, what is missing, and the command that gets it."""

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

from labkit.errors import LabkitError
from labkit.home import home_folder
from labkit.printing.servers.install import VERSION, install_server, server_program
from labkit.processes import tools_folder
from labkit.slicing.install import install_without_root
from labkit.slicing.slicer import find_slicer
from labkit.views import offscreen

Say = Callable[[str], None]

_PACKAGES = {
    "jupyterlab": "notebooks by hand",
    "papermill": "the same notebooks headless",
    "ipywidgets": "panels in the notebooks",
    "pydicom": "reading scans",
    "trimesh": "meshes",
    "manifold3d": "exact Booleans",
    "pyvista": "surfaces and pictures",
    "in-toto": "signed evidence",
    "typst": "the PDF record",
}


def report() -> list[dict[str, str]]:
    """One row per tool: its state (``ok``, ``missing``), version, use, and the way to get it."""
    rows = [_package(name, use) for name, use in _PACKAGES.items()]
    return [*rows, _slicer(), _practice_server(), _graphics(), _home()]


def install_tools(say: Say) -> None:
    """Install what the kit can install for itself, without root.

    Raises
    ------
    ToolMissingError
        Something that it needs for that is not there either.
    """
    install_server(say)
    if _answer(lambda: find_slicer().name) is None:
        install_without_root(tools_folder(), say)


def _row(tool: str, found: str | None, use: str, fix: str) -> dict[str, str]:
    return {
        "tool": tool,
        "state": "missing" if found is None else "ok",
        "version": found or "",
        "for": use,
        "fix": "" if found else fix,
    }


def _package(name: str, use: str) -> dict[str, str]:
    try:
        found: str | None = version(name)
    except PackageNotFoundError:
        found = None
    return _row(name, found, use, "make setup")


def _slicer() -> dict[str, str]:
    fix = "sudo apt-get install prusa-slicer, or without root: labkit doctor --install"
    return _row("PrusaSlicer", _answer(lambda: find_slicer().name), "slicing", fix)


def _practice_server() -> dict[str, str]:
    found = _answer(lambda: VERSION if server_program() else "")
    return _row("practice OctoPrint", found, "practice prints", "labkit doctor --install")


def _graphics() -> dict[str, str]:
    fix = "sudo apt-get install libegl1 libgl1-mesa-dri; until then pictures are simpler"
    return _row("off-screen graphics", offscreen.window_class(), "pictures of surfaces", fix)


def _home() -> dict[str, str]:
    found = _answer(lambda: "writable" if home_folder() else "")
    return _row("the lab's folder", found, "keys, register, profiles", "set LABKIT_HOME")


def _answer(question: Callable[[], str]) -> str | None:
    try:
        return question()
    except LabkitError:
        return None
