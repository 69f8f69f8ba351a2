"""What is installed, in which version, what is missing, and the command that gets it."""

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

from labkit.errors import LabkitError
from labkit.home import home_folder
from labkit.printing import practice
from labkit.processes import tools_folder
from labkit.slicing import install, slicer
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
    if practice.find_server() is None:
        practice.install_server(say)
    try:
        slicer.find_slicer()
    except LabkitError:
        install.install_without_root(tools_folder(), say)


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
    try:
        found: str | None = slicer.find_slicer().name
    except LabkitError:
        found = None
    return _row("PrusaSlicer", found, "slicing", fix)


def _practice_server() -> dict[str, str]:
    found = practice.find_server()
    return _row(
        "practice OctoPrint",
        practice.VERSION if found else None,
        "practice prints",
        "labkit doctor --install",
    )


def _graphics() -> dict[str, str]:
    fix = "sudo apt-get install libegl1 libgl1-mesa-dri; until then pictures are simpler"
    return _row("off-screen graphics", offscreen.window_class(), "pictures of surfaces", fix)


def _home() -> dict[str, str]:
    try:
        home_folder()
        found: str | None = "writable"
    except LabkitError:
        found = None
    return _row("the lab's folder", found, "keys, register, profiles", "set LABKIT_HOME")
