"""Every notebook by plain papermill, then repeated and signed by ``labkit run``."""

import json
from collections.abc import Callable
from pathlib import Path

import papermill
import pytest

from labkit.case import STAGES, read_result
from labkit.procedures.sample import DECISIONS
from labkit.processes import Finished
from tests.acceptance.conftest import Lab
from tests.conftest import PROJECT, SAMPLE

NOTEBOOKS = sorted((PROJECT / "notebooks").rglob("*.ipynb"))


def _papermill(notebook: Path, out: Path, parameters: dict[str, object]) -> None:
    papermill.execute_notebook(
        str(notebook),
        str(out),
        parameters,
        kernel_name="python3",
        progress_bar=False,
        execution_timeout=600,
        cwd=str(out.parent),
    )


@pytest.mark.filterwarnings("default")  # those of papermill and nbclient, not ours
def test_plain_papermill_runs_every_notebook_and_labkit_signs_what_it_repeats(
    lab: Lab,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stock: Callable[[Path], Finished],
) -> None:
    monkeypatch.setenv("LABKIT_HOME", str(lab.home))
    case = lab.new("by-hand")
    for notebook in NOTEBOOKS:
        stage = notebook.stem
        if stage in STAGES:
            parameters = {"case_dir": str(case), **DECISIONS.get(stage, {})}
            if stage == "01_scan":
                parameters["source"] = str(SAMPLE)
        else:
            parameters = {"cases_dir": str(lab.cases)}
        _papermill(notebook, tmp_path / notebook.name, parameters)
    for stage in STAGES:
        assert read_result(case / stage).mode == "interactive"
    assert {row["state"] for row in lab.document("status", case)["stages"]} == {"not signed"}
    by_hand = json.loads((case / "05_printing" / "job.json").read_text())

    done = lab.labkit("run", case, "--source", SAMPLE)
    assert done.exit_code == 0, done.errors
    for stage in STAGES:
        assert read_result(case / stage).mode == "replay"
    replayed = json.loads((case / "05_printing" / "job.json").read_text())
    assert replayed["job"] == by_hand["job"]
    assert [step["state"] for step in replayed["history"]].count("starting") == 1
    assert len(list((case / "evidence" / "unsigned").iterdir())) == len(STAGES)
    assert stock(case).exit_code == 0
