"""Every notebook by plain papermill, then repeated and signed by ``labkit run``."""

import json
from collections.abc import Callable, Mapping
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


SKULL: Mapping[str, Mapping[str, object]] = {
    "03_design": {"scale": 0.4, "keep_from_mm": 30.0},
    "04_slicing": {"layer_height_mm": 0.32, "infill_percent": 0},
}


@pytest.mark.filterwarnings("default")  # those of papermill and nbclient, not ours
def test_plain_papermill_runs_every_notebook_and_labkit_signs_what_it_repeats(
    lab: Lab,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stock: Callable[[Path], Finished],
) -> None:
    monkeypatch.setenv("LABKIT_HOME", str(lab.home))
    case = lab.new("by-hand")
    _by_papermill(lab, case, SAMPLE, DECISIONS, tmp_path)
    for notebook in NOTEBOOKS:
        if notebook.stem not in STAGES:
            _papermill(notebook, tmp_path / notebook.name, {"cases_dir": str(lab.cases)})
    _repeated_and_signed(lab, case, SAMPLE, stock)


@pytest.mark.sweep
@pytest.mark.filterwarnings("default")
def test_the_same_on_a_real_scan(
    lab: Lab,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stock: Callable[[Path], Finished],
    real_data: Path,
) -> None:
    monkeypatch.setenv("LABKIT_HOME", str(lab.home))
    case = lab.new("skull-by-papermill")
    source = real_data / "ct_skull_phantom_1mm" / "S2030"
    _by_papermill(lab, case, source, SKULL, tmp_path)
    _repeated_and_signed(lab, case, source, stock)


def _by_papermill(
    lab: Lab,
    case: Path,
    source: Path,
    decisions: Mapping[str, Mapping[str, object]],
    place: Path,
) -> None:
    for notebook in NOTEBOOKS:
        stage = notebook.stem
        if stage in STAGES:
            parameters = {"case_dir": str(case), **decisions.get(stage, {})}
            if stage == "01_scan":
                parameters["source"] = str(source)
            _papermill(notebook, place / notebook.name, parameters)
    for stage in STAGES:
        assert read_result(case / stage).mode == "interactive"
    assert {row["state"] for row in lab.document("status", case)["stages"]} == {"not signed"}


def _repeated_and_signed(
    lab: Lab, case: Path, source: Path, stock: Callable[[Path], Finished]
) -> None:
    by_hand = json.loads((case / "05_printing" / "job.json").read_text())
    done = lab.labkit("run", case, "--source", source)
    assert done.exit_code == 0, done.errors
    said = [line for line in done.errors.splitlines() if "as they were made by hand" in line]
    assert len(said) >= 5
    for line in said:  # the DICOM SEG holds the time of the import, which was repeated, too
        assert "not so" not in line.replace("; not so: mask.dcm (different)", "")
    for stage in STAGES:
        assert read_result(case / stage).mode == "replay"
    replayed = json.loads((case / "05_printing" / "job.json").read_text())
    assert replayed["job"] == by_hand["job"]
    assert [step["state"] for step in replayed["history"]].count("starting") == 1
    assert len(list((case / "evidence" / "unsigned").iterdir())) == len(STAGES)
    assert stock(case).exit_code == 0
