"""A stage as a person or plain papermill uses it: without `labkit run` around it."""

import json
from pathlib import Path
from typing import Any

import pytest

from labkit import accepted
from labkit.case import Case, Verdict, read_result
from labkit.errors import CaseError, InputError, ParameterError
from labkit.files import content_digest, sha256_of, write_whole
from labkit.stage import RUN_VARIABLE, Stage, begin


def _begin(case: Case, stage: str = "01_scan", **values: Any) -> Stage:
    return begin(stage, {"case_dir": str(case.root), "PRACTICE": "practice", **values})


def test_a_record_holds_what_was_decided_used_made_and_found(case: Case) -> None:
    stage = _begin(case, "03_design", scale=0.5, operator="anna")
    write_whole(stage.output("part.stl"), "solid")
    stage.check("closed", True, "pass")
    stage.check_at_most("editing error", 0.12345678, unit="mm", tolerance=0.2, action=0.05)
    stage.metrics = {"volume_mm3": 1.0}
    stage.warn("scaled")
    stage.record()
    folder = case.current("03_design")
    assert folder is not None
    result = read_result(folder)
    assert (result.verdict, result.mode, result.operator) == ("action", "interactive", "anna")
    assert result.parameters["scale"] == 0.5
    assert result.inputs == {"order.yaml": sha256_of(case.root / "order.yaml")}
    assert result.outputs == {
        f"03_design/{name}": sha256_of(folder / name) for name in ("parameters.yaml", "part.stl")
    }
    assert [(check.value, check.verdict) for check in result.checks] == [
        ("yes", "pass"),
        (0.123457, "action"),
    ]
    assert str(case.root) not in (folder / "result.json").read_text()


@pytest.mark.parametrize(
    ("value", "verdict"), [(0.05, "pass"), (0.2, "action"), (0.21, "fail"), (-1, "pass")]
)
def test_levels(case: Case, value: float, verdict: str) -> None:
    stage = _begin(case)
    stage.check_at_most("x", value, unit="mm", tolerance=0.2, action=0.05)
    assert stage.verdict == verdict


@pytest.mark.parametrize(
    ("verdicts", "worst"),
    [
        ([], "not done"),
        (["pass", "action"], "action"),
        (["action", "not done"], "not done"),
        (["not done", "fail", "pass"], "fail"),
    ],
)
def test_the_worst_check_decides(case: Case, verdicts: list[Verdict], worst: str) -> None:
    stage = _begin(case)
    for number, verdict in enumerate(verdicts):
        stage.check(f"check {number}", 1, verdict)
    assert stage.verdict == worst


def test_a_mistyped_parameter_is_refused_even_where_papermill_lets_it_through(case: Case) -> None:
    with pytest.raises(ParameterError, match="thresold_hu"):
        _begin(case, "02_segmentation", thresold_hu=250)
    with pytest.raises(ParameterError, match="threshold_hu = 9999"):
        _begin(case, "02_segmentation", threshold_hu=9999)


def test_modules_functions_and_hidden_names_of_a_notebook_do_not_matter(case: Case) -> None:
    _begin(case, _private=1, views=pytest, exit=print, Out={}, get_ipython=print)


def test_a_path_is_hashed_and_not_recorded(case: Case) -> None:
    source = case.root.parent / "DOE_JOHN"
    write_whole(source / "x.dcm", "1")
    stage = _begin(case, source=str(source))
    assert stage.path("source") == source
    result = stage.record()
    assert result.details["sources"] == {"source": content_digest(source)}
    folder = case.current("01_scan")
    assert folder is not None
    for path in folder.iterdir():
        assert "DOE" not in path.read_text()


def test_a_path_that_names_nothing_is_none_and_one_that_is_gone_an_error(case: Case) -> None:
    assert _begin(case).path("source") is None
    with pytest.raises(InputError, match="the source does not exist"):
        _begin(case, source="/no/such/place").path("source")


def test_inputs_are_hashed_when_they_are_read(case: Case) -> None:
    first = _begin(case)
    write_whole(first.output("volume.nrrd"), "v")
    first.record()
    second = _begin(case, "02_segmentation")
    second.input("01_scan", "volume.nrrd")
    assert second.result_of("01_scan").stage == "01_scan"
    assert set(second.record().inputs) == {
        "order.yaml",
        "01_scan/volume.nrrd",
        "01_scan/result.json",
    }


def test_accepted_decisions_are_those_that_the_record_holds(case: Case) -> None:
    stage = _begin(case, "02_segmentation")
    assert "Used from here on" in stage.accept({"threshold_hu": 250})
    with pytest.raises(ParameterError):
        stage.accept({"threshold_hu": 9999})
    assert stage.record().parameters["threshold_hu"] == 250


def test_after_the_record_nothing_can_be_written_any_more(case: Case) -> None:
    stage = _begin(case)
    write_whole(stage.output("volume.nrrd"), "v")
    stage.record()
    before = sorted(case.root.rglob("*"))
    for act in (stage.record, lambda: stage.output("volume.nrrd")):
        with pytest.raises(CaseError, match="has been recorded"):
            act()
    assert sorted(case.root.rglob("*")) == before


def test_work_by_hand_leaves_the_folder_of_a_run_alone(case: Case) -> None:
    in_work = case.stage_in_work("01_scan")
    write_whole(in_work / "half", "x")
    _begin(case)
    assert (in_work / "half").is_file()


def test_what_the_cells_below_left_behind_is_no_parameter(case: Case) -> None:
    history = ["", 'case_dir: str = "x"  # c\noperator: str = "anna"', "rows = [1]\nprint(rows)"]
    cell = {"case_dir": str(case.root), "operator": "anna", "rows": [1], "limit": 2}
    assert begin("01_scan", {**cell, "In": history}).parameters.operator == "anna"
    with pytest.raises(ParameterError, match="thresold"):
        begin("01_scan", {**cell, "thresold": 1, "In": [*history, "thresold = 1"]})


def test_a_check_that_is_repeated_takes_the_place_of_the_first(case: Case) -> None:
    stage = _begin(case)
    stage.check("a", 1, "fail")
    stage.check("a", 2, "pass")
    assert [(check.value, check.verdict) for check in stage.checks] == [(2, "pass")]


def test_a_table_that_was_given_once_is_kept_for_the_next_time(case: Case) -> None:
    first = _begin(case, "06_inspection")
    assert first.path_or_kept("measurements_csv", "measurements.csv") is None
    write_whole(first.output("measurements.csv"), "feature,measured_mm\n")
    first.record()
    kept = _begin(case, "06_inspection").path_or_kept("measurements_csv", "measurements.csv")
    assert kept == case.root / "06_inspection" / "measurements.csv"


def test_a_named_file_counts_first_then_what_was_made_here_then_the_last_revision(
    case: Case,
) -> None:
    first = _begin(case, "06_inspection")
    write_whole(first.output("measurements.csv"), "last revision")
    first.record()
    named = case.root.parent / "named.csv"
    write_whole(named, "named")
    ask = ("measurements_csv", "measurements.csv")

    stage = _begin(case, "06_inspection")
    assert stage.path_or_kept(*ask) == case.root / "06_inspection" / "measurements.csv"
    write_whole(stage.output("measurements.csv"), "by a cell, not by hand")
    assert stage.path_or_kept(*ask) == case.root / "06_inspection" / "measurements.csv"
    write_whole(stage.hand_made("measurements.csv"), "made here")
    assert stage.path_or_kept(*ask) == stage.output("measurements.csv")
    stage.accept({"measurements_csv": str(named)})
    assert stage.path_or_kept(*ask) == named
    stage.accept({"measurements_csv": ""})
    assert stage.path_or_kept(*ask) == stage.output("measurements.csv")
    made = content_digest(stage.output("measurements.csv"))
    assert stage.record().details["sources"] == {"measurements_csv": made}
    assert stage.path_or_kept(*ask) == case.root / "06_inspection.r2" / "measurements.csv"


def test_a_caveat_travels_to_every_later_stage_and_is_hashed_there(case: Case) -> None:
    scan = _begin(case)
    scan.caveat("two of 60 images are made up")
    scan.caveat("two of 60 images are made up")
    assert [caveat.stage for caveat in scan.record().caveats] == ["01_scan"]
    middle = _begin(case, "02_segmentation")
    middle.caveat("a hole was closed by hand")
    assert "01_scan/result.json" in middle.record().inputs
    last = _begin(case, "03_design").record()
    assert [(caveat.stage, caveat.text) for caveat in last.caveats] == [
        ("01_scan", "two of 60 images are made up"),
        ("02_segmentation", "a hole was closed by hand"),
    ]


def test_a_caveat_of_a_superseded_revision_is_gone(case: Case) -> None:
    first = _begin(case)
    first.caveat("made up")
    first.record()
    _begin(case).record()
    assert _begin(case, "02_segmentation").caveats == []


def test_without_a_case_nothing_begins(lab_home: object) -> None:
    with pytest.raises(CaseError, match="no case folder"):
        begin("01_scan", {})


def test_by_hand_a_design_begins_with_the_device_that_was_ordered(case: Case) -> None:
    order = case.root / "order.yaml"
    write_whole(order, order.read_text().replace("device: anatomical model", "device: lattice"))
    if "device:" not in order.read_text():
        write_whole(order, order.read_text() + "device: lattice\n")
    assert _begin(case, "03_design", device="anatomical model").parameters.device == "lattice"
    assert _begin(case, "03_design", device="scaffold").parameters.device == "scaffold"


def test_what_is_accepted_is_handed_over_with_name_and_time(case: Case) -> None:
    stage = _begin(case, "02_segmentation", threshold_hu=250)
    write_whole(stage.hand_made("strokes.json"), "{}")
    write_whole(stage.output("mask.dcm"), "made by a cell")
    folder = stage.hand_over(" anna ")
    assert sorted(path.name for path in folder.iterdir()) == [
        *("acceptance.json", "parameters.yaml", "strokes.json"),
    ]
    assert accepted.decided_in(folder)["threshold_hu"] == 250
    acceptance = accepted.acceptance_in(folder)
    assert acceptance is not None
    assert (acceptance.by, acceptance.minutes >= 0) == ("anna", True)
    assert accepted.kept(case, "02_segmentation") == folder


@pytest.mark.parametrize(
    ("by", "left_open", "match"),
    [("  ", {}, "nobody accepts"), ("anna", {"the mask": "strokes"}, "the mask: strokes")],
)
def test_nobody_accepts_what_is_not_used_and_nothing_without_a_name(
    case: Case, by: str, left_open: dict[str, str], match: str
) -> None:
    stage = _begin(case, "02_segmentation")
    stage.left_open |= left_open
    with pytest.raises(InputError, match=match):
        stage.hand_over(by)
    assert accepted.kept(case, "02_segmentation") is None


def test_a_person_goes_on_where_the_last_decisions_ended(case: Case) -> None:
    assert _begin(case, "02_segmentation").resume() == ""
    first = _begin(case, "02_segmentation", threshold_hu=250, components=2, operator="anna")
    first.record()
    again = _begin(case, "02_segmentation", components=3)
    assert again.resume() == "As decided before, in 02_segmentation: threshold_hu = 250."
    assert (again.parameters.threshold_hu, again.parameters.components) == (250, 3)
    assert again.parameters.operator == ""
    again.hand_over("bert")
    later = _begin(case, "02_segmentation")
    assert "components = 3" in later.resume()


def test_another_family_of_parts_is_taken_up_with_its_own_parameters(case: Case) -> None:
    first = _begin(case, "03_design", device="dosage form", mass_mg=400.0)
    first.record()
    again = _begin(case, "03_design")  # the order is for another family
    assert "device = dosage form, mass_mg = 400.0" in again.resume()
    assert again.parameters.device == "dosage form"
    again.accept({"device": "anatomical model"})
    again.hand_over("anna")
    last = _begin(case, "03_design")
    assert last.resume() == ""
    assert last.parameters.device == "anatomical model"


def test_what_was_made_by_hand_and_accepted_is_there_again_until_a_run_has_it(case: Case) -> None:
    first = _begin(case, "02_segmentation", threshold_hu=250)
    first.hand_made("strokes.json").write_text("{}")
    first.hand_over("anna")
    again = _begin(case, "02_segmentation")
    again.resume()
    assert [path.name for path in again.made_by_hand] == ["strokes.json"]
    assert (again.hand_over("anna") / "strokes.json").read_text() == "{}"


def test_the_places_that_are_named_are_told_and_not_kept(case: Case, tmp_path: Path) -> None:
    stage = _begin(case, source=str(tmp_path))
    assert stage.places == {"source": str(tmp_path)}
    assert str(tmp_path) not in (stage.hand_over("anna") / "parameters.yaml").read_text()


def test_a_replay_says_whose_decisions_it_repeats(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_work = case.stage_in_work("01_scan")
    by_anna = {"by": "anna", "at": "2026-01-02T03:04:05+00:00", "minutes": 2.5}
    told = {"case": str(case.root), "folder": str(in_work), "accepted": by_anna}
    told["progress"] = str(in_work.with_suffix(".progress"))
    monkeypatch.setenv(RUN_VARIABLE, json.dumps(told))
    result = begin("01_scan", {}).record()
    assert result.accepted is not None
    assert result.accepted.by == "anna"
    assert (in_work / "parameters.yaml").read_text().startswith("# accepted by anna")
