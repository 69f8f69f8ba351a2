import json
import os
import re
import signal
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest

from labkit import lab, processes
from labkit.errors import InputError
from labkit.lab import lab_command, open_lab
from labkit.views import offscreen


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(offscreen, "window_class", lambda: "vtkEGLRenderWindow")
    (tmp_path / "lab" / "notebooks").mkdir(parents=True)
    (tmp_path / "lab" / "notebooks" / "00 start.ipynb").write_text("{}")
    return tmp_path / "lab"


NOTEBOOK = Path("notebooks/00 start.ipynb")


def test_the_server_is_for_this_machine_only_and_fetches_nothing(folder: Path) -> None:
    command, _ = lab_command(folder, NOTEBOOK, browser=False, port=18123)
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    for flag in (
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.open_browser=False",
        "--ServerApp.port=18123",
        f"--ServerApp.root_dir={folder}",
        "--LabApp.default_url=/lab/tree/notebooks/00%20start.ipynb",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
    ):
        assert flag in command
    assert not [flag for flag in command if "token" in flag]


def test_the_kits_own_pages_and_pictures_come_first(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_PATH", "/site")
    _, environment = lab_command(folder, NOTEBOOK)
    first, *others = environment["JUPYTER_PATH"].split(os.pathsep)
    assert others == ["/site"]
    assert (Path(first) / "labextensions" / "labkit-pictures").is_dir()
    assert (Path(first) / "voila" / "templates" / "labkit").is_dir()
    assert environment["LABKIT_LAB_FOLDER"] == str(folder)
    assert environment["LABKIT_START_PAGE"] == NOTEBOOK.as_posix()


def test_the_staff_view_opens_the_same_notebook_without_code(folder: Path) -> None:
    command, _ = lab_command(folder, NOTEBOOK, staff=True)
    assert "--LabApp.default_url=/voila/render/notebooks/00%20start.ipynb" in command


def test_without_a_port_jupyter_takes_its_own_or_the_next(folder: Path) -> None:
    command, _ = lab_command(folder, NOTEBOOK)
    assert not [flag for flag in command if "ServerApp.port" in flag]
    assert "--ServerApp.open_browser=True" in command


def test_the_kernels_are_told_how_to_draw_and_to_fetch_nothing(folder: Path) -> None:
    _, environment = lab_command(folder, NOTEBOOK)
    assert environment["VTK_DEFAULT_OPENGL_WINDOW"] == "vtkEGLRenderWindow"
    assert environment["LABKIT_OFFSCREEN"] == "vtkEGLRenderWindow"
    assert list(Path(environment["VTK_WASM_DIR_OVERRIDE"]).iterdir()) == []
    assert environment["PYTHONHASHSEED"] == "0"


def test_an_empty_token_does_not_open_the_server(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_TOKEN", "")
    assert "JUPYTER_TOKEN" not in lab_command(folder, NOTEBOOK)[1]
    monkeypatch.setenv("JUPYTER_TOKEN", "chosen")
    assert lab_command(folder, NOTEBOOK)[1]["JUPYTER_TOKEN"] == "chosen"


def test_the_settings_keep_widget_callbacks_off_side_threads(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "/site")
    first, *others = lab_command(folder, NOTEBOOK)[1]["JUPYTER_CONFIG_PATH"].split(os.pathsep)
    assert others == ["/site"]
    path = Path(first) / "labconfig" / "default_setting_overrides.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    kernels = settings["@jupyterlab/apputils-extension:kernels-settings"]
    assert kernels["commsOverSubshells"] == "disabled"


@pytest.mark.parametrize("name", ["nothing.ipynb", "../outside.ipynb"])
def test_a_notebook_that_is_not_in_the_folder_is_refused(folder: Path, name: str) -> None:
    (folder.parent / "outside.ipynb").write_text("{}")
    with pytest.raises(InputError, match=f"no notebook {name}"):
        lab_command(folder, Path(name))


def test_an_interrupt_is_left_to_jupyter(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = "import os, signal; os.kill(os.getppid(), signal.SIGINT); raise SystemExit(7)"

    def command(*_: object, **__: object) -> tuple[list[str], dict[str, str]]:
        return [sys.executable, "-c", program], dict(os.environ)

    monkeypatch.setattr(lab, "lab_command", command)
    before = signal.getsignal(signal.SIGINT)
    assert open_lab(folder, NOTEBOOK) == 7
    assert signal.getsignal(signal.SIGINT) is before


def test_nothing_of_trame_is_installed_or_locked() -> None:
    # trame-vtklocal fetches WebAssembly from the internet at the first drawing
    installed = {name for d in distributions() if (name := d.metadata["Name"])}
    assert "pyvista" in installed
    assert not {name for name in installed if name.lower().startswith("trame")}
    lock = (Path(__file__).parents[1] / "requirements.lock").read_text(encoding="utf-8")
    locked = re.findall(r"^([A-Za-z0-9_.-]+)==", lock, flags=re.MULTILINE)
    assert "pyvista" in locked
    assert not [name for name in locked if name.lower().startswith("trame")]


def test_pyvista_is_imported_only_after_the_download_is_barred(folder: Path) -> None:
    program = """
import os, sys
import trimesh
from labkit import views
from labkit.views import offscreen, surfaces
assert "pyvista" not in sys.modules
assert "VTK_WASM_DIR_OVERRIDE" not in os.environ
prepared = offscreen.prepare
def watched():
    prepared()
    assert "pyvista" not in sys.modules
    assert os.listdir(os.environ["VTK_WASM_DIR_OVERRIDE"]) == []
    sys.stdout.write("barred")
offscreen.prepare = watched
views.surface(trimesh.creation.box())
"""
    told = {k: v for k, v in os.environ.items() if k != "VTK_WASM_DIR_OVERRIDE"}
    done = processes.run([sys.executable, "-c", program], environment=told, timeout_s=60)
    assert (done.exit_code, done.output) == (0, "barred"), done.errors
