"""The fixed form of the notebooks, and one name per stage in four places."""

import ast
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

from labkit.case import STAGES
from labkit.parameters import MODELS, choices, unit
from tests.conftest import PROJECT

NOTEBOOKS = sorted((PROJECT / "notebooks").rglob("*.ipynb"))
LINE = re.compile(r"(\w+): (int|float|str|bool) = (.+?)  # (.+)")


def _cells(path: Path, kind: str) -> list[Any]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def test_each_stage_has_its_notebook_room_tests_and_folder() -> None:
    for stage in STAGES:
        room = stage.partition("_")[2]
        assert PROJECT / "notebooks" / f"{stage}.ipynb" in NOTEBOOKS
        assert list((PROJECT / "labkit").glob(f"{room}*")), room
        assert list((PROJECT / "tests").glob(f"*{room}*")), room


def test_it_is_short_and_plain(notebook: Path) -> None:
    code = [cell.source for cell in _cells(notebook, "code")]
    assert len(code) + len(_cells(notebook, "markdown")) <= 30
    assert sum(len(source.splitlines()) for source in code) <= 120
    for source in code:
        assert len(source.splitlines()) <= 15 or source is code[0]
        tree = ast.parse(source)
        for node in ast.walk(tree):
            assert not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda)
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not node.value.startswith(("/", "~")), node.value


def test_it_holds_no_outputs_and_readable_ids(notebook: Path) -> None:
    content = nbformat.read(notebook, as_version=4)
    nbformat.validate(content)
    for cell in content.cells:
        assert re.fullmatch(r"[a-z0-9-]+", cell.id)
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None


def test_it_begins_with_its_table_and_parameters(notebook: Path) -> None:
    cells = nbformat.read(notebook, as_version=4).cells
    assert "| reads | writes | you decide | takes |" in cells[0].source
    assert cells[1].metadata["tags"] == ["parameters"]
    for line in cells[1].source.splitlines():
        assert LINE.fullmatch(line), line
        assert "=" not in line.partition(" = ")[2].partition("#")[0], line


def test_one_sentence_a_line(notebook: Path) -> None:
    for cell in _cells(notebook, "markdown"):
        for line in cell.source.splitlines():
            if not line.startswith(("|", "#", "labkit", "```")):
                assert not re.search(r"[.!?] [A-Z]", re.sub(r"`[^`]*`", "", line)), line


@pytest.mark.parametrize("stage", STAGES)
def test_its_parameters_are_those_of_the_model(stage: str) -> None:
    """Name, kind, default, meaning and unit: the cell is the model in other words."""
    cell = _cells(PROJECT / "notebooks" / f"{stage}.ipynb", "code")[0].source
    found = [match.groups() for match in map(LINE.fullmatch, cell.splitlines()) if match]
    expected = []
    for name, field in MODELS[stage].model_fields.items():
        kind = "str" if choices(field) else getattr(field.annotation, "__name__", "")
        words = ", ".join(filter(None, [field.description, unit(field)]))
        expected.append((name, kind, field.default, words))
    assert [(n, k, ast.literal_eval(d), w) for n, k, d, w in found] == expected


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_ends_with_review_acceptance_and_record(stage: str) -> None:
    headings = [
        line
        for cell in _cells(PROJECT / "notebooks" / f"{stage}.ipynb", "markdown")
        for line in cell.source.splitlines()
        if line.startswith("## ")
    ]
    assert headings[-3:] == ["## Review", "## Acceptance", "## Record"]
    assert [heading.split()[1] for heading in headings[:-3]] == [
        str(number) for number in range(1, len(headings) - 2)
    ]
