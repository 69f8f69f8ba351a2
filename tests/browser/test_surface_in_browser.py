"""A surface turned and cut by hand in a real JupyterLab, drawn by WebGL."""

import io
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.browser.axe import violations
from tests.browser.lab import Server, run_all, running_lab, without_faults

SURFACE = """
import trimesh
from types import SimpleNamespace
from labkit import views

block = trimesh.creation.box((40, 30, 60), trimesh.transformations.translation_matrix((-50, 0, 20)))
shown = views.turnable(SimpleNamespace(headless=False), block, title="Block")
shown
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_lab([SURFACE], tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture
def surface(server: Server, page: Page) -> Iterator[Locator]:
    with without_faults(page):
        run_all(server, page)
        group = page.get_by_role("group", name="Block: surface to turn and cut")
        group.locator("canvas").first.wait_for()
        yield group


def drawn(scene: Locator) -> float:
    """The share of the scene's pixels that have the colour of bone, lit or shaded."""
    image = Image.open(io.BytesIO(scene.screenshot())).convert("RGB")
    red, _, blue = np.moveaxis(np.asarray(image, int), -1, 0)
    return float((red - blue > 15).mean())


def wait_until_drawn(scene: Locator, low: float, high: float) -> float:
    """The share that is drawn, once it lies between these."""
    give_up = time.monotonic() + 30
    share = drawn(scene)
    while not low < share < high and time.monotonic() < give_up:
        scene.page.wait_for_timeout(100)
        share = drawn(scene)
    assert low < share < high
    return share


def test_it_is_turned_and_cut_by_labelled_controls(
    surface: Locator, page: Page, server: Server
) -> None:
    scene = surface.locator(".scene")
    wait_until_drawn(scene, 0.03, 0.9)
    side = surface.get_by_role("combobox", name="Seen from")
    side.select_option(label="the front")
    page.wait_for_timeout(500)
    whole = wait_until_drawn(scene, 0.03, 0.9)
    for letter in "RLSI":
        expect(scene.get_by_text(letter, exact=True)).to_be_visible()
    right, left = (scene.get_by_text(letter, exact=True).bounding_box() for letter in "RL")
    assert right and left and right["x"] < left["x"]  # as in the picture: seen from the front

    surface.get_by_role("combobox", name="Cut").select_option(label="across left–right")
    half = wait_until_drawn(scene, 0.4 * whole, 0.6 * whole)
    at = surface.get_by_role("slider", name="at (mm)")
    expect(at).to_have_attribute("aria-valuetext", "R 50.0 mm, from R 70.0 mm to R 30.0 mm")
    at.fill("-60")
    quarter = wait_until_drawn(scene, 0.15 * whole, 0.35 * whole)
    surface.get_by_role("checkbox", name="Show the other side").check()
    wait_until_drawn(scene, 0.65 * whole, 0.85 * whole)
    assert quarter < half < whole
    at.focus()
    page.keyboard.press("ArrowRight")
    expect(scene).to_have_attribute(
        "aria-label",
        "Block: a surface of 40.0 mm (left–right) × 30.0 mm (front–back) × 60.0 mm (up–down); "
        "seen from the front; cut across left–right at R 59.8 mm, shown is the side towards L",
    )

    # a mouse turns it, and the controls follow
    box = scene.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 300, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 380, box["y"] + 200, steps=5)
    page.mouse.up()
    expect(side).to_have_value("-1")
    assert violations(page) == []
    hosts = {urlsplit(url).hostname for url in server.asked if url.startswith(("http", "ws"))}
    assert hosts == {"127.0.0.1"}
