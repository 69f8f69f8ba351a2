"""The study of designers by hand: in the real JupyterLab, in a real browser."""

import re
from collections.abc import Iterator

import nbformat
import pytest
from playwright.sync_api import Page

from tests.browser.lab import Server, run_all, running_lab
from tests.conftest import PROJECT

NOTEBOOK = PROJECT / "notebooks" / "qualification" / "designer_variability.ipynb"
SHORT = """
thresholds_hu = "300, 350"
operators = "as it is"
components = 1
crop_lps_mm = "-180, -60, 1290; -150, 20, 1310"
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    cells = [c.source for c in nbformat.read(NOTEBOOK, as_version=4).cells if c.cell_type == "code"]
    cells[0] += SHORT
    with running_lab(cells, tmp_path_factory.mktemp("lab")) as running:
        yield running


def test_the_study_by_hand_counts_down_shows_its_map_and_concludes(
    server: Server, page: Page
) -> None:
    run_all(server, page)
    page.get_by_text(re.compile("^written to .*sample$")).wait_for(timeout=300_000)
    said = page.locator(".jp-Notebook").inner_text()
    assert "designers: 2 of 2" in said
    assert "the threshold matters most" in said
    assert page.locator(".jp-RenderedImage img").count() == 2
    assert not page.locator(".jp-RenderedText[data-mime-type*=error]").count()
