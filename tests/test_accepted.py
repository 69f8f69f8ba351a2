"""Decisions that a person accepted, until a run has taken them up."""

import shutil
from pathlib import Path

import pytest
import yaml

from labkit import accepted
from labkit.case import Acceptance, Case
from labkit.errors import CaseError, StorageError
from labkit.parameters import Scan, Segmentation

STAGE = "02_segmentation"
BY_ANNA = Acceptance(by="anna", at="2026-01-02T03:04:05+00:00", minutes=2.5)


def test_they_are_kept_with_who_when_and_how_long_and_papermill_can_read_them(case: Case) -> None:
    assert accepted.kept(case, STAGE) is None
    folder = accepted.keep(case, Segmentation(threshold_hu=250, case_dir="/a/place"), BY_ANNA)
    assert accepted.kept(case, STAGE) == folder
    text = (folder / "parameters.yaml").read_text(encoding="utf-8")
    said, _, _ = text.partition("\n")
    assert said == "# accepted by anna, 2026-01-02T03:04:05+00:00, after 2.5 minutes"
    assert yaml.safe_load(text) == accepted.decided_in(folder)
    assert accepted.decided_in(folder)["threshold_hu"] == 250
    assert "/a/place" not in text
    assert accepted.acceptance_in(folder) == BY_ANNA


def test_what_was_made_by_hand_goes_with_them_and_the_last_ones_count(
    case: Case, tmp_path: Path
) -> None:
    strokes = tmp_path / "strokes.json"
    strokes.write_text("{}")
    first = accepted.keep(case, Segmentation(), BY_ANNA, [strokes])
    assert (first / "strokes.json").read_text() == "{}"
    accepted.keep(case, Scan(), BY_ANNA)
    second = accepted.keep(case, Segmentation(components=2), BY_ANNA)
    assert accepted.kept(case, STAGE) == second
    assert not first.exists()
    accepted.forget(first)  # taken over meanwhile: the newer stay
    assert accepted.kept(case, STAGE) == second
    accepted.forget(second)
    assert accepted.kept(case, STAGE) is None
    assert accepted.kept(case, "01_scan") is not None


def test_where_they_cannot_be_kept_the_earlier_ones_stay(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = accepted.keep(case, Segmentation(components=2), BY_ANNA)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(StorageError, match="the disk is full"):
        accepted.keep(case, Segmentation(), BY_ANNA, [case.root / "order.yaml"])
    assert accepted.kept(case, STAGE) == earlier
    assert [path.name for path in earlier.parent.iterdir()] == [earlier.name]


@pytest.mark.parametrize("content", ["{[", "- a\n"])
def test_decisions_that_cannot_be_read_are_said(case: Case, content: str) -> None:
    folder = accepted.keep(case, Segmentation(), BY_ANNA)
    (folder / "parameters.yaml").write_text(content)
    (folder / "acceptance.json").write_text(content)
    with pytest.raises(CaseError, match="decisions that cannot be read"):
        accepted.decided_in(folder)
    assert accepted.acceptance_in(folder) is None


def test_a_name_with_a_line_break_stays_in_its_comment() -> None:
    sly = Acceptance(by="anna\nthreshold_hu: 1", at="now", minutes=0)
    text = accepted.written(Segmentation(), sly)
    assert yaml.safe_load(text)["threshold_hu"] == 300
