"""Make the screenshots of the README in a real browser: ``python docs/make_screenshots.py``.

A lab of its own is made for them, with a case of the sample scan that goes as far as the
design; it is removed again.  Needs Chromium (`make test` says how to get it).
"""

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from PIL import Image
from playwright.sync_api import Page

from labkit.case import Case
from labkit.procedures.by_hand import notebook_for
from labkit.procedures.run import run_case
from labkit.procedures.sample import DECISIONS, sample_order, sample_scan
from labkit.staff_view import address
from labkit.traceability.procedure import procedure
from tests.browser.conftest import opened_page
from tests.browser.lab import Server, run_cells, running_kit

PATIENCE_MS = 180_000
WIDTH_PX = 1100
TO_THE_TOP = "shown => shown.scrollIntoView({block: 'start'})"


def main() -> None:
    """Three pictures beside this script."""
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        os.environ["LABKIT_HOME"] = str(place / "home" / "LABKIT_HOME")
        with running_kit(place) as server:
            case = _case(place / "lab" / "cases")
            with opened_page(server, place / "profile") as page:
                _first_page(server, page)
                _segmentation(server, page, case)
                _design(server, page, case)


def _case(cases: Path) -> Case:
    order = sample_order().model_copy(update={"case": "SAMPLE-1"})
    case = Case.create(cases / "SAMPLE-1", order)
    Case.create(cases / "C-0002", order.model_copy(update={"case": "C-0002", "practice": False}))
    decided = {**DECISIONS, "01_scan": {"source": str(sample_scan())}}
    stages = ["01_scan", "02_segmentation"]
    run_case(
        case.root,
        procedure("practice"),
        stages=stages,
        overrides={stage: decided[stage] for stage in stages},
    )
    return case


def _first_page(server: Server, page: Page) -> None:
    page.set_viewport_size({"width": 1400, "height": 820})
    page.goto(server.url(address(Path("notebooks/00_start_here.ipynb"))))
    page.get_by_text("Checked at").wait_for(timeout=PATIENCE_MS)
    page.get_by_text("2 of 7").wait_for(timeout=PATIENCE_MS)
    _keep(page, "start")


def _segmentation(server: Server, page: Page, case: Case) -> None:
    notebook = notebook_for(case, "02_segmentation")
    page.set_viewport_size({"width": 1500, "height": 6000})  # JupyterLab draws what is in sight
    page.goto(server.url(f"lab/tree/{notebook.relative_to(server.notebook.parents[1])}"))
    page.locator(".jp-CodeCell").first.wait_for()
    page.keyboard.press("Control+b")  # the files beside the notebook are not what is shown
    run_cells(page)
    planes = page.get_by_role("group", name="The scan and the threshold: planes to move")
    planes.get_by_role("img").nth(2).wait_for(timeout=PATIENCE_MS)
    page.get_by_role("button", name="Accept", exact=True).wait_for(timeout=PATIENCE_MS)
    page.get_by_role("button", name="Mask", exact=True).press("Enter")
    page.get_by_text("Not used yet").wait_for(timeout=PATIENCE_MS)
    page.set_viewport_size({"width": 1500, "height": 900})
    page.wait_for_timeout(1000)
    page.get_by_label("tool", exact=True).evaluate(TO_THE_TOP)
    page.wait_for_timeout(2000)
    _keep(page, "by-hand")


def _design(server: Server, page: Page, case: Case) -> None:
    notebook = notebook_for(case, "03_design")
    page.set_viewport_size({"width": 1400, "height": 1130})
    page.goto(server.url(address(notebook.relative_to(server.notebook.parents[1]))))
    place = page.get_by_label("keep_from_mm (mm)", exact=True).last
    place.fill("55", timeout=PATIENCE_MS)
    place.press("Tab")
    page.get_by_text("keeps the side towards").wait_for(timeout=PATIENCE_MS)
    page.get_by_role("button", name="Use this place").press("Enter")
    page.get_by_text("Used from here on").wait_for(timeout=PATIENCE_MS)
    page.get_by_label("accepted by").fill("technologist 2")
    page.get_by_role("group", name="surface to turn and cut").evaluate(TO_THE_TOP)
    page.wait_for_timeout(2000)
    _keep(page, "staff-view")


def _keep(page: Page, name: str) -> None:
    path = Path(__file__).with_name(f"screenshot-{name}.png")
    page.screenshot(path=path)
    with Image.open(path) as picture:
        small = picture.convert("RGB")
    small.thumbnail((WIDTH_PX, WIDTH_PX))
    small.quantize(96).save(path, optimize=True)


if __name__ == "__main__":
    main()
