"""A real JupyterLab with one notebook, started and stopped."""

import shutil
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import pytest
import requests
from playwright.sync_api import ConsoleMessage, Locator, Page

from labkit import processes
from labkit.lab import lab_command
from labkit.printing.servers.practice import PracticePrinter, install_server
from labkit.views import offscreen
from tests.conftest import PROJECT

TOKEN = "a-token-for-the-test"

TINTED = """canvas => {
    const {data, width, height} = canvas.getContext('2d').getImageData(
        0, 0, canvas.width, canvas.height);
    let n = 0;
    for (let p = 3; p < data.length; p += 4) n += data[p] > 0;
    return n;
}"""
"""How many pixels of the canvas above a plane the mask covers."""


@dataclass
class Server:
    port: int
    notebook: Path
    asked: list[str] = field(default_factory=list)
    """Every address that a page asked for."""

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}?token={TOKEN}"


@contextmanager
def running_lab(
    sources: Sequence[str], place: Path, *, python: Path | None = None
) -> Iterator[Server]:
    """JupyterLab as `labkit lab` starts it, at a notebook of these cells.

    Parameters
    ----------
    python : of another environment, whose JupyterLab and kernel are to run.
    """
    folder = place / "lab"
    folder.mkdir()
    v4 = nbformat.v4
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [v4.new_code_cell(source.strip()) for source in sources]
    nbformat.write(
        v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), folder / "a.ipynb"
    )
    with _started(folder, Path("a.ipynb"), place / "home", python=python) as server:
        yield server


@contextmanager
def running_kit(place: Path) -> Iterator[Server]:
    """JupyterLab as `labkit lab` starts it, in a lab's folder with a copy of the notebooks."""
    folder = place / "lab"
    shutil.copytree(PROJECT / "notebooks", folder / "notebooks")
    with _started(folder, Path("notebooks/00_start_here.ipynb"), place / "home") as server:
        yield server


@contextmanager
def running_kit_with_practice(place: Path) -> Iterator[Server]:
    """`running_kit` in a lab whose practice printers can be started, and are stopped at its end."""
    install_server(lambda _: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABKIT_HOME", str(place / "home" / "LABKIT_HOME"))
        try:
            with running_kit(place) as server:
                yield server
        finally:
            PracticePrinter().stop()


@contextmanager
def _started(
    folder: Path, notebook: Path, home: Path, *, python: Path | None = None
) -> Iterator[Server]:
    home.mkdir(exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.MonkeyPatch.context() as patch:
        for name in ("LABKIT_HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR"):
            patch.setenv(name, str(home / name))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(home / "runtime"))
        patch.setenv("JUPYTER_TOKEN", TOKEN)
        patch.delenv("JUPYTER_CONFIG_PATH", raising=False)
        patch.delenv("JUPYTER_PATH", raising=False)
        patch.setattr(offscreen, "window_class", lambda: None)
        command, environment = lab_command(folder, notebook, browser=False, port=port)
    if python is not None:
        command[0] = str(python)
    log = home / "server.log"
    pid = processes.start(command, log=log, environment=environment)
    try:
        server = Server(port, folder / notebook)
        _wait_until_up(server, log)
        yield server
    finally:
        processes.stop(pid, timeout_s=10)


def _wait_until_up(server: Server, log: Path) -> None:
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        try:
            if requests.get(server.url("api/status"), timeout=5).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.2)
    pytest.fail(f"JupyterLab did not start: {log.read_text()[-2000:]}")


def run_all(server: Server, page: Page) -> None:
    """Open the notebook and run its cells from the menu."""
    page.goto(server.url(""))  # the default page: the notebook that was named
    page.wait_for_selector(".jp-Notebook .jp-CodeCell")
    run_cells(page)


def run_cells(page: Page) -> None:
    """Run the cells of the notebook in front, from the menu."""
    wait_for_kernel(page)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


def wait_for_kernel(page: Page) -> None:
    """Until the kernel of the notebook in front waits for something to do."""
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=180_000)


@contextmanager
def without_faults(page: Page, *ours: str) -> Iterator[None]:
    """A fault that the page reports meanwhile, and that is ours, fails the test.

    Parameters
    ----------
    ours : a fault that names one of these is; "labkit" by default.
    """
    faults: list[str] = []

    def noted(said: ConsoleMessage) -> None:
        text = f"{said.text} {said.location}"
        if said.type in {"error", "warning"} and any(name in text for name in ours or ("labkit",)):
            faults.append(said.text)

    page.on("console", noted)
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield
    assert faults == []


@contextmanager
def planes_without_faults(server: Server, page: Page, title: str) -> Iterator[Locator]:
    """The live planes of this title; a fault that they report while used fails the test."""
    with without_faults(page):
        run_all(server, page)
        planes = page.get_by_role("group", name=f"{title}: planes to move")
        planes.get_by_role("img").nth(2).wait_for()
        yield planes
