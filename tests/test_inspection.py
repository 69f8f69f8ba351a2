from pathlib import Path

import pytest

from labkit.errors import InspectionError
from labkit.inspection import (
    Item,
    Sheet,
    judge,
    keep_table,
    measurements,
    plan,
    read_measurements,
    statistics,
    write_template,
)

ITEMS = [Item("width", "x", 10.0, "caliper"), Item("height", "z", 40.0, "caliper")]


def _table(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_the_template_can_be_filled_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    write_template(ITEMS, path)
    assert read_measurements(path) == {}
    filled = path.read_text().replace("10.000,,caliper,", "10.000,10.2,caliper 7,warm")
    assert read_measurements(_table(path, filled)) == {"width": (10.2, "caliper 7", "warm")}


def test_a_table_from_a_german_spreadsheet_is_understood(tmp_path: Path) -> None:
    path = _table(tmp_path / "t.csv", "\ufefffeature;measured_mm\nwidth;10,25\n")
    assert read_measurements(path)["width"][0] == 10.25


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("feature,value\nwidth,10\n", "no column measured_mm"),
        ("", "no column feature or measured_mm"),
        ("feature,measured_mm\nwidth,ten\n", "line 2: 'ten' is no number"),
        ("feature,measured_mm\nwidth,10\nwidth,11\n", "line 3: width for the second time"),
        ("feature,measured_mm\nwidth,10,93\n", "line 2: more values than columns"),
        ("feature,measured_mm\nwidth,nan\n", "line 2: 'nan' is no number"),
        ("feature,measured_mm\nwidth,-10\n", "line 2: '-10' is no number"),
    ],
)
def test_a_table_that_cannot_be_used_says_where(tmp_path: Path, text: str, found: str) -> None:
    with pytest.raises(InspectionError) as caught:
        read_measurements(_table(tmp_path / "t.csv", text))
    assert found in caught.value.found


def test_deviations_get_their_verdicts() -> None:
    limits = {"tolerance_mm": 1.0, "action_mm": 0.5}
    for value, verdict in ((10.5, "pass"), (9.4, "action"), (11.01, "fail")):
        judged = judge(ITEMS, {"width": (value, "", "")}, **limits)
        assert [one.verdict for one in judged] == [verdict, "not done"]
        assert judged[0].deviation_mm == pytest.approx(value - 10)
        assert judged[0].instrument == "caliper"
    with pytest.raises(InspectionError, match="'depth'"):
        judge(ITEMS, {"depth": (1.0, "", "")}, **limits)


def test_statistics_are_those_of_the_deviations() -> None:
    taken = {"width": (10.1, "", ""), "height": (39.7, "", "")}
    found = statistics(judge(ITEMS, taken, tolerance_mm=1.0, action_mm=0.5))
    assert found["deviation_mean_mm"] == pytest.approx(-0.1)
    assert found["deviation_sd_mm"] == pytest.approx(0.2828, abs=1e-4)
    assert found["deviation_max_mm"] == pytest.approx(0.3)
    assert statistics(judge(ITEMS, {}, tolerance_mm=1.0, action_mm=0.5)) == {}


def test_virtual_measurements_say_that_they_are(tmp_path: Path) -> None:
    virtual = measurements(None, {"width": 10.0})
    assert virtual == {"width": (10.0, "virtual caliper on the tool path", "practice")}
    path = _table(tmp_path / "t.csv", "feature,measured_mm\nwidth,10.2\n")
    assert measurements(path, {"width": 10.0})["width"][0] == 10.2


def test_a_part_without_features_cannot_be_inspected() -> None:
    with pytest.raises(InspectionError, match="without a dimension"):
        plan([])


LIMITS = {"tolerance_mm": 1.0, "action_mm": 0.5}


def _typed(**values: str) -> Sheet:
    sheet = Sheet(ITEMS)
    for feature, text in values.items():
        sheet.type(feature, "measured", text)
    return sheet


def test_a_kept_table_may_be_the_product_itself(tmp_path: Path) -> None:
    path = _table(tmp_path / "t.csv", "feature,measured_mm\nwidth,10.2\n")
    keep_table(path, path)
    assert read_measurements(path) == {"width": (10.2, "", "")}


def test_what_is_typed_is_judged_at_once_and_counts_when_it_is_written(tmp_path: Path) -> None:
    sheet = _typed(width="10.7")
    assert (sheet.filled, sheet.changed) == (1, True)
    first, second = sheet.judged(**LIMITS)
    assert (first.verdict, second.verdict) == ("action", "not done")
    assert first.deviation_mm == pytest.approx(0.7)
    assert sheet.unused({}) == ["width"]
    sheet.type("height", "measured", "40,05")
    sheet.type("height", "instrument", "caliper 7")
    sheet.type("height", "remark", 'warm; "a little"')
    sheet.write(tmp_path / "measurements.csv")
    assert not sheet.changed
    used = read_measurements(tmp_path / "measurements.csv")
    assert used == {
        "width": (10.7, "caliper", ""),
        "height": (40.05, "caliper 7", 'warm; "a little"'),
    }
    assert sheet.warnings(used, virtual=False) == []
    again = Sheet(ITEMS, tmp_path / "measurements.csv")
    assert again.lines["height"].measured == "40.05"
    assert again.lines["height"].instrument == "caliper 7"
    assert not again.changed


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({}, "nothing is measured"),
        ({"width": "10"}, "missing: height"),
        ({"width": "10", "height": "-40"}, "impossible: height"),
        ({"width": "0", "height": "40"}, "impossible: width"),
        ({"width": "no number", "height": ""}, "impossible: width"),
        ({"width": "inf", "height": "40"}, "impossible: width"),
    ],
)
def test_what_is_missing_or_impossible_is_not_written(
    tmp_path: Path, values: dict[str, str], found: str
) -> None:
    with pytest.raises(InspectionError, match=found):
        _typed(**values).write(tmp_path / "measurements.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_dimension_may_be_left_out_with_a_reason_that_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "measurements.csv"
    sheet = _typed(width="10")
    sheet.type("height", "remark", "broken off")
    sheet.write(path)
    assert set(read_measurements(path)) == {"width"}
    assert Sheet(ITEMS, path).lines["height"].remark == "broken off"


def test_a_table_of_an_earlier_plan_gives_what_is_still_measured(tmp_path: Path) -> None:
    path = _table(tmp_path / "t.csv", "feature;measured_mm\nwidth;10,25\ndepth;3\n")
    sheet = Sheet(ITEMS, path)
    assert sheet.strange == ("depth",)
    assert sheet.lines["width"].measured == "10.25"
    assert sheet.lines["width"].instrument == "caliper"


def test_the_record_says_what_was_typed_and_not_used(tmp_path: Path) -> None:
    sheet = _typed(width="10.2")
    said = sheet.warnings({"width": (10.0, "virtual caliper", "practice")}, virtual=True)
    assert "virtual calipers" in said[0]
    assert said[1] == "typed by hand and not used: width"
    sheet.type("height", "measured", "40")
    sheet.write(tmp_path / "m.csv")
    named = {"width": (10.2, "", ""), "height": (41.0, "", "")}
    assert sheet.warnings(named, virtual=False) == ["typed by hand and not used: height"]
    sheet.type("width", "measured", "")
    assert sheet.unused({"width": (10.2, "", ""), "height": (40.0, "", "")}) == ["width"]


def test_what_was_typed_in_an_earlier_table_comes_along() -> None:
    sheet = Sheet(ITEMS)
    sheet.take_over(_typed(width="10.2"))
    assert sheet.lines["width"].measured == "10.2"
    assert sheet.changed and sheet.unused({}) == ["width"]
