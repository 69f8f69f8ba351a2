"""The real JupyterLab, as `labkit lab` starts it, in a real browser."""

import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest
import requests
from playwright.sync_api import Page, Request, sync_playwright

from labkit import processes
from labkit.lab import lab_command
from labkit.views import offscreen

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
]
TOKEN = "a-token-for-the-test"

PANEL = """
import threading
from labkit import views
from labkit.parameters import Segmentation, validated

class Stage:
    headless = False
    parameters = Segmentation()

    def accept(self, values):
        chosen = validated("02_segmentation", values)
        return f"{chosen.threshold_hu} HU taken on {threading.current_thread().name}"

views.panel(Stage())
"""
PICTURE = """
import numpy as np
from labkit.volume import Volume
views.slices(Volume(np.zeros((4, 5, 6), np.int16), np.zeros(3), np.ones(3), np.eye(3)))
"""
CHECKS = """
from labkit.case import Check
views.checks([Check(name="wall", value=1.0, unit="mm", limit="0.8 mm or more", verdict="pass")])
"""


@dataclass
class Server:
    port: int
    asked: list[str] = field(default_factory=list)
    """Every address that a page asked for."""

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}?token={TOKEN}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder, home = tmp_path_factory.mktemp("lab"), tmp_path_factory.mktemp("home")
    v4 = nbformat.v4
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [v4.new_code_cell(source.strip()) for source in (PANEL, PICTURE, CHECKS)]
    nbformat.write(
        v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), folder / "a.ipynb"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.MonkeyPatch.context() as patch:
        for name in ("LABKIT_HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR"):
            patch.setenv(name, str(home / name))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(home / "runtime"))
        patch.setenv("JUPYTER_TOKEN", TOKEN)
        patch.delenv("JUPYTER_CONFIG_PATH", raising=False)
        patch.setattr(offscreen, "window_class", lambda: None)
        command, environment = lab_command(folder, Path("a.ipynb"), browser=False, port=port)
    log = home / "server.log"
    pid = processes.start(command, log=log, environment=environment)
    try:
        started = Server(port)
        _wait_until_up(started, log)
        yield started
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


@pytest.fixture
def page(server: Server, tmp_path: Path) -> Iterator[Page]:
    if BROWSER is None:
        pytest.skip("no Chromium here: apt install chromium")

    def noted(request: Request) -> None:
        server.asked.append(request.url)

    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path / "profile",
            executable_path=BROWSER,
            headless=True,
            args=FLAGS,
            viewport={"width": 1300, "height": 1400},
        )
        context.set_default_timeout(60_000)
        context.on("request", noted)
        try:
            yield context.pages[0]
        finally:
            context.close()


def test_the_settings_in_force_keep_widget_callbacks_off_side_threads(server: Server) -> None:
    plugin = "lab/api/settings/@jupyterlab/apputils-extension:kernels-settings"
    answer = requests.get(server.url(plugin), timeout=30).json()
    assert answer["schema"]["properties"]["commsOverSubshells"]["default"] == "disabled"
    assert answer["settings"] == {}


def test_without_the_token_nothing_is_given(server: Server) -> None:
    contents = requests.get(f"http://127.0.0.1:{server.port}/api/contents", timeout=30)
    assert contents.status_code == 403


def test_a_notebook_by_hand(server: Server, page: Page) -> None:
    page.goto(server.url(""))  # the default page: the notebook that was named
    page.wait_for_selector(".jp-Notebook .jp-CodeCell")
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()

    picture = page.locator(".jp-RenderedImage img")
    picture.wait_for()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 1200
    assert "✔ pass" in page.locator("table", has_text="wall").inner_text()

    threshold = page.get_by_label("threshold_hu (HU)")
    threshold.fill("250")
    threshold.press("Tab")
    page.get_by_role("button", name="Accept").click()
    said = page.get_by_role("status").filter(has_text="HU taken on")
    said.wait_for()
    assert said.inner_text() == "250 HU taken on MainThread"  # not on a subshell's thread

    threshold.fill("260")
    threshold.press("Tab")
    page.get_by_role("status").filter(has_text="Changed: press Accept again.").wait_for()

    assert page.locator("[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    hosts = {urlsplit(url).hostname for url in server.asked if url.startswith(("http", "ws"))}
    assert hosts == {"127.0.0.1"}
