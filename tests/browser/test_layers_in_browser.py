"""The layers of a print in a real JupyterLab: what a person sees and does."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.lab import Server, run_all, running_lab, without_faults

# Two layers: a square of outer walls 10 mm wide, then one line of infill from left to right.
LAYERS = """
from pathlib import Path
from tempfile import mkdtemp
from types import SimpleNamespace
from labkit import views
from labkit.slicing.toolpath import read_toolpath

text = "G21\\nG90\\nM83\\nG28\\n"
text += ";LAYER_CHANGE\\n;TYPE:External perimeter\\n;WIDTH:1\\n;HEIGHT:0.2\\n"
text += "G1 X10 Y10 Z0.2 F600\\n"
text += "G1 X20 E1\\nG1 Y20 E1\\nG1 X10 E1\\nG1 Y10 E1\\n"
text += ";LAYER_CHANGE\\n;TYPE:Internal infill\\n;WIDTH:2\\nG1 X10 Y15 Z0.4\\nG1 X20 E0.5\\n"
path = Path(mkdtemp()) / "part.gcode"
path.write_text(text)
views.toolpath(SimpleNamespace(headless=False), read_toolpath(path), title="Path")
"""

SHARE = """(canvas, [red, green, blue]) => {
    const {data, width, height} = canvas.getContext('2d').getImageData(
        0, 0, canvas.width, canvas.height);
    let n = 0;
    for (let p = 0; p < width * height; p++) {
        const off = Math.abs(data[4 * p] - red) + Math.abs(data[4 * p + 1] - green) +
            Math.abs(data[4 * p + 2] - blue);
        if (data[4 * p + 3] > 200 && off < 12) n++;
    }
    return n / width / height;
}"""
VERMILION, SKY = [0xD5, 0x5E, 0x00], [0x56, 0xB4, 0xE9]
SIDE_MM = 10 + 2 * 2  # with its margin


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_lab([LAYERS], tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture
def layers(server: Server, page: Page) -> Iterator[Locator]:
    with without_faults(page):
        run_all(server, page)
        group = page.get_by_role("group", name="Path: layers to go through")
        group.get_by_role("slider").wait_for()
        yield group


def wait_for_shares(layers: Locator, *, vermilion: float, sky: float) -> None:
    """Until the layer's picture has these shares of colours: it follows the words by a frame."""
    canvas = layers.locator("canvas")
    expected = {"vermilion": vermilion, "sky": sky}
    for _ in range(100):
        found = {
            "vermilion": float(canvas.evaluate(SHARE, VERMILION)),
            "sky": float(canvas.evaluate(SHARE, SKY)),
        }
        if found == pytest.approx(expected, rel=0.05):
            return
        layers.page.wait_for_timeout(100)
    assert found == pytest.approx(expected, rel=0.05)


def test_slider_keys_and_wheel_go_through_the_layers(layers: Locator, page: Page) -> None:
    slider = layers.get_by_role("slider")
    expect(slider).to_have_attribute("aria-valuetext", "2 of 2, Z 0.40 mm, 0.5 mm of filament")
    slider.fill("0")
    expect(layers.get_by_text("1 of 2")).to_be_visible()
    expect(layers.get_by_text("Z 0.20 mm, 4.0 mm of filament")).to_be_visible()
    slider.press("ArrowRight")
    expect(layers.get_by_text("2 of 2")).to_be_visible()
    layers.locator("canvas").hover()
    page.mouse.wheel(0, 60)  # down, as in the print
    expect(layers.get_by_text("1 of 2")).to_be_visible()


def test_the_same_keys_as_in_the_planes_once_the_layer_is_clicked(
    layers: Locator, page: Page
) -> None:
    slider = layers.get_by_role("slider")
    help_words = re.compile("arrow keys go on by one, Page Up and Page Down by ten, Home and End")
    expect(slider).to_have_accessible_description(help_words)
    layers.locator("canvas").hover()
    page.mouse.wheel(0, 60)  # the page scrolls: the hand is not in the view yet
    page.wait_for_timeout(300)
    expect(slider).to_have_value("1")
    layers.locator("canvas").click()
    for key, layer in {"Home": 1, "End": 2, "PageDown": 1, "PageUp": 2, "ArrowLeft": 1}.items():
        page.keyboard.press(key)
        expect(layers.get_by_text(f"{layer} of 2")).to_be_visible()
    for key, layer in {"ArrowRight": 2, "ArrowDown": 1, "ArrowUp": 2}.items():
        page.keyboard.press(key)
        expect(layers.get_by_text(f"{layer} of 2")).to_be_visible()


def test_lines_are_drawn_in_their_colour_and_as_wide_as_they_are_laid(layers: Locator) -> None:
    slider = layers.get_by_role("slider")
    slider.fill("0")
    expect(layers.get_by_text("1 of 2")).to_be_visible()
    drawn = 0.92  # of the width, so that neighbours are told apart
    square_mm2 = 4 * 10 * drawn - drawn**2 + 0.25 * 3.14159 * drawn**2
    wait_for_shares(layers, vermilion=square_mm2 / SIDE_MM**2, sky=0)
    slider.fill("1")
    expect(layers.get_by_text("2 of 2")).to_be_visible()
    line_mm2 = 10 * 2 * drawn + 0.25 * 3.14159 * (2 * drawn) ** 2
    wait_for_shares(layers, vermilion=0, sky=line_mm2 / SIDE_MM**2)
