"""The real JupyterLab, as `labkit lab` starts it, in a real browser."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import Page

from tests.browser.lab import Server, run_all, running_lab
from tests.views.test_evidence_page import executed

PANEL = """
import threading
from labkit import views
from labkit.parameters import Segmentation, validated

class Stage:
    headless = False
    caveats = ()
    left_open = {}
    parameters = Segmentation()

    def resume(self):
        return ""

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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_lab([PANEL, PICTURE, CHECKS], tmp_path_factory.mktemp("lab")) as running:
        yield running


def test_the_settings_in_force_keep_widget_callbacks_off_side_threads(server: Server) -> None:
    plugin = "lab/api/settings/@jupyterlab/apputils-extension:kernels-settings"
    answer = requests.get(server.url(plugin), timeout=30).json()
    assert answer["schema"]["properties"]["commsOverSubshells"]["default"] == "disabled"
    assert answer["settings"] == {}


def test_without_the_token_nothing_is_given(server: Server) -> None:
    (server.notebook.parent / "slices.png").write_bytes(b"a picture of a patient")
    for path in ("api/contents", "voila/files/slices.png"):
        answer = requests.get(f"http://127.0.0.1:{server.port}/{path}", timeout=30)
        assert answer.status_code == 403
    page = requests.get(f"http://127.0.0.1:{server.port}/voila/render/a.ipynb", timeout=30)
    assert "/login?" in page.url


def test_an_executed_notebook_of_somebody_else_shows_its_pictures_and_tables(
    server: Server, page: Page
) -> None:
    """JupyterLab does not trust it: no script of it runs, and nothing of the kit's needs one."""
    executed(server.notebook.with_name("theirs.ipynb"))
    # in a workspace of its own, which the next test's page does not open again
    page.goto(server.url("lab/workspaces/theirs/tree/theirs.ipynb"))
    page.get_by_alt_text("A part of 3 mm").wait_for()
    assert "✔ pass" in page.locator("table", has_text="wall").inner_text()
    assert page.get_by_text("Kept words").is_visible()
    assert page.get_by_text("a < b").is_visible()
    assert page.locator(".jp-OutputArea-output script, .jp-OutputArea-output iframe").count() == 0
    server.asked.clear()  # JupyterLab asks for pictures that are far away; the page would not


def test_a_notebook_by_hand(server: Server, page: Page) -> None:
    run_all(server, page)

    picture = page.locator(".jp-RenderedImage img")
    picture.wait_for()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 1200
    assert "✔ pass" in page.locator("table", has_text="wall").inner_text()

    threshold = page.get_by_label("threshold_hu (HU)")
    threshold.fill("250")
    threshold.press("Tab")
    page.get_by_role("button", name="Use these values").click()
    said = page.get_by_role("status").filter(has_text="HU taken on")
    said.wait_for()
    assert said.inner_text() == "250 HU taken on MainThread"  # not on a subshell's thread

    threshold.fill("260")
    threshold.press("Tab")
    page.get_by_role("status").filter(has_text="Changed: threshold_hu.").wait_for()

    assert page.locator("[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    hosts = {urlsplit(url).hostname for url in server.asked if url.startswith(("http", "ws"))}
    assert hosts == {"127.0.0.1"}
