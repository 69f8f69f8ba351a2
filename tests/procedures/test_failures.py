"""A stage that failed leaves a trace that a person finds: when, why and what to do."""

from pathlib import Path

import nbformat
import pytest

from labkit.case import Case
from labkit.errors import ScanError
from labkit.procedures.engine import run_notebook
from labkit.procedures.failures import last_failure, place_of_failed
from labkit.procedures.holding import status
from labkit.stage import begin

REFUSED = (
    "from labkit.errors import ScanError\n"
    "raise ScanError('1 image missing', expected='no gap', where='the source', fix='copy again')"
)


def _kept(case: Case, text: str) -> Path:
    place = place_of_failed(case, "01_scan")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    return place


def test_a_refusal_in_a_real_kernel_is_told_by_the_status(case: Case, tmp_path: Path) -> None:
    v4 = nbformat.v4
    cells = [
        v4.new_code_cell("", metadata={"tags": ["parameters"]}),
        v4.new_code_cell("print('reading')"),
        v4.new_code_cell(REFUSED),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel}
    nbformat.write(v4.new_notebook(cells=cells, metadata=metadata), tmp_path / "a.ipynb")
    executed = tmp_path / "executed.ipynb"
    with pytest.raises(ScanError):
        run_notebook(
            tmp_path / "a.ipynb", executed, {}, folder=tmp_path, environment={}, timeout_s=60
        )
    _kept(case, executed.read_text())
    scan, segmentation, *_ = status(case)
    failure = scan["failure"]
    assert isinstance(failure, dict)
    assert (failure["found"], failure["fix"]) == ("1 image missing", "copy again")
    assert scan["state"] == "to do"
    assert "failure" not in segmentation


def test_a_failure_counts_until_the_stage_is_done(case: Case) -> None:
    before = _kept(case, "{}")
    assert last_failure(case, "01_scan") is not None
    begin("01_scan", {"case_dir": str(case.root)}).record()
    assert last_failure(case, "01_scan") is None
    before.rename(before.with_name("01_scan-2999-12-31T235959+0000.ipynb"))
    later = last_failure(case, "01_scan")
    assert later is not None
    assert later["at"] == "2999-12-31T23:59:59+00:00"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"cells": [{"outputs": [{}]}]}'])
def test_a_notebook_that_says_nothing_is_named(case: Case, text: str) -> None:
    place = _kept(case, text)
    failure = last_failure(case, "01_scan")
    assert failure is not None
    assert failure["found"] == "its notebook did not run to its end"
    assert place.name in failure["fix"]


def test_without_a_failure_there_is_none(case: Case) -> None:
    assert last_failure(case, "01_scan") is None
