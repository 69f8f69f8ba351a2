"""The end of a stage's notebook: who accepts, what runs then, and what is shown of it."""

from pathlib import Path
from typing import Any

import pytest

from labkit import accepted, views
from labkit.case import Acceptance, Case, read_result
from labkit.files import write_whole
from labkit.stage import Stage, begin
from labkit.views import following, records
from labkit.views.records import AcceptDesk
from labkit.views.words import Words
from tests.views.at_once import AtOnce

STAGE = "02_segmentation"


class Run:
    """A run that records, as the real one would, when it is asked how far it is."""

    begun: list[tuple[Path, str, Any]]
    fails = False

    def __init__(self, root: Path, stage: str, overrides: Any) -> None:
        self.root, self.stage = root, stage
        self.begun.append((root, stage, overrides))
        self.is_running, self.was_stopped, self.seconds = True, False, 3.0

    def step(self) -> str:
        return "3/12 The mask"

    def trouble(self) -> str:
        return "Found: no bone" if self.fails else ""

    def stop(self) -> None:
        self.was_stopped = True
        self.is_running = False

    def forget(self) -> None:
        pass


@pytest.fixture
def errands() -> AtOnce:
    return AtOnce()


@pytest.fixture
def stage(case: Case, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(Run, "begun", [], raising=False)
    monkeypatch.setattr(records, "RunBeside", Run)
    monkeypatch.setattr(following, "_RUNS", {})
    return begin(STAGE, {"case_dir": str(case.root), "threshold_hu": 250})


def replayed(case: Case, content: str) -> None:
    """What the run would leave: a record of the decisions that were accepted."""
    by_anna = Acceptance(by="anna", at="2026-01-02T03:04:05+00:00", minutes=2.5)
    again = begin(STAGE, {"case_dir": str(case.root), "threshold_hu": 250})
    again.headless, again._accepted = True, by_anna
    write_whole(again.output("surface.stl"), content)
    again.check("closed", True, "pass")
    again.record()
    assert again.made is not None
    case.publish(again.made, STAGE)


def test_nobody_looking_on_it_is_recorded_at_once(stage: Stage) -> None:
    shown = views.record(stage)
    assert isinstance(shown, Words)
    assert shown.text == f"not done: recorded in {STAGE}"
    assert stage.case.current(STAGE) is not None


def test_accept_keeps_the_decisions_and_begins_one_run(stage: Stage, errands: AtOnce) -> None:
    desk = AcceptDesk(stage, errands)
    assert desk.by.value == stage.operator
    assert stage.case.current(STAGE) is None  # nothing is recorded by looking
    desk.by.value = "anna"
    desk.accept.click()
    desk.accept.click()
    assert Run.begun == [(stage.case.root, STAGE, {STAGE: {}})]
    kept = accepted.kept(stage.case, STAGE)
    assert kept is not None
    assert accepted.decided_in(kept)["threshold_hu"] == 250
    assert "3/12 The mask" in desk.following.answer.value
    assert desk.accept.disabled
    assert desk.following.cancel.layout.display is None


def test_a_second_click_before_the_run_is_there_begins_none(stage: Stage) -> None:
    class Slow(AtOnce):
        """Errands whose work is done when the page comes to it."""

        def start(self, work: Any, then: Any, fail: Any) -> None:
            self.waiting.append(lambda: AtOnce.start(self, work, then, fail))

    errands = Slow()
    desk = AcceptDesk(stage, errands)
    desk.accept.click()
    desk.accept.click()
    while len(Run.begun) < 1:
        errands.waiting.pop(0)()
    for _ in range(len(errands.waiting)):
        errands.waiting.pop(0)()
    assert len(Run.begun) == 1


def test_what_came_of_it_is_shown_beside_what_the_cells_made(stage: Stage, errands: AtOnce) -> None:
    write_whole(stage.output("surface.stl"), "solid")
    desk = AcceptDesk(stage, errands)
    desk.accept.click()
    replayed(stage.case, "solid")
    following._RUNS[stage.case.root].is_running = False  # type: ignore[misc]
    errands.waiting.pop()()
    assert "accepted by anna" in desk.found.value
    assert "✔ pass" in desk.found.value
    assert "1 of 1 products as they were made by hand" in desk.found.value
    assert desk.next.description == "Open 03_design"
    assert desk.next.layout.display is None
    assert not desk.accept.disabled


def test_what_came_out_otherwise_is_asked_about(stage: Stage, errands: AtOnce) -> None:
    write_whole(stage.output("surface.stl"), "solid")
    desk = AcceptDesk(stage, errands)
    desk.accept.click()
    replayed(stage.case, "solid another")
    following._RUNS[stage.case.root].is_running = False  # type: ignore[misc]
    errands.waiting.pop()()
    assert "not so: surface.stl (different)" in desk.found.value
    assert "with these very decisions?" in desk.found.value


def test_what_is_not_used_yet_is_refused_with_words(stage: Stage, errands: AtOnce) -> None:
    desk = AcceptDesk(stage, errands)
    stage.left_open["the parameters"] = "components"
    desk.accept.click()
    assert "Not accepted. Found: set and not used yet: the parameters: components" in (
        desk.following.answer.value
    )
    assert 'role="alert"' in desk.following.answer.value
    assert Run.begun == []
    assert accepted.kept(stage.case, STAGE) is None


def test_a_cancelled_run_leaves_the_decisions(stage: Stage, errands: AtOnce) -> None:
    desk = AcceptDesk(stage, errands)
    desk.accept.click()
    desk.following.cancel.click()
    errands.waiting.pop()()
    assert "was cancelled" in desk.following.answer.value
    assert accepted.kept(stage.case, STAGE) is not None
    assert not desk.accept.disabled


def test_a_run_that_fails_says_why(
    stage: Stage, errands: AtOnce, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Run, "fails", True)
    desk = AcceptDesk(stage, errands)
    desk.accept.click()
    following._RUNS[stage.case.root].is_running = False  # type: ignore[misc]
    errands.waiting.pop()()
    assert "✘ Found: no bone" in desk.following.answer.value


def test_a_page_that_is_drawn_anew_follows_the_run_that_is_at_work(
    stage: Stage, errands: AtOnce
) -> None:
    AcceptDesk(stage, errands).accept.click()
    again = AcceptDesk(stage, errands)
    assert "3/12 The mask" in again.following.answer.value
    again.accept.click()
    assert len(Run.begun) == 1


def test_another_ones_run_is_followed_and_nothing_is_begun_beside_it(
    stage: Stage, errands: AtOnce, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = ["02_segmentation 3/12 The mask"]
    monkeypatch.setattr(records, "at_work", lambda _: step[0])
    desk = AcceptDesk(stage, errands)
    assert "A run is at work on this case: 02_segmentation 3/12" in desk.following.answer.value
    assert desk.accept.disabled
    step[0] = ""
    errands.waiting.pop()()
    assert not desk.accept.disabled
    assert desk.following.answer.value == ""


def test_the_last_stage_is_followed_by_none(case: Case, errands: AtOnce) -> None:
    stage = begin("07_traceability", {"case_dir": str(case.root)})
    stage.record()
    desk = AcceptDesk(begin("07_traceability", {"case_dir": str(case.root)}), errands)
    assert desk.next.layout.display == "none"
    assert "by hand, not signed yet" in desk.found.value
    folder = case.current("07_traceability")
    assert folder is not None
    assert read_result(folder).accepted is None
