"""The staff view in a real browser: a case from its order to its record, by clicks alone.

What the clicks decided is then given to plain papermill, which must come to the same.
"""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import papermill
import pytest
from playwright.sync_api import Page, expect

from labkit.accepted import decided_in
from labkit.case import STAGES, Case, read_result
from labkit.procedures.repeats import repeated
from labkit.staff_view import address
from labkit.traceability.verification import verify
from labkit.views.offscreen import ANSWER_VARIABLE
from tests.browser.axe import violations
from tests.browser.lab import TINTED, Server, running_kit_with_practice, without_faults
from tests.conftest import PROJECT, SAMPLE

PAGE = "#rendered_cells"
SOON_MS = 30_000
LONG_MS = 240_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_kit_with_practice(tmp_path_factory.mktemp("staff")) as running:
        yield running


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click(timeout=LONG_MS)


def set_value(page: Page, label: str, value: str) -> None:
    field = page.get_by_label(label, exact=True).first
    field.fill(value)
    field.press("Tab")
    changed = re.compile(f"Changed: .*{label.partition(' ')[0]}")
    expect(page.get_by_text(changed)).to_be_visible(timeout=SOON_MS)


def use(page: Page, said: str = "") -> None:
    """Use the values that were changed; the page comes again with them."""
    press(page, "Use these values")
    told = page.get_by_text(f"Set here and not accepted yet: {said}".strip())
    expect(told).to_be_visible(timeout=LONG_MS)
    opened(page)


def accept(page: Page, following: str) -> None:
    """Accept what is decided on this page, and go to the page of the stage that follows."""
    assert violations(page, PAGE) == []
    press(page, "Accept")
    recorded(page)
    assert page.get_by_role("alert").count() == 0
    if following:
        go_on(page, following)


def recorded(page: Page) -> None:
    expect(page.frame_locator("iframe").locator("h1")).to_be_visible(timeout=LONG_MS)


def go_on(page: Page, following: str) -> None:
    press(page, f"Open {following}")
    page.wait_for_url(f"**{following}**", timeout=SOON_MS)
    opened(page)


def opened(page: Page) -> None:
    """Until the page's cells have run."""
    expect(page.get_by_role("button", name="Accept", exact=True)).to_be_enabled(timeout=LONG_MS)


def draw(page: Page) -> None:
    """A stroke across the axial plane, beside the bones."""
    page.get_by_label("tool", exact=True).select_option("add")
    stage = page.locator("figure", has_text="axial").locator(".stage")
    mask = stage.locator("canvas").nth(1)
    page.wait_for_function(f"canvas => ({TINTED})(canvas) > 0", arg=mask.element_handle())
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.55, box["y"] + box["height"] * 0.5, steps=8)
    page.mouse.up()
    expect(page.get_by_text("1 strokes")).to_be_visible(timeout=SOON_MS)


def test_a_case_by_clicks_and_the_same_by_plain_papermill(
    server: Server, page: Page, tmp_path: Path
) -> None:
    folder = server.notebook.parents[1]
    page.set_viewport_size({"width": 1400, "height": 1600})
    with without_faults(page):
        page.goto(server.url(address(Path("notebooks/00_start_here.ipynb"))))
        a_case_and_its_scan(page)
        the_bones(page)
        page.screenshot(path=tmp_path / "segmentation.png")
        accept(page, "03_design")
        their_ends(page)
        page.screenshot(path=tmp_path / "design.png")
        accept(page, "04_slicing")
        set_value(page, "layer_height_mm (mm)", "0.3")
        set_value(page, "infill_percent (%)", "10")
        use(page, "layer_height_mm = 0.3, infill_percent = 10")
        accept(page, "05_printing")
        the_print(page)
        page.screenshot(path=tmp_path / "printing.png")
        recorded(page)
        expect(page.locator(".labkit-card")).to_have_count(0)
        go_on(page, "06_inspection")
        accept(page, "07_traceability")
        page.get_by_label("remarks").fill("by clicks alone")
        page.get_by_label("remarks").press("Tab")
        use(page, "remarks = by clicks alone")
        accept(page, "")
        page.screenshot(path=tmp_path / "record.png")
    hosts = {urlsplit(url).hostname for url in server.asked if url.startswith(("http", "ws"))}
    assert hosts == {"127.0.0.1"}

    (root,) = (folder / "cases").iterdir()
    the_record_says_who_decided_what(Case(root))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ANSWER_VARIABLE, "none")  # drawn as the server's kernels draw
        patch.setenv("LABKIT_HOME", str(folder.parent / "home" / "LABKIT_HOME"))
        plain_papermill_comes_to_the_same(Case(root), tmp_path)


def a_case_and_its_scan(page: Page) -> None:
    press(page, "Fill in a practice case on the sample scan")
    press(page, "Make the case")
    press(page, "Start practice")
    expect(page.get_by_text("✔ ready")).to_be_visible(timeout=LONG_MS)
    assert violations(page, PAGE) == []
    press(page, "Open 01_scan")
    page.wait_for_url("**01_scan**", timeout=SOON_MS)
    opened(page)
    assert "begin(" not in page.locator(PAGE).inner_text()  # no code anywhere
    press(page, "Accept")
    expect(page.get_by_text("Cancel the run")).to_be_visible(timeout=SOON_MS)
    page.reload()  # the page goes, and its kernel with it; the run goes on
    recorded(page)
    go_on(page, "02_segmentation")


def the_bones(page: Page) -> None:
    set_value(page, "components", "2")
    press(page, "Accept")  # what is set and not used is not left behind
    expect(page.get_by_text("set and not used yet: the parameters: components")).to_be_visible()
    use(page, "components = 2")
    expect(page.get_by_label("components", exact=True)).to_have_value("2")
    draw(page)
    page.get_by_label("threshold (HU)").fill("280")
    page.wait_for_timeout(600)  # the page tells the kernel when the hand rests
    press(page, "Use this mask")
    expect(page.get_by_text("Used from here on")).to_be_visible(timeout=SOON_MS)
    use(page, "threshold_hu = 280, components = 2")
    expect(page.get_by_text("1 strokes")).to_be_visible(timeout=SOON_MS)


def their_ends(page: Page) -> None:
    place = page.get_by_label("keep_from_mm (mm)", exact=True).last  # beside the surface
    place.fill("55")
    place.press("Tab")
    press(page, "Use this place")
    expect(page.get_by_text("Used from here on")).to_be_visible(timeout=SOON_MS)


def the_print(page: Page) -> None:
    """The printer is there, with its picture and its buttons, while the run prints."""
    press(page, "Accept")
    card = page.locator(".labkit-card")
    expect(card.get_by_role("heading", name="practice")).to_be_visible(timeout=LONG_MS)
    expect(card.get_by_role("button", name="Pause")).to_be_enabled(timeout=LONG_MS)
    expect(card.get_by_role("img")).to_be_visible(timeout=SOON_MS)
    assert violations(page, PAGE) == []


def the_record_says_who_decided_what(case: Case) -> None:
    assert verify(case.root).intact
    for stage in STAGES:
        result = read_result(case.root / stage)
        assert (result.mode, result.verdict in ("pass", "action")) == ("replay", True)
        assert result.accepted is not None
        assert (case.root / stage / "parameters.yaml").read_text().startswith("# accepted by ")
    decided = read_result(case.root / "02_segmentation").parameters
    assert (decided["components"], decided["threshold_hu"]) == (2, 280)
    drawn = json.loads((case.root / "02_segmentation" / "strokes.json").read_text())
    assert len(drawn["strokes"]) == 1
    assert list((case.evidence / "accepted").iterdir()) == []


def plain_papermill_comes_to_the_same(case: Case, place: Path) -> None:
    """From the decisions that the clicks left, each stage beside those before it."""
    for stage in ("01_scan", "02_segmentation", "03_design", "04_slicing", "06_inspection"):
        copy = place / f"copy-{stage}"
        shutil.copytree(case.root, copy)
        given = {"case_dir": str(copy), **decided_in(case.root / stage)}
        if stage == "01_scan":
            given["source"] = str(SAMPLE)
        _papermill(PROJECT / "notebooks" / f"{stage}.ipynb", place / f"{stage}.ipynb", given)
        products = repeated(case.root / stage, copy / f"{stage}.r2")
        assert products
        assert [one for one in products if not one.is_equal] == []


def _papermill(notebook: Path, out: Path, given: dict[str, object]) -> None:
    papermill.execute_notebook(
        *(str(notebook), str(out), given),
        kernel_name="python3",
        progress_bar=False,
        execution_timeout=600,
        cwd=str(out.parent),
    )
