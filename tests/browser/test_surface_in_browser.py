"""A surface turned and cut by hand in a real JupyterLab, drawn by WebGL."""

import io
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import nbformat
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.browser.axe import violations
from tests.browser.conftest import opened_page
from tests.browser.lab import Server, run_all, running_lab, without_faults

SURFACE = """
import trimesh
from types import SimpleNamespace
from labkit import views

block = trimesh.creation.box((40, 30, 60), trimesh.transformations.translation_matrix((-50, 0, 20)))
shown = views.turnable(SimpleNamespace(headless=False), block, title="Block")
shown
"""

PLACEMENT = """
from labkit import design
from labkit.parameters import validated

class Stage(SimpleNamespace):
    def accept(self, values):
        self.parameters = validated("03_design", self.parameters.model_dump() | values)
        return "Accepted: " + self.parameters.cut_planes_lps_mm

stage = Stage(headless=False, parameters=validated("03_design", {}), left_open={})
plan = design.Placement(design.Anatomy(block), stage.parameters, None)
views.placement(stage, plan, title="Taken")
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_lab([SURFACE, PLACEMENT], tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture(scope="module")
def shown(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The notebook with both views drawn, high enough that none is out of sight."""
    profile = tmp_path_factory.mktemp("profile")
    with opened_page(server, profile) as page, without_faults(page, "K3D", "labkit"):
        page.set_viewport_size({"width": 1300, "height": 3400})
        run_all(server, page)
        for title in ("Block", "Taken"):
            group = page.get_by_role("group", name=f"{title}: surface to turn and cut")
            group.locator("canvas").first.wait_for()
        yield page


@pytest.fixture
def surface(shown: Page) -> Locator:
    return shown.get_by_role("group", name="Block: surface to turn and cut")


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


def test_it_is_turned_and_cut_by_labelled_controls(surface: Locator) -> None:
    page = surface.page
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


def test_a_plane_is_put_at_the_cut_moved_and_used(shown: Page) -> None:
    group = shown.get_by_role("group", name="Taken: surface to turn and cut")
    scene = group.locator(".scene")
    group.get_by_role("combobox", name="Seen from").select_option(label="the front")
    whole = wait_until_drawn(scene, 0.02, 0.9)
    cut = group.get_by_role("combobox", name="Cut")
    cut.select_option(label="across left–right")
    wait_until_drawn(scene, 0.4 * whole, 0.6 * whole)
    shown.wait_for_timeout(400)  # the page tells the kernel when the hand rests
    shown.get_by_role("button", name="Add: cutting plane").click()
    listed = shown.get_by_role("listitem").filter(has_text="cutting plane")
    expect(listed).to_contain_text("keeps the side towards R of R 50.0 mm")
    cut.select_option(label="no cut")

    at = shown.get_by_label("at: R −, L + (mm)")
    at.fill("-60")
    at.press("Tab")
    expect(listed).to_contain_text("R of R 60.0 mm")
    shown.get_by_label("show only what is kept").check()
    quarter = wait_until_drawn(scene, 0.15 * whole, 0.35 * whole)
    at.press("ArrowUp")
    expect(listed).to_contain_text("R of R 59.0 mm")
    wait_until_drawn(scene, 1.02 * quarter, 0.4 * whole)

    shown.get_by_role("button", name="Use this place").click()
    said = shown.get_by_role("status").filter(has_text="Accepted")
    expect(said).to_contain_text("-59.00, 0.00, 20.00; -69.00, 0.00, 20.00")


def test_nothing_is_asked_of_the_internet_and_axe_finds_no_violation(
    shown: Page, server: Server
) -> None:
    hosts = {urlsplit(url).hostname for url in server.asked if url.startswith(("http", "ws"))}
    assert hosts == {"127.0.0.1"}
    assert violations(shown) == []


def test_a_saved_notebook_holds_no_mesh(shown: Page, server: Server) -> None:
    shown.locator(".jp-Notebook .jp-CodeCell").first.click()
    shown.keyboard.press("Control+s")
    expect(shown.locator(".jp-mod-dirty")).to_have_count(0)
    saved = nbformat.read(server.notebook, as_version=4)
    assert "image/png" in saved.cells[0].outputs[0].data
    assert "widgets" not in saved.metadata
    for cell in saved.cells:
        for output in cell.outputs:
            output.data.pop("image/png", None)
    assert len(nbformat.writes(saved)) < 10_000
