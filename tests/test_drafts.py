"""What is set on a page and not accepted yet, when the page is drawn anew."""

from pathlib import Path
from typing import Any

import pytest

from labkit import accepted, drafts
from labkit.case import Case
from labkit.errors import InputError, StorageError
from labkit.stage import Stage, begin


def opened(case: Case, stage: str = "02_segmentation", **values: Any) -> Stage:
    return begin(stage, {"case_dir": str(case.root), **values})


def test_values_hand_made_files_and_minutes_go_on(case: Case) -> None:
    stage = opened(case)
    assert drafts.take_up(stage) == ""
    stage.accept({"threshold_hu": 250})
    stage.hand_made("strokes.json").write_text("{}")
    stage.hand_made("never made.json")
    stage.minutes_before = 5.0
    drafts.put_by(stage)

    again = opened(case)
    assert drafts.take_up(again) == "Set here and not accepted yet: threshold_hu = 250."
    assert again.parameters.threshold_hu == 250
    assert [path.name for path in again.made_by_hand] == ["strokes.json"]
    assert again.path_or_kept("strokes", "strokes.json") == again.output("strokes.json")
    assert again.minutes >= 5.0
    again.accept({"threshold_hu": 300})
    drafts.put_by(again)
    assert "all values as they come" in drafts.take_up(opened(case))

    kept = again.hand_over("anna")
    assert [path.name for path in accepted.hand_made_in(kept)] == ["strokes.json"]
    assert drafts.take_up(opened(case)) == ""
    assert not list((case.evidence / "by-hand").glob("*.draft"))


def test_a_value_set_back_counts_more_than_one_accepted_before(case: Case) -> None:
    stage = opened(case)
    stage.accept({"threshold_hu": 250})
    stage.hand_over("anna")
    second = opened(case)
    assert "threshold_hu = 250" in second.resume()
    second.accept({"threshold_hu": 300})
    drafts.put_by(second)
    third = opened(case)
    assert drafts.take_up(third)
    assert third.parameters.threshold_hu == 300


def test_nothing_of_it_counts_once_something_else_was_decided(case: Case) -> None:
    stage = opened(case)
    stage.accept({"threshold_hu": 250})
    drafts.put_by(stage)
    opened(case).record()
    assert drafts.take_up(opened(case)) == ""


def test_another_family_and_a_place_go_on_too(case: Case, tmp_path: Path) -> None:
    stage = opened(case, "03_design")
    stage.accept({"device": "dosage form", "material": "PETG"})
    drafts.put_by(stage)
    again = opened(case, "03_design")
    assert "device = dosage form" in drafts.take_up(again)
    assert again.parameters.device == "dosage form"

    scan = opened(case, "01_scan")
    scan.accept({"source": str(tmp_path)})
    drafts.put_by(scan)
    again = opened(case, "01_scan")
    assert drafts.take_up(again) == "Set here and not accepted yet: source."
    assert again.path("source") == tmp_path


def test_what_is_not_used_yet_would_be_lost(case: Case) -> None:
    stage = opened(case)
    stage.left_open["the mask"] = "1 strokes"
    with pytest.raises(InputError, match="the mask: 1 strokes"):
        drafts.put_by(stage)


@pytest.mark.parametrize("content", ["{", '{"values": {}}', "", '{"a": 1}'])
def test_one_that_cannot_be_read_is_none(case: Case, content: str) -> None:
    stage = opened(case)
    drafts.put_by(stage)
    (written,) = case.evidence.glob("by-hand/*.draft/draft.json")
    written.write_text(content)
    assert drafts.take_up(opened(case)) == ""


def test_a_value_that_the_kit_does_not_know_any_more_is_said(case: Case) -> None:
    drafts.put_by(opened(case))
    (written,) = case.evidence.glob("by-hand/*.draft/draft.json")
    written.write_text(written.read_text().replace('"threshold_hu": 300', '"threshold_hu": 9999'))
    stage = opened(case)
    assert "cannot be used. Found: threshold_hu = 9999" in drafts.take_up(stage)
    assert stage.parameters.threshold_hu == 300


def test_where_it_cannot_be_kept_the_earlier_one_stays(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = opened(case)
    stage.accept({"threshold_hu": 250})
    drafts.put_by(stage)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("labkit.drafts.write_whole", full)
        with pytest.raises(StorageError):
            drafts.put_by(opened(case))
    assert "threshold_hu = 250" in drafts.take_up(opened(case))
    assert not list((case.evidence / "by-hand").glob(".*"))
