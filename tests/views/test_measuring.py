"""The table of measurements in Python: what the page is sent, and what its messages do."""

from pathlib import Path
from typing import Any

import pytest

from labkit import views
from labkit.case import Order, Verdict
from labkit.errors import CaseError
from labkit.inspection import Sheet, read_measurements
from labkit.parameters import Inspection
from labkit.views import measuring_table
from labkit.views.measuring_table import MeasuringTable
from labkit.views.words import Words
from tests.printed_case import items

WIDTH, DEPTH, HEIGHT = (item.feature for item in items())


class Stage:
    headless = False

    def __init__(self, folder: Path, order: Order) -> None:
        self.folder, self.order = folder, order
        self.parameters: Any = Inspection()
        self.checks: dict[str, Verdict] = {}
        self.recorded = False
        self.left_open: dict[str, str] = {}

    def hand_made(self, name: str) -> Path:
        if self.recorded:
            raise CaseError("this stage has been recorded", expected="", fix="run it again")
        return self.folder / name

    def accept(self, values: dict[str, Any]) -> str:
        raise AssertionError("measurements are no parameters")

    def check(self, name: str, value: None, verdict: Verdict) -> None:
        self.checks[name] = verdict


@pytest.fixture
def stage(tmp_path: Path, order: Order, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(measuring_table, "somebody_looks_on", lambda: True)
    measuring_table._OPEN.clear()
    return Stage(tmp_path, order)


def opened(stage: Stage, kept: Path | None = None) -> MeasuringTable:
    shown = views.measuring(stage, Sheet(items(), kept))
    assert isinstance(shown, MeasuringTable)
    return shown


def types(table: MeasuringTable, feature: str, text: str, field: str = "measured") -> None:
    """As the page would send it."""
    table._handle_custom_msg({"feature": feature, "field": field, "text": text}, [])


def presses(table: MeasuringTable) -> str:
    table._handle_custom_msg({"use": True}, [])
    return str(table.said["text"])


def row(table: MeasuringTable, feature: str) -> dict[str, Any]:
    return next(row for row in table.rows if row["feature"] == feature)


@pytest.mark.parametrize("headless", [True, False])
def test_where_nobody_looks_on_it_is_the_plan(stage: Stage, headless: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring_table, "somebody_looks_on", lambda: headless)
        stage.headless = headless
        shown = views.measuring(stage, Sheet(items()))
    assert isinstance(shown, Words)
    for said in ("nominal_mm", "block, width", "20", "depth gauge"):
        assert said in shown.text


def test_each_verdict_comes_with_sign_and_word_as_it_is_typed(stage: Stage) -> None:
    table = opened(stage)
    assert row(table, WIDTH)["verdict"] == "– not done"
    for text, deviation, verdict in (
        ("2", "-18.00 mm", "✘ fail"),
        ("20", "+0.00 mm", "✔ pass"),
        ("20.7", "+0.70 mm", "▲ action"),
    ):
        types(table, WIDTH, text)
        found = row(table, WIDTH)
        assert (found["deviation"], found["verdict"]) == (deviation, verdict)
    stage.parameters = Inspection(tolerance_mm=0.6, action_mm=0.2)
    types(table, WIDTH, "20.7")
    assert row(table, WIDTH)["verdict"] == "✘ fail"
    assert table.limits == "± 0.6 mm, action beyond 0.2 mm"


def test_nothing_counts_before_the_button_and_a_change_asks_for_it_again(stage: Stage) -> None:
    table = opened(stage)
    assert "virtual calipers" in table.said["text"]
    types(table, WIDTH, "20.1")
    assert "1 of 3 measured, 2 missing. Not used yet" in table.said["text"]
    said = presses(table)
    assert table.said["role"] == "alert"
    assert "missing: block, depth; block, height" in said
    assert not (stage.folder / "measurements.csv").exists()
    types(table, DEPTH, "10")
    types(table, HEIGHT, "-5")
    assert "above 0" in row(table, HEIGHT)["fault"]
    assert "impossible: block, height" in presses(table)
    types(table, HEIGHT, "5.02")
    types(table, HEIGHT, "depth gauge 3", "instrument")
    said = presses(table)
    assert table.said["role"] == "status"
    assert "3 of 3 measured, 0 missing." in said and "used from here on" in said
    assert read_measurements(stage.folder / "measurements.csv") == {
        WIDTH: (20.1, "caliper", ""),
        DEPTH: (10.0, "caliper", ""),
        HEIGHT: (5.02, "depth gauge 3", ""),
    }
    assert set(stage.checks.values()) == {"not done"}, "judged from other values before"
    types(table, DEPTH, "10.4")
    assert "Changed: press “Use these measurements” again" in table.said["text"]
    assert read_measurements(stage.folder / "measurements.csv")[DEPTH][0] == 10.0


def test_what_was_measured_before_is_filled_in(stage: Stage, tmp_path: Path) -> None:
    kept = tmp_path / "kept.csv"
    kept.write_text('feature,measured_mm,instrument\n"block, width",20.2,caliper 7\ngone,3,\n')
    table = opened(stage, kept)
    assert row(table, WIDTH)["measured"] == "20.2"
    assert row(table, WIDTH)["instrument"] == "caliper 7"
    assert row(table, WIDTH)["verdict"] == "✔ pass"
    assert "the table that counts now" in table.said["text"]
    assert "this plan does not: gone" in table.said["text"]


def test_what_was_typed_is_still_there_when_the_notebook_is_run_again(
    stage: Stage, tmp_path: Path, order: Order
) -> None:
    types(opened(stage), WIDTH, "20.1")
    again = opened(Stage(tmp_path, order))
    assert row(again, WIDTH)["measured"] == "20.1"
    assert "Not used yet" in again.said["text"]
    other = opened(Stage(tmp_path, order.model_copy(update={"case": "C-0002"})))
    assert row(other, WIDTH)["measured"] == ""


def test_a_named_file_and_a_recorded_stage_refuse_in_words(stage: Stage) -> None:
    table = opened(stage)
    for feature, text in ((WIDTH, "20"), (DEPTH, "10"), (HEIGHT, "5")):
        types(table, feature, text)
    stage.parameters = Inspection(measurements_csv="m.csv")
    assert "measurements_csv names counts first" in presses(table)
    stage.parameters = Inspection()
    stage.recorded = True
    assert "this stage has been recorded" in presses(table)
    assert table.said["role"] == "alert"


def test_messages_that_no_page_of_ours_sends_change_nothing(stage: Stage) -> None:
    table = opened(stage)
    types(table, "no such feature", "1")
    types(table, WIDTH, "1", "no such field")
    assert not table.sheet.changed
