"""The page of a case: what was ordered, done and signed; and that it disturbs no evidence."""

import re

import nbformat

from labkit.case import Case
from labkit.files import sha256_of
from labkit.traceability.verification import verify
from labkit.views.case_page import case_page, page_written, write_case_page

from .conftest import do_stage, run_stages, stock_verify


def row(page: str, stage: str) -> list[str]:
    """The cells of a stage in the table of stages."""
    found = re.search(rf'<tr><th scope="row">{stage}</th>(.*?)</tr>', page)
    assert found
    return [re.sub("<.*?>", "", cell) for cell in found[1].split("</td>")][:-1]


def test_each_stage_stands_with_verdict_operator_revision_and_signed_hash(released: Case) -> None:
    page = case_page(released)
    notebook = released.product("03_design", "notebook.ipynb")
    when = "2026-11-02T03:10:00+00:00"
    expected = ["✔ pass", "op1", when, "2", "as signed", sha256_of(notebook)]
    assert row(page, "03_design") == expected
    assert "<title>Case T-1</title>" in page
    assert "P-7" in page
    assert str(released.root) not in page


def test_it_lies_outside_what_is_signed(released: Case) -> None:
    assert page_written(released) == "to read: evidence/case.html"
    assert (released.evidence / "case.html").is_file()
    assert verify(released.root).intact
    assert stock_verify(released.root).exit_code == 0


def test_what_was_altered_not_signed_or_not_done_is_said(case: Case) -> None:
    run_stages(case, ("01_scan", "02_segmentation"))
    (case.root / "02_segmentation" / "surface.stl").write_text("other")
    do_stage(case, "03_design")
    page = case_page(case)
    assert row(page, "01_scan")[4] == "as signed"
    altered = "NOT AS SIGNED: 02_segmentation/surface.stl was altered after step 02_segmentation"
    assert row(page, "02_segmentation")[4].startswith(altered)
    assert row(page, "03_design")[4:] == ["not signed", "–"]
    assert row(page, "04_slicing") == ["–", "–", "–", "–", "not done", "–"]
    assert f"<strong>{altered}" in page
    assert 'href="#03_design"' in page and 'href="#04_slicing"' not in page


def test_each_notebook_is_in_its_section(case: Case) -> None:
    folder = do_stage(case, "01_scan")
    v4 = nbformat.v4
    nbformat.write(v4.new_notebook(cells=[v4.new_markdown_cell("# Scan\n\nwords")]), folder / "a")
    (folder / "a").replace(folder / "notebook.ipynb")
    (do_stage(case, "02_segmentation") / "notebook.ipynb").write_text("{")
    page = case_page(case)
    assert '<section id="01_scan" aria-label="Scan">' in page
    assert "<h2>Scan</h2>\n<p>words</p>" in page
    assert "notebook.ipynb cannot be read as a notebook (NotJSONError)" in page


def test_a_page_that_cannot_be_written_does_not_undo_the_seal(released: Case) -> None:
    (released.evidence / "case.html").mkdir()
    words = page_written(released)
    assert words.startswith("no page to read (")
    assert words.endswith("`labkit page released` makes it")
    assert not list(released.evidence.glob(".*.html"))


def test_it_goes_where_it_is_asked_to(case: Case) -> None:
    place = case.root.parent / "out" / "page.html"
    assert write_case_page(case, place) == place
    assert "<title>Case T-1</title>" in place.read_text(encoding="utf-8")
