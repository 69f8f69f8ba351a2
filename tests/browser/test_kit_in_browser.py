"""Every notebook by hand in a real JupyterLab, on a scan of a real scanner: run, accept, go on.

The staff view with the same scan, and JupyterLab with the sample, are a sweep.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from labkit.case import STAGES, Case, Order, read_result
from labkit.printing.servers.practice import PracticePrinter
from labkit.procedures.by_hand import notebook_for
from labkit.staff_view import address
from labkit.traceability.verification import verify
from tests.browser.lab import (
    Server,
    run_cells,
    running_kit_with_practice,
    wait_for_kernel,
    without_faults,
)
from tests.browser.test_staff_in_browser import accept, opened, set_value, use
from tests.conftest import SAMPLE

SKULL = {
    "03_design": {"scale": "0.4", "keep_from_mm (mm)": "30"},
    "04_slicing": {"layer_height_mm (mm)": "0.32", "infill_percent (%)": "0"},
}
"""Small and light, so that the practice print is soon over."""
FOREARM = {
    "02_segmentation": {"components": "2"},
    "03_design": {"keep_from_mm (mm)": "55"},
    "04_slicing": {"layer_height_mm (mm)": "0.3", "infill_percent (%)": "10"},
}
TELLS_OF_ITSELF = ("05_printing", "07_traceability")
"""Stages whose only product tells when and by whom it was made."""

SOON_MS = 30_000
LONG_MS = 300_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """JupyterLab with a practice printer."""
    with running_kit_with_practice(tmp_path_factory.mktemp("by-hand")) as running:
        PracticePrinter().start()
        yield running


def new_case(server: Server, code: str, source: Path) -> tuple[Case, Path]:
    """A practice case with nothing done yet, and its first notebook."""
    order = Order(
        case=code,
        patient_code="P-1",
        anatomy="what was scanned",
        laterality="none",
        requested_by="course leader",
        practice=True,
    )
    case = Case.create(server.notebook.parents[1] / "cases" / code, order)
    notebook = notebook_for(case, STAGES[0], {"source": str(source)})
    return case, notebook.relative_to(server.notebook.parents[1])


def in_front(page: Page) -> Locator:
    """The notebook that is open in front of the others."""
    return page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")


def decide(page: Page, values: dict[str, str]) -> None:
    """Run the cells as far as the panel, set these values there, and run those below it."""
    notebook = in_front(page)
    wait_for_kernel(page)
    run_from(page, "Run All Above Selected Cell")
    for label, value in values.items():
        field = notebook.get_by_label(label, exact=True).first
        field.fill(value, timeout=LONG_MS)
        field.press("Tab")
    press(notebook, "Use these values")
    expect(notebook.get_by_text("Used from here on")).to_be_visible(timeout=SOON_MS)
    run_from(page, "Run Selected Cell and All Below")


def run_from(page: Page, command: str) -> None:
    """A command of the menu, at the heading below the panel."""
    heading = in_front(page).locator(".jp-MarkdownCell").nth(1)
    heading.click()
    expect(heading).to_have_class(re.compile("jp-mod-selected"))
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name=command).click()


def press(where: Locator, name: str) -> None:
    where.get_by_role("button", name=name, exact=True).click(timeout=LONG_MS)


def run_and_accept(page: Page, stage: str, values: dict[str, str]) -> None:
    tab = page.locator(".lm-TabBar-tab.lm-mod-current", has_text=stage)
    expect(tab).to_be_visible(timeout=SOON_MS)
    notebook = in_front(page)
    notebook.locator(".jp-CodeCell").first.wait_for()
    if values:
        decide(page, values)
    else:
        run_cells(page)
    button = notebook.get_by_role("button", name="Accept", exact=True)
    expect(button).to_be_enabled(timeout=LONG_MS)
    button.press("Enter")  # JupyterLab moves cells under the mouse while it scrolls
    evidence = notebook.frame_locator(f"iframe[title^='Evidence of {stage}']")
    expect(evidence.locator("h1")).to_be_visible(timeout=LONG_MS)
    assert notebook.locator("[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    assert notebook.locator("[data-mime-type='application/vnd.jupyter.error']").count() == 0


def by_hand_in_jupyterlab(
    server: Server, page: Page, case: Case, first: Path, decided: dict[str, dict[str, str]]
) -> None:
    page.set_viewport_size({"width": 1500, "height": 1800})
    with without_faults(page):
        page.goto(server.url(f"lab/tree/{first.as_posix()}"))
        for stage, following in zip(STAGES, [*STAGES[1:], ""], strict=True):
            run_and_accept(page, stage, decided.get(stage, {}))
            if stage not in TELLS_OF_ITSELF:
                said = in_front(page).get_by_text(re.compile("products as they were made by hand"))
                assert "not so" not in said.inner_text()
            if following:
                press(in_front(page), f"Open {following}")
    done_once_and_signed(case)


def done_once_and_signed(case: Case) -> None:
    assert verify(case.root).intact
    for stage in STAGES:
        result = read_result(case.root / stage)
        assert result.mode == "replay"
        assert result.accepted is not None
        assert case.current(stage) == case.root / stage


def test_every_notebook_by_hand_on_a_real_scan(server: Server, page: Page, real_data: Path) -> None:
    case, first = new_case(server, "SKULL-1", real_data / "ct_skull_phantom_1mm" / "S2030")
    by_hand_in_jupyterlab(server, page, case, first, SKULL)


@pytest.mark.sweep
def test_every_notebook_by_hand_on_the_sample(server: Server, page: Page) -> None:
    case, first = new_case(server, "FOREARM-1", SAMPLE)
    by_hand_in_jupyterlab(server, page, case, first, FOREARM)


@pytest.mark.sweep
def test_every_page_of_the_staff_view_on_a_real_scan(
    server: Server, page: Page, real_data: Path
) -> None:
    case, first = new_case(server, "SKULL-2", real_data / "ct_skull_phantom_1mm" / "S2030")
    page.set_viewport_size({"width": 1500, "height": 1800})
    with without_faults(page):
        page.goto(server.url(address(first)))
        for stage, following in zip(STAGES, [*STAGES[1:], ""], strict=True):
            opened(page)
            for label, value in SKULL.get(stage, {}).items():
                set_value(page, label, value)
            if stage in SKULL:
                use(page)
            accept(page, following)
    done_once_and_signed(case)
