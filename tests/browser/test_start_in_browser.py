"""The first page in a real JupyterLab: a case by the form, a printer, a stage, all by clicks."""

from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Locator, Page, expect

from labkit.case import Case
from labkit.printing.servers.practice import PracticePrinter, install_server
from tests.browser.lab import Server, run_all, running_lab, without_faults
from tests.conftest import PROJECT

SOON_MS = 30_000
A_WHILE_MS = 60_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """JupyterLab at the cells of 00_start_here, in a lab with one case."""
    install_server(lambda _: None)
    place = tmp_path_factory.mktemp("lab")
    content = nbformat.read(PROJECT / "notebooks" / "00_start_here.ipynb", as_version=4)
    cells = [cell.source for cell in content.cells if cell.cell_type == "code"]
    cells[0] = 'cases_dir = "cases"'
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABKIT_HOME", str(place / "home" / "LABKIT_HOME"))
        try:
            with running_lab(cells, place) as running:
                yield running
        finally:
            PracticePrinter().stop()


def press(where: Page | Locator, name: str) -> None:
    where.get_by_role("button", name=name, exact=True).click()


def test_a_case_by_the_form_a_stage_and_a_practice_printer(
    server: Server, page: Page, tmp_path: Path
) -> None:
    page.set_viewport_size({"width": 1500, "height": 1900})
    cases = server.notebook.parent / "cases"
    with without_faults(page):
        run_all(server, page)
        expect(page.get_by_text("No cases yet")).to_be_visible(timeout=A_WHILE_MS)
        press(page, "Start practice")
        expect(page.get_by_text("is being started")).to_be_visible()

        page.get_by_label("case code *").fill("C-0001")
        page.get_by_label("patient code *").fill("Anna Smith")
        page.get_by_label("requested by *").fill("surgeon 2")
        page.get_by_label("requested by *").press("Tab")
        press(page, "Make the case")
        expect(page.get_by_text("✘ patient code: a code, not a name")).to_be_visible(
            timeout=SOON_MS
        )
        expect(page.get_by_text("✘ side: is needed: choose one")).to_be_visible()
        expect(page.get_by_text("✘ anatomy: is needed")).to_be_visible()
        page.screenshot(path=tmp_path / "refused.png")
        assert not cases.exists()
        press(page, "Fill in a practice case on the sample scan")
        expect(page.get_by_text("Nothing is written yet")).to_be_visible()
        press(page, "Make the case")
        row = page.locator(".labkit-case-row")
        expect(row.get_by_text("0 of 7")).to_be_visible(timeout=SOON_MS)
        (folder,) = cases.iterdir()
        page.screenshot(path=tmp_path / "made.png")

        press(row, "Run 01_scan")
        expect(row.get_by_text("so far")).to_be_visible(timeout=SOON_MS)
        expect(row.get_by_text("/")).to_be_visible(timeout=A_WHILE_MS)
        page.screenshot(path=tmp_path / "running.png")
        press(row, "Cancel the run")
        expect(row.get_by_text("was cancelled")).to_be_visible(timeout=A_WHILE_MS)
        assert not (folder / ".staging").exists()
        press(row, "Run 01_scan")
        expect(row.get_by_text("1 of 7")).to_be_visible(timeout=A_WHILE_MS)
        expect(row.get_by_text("02_segmentation").first).to_be_visible()

        expect(page.get_by_text("✔ ready")).to_be_visible(timeout=A_WHILE_MS)
        page.screenshot(path=tmp_path / "ready.png")
        press(page, "Stop practice")
        expect(page.get_by_text("○ not started")).to_have_count(3, timeout=SOON_MS)

        press(row, "Open 02_segmentation")
        tab = page.locator(".lm-TabBar-tab.lm-mod-current", has_text="02_segmentation-")
        expect(tab).to_be_visible(timeout=SOON_MS)
        filled = f"case_dir: str = '{Case(folder).root}'"
        expect(page.get_by_text(filled)).to_be_visible(timeout=SOON_MS)
        page.screenshot(path=tmp_path / "opened.png")
    assert page.locator("[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
