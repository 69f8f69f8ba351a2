import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from labkit.errors import InputError
from labkit.procedures.notebooks import notebook_of, source_hash, stage_named
from labkit.procedures.run import Outcome, exit_code


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    return Path(shutil.copy(notebook_of("02_segmentation"), tmp_path))


def _change(path: Path, cell: str, **values: object) -> None:
    content = nbformat.read(path, as_version=4)
    found = next(one for one in content.cells if one.id == cell)
    found.update(values)
    nbformat.write(content, path)


def test_opening_saving_and_setting_a_parameter_keep_the_hash(notebook: Path) -> None:
    before = source_hash(notebook)
    _change(notebook, "parameters", source='case_dir: str = "/a/case"  # mine')
    _change(notebook, "mask", outputs=[], execution_count=7)
    content = nbformat.read(notebook, as_version=4)
    content.metadata["language_info"] = {"name": "python", "version": "3.99"}
    nbformat.write(content, notebook)
    assert source_hash(notebook) == before


@pytest.mark.parametrize(
    ("cell", "values"),
    [
        ("mask", {"source": "1"}),
        ("mask-text", {"source": "Other words"}),
        ("mask", {"id": "another"}),
        ("parameters", {"metadata": {}}),
    ],
)
def test_a_change_of_what_it_says_or_does_is_another_hash(
    notebook: Path, cell: str, values: dict[str, object]
) -> None:
    before = source_hash(notebook)
    _change(notebook, cell, **values)
    assert source_hash(notebook) != before


def test_a_stage_is_known_by_its_name_its_number_and_both() -> None:
    for words in ("02", "segmentation", "02_segmentation"):
        assert stage_named(words) == "02_segmentation"
    with pytest.raises(InputError) as caught:
        stage_named("slice")
    assert "04_slicing" in caught.value.fix


@pytest.mark.parametrize(
    ("verdict", "code"), [("pass", 0), ("action", 0), ("not done", 1), ("fail", 1)]
)
def test_the_exit_code_is_the_worst_verdicts(verdict: str, code: int) -> None:
    outcomes = [
        Outcome("01_scan", "01_scan", "pass", True, 1.0, ""),
        Outcome("02_segmentation", "02_segmentation", verdict, True, 1.0, ""),  # type: ignore[arg-type]
    ]
    assert exit_code(outcomes) == code


@pytest.mark.parametrize(
    ("room", "heavy"),
    [
        ("labkit.procedures.holding", "pydicom scipy numba nbformat papermill vtkmodules"),
        ("labkit.procedures.run", "pydicom scipy numba vtkmodules"),
        ("labkit.slicing.gate", "pydicom trimesh pyvista vtkmodules"),
    ],
)
def test_commands_load_what_they_need(room: str, heavy: str) -> None:
    """`labkit status`, a run before its notebooks, `labkit gcode check`."""
    code = f"import {room}, sys; print(*set({heavy.split()}) & sys.modules.keys())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == []
