"""A mask corrected by hand in a real JupyterLab: what the hand draws is what the kernel has."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page

from tests.browser.lab import TINTED, Server, planes_without_faults, running_lab

# A bone with a soft end, in a scan that lies awkwardly: i runs to the feet, j to the front,
# k to the right.
REVIEW = """
import numpy as np
from pathlib import Path
from types import SimpleNamespace
from labkit import segmentation, views
from labkit.parameters import Segmentation, validated
from labkit.volume import Volume

direction = np.array([[0.0, 0.0, -1.0], [0.0, -1.0, 0.0], [-1.0, 0.0, 0.0]])
hu = np.full((40, 60, 80), -50, np.int16)
hu[10:30, 20:40, 20:60] = 900
hu[10:30, 20:40, 50:60] = 250
volume = Volume(hu, np.array([20.0, 30.0, 40.0]), np.array([1.0, 1.0, 1.0]), direction)

class Stage(SimpleNamespace):
    def accept(self, values):
        values = self.parameters.model_dump() | values
        self.parameters = validated("02_segmentation", values)
        mask = review.mask(self.parameters)
        return f"{self.parameters.threshold_hu} HU, {int(review.draft.sum())} voxels."

    def hand_made(self, name):
        return Path(name)

stage = Stage(headless=False, parameters=Segmentation(), left_open={})
review = segmentation.Review(volume, stage.parameters)
views.review(stage, review, title="Bone")
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_lab([REVIEW], tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture
def desk(server: Server, page: Page) -> Iterator[Locator]:
    """The planes with the mask over them."""
    with planes_without_faults(server, page, "Bone") as planes:
        wait_for_tint(planes, "axial", 20 * 20)
        yield planes


def tint(planes: Locator, name: str) -> Locator:
    return planes.locator("figure", has_text=name).locator("canvas").nth(1)


def wait_for_tint(planes: Locator, name: str, count: int) -> None:
    """Until the mask covers so many pixels of a plane."""
    planes.page.wait_for_function(
        f"canvas => ({TINTED})(canvas) === {count}", arg=tint(planes, name).element_handle()
    )


def pull(planes: Locator, name: str, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag across a plane, from and to shares of its width and height."""
    box: Any = planes.locator("figure", has_text=name).locator(".stage").bounding_box()
    mouse = planes.page.mouse
    mouse.move(box["x"] + box["width"] * start[0], box["y"] + box["height"] * start[1])
    mouse.down()
    mouse.move(box["x"] + box["width"] * end[0], box["y"] + box["height"] * end[1], steps=12)
    mouse.up()


def test_draw_erase_undo_threshold_and_accept(desk: Locator) -> None:
    page = desk.page
    status = page.get_by_role("status").filter(has_text="strokes")
    # axial: 40 wide (right to left), 60 deep; the bone takes 10 to 30 and 20 to 40
    page.get_by_label("tool", exact=True).select_option("add")
    page.get_by_label("radius (mm)").fill("2")
    page.get_by_label("radius (mm)").press("Tab")
    pull(desk, "axial", (20.5 / 40, 10.5 / 60), (20.5 / 40, 16.5 / 60))
    status.filter(has_text="1 strokes").wait_for()
    # a bar of 7 × 5 voxels with two round ends of 4: 5 × 7 + 2 × 4, and no other layer
    wait_for_tint(desk, "axial", 400 + 43)
    coronal = tint(desk, "coronal").evaluate(TINTED)

    page.get_by_label("tool", exact=True).select_option("erase")
    page.get_by_label("brush", exact=True).select_option("ball")
    pull(desk, "coronal", (20.5 / 40, 40.5 / 80), (20.5 / 40, 40.5 / 80))
    status.filter(has_text="2 strokes").wait_for()
    wait_for_tint(desk, "coronal", coronal - 13)

    page.get_by_role("button", name="Undo").click()
    status.filter(has_text="1 strokes").wait_for()
    wait_for_tint(desk, "coronal", coronal)

    desk.get_by_label("threshold (HU)").fill("200")
    page.wait_for_timeout(600)  # the page tells the kernel when the hand rests
    page.get_by_role("button", name="Mask", exact=True).click()
    wait_for_tint(desk, "coronal", coronal + 10 * 20)

    page.get_by_role("button", name="Use this mask").click()
    said = page.get_by_role("status").filter(has_text="200 HU")
    said.wait_for()
    assert f"{20 * 20 * 40 + 43} voxels" in said.inner_text()
    assert "1 strokes" in said.inner_text()
    assert page.locator("[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
