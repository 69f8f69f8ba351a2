"""axe-core finds no violation of WCAG 2.2 A and AA in what the views show in JupyterLab."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Page, expect

from labkit.printing.jobs import Register, planned_job
from tests.browser.axe import violations
from tests.browser.conftest import opened_page
from tests.browser.lab import Server, run_all, running_lab, without_faults
from tests.browser.test_lab_in_browser import CHECKS, PANEL
from tests.browser.test_layers_in_browser import LAYERS
from tests.browser.test_review_in_browser import REVIEW
from tests.browser.test_viewer_in_browser import VIEWER
from tests.printing.cases import pictured_case
from tests.printing.gcode import write_gcode

WORDS = """
from types import SimpleNamespace
from labkit import views
from labkit.case import Check
from labkit.views.bars import progress
verdicts = ["pass", "action", "fail", "not done"]
items = [Check(name=v, value=1.0, unit="mm", limit="0.8 mm", verdict=v) for v in verdicts]
progress(SimpleNamespace(headless=False), "reading images")(3, 10)
views.joined([views.message("A message."), views.checks(items), views.table([(1, None)], "ab")])
"""
BOARD = """
views.fleet_board("cases", refresh_s=0.5)
"""
CELLS = [VIEWER, REVIEW, LAYERS, PANEL, CHECKS, WORDS, BOARD]


ROWS_ON = """rows => [...new Set(rows.map(row => getComputedStyle(row).backgroundColor))]"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """JupyterLab with every view; the lab has a silent printer, a lost job and a case."""
    place = tmp_path_factory.mktemp("lab")
    home = place / "home" / "LABKIT_HOME"
    home.mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABKIT_HOME", str(home))
        patch.delenv("LABKIT_DATABASE_URL", raising=False)
        _write_lab(home, place)
        with running_lab(CELLS, place) as running:
            pictured_case(place / "lab" / "cases" / "a", "C-0007")
            yield running


def _write_lab(home: Path, place: Path) -> None:
    key = home / "key"
    key.write_text("k" * 32)
    key.chmod(0o600)
    bench = {"url": "http://127.0.0.1:9", "key_file": "key", "profile": "practice"}
    (home / "printers.yaml").write_text(yaml.safe_dump({"bench-1": bench}))
    (home / "people.yaml").write_text("asmith: [approve, start, cancel, settle]\n")
    gcode = write_gcode(place / "gone.gcode")
    job = planned_job(gcode, case_code="C-0003", printer_name="bench-1", attempt=1, practice=True)
    register = Register()
    register.plan(job)
    register.advance(job.job_id, "printing", "the printer accepted", only_from=("planned",))
    register.advance(job.job_id, "lost", "lost contact", only_from=("printing",))


@pytest.fixture(scope="module")
def shown(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The notebook with all views drawn, high enough that none is out of sight."""
    profile = tmp_path_factory.mktemp("profile")
    with opened_page(server, profile) as page, without_faults(page):
        page.set_viewport_size({"width": 1300, "height": 8500})
        run_all(server, page)
        for title in ("Ball", "Bone"):
            page.get_by_role("group", name=f"{title}: planes").get_by_role("img").nth(2).wait_for()
        page.get_by_role("group", name="Path: layers").get_by_role("slider").wait_for()
        page.locator(".labkit-fleet").get_by_text("layers").wait_for()
        page.locator(".labkit-card").get_by_text("does not answer").wait_for()
        yield page


def test_no_violation_in_any_view(shown: Page, tmp_path: Path) -> None:
    shown.screenshot(path=tmp_path / "light.png")
    assert violations(shown) == []
    shown.keyboard.press("Control+Shift+c")
    shown.keyboard.type("JupyterLab Dark")
    shown.keyboard.press("Enter")
    expect(shown.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    shown.wait_for_timeout(500)
    shown.screenshot(path=tmp_path / "dark.png")
    assert violations(shown) == []
    # axe-core does not see that a theme colours the rows between a table and its cells
    rows = shown.locator(".jp-RenderedHTMLCommon tbody tr")
    assert rows.evaluate_all(ROWS_ON) == ["rgb(255, 255, 255)"]


def test_each_picture_and_plane_says_its_sides_and_its_size_in_words(shown: Page) -> None:
    for image in shown.locator(".jp-RenderedImage img").all():
        alt = image.get_attribute("alt") or ""
        assert " mm" in alt
        assert "left on the right" in alt or "front" in alt
    planes = shown.get_by_role("group", name="Ball: planes").get_by_role("img")
    expect(planes.nth(0)).to_have_attribute(
        "aria-label",
        "axial plane at S 0.0 mm; left edge R, right edge L, top edge A, bottom edge P; "
        "40 mm across, 60 mm down",
    )
    layer = shown.get_by_role("group", name="Path: layers").get_by_role("img")
    label = "from above, X to the right, Y to the back; 14 mm across, 14 mm deep"
    expect(layer).to_have_attribute("aria-label", re.compile(label))


def test_every_control_of_the_planes_is_reached_and_moved_by_keys(shown: Page) -> None:
    planes = shown.get_by_role("group", name="Ball: planes")
    controls = planes.locator("input, select")
    controls.first.focus()
    shown.keyboard.press("ArrowRight")
    expect(planes.get_by_role("img").nth(0)).to_have_attribute("aria-label", re.compile("S 1.0 mm"))
    for n in range(controls.count()):
        focused = controls.nth(n)
        expect(focused).to_be_focused()
        style = focused.evaluate("e => getComputedStyle(e).outlineStyle")
        assert style == "solid", f"control {n} has no outline"
        box = focused.bounding_box()
        assert box is not None and box["height"] >= 24 and box["width"] >= 24
        shown.keyboard.press("Tab")
