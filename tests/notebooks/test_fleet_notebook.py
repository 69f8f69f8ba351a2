"""The fleet's notebook where nobody looks on: one look, and it ends."""

import json
from pathlib import Path

import nbformat
import papermill
import pytest

from labkit.home import home_folder
from labkit.printing import desk
from labkit.printing.case_prints import case_print
from tests.conftest import PROJECT
from tests.printing.cases import pictured_case

NOTEBOOK = PROJECT / "notebooks" / "fleet.ipynb"


@pytest.mark.filterwarnings("default")  # papermill's and nbclient's
def test_plain_papermill_draws_it_once(tmp_path: Path, lab_home: Path) -> None:
    cases, executed = tmp_path / "cases", tmp_path / "executed.ipynb"
    case = pictured_case(cases / "a", "C-0001")
    desk.enqueue(case_print(case.root), practice=True, priority="urgent")
    printer = home_folder() / "practice-2"
    printer.mkdir()
    (printer / "server.json").write_text(json.dumps({"url": "http://127.0.0.1:9"}))
    given = {"cases_dir": str(cases)}
    papermill.execute_notebook(
        str(NOTEBOOK), str(executed), given, execution_timeout=120, progress_bar=False
    )
    cells = nbformat.read(executed, as_version=4).cells
    said = json.dumps([cell.get("outputs", []) for cell in cells], ensure_ascii=False)
    assert "✘ does not answer: the practice printer does not run" in said
    assert "C-0001, practice" in said and "urgent" in said and "○ waiting" in said
    assert "widget-view" not in said
    assert len(said) < 5000
