"""The rules of the house: who may import what, and where things belong."""

import ast
from pathlib import Path

import pytest

from labkit.case import STAGES
from tests.conftest import PROJECT

PACKAGE = PROJECT / "labkit"
MODULES = sorted(PACKAGE.rglob("*.py"))
ROOMS = {stage.partition("_")[2] for stage in STAGES} | {"pacs"}
PICTURES = {"ipywidgets", "IPython", "matplotlib", "anywidget", "k3d"}
BANNED_NAMES = {"utils", "helpers", "core", "manager", "common", "misc"}


def _imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@pytest.fixture(params=MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def module(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def test_stages_do_not_import_each_other(module: Path) -> None:
    room = _room(module)
    if room not in ROOMS:
        return
    for name in _imports(module):
        parts = name.split(".")
        other = parts[1] if parts[0] == "labkit" and len(parts) > 1 else room
        assert other not in ROOMS - {room}, (
            f"{room} imports {name}: stages meet in the case folder; what both need "
            "belongs beside the rooms (case, files, surface, volume)"
        )


def test_pictures_and_widgets_live_in_views(module: Path) -> None:
    if _room(module) == "views":
        return
    found = {name.partition(".")[0] for name in _imports(module)} & PICTURES
    assert not found, f"{found} belongs in labkit/views"


def test_programs_are_started_in_one_file(module: Path) -> None:
    if module.name == "processes.py":
        return
    assert "subprocess" not in _imports(module), "start programs through labkit.processes"


@pytest.mark.parametrize(
    ("library", "rooms"),
    [
        ("requests", {"printing", "pacs"}),
        ("websocket", {"printing"}),
        ("pynetdicom", {"pacs"}),
        ("dicomweb_client", {"pacs"}),
    ],
)
def test_servers_are_spoken_to_in_their_rooms(module: Path, library: str, rooms: set[str]) -> None:
    if _room(module) in rooms:
        return
    used = {name.partition(".")[0] for name in _imports(module)}
    assert library not in used, f"{library} belongs in {sorted(rooms)}"


def test_programs_under_agpl_are_never_imported(module: Path) -> None:
    banned = {"octoprint", "octoprint_client", "moonraker"}
    assert not {name.partition(".")[0] for name in _imports(module)} & banned


def test_no_module_is_a_drawer_for_everything(module: Path) -> None:
    assert module.stem not in BANNED_NAMES
    lines = len(module.read_text(encoding="utf-8").splitlines())
    assert lines <= 420, f"{lines} lines: make a folder of it"


def test_nobody_promises_what_only_an_authority_may() -> None:
    """The words *compliant*, *cleared* and *certified* claim what the kit cannot give."""
    texts = [*MODULES, *(PROJECT / "notebooks").rglob("*.ipynb")]
    for path in texts:
        text = path.read_text(encoding="utf-8").lower()
        for word in ("compliant", "fda-cleared", "is cleared", "certified"):
            assert word not in text, f"{word} in {path.name}"
