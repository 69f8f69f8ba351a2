"""The time left of a stage and of a run, from how long the cells took the last times."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from labkit.procedures.durations import KEPT, CellTimes, rest

CELLS = ["set-up", "mask", "record"]


def took(stage: str, seconds: Sequence[float], cells: Sequence[str] = CELLS) -> list[str]:
    """A stage whose cells take that long; what was said at each."""
    now_s = 0.0
    times = CellTimes(stage, clock_s=lambda: now_s)
    now_s = 2.0  # a kernel starts
    said = []
    for number, each in enumerate(seconds):
        said.append(times.begins(cells[number:]))
        now_s += each
    times.keep()
    return said


@pytest.fixture(autouse=True)
def home(lab_home: Path) -> Path:
    return lab_home


def test_nothing_is_said_the_first_time_and_the_median_of_the_last_from_then_on() -> None:
    stage = "02_segmentation"
    assert took(stage, [5, 30, 4]) == ["", "", ""]
    assert took(stage, [5, 50, 4])[1] == ", about 35 s left"
    assert took(stage, [5, 400, 4])[1] == ", about 45 s left"
    assert took(stage, [5, 50, 4])[1:] == [", about 55 s left", ", about 4 s left"]


def test_a_cell_that_is_new_makes_the_time_left_unknown() -> None:
    took("02_segmentation", [5, 30, 4])
    said = took("02_segmentation", [5, 1, 30, 4], ["set-up", "new", "mask", "record"])
    assert said == ["", "", ", about 35 s left", ", about 4 s left"]


def test_the_print_is_left_to_tell_its_own_time() -> None:
    cells = ["approval", "job", "record"]
    took("05_printing", [5, 3000, 4], cells)
    assert took("05_printing", [5, 3000, 4], cells) == ["", "", ", about 4 s left"]


def test_the_rest_of_a_run_is_the_sum_of_its_stages() -> None:
    assert rest(["06_inspection"]) == ""
    took("06_inspection", [5, 30, 4])
    took("07_traceability", [5, 150, 4])
    took("05_printing", [5, 3000, 4], ["approval", "job", "record"])
    assert rest(["07_traceability"]) == "about 3 min left for 1 stage"
    assert rest(["06_inspection", "07_traceability"]) == "about 3 min left for 2 stages"
    words = "about 50 s left for 2 stages, without the print itself"
    assert rest(["05_printing", "06_inspection"]) == words
    assert rest(["04_slicing", "07_traceability"]) == ""
    assert rest([]) == ""


def test_the_file_holds_names_and_seconds_of_the_last_times_only(home: Path) -> None:
    for _ in range(KEPT + 2):
        took("02_segmentation", [5, 30, 4])
    kept = json.loads((home / "durations.json").read_text())
    assert kept.keys() == {"02_segmentation"}
    assert kept["02_segmentation"].keys() == {"start", *CELLS}
    assert kept["02_segmentation"]["mask"] == [30] * KEPT


@pytest.mark.parametrize(
    "content", ["{[", "[1]", '{"02_segmentation": [1]}', '{"02_segmentation": {"mask": "x"}}', "\0"]
)
def test_a_file_that_cannot_be_read_costs_the_estimate_and_nothing_else(
    home: Path, content: str
) -> None:
    home.mkdir()
    (home / "durations.json").write_text(content)
    assert took("02_segmentation", [5, 30, 4]) == ["", "", ""]
    assert took("02_segmentation", [5, 30, 4])[2] == ", about 4 s left"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-4"])
def test_a_time_that_is_none_does_not_count(home: Path, number: str) -> None:
    home.mkdir()
    text = f'{{"02_segmentation": {{"set-up": [1], "mask": [{number}], "record": [1]}}}}'
    (home / "durations.json").write_text(text)
    assert took("02_segmentation", [5, 30, 4])[:2] == ["", ""]


def test_a_folder_that_cannot_be_written_costs_the_estimate_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "file" / "home"))
    assert took("02_segmentation", [5, 30, 4]) == ["", "", ""]
    assert rest(["02_segmentation"]) == ""
