"""What of a notebook is shown without its code."""

from pathlib import Path

import nbformat
import pytest

from labkit.case import STAGES
from labkit.staff_view import address, without_code, without_formulas
from tests.conftest import PROJECT


@pytest.mark.parametrize("stage", STAGES)
def test_of_a_stage_it_shows_what_is_decided_by_and_the_way_to_accept(stage: str) -> None:
    notebook = nbformat.read(PROJECT / "notebooks" / f"{stage}.ipynb", as_version=4)
    whole = [cell.id for cell in notebook.cells]
    shown = without_code(None, notebook=notebook, cwd="")
    ids = [cell.id for cell in shown.cells]
    assert ids[:3] == ["title", "parameters", "set-up"]
    assert ids[-2:] == ["record-text", "record"]
    assert ids == [one for one in whole if one in ids]  # in their order
    assert not {"acceptance", "review", "job", "slice", "surface", "part"} & set(ids)
    for cell in shown.cells:
        if cell.cell_type == "code":
            assert "raises-exception" in cell.metadata.tags  # the rest of the page stays
    assert shown.metadata.title == notebook.cells[0].source.splitlines()[0].removeprefix("# ")
    nbformat.validate(shown)


@pytest.mark.parametrize("name", ["00_start_here", "fleet"])
def test_what_is_no_stage_is_shown_whole(name: str) -> None:
    notebook = nbformat.read(PROJECT / "notebooks" / f"{name}.ipynb", as_version=4)
    count = len(notebook.cells)
    assert len(without_code(None, notebook=notebook, cwd="").cells) == count


def test_links_to_files_that_it_does_not_show_are_words() -> None:
    notebook = nbformat.read(PROJECT / "notebooks" / "02_segmentation.ipynb", as_version=4)
    assert any("](../docs/" in cell.source for cell in notebook.cells)
    shown = without_code(None, notebook=notebook, cwd="")
    words = "".join(cell.source for cell in shown.cells)
    assert "](" not in words
    assert "docs/segmentation.md shows how" in words


def test_an_address_is_safe_in_a_page() -> None:
    assert address(Path("cases/C 1/a#b.ipynb")) == "voila/render/cases/C%201/a%23b.ipynb"


def test_nothing_is_fetched_for_formulas() -> None:
    page = without_formulas({"fullMathjaxUrl": "https://elsewhere", "baseUrl": "/"}, log=None)
    assert page == {"fullMathjaxUrl": "null", "mathjaxConfig": "null", "baseUrl": "/"}
