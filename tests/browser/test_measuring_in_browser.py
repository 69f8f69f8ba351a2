"""The inspection by hand in a real JupyterLab: what is typed is judged, written and handed over."""

from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Locator, Page, expect

from labkit import accepted
from labkit.case import Case, Order
from labkit.inspection import read_measurements
from tests.browser.axe import violations
from tests.browser.lab import Server, running_lab, without_faults
from tests.conftest import PROJECT
from tests.printed_case import printed_case

TABLE = ".labkit-measuring"
BUTTON = "Use these measurements"
USED = {
    "block, width": (20.2, "caliper 7", ""),
    "block, depth": (10.6, "caliper 7", ""),
    "block, height": (5.01, "depth gauge 2", "after cooling"),
    "landing block, width": (10.0, "caliper 7", ""),
}
ORDER = Order(
    case="C-0001",
    patient_code="P-1",
    anatomy="distal radius",
    laterality="right",
    requested_by="course leader",
    practice=True,
)


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """A busy machine takes longer for an answer of the kernel than Playwright waits by itself."""
    expect.set_options(timeout=60_000)
    yield
    expect.set_options(timeout=5_000)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("cases")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABKIT_HOME", str(place / "home"))
        return printed_case(place / "a", ORDER).root


@pytest.fixture(scope="module")
def server(case: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """JupyterLab at the inspection's own notebook, with the case filled in."""
    cells = nbformat.read(PROJECT / "notebooks" / "06_inspection.ipynb", as_version=4).cells
    sources = [cell.source for cell in cells if cell.cell_type == "code"]
    sources[0] = sources[0].replace('case_dir: str = ""', f"case_dir: str = {str(case)!r}")
    with running_lab(sources, tmp_path_factory.mktemp("lab")) as running:
        yield running


def _run(page: Page, command: str) -> None:
    """A command of the menu, at the cell below the table."""
    page.locator(".jp-CodeCell").filter(has_text="keep_table").click()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name=command).click()


def _field(page: Page, feature: str) -> Locator:
    return page.get_by_label(f"{feature}: measured (mm)", exact=True)


def _judged_while_typed(page: Page) -> None:
    table, width = page.locator(TABLE), _field(page, "block, width")
    expect(table.get_by_role("rowheader")).to_have_count(4)
    expect(width).to_have_attribute("type", "number")
    row = table.get_by_role("row").filter(has_text="block, width")
    row = row.filter(has_not_text="landing")
    width.press_sequentially("20.")
    width.press_sequentially("7")
    expect(row).to_contain_text("+0.70 mm")
    expect(row).to_contain_text("▲ action")
    width.fill("22")
    expect(row).to_contain_text("✘ fail")
    width.fill("20.2")
    expect(row).to_contain_text("✔ pass")
    expect(width).to_be_focused()
    expect(table.get_by_role("status")).to_contain_text("1 of 4 measured, 3 missing. Not used yet")


def _refused(page: Page, folder: Path) -> None:
    page.get_by_role("button", name=BUTTON).click()
    alert = page.locator(TABLE).get_by_role("alert")
    expect(alert).to_contain_text("missing: block, depth; block, height")
    assert not list(folder.glob("*/measurements.csv"))
    depth = _field(page, "block, depth")
    depth.fill("-3")
    expect(depth).to_have_attribute("aria-invalid", "true")
    assert violations(page, TABLE) == []


def _used(page: Page, folder: Path) -> None:
    for feature, text in (
        ("block, depth", "10.6"),
        ("block, height", "5.01"),
        ("landing block, width", "10"),
    ):
        _field(page, feature).fill(text)
    page.get_by_label("number of the caliper").fill("7")
    instrument = page.get_by_label("block, width: instrument", exact=True)
    expect(instrument.first).to_have_value("caliper 7")
    page.get_by_label("block, height: instrument").fill("depth gauge 2")
    page.get_by_label("block, height: remark").fill("after cooling")
    page.get_by_role("button", name=BUTTON).click()
    status = page.locator(TABLE).get_by_role("status")
    expect(status).to_contain_text("4 of 4 measured, 0 missing. They are in measurements.csv")
    (written,) = folder.glob("*/measurements.csv")
    assert read_measurements(written) == USED
    assert violations(page, TABLE) == []


def test_type_see_the_verdict_use_change_and_accept(
    case: Path, page: Page, server: Server, tmp_path: Path
) -> None:
    folder = case / "evidence" / "by-hand"
    with without_faults(page):
        page.set_viewport_size({"width": 1300, "height": 3600})
        page.goto(server.url(""))
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
        _run(page, "Run All Above Selected Cell")
        status = page.locator(TABLE).get_by_role("status")
        expect(status).to_contain_text("0 of 4 measured, 4 missing")
        _judged_while_typed(page)
        _refused(page, folder)
        page.screenshot(path=tmp_path / "refused.png")
        _used(page, folder)
        _field(page, "block, width").fill("20.3")
        expect(status).to_contain_text(f"Changed: press “{BUTTON}” again")
        _run(page, "Run Selected Cell and All Below")
        accept = page.get_by_role("button", name="Accept", exact=True)
        accept.press("Enter")
        expect(page.get_by_text("set and not used yet: the measurements: typed")).to_be_visible()
        assert accepted.kept(Case(case), "06_inspection") is None
        page.screenshot(path=tmp_path / "not-used.png")
        page.get_by_role("button", name=BUTTON).click()
        expect(status).to_contain_text("They are in measurements.csv")
        accept.press("Enter")
        # of this made-up case nothing is signed, so that no run can build on it
        expect(page.get_by_text("every stage before the one asked for to hold")).to_be_visible(
            timeout=30_000
        )
    kept = accepted.kept(Case(case), "06_inspection")
    assert kept is not None
    used = {**USED, "block, width": (20.3, "caliper 7", "")}
    assert read_measurements(kept / "measurements.csv") == used
    alt = page.locator(".jp-RenderedImage img[alt^='Deviations']").get_attribute("alt")
    assert "measured 10.60 mm, +0.60 mm ▲ action" in (alt or "")
    assert page.locator("[data-mime-type='application/vnd.jupyter.stderr']").count() == 0

    # the notebook once more: what was typed and used comes along
    _field(page, "block, width").fill("20.4")
    _run(page, "Run All Above Selected Cell")
    expect(status).to_contain_text("4 of 4 measured, 0 missing. Not used yet")
    expect(_field(page, "block, width")).to_have_value("20.4")
    page.keyboard.press("Control+Shift+c")
    page.keyboard.type("JupyterLab Dark")
    page.keyboard.press("Enter")
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    page.wait_for_timeout(500)
    assert violations(page) == []
