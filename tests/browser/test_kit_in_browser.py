"""Every notebook by hand in a real JupyterLab, on a scan of a real scanner: run, accept, go on."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from labkit.case import STAGES, Case, Order, read_result
from labkit.printing.servers.practice import PracticePrinter, install_server
from labkit.procedures.by_hand import notebook_for
from labkit.traceability.verification import verify
from tests.browser.lab import Server, run_cells, running_kit, without_faults

DECIDED = {
    "03_design": {"scale": "0.4", "keep_from_mm (mm)": "30"},
    "04_slicing": {"layer_height_mm (mm)": "0.32", "infill_percent (%)": "0"},
}
"""Small and light, so that the practice print is soon over."""
TELLS_OF_ITSELF = ("05_printing", "07_traceability")
"""Stages whose only product tells when and by whom it was made."""

SOON_MS = 30_000
LONG_MS = 300_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """JupyterLab with a practice printer."""
    install_server(lambda _: None)
    place = tmp_path_factory.mktemp("by-hand")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABKIT_HOME", str(place / "home" / "LABKIT_HOME"))
        PracticePrinter().start()
        try:
            with running_kit(place) as running:
                yield running
        finally:
            PracticePrinter().stop()


@pytest.fixture
def case(server: Server) -> Case:
    """A practice case of the plastic skull, with nothing done yet."""
    order = Order(
        case="SKULL-1",
        patient_code="P-1",
        anatomy="skull of plastic",
        laterality="none",
        requested_by="course leader",
        practice=True,
    )
    return Case.create(server.notebook.parents[1] / "cases" / "skull", order)


def in_front(page: Page) -> Locator:
    """The notebook that is open in front of the others."""
    return page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")


def decide(page: Page, values: dict[str, str]) -> None:
    """Run the cells as far as the panel, set these values there, and run those below it."""
    notebook = in_front(page)
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    notebook.locator(".jp-Cell").first.click()
    for _ in range(3):
        page.keyboard.press("Shift+Enter")
    for label, value in values.items():
        field = notebook.get_by_label(label, exact=True).first
        field.fill(value, timeout=LONG_MS)
        field.press("Tab")
    press(notebook, "Use these values")
    expect(notebook.get_by_text("Used from here on")).to_be_visible(timeout=SOON_MS)
    notebook.locator(".jp-MarkdownCell").nth(1).click()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run Selected Cell and All Below").click()


def press(where: Locator, name: str) -> None:
    where.get_by_role("button", name=name, exact=True).click(timeout=LONG_MS)


def run_and_accept(page: Page, stage: str) -> None:
    tab = page.locator(".lm-TabBar-tab.lm-mod-current", has_text=stage)
    expect(tab).to_be_visible(timeout=SOON_MS)
    notebook = in_front(page)
    notebook.locator(".jp-CodeCell").first.wait_for()
    if stage in DECIDED:
        decide(page, DECIDED[stage])
    else:
        run_cells(page)
    button = notebook.get_by_role("button", name="Accept", exact=True)
    expect(button).to_be_enabled(timeout=LONG_MS)
    button.press("Enter")  # JupyterLab moves cells under the mouse while it scrolls
    evidence = notebook.frame_locator(f"iframe[title^='Evidence of {stage}']")
    expect(evidence.locator("h1")).to_be_visible(timeout=LONG_MS)
    assert notebook.locator("[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    assert notebook.locator("[data-mime-type='application/vnd.jupyter.error']").count() == 0


def test_every_notebook_by_hand_on_a_real_scan(
    server: Server, page: Page, case: Case, real_data: Path, tmp_path: Path
) -> None:
    source = real_data / "ct_skull_phantom_1mm" / "S2030"
    first = notebook_for(case, STAGES[0], {"source": str(source)})
    page.set_viewport_size({"width": 1500, "height": 1800})
    with without_faults(page):
        page.goto(server.url(f"lab/tree/{first.relative_to(server.notebook.parents[1])}"))
        for stage, following in zip(STAGES, [*STAGES[1:], ""], strict=True):
            run_and_accept(page, stage)
            page.screenshot(path=tmp_path / f"{stage}.png")
            if stage not in TELLS_OF_ITSELF:
                said = in_front(page).get_by_text(re.compile("products as they were made by hand"))
                assert "not so" not in said.inner_text()
            if following:
                press(in_front(page), f"Open {following}")
    assert verify(case.root).intact
    for stage in STAGES:
        result = read_result(case.root / stage)
        assert result.mode == "replay"
        assert result.accepted is not None
        assert case.current(stage) == case.root / stage  # done once
