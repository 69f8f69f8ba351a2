"""The inspection's notebook on a made-up print: by the kit's engine and by plain papermill."""

import json
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest

from labkit.case import Case, Order, Result, read_result
from labkit.procedures.engine import run_notebook
from labkit.stage import RUN_VARIABLE
from tests.conftest import PROJECT
from tests.printed_case import printed_case

NOTEBOOK = PROJECT / "notebooks" / "06_inspection.ipynb"


def _headless(case: Case, **paths: str) -> Result:
    """As `labkit run` starts it."""
    folder = case.stage_in_work("06_inspection")
    told = {"case": str(case.root), "folder": str(folder), "paths": paths}
    run_notebook(
        NOTEBOOK,
        folder / "notebook.ipynb",
        {},
        folder=folder,
        environment={RUN_VARIABLE: json.dumps({**told, "progress": str(folder) + ".progress"})},
        timeout_s=120,
    )
    return read_result(case.publish(folder, "06_inspection"))


def _outputs(notebook: Path) -> str:
    cells: list[Any] = nbformat.read(notebook, as_version=4).cells
    return json.dumps([cell.get("outputs", []) for cell in cells], ensure_ascii=False)


@pytest.mark.filterwarnings("default")  # those of papermill and nbclient, not ours
def test_a_practice_print_without_a_table_is_measured_by_virtual_calipers(
    tmp_path: Path, lab_home: Path, order: Order
) -> None:
    case = printed_case(tmp_path / "case", order)
    result = _headless(case)
    assert result.verdict == "pass"
    assert result.warnings == [
        "no part was measured: virtual calipers on the tool path of a practice print"
    ]
    assert {check.value for check in result.checks} == {0.1}
    assert {"06_inspection/deviations.png", "06_inspection/measurements_template.csv"} <= set(
        result.outputs
    )
    assert "06_inspection/measurements.csv" not in result.outputs
    assert "03_design/part.stl" in result.inputs
    said = _outputs(case.root / "06_inspection" / "notebook.ipynb")
    assert "widget-view" not in said
    assert "virtual calipers): the part, 20.0 mm (X)" in said

    given = {"case_dir": str(case.root)}
    executed = tmp_path / "executed.ipynb"
    papermill.execute_notebook(
        str(NOTEBOOK), str(executed), given, execution_timeout=120, progress_bar=False
    )
    again = read_result(case.root / "06_inspection.r2")
    assert (again.mode, again.warnings) == ("interactive", result.warnings)
    assert "Use these measurements" not in _outputs(executed)


def test_a_table_that_is_named_is_judged_and_kept(
    tmp_path: Path, lab_home: Path, order: Order
) -> None:
    case = printed_case(tmp_path / "case", order, practice=False)
    table = tmp_path / "table.csv"
    table.write_text('feature,measured_mm\n"block, width",20.7\n"block, depth",12\n')
    result = _headless(case, measurements_csv=str(table))
    assert [check.verdict for check in result.checks] == ["action", "fail", "not done", "not done"]
    assert result.warnings == []
    kept = case.root / "06_inspection" / "measurements.csv"
    assert kept.read_text() == table.read_text()
    table.unlink()
    assert [check.verdict for check in _headless(case).checks][:2] == ["action", "fail"]
