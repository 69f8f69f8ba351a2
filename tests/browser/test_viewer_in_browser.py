"""The three planes in a real JupyterLab: what a person sees and does."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import numpy.typing as npt
import pytest
import requests
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import opened_page
from tests.browser.lab import TOKEN, Server, planes_without_faults, running_lab

# A ball with a bright mark at the patient's left, front and top, in a scan that lies
# awkwardly: i runs to the feet, j to the front, k to the right.
VIEWER = """
import numpy as np
from types import SimpleNamespace
from labkit import views
from labkit.volume import Volume

direction = np.array([[0.0, 0.0, -1.0], [0.0, -1.0, 0.0], [-1.0, 0.0, 0.0]])
k, j, i = np.indices((40, 60, 80))
blank = Volume(np.zeros((40, 60, 80), np.int16), np.zeros(3), np.array([1.0, 1.0, 1.0]), direction)
lps = blank.to_lps(np.stack([i, j, k], -1).reshape(-1, 3)) + [20.0, 30.0, 40.0]
hu = np.where(np.linalg.norm(lps, axis=1) < 18, 40, -1000)
hu[np.linalg.norm(lps - [10.0, -8.0, 6.0], axis=1) < 3] = 1500
voxels = hu.reshape(40, 60, 80).astype(np.int16)
volume = Volume(voxels, np.array([20.0, 30.0, 40.0]), blank.spacing_mm, direction)
views.viewer(SimpleNamespace(headless=False), volume, title="Ball", threshold_hu=-300)
"""
MARK = "LPS 10.0, -8.0, 6.0 mm, grey value 1500 HU"

BRIGHT = """canvas => {
    const {data, width, height} = canvas.getContext('2d').getImageData(
        0, 0, canvas.width, canvas.height);
    let n = 0, x = 0, y = 0;
    for (let p = 0; p < width * height; p++) {
        if (data[4 * p] > 250) { n++; x += p % width + 0.5; y += Math.floor(p / width) + 0.5; }
    }
    return [n, x / n / width, y / n / height];
}"""
PIXELS = "canvas => canvas.toDataURL()"

# Noise in the patient's left half, where a line would have more pieces than are drawn; one
# bright block in the right half.
SIDE = 200
NOISE = f"""
import numpy as np
from types import SimpleNamespace
from labkit import views
from labkit.volume import Volume

plane = np.full(({SIDE}, {SIDE}), -1000, np.int16)
plane[:, {SIDE // 2}:] = np.random.default_rng(7).normal(0, 100, ({SIDE}, {SIDE // 2}))
plane[50:90, 30:70] = 3000
volume = Volume(np.stack([plane] * 3), np.zeros(3), np.ones(3), np.eye(3))
views.viewer(SimpleNamespace(headless=False), volume, title="Noise", threshold_hu=0)
"""
OPACITY = """(canvas, side) => {
    const {data, width, height} = canvas.getContext('2d').getImageData(
        0, 0, canvas.width, canvas.height);
    const middles = [];
    for (let y = 0; y < side; y++) for (let x = 0; x < side; x++) {
        const column = Math.floor((x + 0.5) * width / side);
        const row = Math.floor((y + 0.5) * height / side);
        middles.push(data[4 * (row * width + column) + 3]);
    }
    return [middles, [...new Set(data.filter((_, n) => n % 4 === 3))].length];
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_lab([VIEWER], tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture
def viewer(server: Server, page: Page) -> Iterator[Locator]:
    """The live planes, all voxels there."""
    with planes_without_faults(server, page, "Ball") as planes:
        yield planes


def plane(viewer: Locator, name: str) -> Locator:
    return viewer.locator("figure", has_text=name)


def go_to_the_mark(viewer: Locator) -> None:
    # upright voxel 29, 21, 34 of 40, 60, 80: counted from the right, the front and the top
    for name, value in (("axial", -34), ("coronal", 21), ("sagittal", 29)):
        plane(viewer, name).get_by_role("slider").fill(str(value))
    viewer.get_by_text(f"Crosshair: {MARK}").wait_for(timeout=10_000)


def changes(canvas: Locator) -> Any:
    """Whether the canvas looks different each time this is asked again."""
    last = canvas.evaluate(PIXELS)

    def changed() -> bool:
        nonlocal last
        before, last = last, canvas.evaluate(PIXELS)
        return bool(before != last)

    return changed


def test_left_is_on_the_right_front_on_top_and_the_head_up(viewer: Locator) -> None:
    go_to_the_mark(viewer)
    expected = {
        "axial": ("R", "L", "A", "P", 29.5 / 40, 21.5 / 60),
        "coronal": ("R", "L", "S", "I", 29.5 / 40, 34.5 / 80),
        "sagittal": ("A", "P", "S", "I", 21.5 / 60, 34.5 / 80),
    }
    for name, (left, right, top, bottom, across, down) in expected.items():
        shown = plane(viewer, name)
        box = shown.locator(".stage").bounding_box()
        assert box is not None
        for letter, x, y in ((left, 0, 0.5), (right, 1, 0.5), (top, 0.5, 0), (bottom, 0.5, 1)):
            at = shown.locator(".letter", has_text=letter).bounding_box()
            assert at is not None
            assert (at["x"] + at["width"] / 2 - box["x"]) / box["width"] == pytest.approx(
                x, abs=0.1
            )
            assert (at["y"] + at["height"] / 2 - box["y"]) / box["height"] == pytest.approx(
                y, abs=0.1
            )
        count, x, y = shown.locator("canvas").first.evaluate(BRIGHT)
        assert 20 < count < 40  # the mark and nothing else
        assert (x, y) == pytest.approx((across, down), abs=0.01)
    axial, coronal = (plane(viewer, name).locator(".stage") for name in ("axial", "coronal"))
    sizes = [each.evaluate("e => e.offsetWidth / e.offsetHeight") for each in (axial, coronal)]
    assert sizes == pytest.approx([40 / 60, 40 / 80], rel=0.01)


def test_hand_and_keys_move_the_planes(viewer: Locator) -> None:
    go_to_the_mark(viewer)
    axial, coronal = plane(viewer, "axial"), plane(viewer, "coronal")
    grey, line = axial.locator("canvas").nth(0), axial.locator("canvas").nth(1)
    grey_changed, line_changed = changes(grey), changes(line)
    # a click in the coronal plane moves the axial one; the arrow keys then go through coronal
    stage = coronal.locator(".stage")
    box = stage.bounding_box()
    assert box is not None
    stage.click(position={"x": box["width"] * 20.5 / 40, "y": box["height"] * 40.5 / 80})
    viewer.get_by_text("Crosshair: LPS 1.0, -8.0, 0.0 mm").wait_for()
    assert grey_changed()
    assert line_changed()
    viewer.page.keyboard.press("ArrowRight")
    viewer.get_by_text("Crosshair: LPS 1.0, -7.0, 0.0 mm").wait_for()
    viewer.page.mouse.wheel(0, 100)
    viewer.get_by_text("Crosshair: LPS 1.0, -6.0, 0.0 mm").wait_for()
    # letters that JupyterLab knows as commands (d, d deletes a cell) stay in the viewer
    axial.get_by_role("slider").press("d")
    axial.get_by_role("slider").press("d")
    axial.get_by_role("slider").press("ArrowUp")
    viewer.get_by_text("Crosshair: LPS 1.0, -6.0, 1.0 mm").wait_for()
    assert viewer.page.locator(".jp-CodeCell").count() == 1


def test_the_same_keys_in_every_plane_and_what_they_do_is_said(viewer: Locator) -> None:
    go_to_the_mark(viewer)
    help_words = re.compile("arrow keys go on by one, Page Up and Page Down by ten, Home and End")
    for name, steps in {
        "axial": {"PageUp": 16, "PageDown": 6, "ArrowLeft": 5, "ArrowUp": 6, "Home": -39},
        "coronal": {"PageUp": 2, "PageDown": -8, "ArrowDown": -9, "ArrowRight": -8, "End": 30},
    }.items():
        slider = plane(viewer, name).get_by_role("slider")
        expect(slider).to_have_accessible_description(help_words)
        for key, mm in steps.items():
            slider.press(key)
            at = f"-8.0, {mm}.0" if name == "axial" else f"{mm}.0, -39.0"
            expect(viewer.get_by_text(f"Crosshair: LPS 10.0, {at} mm")).to_be_visible()
    for key, place in (("Home", "R 19.0"), ("PageDown", "R 19.0"), ("End", "L 20.0")):
        plane(viewer, "sagittal").get_by_role("slider").press(key)
        said = re.compile(f"sagittal, at {place} mm")
        expect(plane(viewer, "sagittal").locator("figcaption")).to_have_text(said)


def test_window_and_threshold_answer(viewer: Locator) -> None:
    go_to_the_mark(viewer)
    axial = plane(viewer, "axial")
    grey_changed = changes(axial.locator("canvas").nth(0))
    line_changed = changes(axial.locator("canvas").nth(1))
    viewer.get_by_label("window").select_option("brain")
    assert viewer.get_by_label("level (HU)").input_value() == "40"
    assert grey_changed()
    stage = axial.locator(".stage")
    stage.hover()
    viewer.page.mouse.down(button="right")
    viewer.page.mouse.move(600, 500)
    viewer.page.mouse.up(button="right")
    assert viewer.get_by_label("window").input_value() == "own"
    assert grey_changed()
    assert not line_changed()
    viewer.get_by_label("threshold (HU)").fill("700")
    assert line_changed()
    viewer.get_by_label("line at a threshold").uncheck()
    assert line_changed()
    drawn = (
        axial.locator("canvas")
        .nth(1)
        .evaluate("c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v)")
    )
    assert not drawn


def test_a_saved_notebook_holds_the_picture_and_no_voxels(
    server: Server, viewer: Locator, page: Page
) -> None:
    page.keyboard.press("Control+s")
    page.get_by_text("Saving completed").wait_for()
    outputs = nbformat.read(server.notebook, as_version=4).cells[0].outputs
    png = outputs[0].data["image/png"]
    assert len(server.notebook.read_text()) < len(png) + 10_000
    # reopened without a kernel: the picture is there
    headers = {"Authorization": f"token {TOKEN}"}
    sessions = f"http://127.0.0.1:{server.port}/api/sessions"
    for session in requests.get(sessions, headers=headers, timeout=30).json():
        requests.delete(f"{sessions}/{session['id']}", headers=headers, timeout=30)
    page.goto(server.url("lab/tree/a.ipynb") + "&reset")
    picture = page.locator(".jp-RenderedImage img")
    picture.wait_for()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 1200


@pytest.fixture
def noise(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Iterator[Locator]:
    """The live planes of noise, in a JupyterLab of their own."""
    place = tmp_path_factory.mktemp("lab")  # a short name: a kernel's socket has 107 letters
    with (
        running_lab([NOISE], place) as server,
        opened_page(server, tmp_path / "profile") as page,
        planes_without_faults(server, page, "Noise") as planes,
    ):
        yield planes


def drawn_line(planes: Locator) -> tuple[npt.NDArray[np.int_], int]:
    """(rows, columns): how opaque the line is over each voxel, 0 to 255; and how many values."""
    outline = plane(planes, "axial").locator("canvas").nth(1)
    opacity, kinds = outline.evaluate(OPACITY, SIDE)
    return np.array(opacity).reshape(SIDE, SIDE), kinds


def test_in_noise_the_pixels_at_the_line_are_painted_and_elsewhere_lines_are_drawn(
    noise: Locator,
) -> None:
    values = np.full((SIDE, SIDE), -1000, np.int16)
    values[:, SIDE // 2 :] = np.random.default_rng(7).normal(0, 100, (SIDE, SIDE // 2))
    values[50:90, 30:70] = 3000
    above = values >= 0
    beside = above[:-1, :-1] != above[:-1, 1:]
    below = above[:-1, :-1] != above[1:, :-1]
    expected = np.pad(beside | below, ((0, 1), (0, 1)))
    assert expected.sum() > 14_000  # three quarters of the noise
    painted, kinds = drawn_line(noise)
    assert kinds == 2  # all or nothing: no edge of a pixel is softened
    assert np.array_equal(painted > 0, expected)

    noise.get_by_label("threshold (HU)").fill("1500")  # above the noise: the block alone
    lines, kinds = drawn_line(noise)
    assert kinds > 10  # a line has soft edges
    rows, columns = np.nonzero(lines > 60)
    assert (rows.min(), rows.max()) == pytest.approx((49.5, 89.5), abs=1)
    assert (columns.min(), columns.max()) == pytest.approx((29.5, 69.5), abs=1)
    assert lines[55:85, 35:65].max() == 0
