"""The browser closed, the kernel restarted, the connection lost, right after *Accept*.

What was accepted is done, once, and the page that comes back says so.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Page, expect

from labkit.case import Case, Order, read_result
from labkit.procedures.by_hand import notebook_for
from labkit.procedures.holding import status
from tests.browser.conftest import opened_page
from tests.browser.lab import Server, run_cells, running_kit
from tests.conftest import SAMPLE

STAGE = "01_scan"
SOON_MS = 30_000
LONG_MS = 180_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_kit(tmp_path_factory.mktemp("interrupted")) as running:
        yield running


@pytest.fixture
def case(server: Server, order: Order) -> Case:
    return Case.create(server.notebook.parents[1] / "cases" / "a", order)


def open_and_run(server: Server, page: Page, notebook: Path) -> None:
    page.goto(server.url(f"lab/tree/{notebook.relative_to(server.notebook.parents[1])}"))
    page.locator(".jp-CodeCell").first.wait_for()
    run_cells(page)
    expect(page.get_by_role("button", name="Accept", exact=True)).to_be_visible(timeout=LONG_MS)


def use(page: Page, largest_gap_mm: str) -> None:
    show = page.get_by_role("button", name="Show 3 more values")
    if show.count():
        show.click()
    field = page.get_by_label("largest_gap_mm (mm)", exact=True)
    field.fill(largest_gap_mm)
    field.press("Tab")
    page.get_by_role("button", name="Use these values").click()
    expect(page.get_by_text("Used from here on")).to_be_visible(timeout=SOON_MS)


def accept(page: Page) -> None:
    """Accept, and see that a run begins."""
    # by the key: JupyterLab moves cells under the mouse while it scrolls to one far below
    page.get_by_role("button", name="Accept", exact=True).press("Enter")
    expect(page.get_by_role("button", name="Cancel the run")).to_be_visible(timeout=SOON_MS)


def ended(page: Page, folder: str) -> None:
    """Until the page shows what was recorded."""
    expect(page.frame_locator(f"iframe[title='Evidence of {folder}']").locator("h1")).to_be_visible(
        timeout=LONG_MS
    )


def states(case: Case) -> dict[object, object]:
    return {row["stage"]: row["state"] for row in status(case)}


def test_nothing_accepted_is_lost_and_nothing_is_begun_twice(
    server: Server, case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = notebook_for(case, STAGE, {"source": str(SAMPLE)})

    with opened_page(server, tmp_path / "first") as page:
        open_and_run(server, page, notebook)
        accept(page)
    # the browser is gone, and with it the page; another one comes
    with opened_page(server, tmp_path / "second") as page:
        open_and_run(server, page, notebook)
        ended(page, STAGE)
        assert [folder.name for folder in case.revisions(STAGE)] == [STAGE]

        use(page, "2")
        accept(page)
        (kernel,) = requests.get(server.url("api/kernels"), timeout=30).json()
        restarted = requests.post(server.url(f"api/kernels/{kernel['id']}/restart"), timeout=60)
        assert restarted.ok
        run_cells(page)
        expect(page.get_by_text("As decided before")).to_be_visible(timeout=LONG_MS)
        ended(page, f"{STAGE}.r2")
        result = read_result(case.root / f"{STAGE}.r2")
        assert (result.mode, result.parameters["largest_gap_mm"]) == ("replay", 2.0)

        use(page, "1.5")
        accept(page)
        page.context.set_offline(True)
        lost = page.get_by_role("dialog", name=re.compile("Server Connection Error"))
        expect(lost).to_be_visible(timeout=LONG_MS)
        page.context.set_offline(False)
        lost.get_by_role("button", name="Close").click()
        run_cells(page)
        ended(page, f"{STAGE}.r3")
        assert read_result(case.root / f"{STAGE}.r3").parameters["largest_gap_mm"] == 1.5
    assert [folder.name for folder in case.revisions(STAGE)] == [
        *(STAGE, f"{STAGE}.r2", f"{STAGE}.r3"),
    ]
    home = server.notebook.parents[2] / "home" / "LABKIT_HOME"
    monkeypatch.setenv("LABKIT_HOME", str(home))
    assert states(case)[STAGE] == "holds"
    assert list((case.evidence / "accepted").iterdir()) == []
