"""The study of designers on the sample scan."""

import json
from pathlib import Path

import nbformat
import papermill
import pytest

from labkit.procedures.engine import run_notebook
from tests.conftest import PROJECT

NOTEBOOK = PROJECT / "notebooks" / "qualification" / "designer_variability.ipynb"
SHORT = {
    "thresholds_hu": "300, 350",
    "operators": "as it is",
    "components": 1,
    "crop_lps_mm": "-180, -60, 1290; -150, 20, 1310",  # the shaft of the radius
}


def _outputs(path: Path) -> str:
    cells = nbformat.read(path, as_version=4).cells
    return json.dumps([cell.get("outputs", []) for cell in cells])


@pytest.mark.filterwarnings("default")  # those of papermill and nbclient, not ours
def test_it_runs_by_the_kits_engine_and_by_papermills_from_what_is_kept(
    tmp_path: Path, lab_home: Path
) -> None:
    study, first, second = (tmp_path / name for name in ("study", "1.ipynb", "2.ipynb"))
    given = {**SHORT, "study_dir": str(study)}
    run_notebook(NOTEBOOK, first, given, folder=tmp_path, environment={}, timeout_s=600)
    kept = {path.name: path.stat().st_mtime_ns for path in (study / "designers").iterdir()}
    assert len(kept) == 2
    papermill.execute_notebook(
        str(NOTEBOOK), str(second), given, execution_timeout=300, progress_bar=False
    )
    again = {path.name: path.stat().st_mtime_ns for path in (study / "designers").iterdir()}
    assert again == kept
    for executed in (first, second):
        said = _outputs(executed)
        assert "the threshold matters most" in said
        assert "designers: 2 of 2" in said
        assert "image/png" in said
    found = json.loads((study / "spread.json").read_text())["structures"][0]
    assert found["designers"] == 2
    assert 0.05 < found["ranges_mm"]["threshold"] < 0.41
    assert (study / "designers.csv").is_file()
    assert (study / "spread-bone.png").read_bytes().startswith(b"\x89PNG")
