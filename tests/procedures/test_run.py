"""What a run does with decisions made by hand when it does not come to its end."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from labkit import accepted
from labkit.case import Acceptance, Case
from labkit.errors import CaseError, ToolError
from labkit.parameters import Segmentation
from labkit.procedures import run
from labkit.procedures.holding import status
from labkit.stage import RUN_VARIABLE
from labkit.traceability.procedure import procedure

STAGE = "02_segmentation"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The decisions and places of every notebook that was started; each fails."""
    told: list[dict[str, Any]] = []

    def fails(
        _source: Path,
        _output: Path,
        parameters: Mapping[str, Any],
        *,
        environment: Mapping[str, str],
        **_: Any,
    ) -> None:
        told.append({**parameters, "run": environment[RUN_VARIABLE]})
        raise ToolError("a kernel that died", expected="one that lives", where="here", fix="again")

    monkeypatch.setattr(run, "run_notebook", fails)
    monkeypatch.setattr(run, "_require_good", lambda *_: None)
    return told


def by_hand(case: Case, stage: str = STAGE, **decided: object) -> Path:
    folder = case.root / stage
    folder.mkdir()
    (folder / "strokes.json").write_text("{}")
    values = Segmentation().decided() | decided
    (folder / "parameters.yaml").write_text(yaml.safe_dump(values))
    return folder


def test_what_was_made_by_hand_outlives_a_run_that_fails(
    case: Case, asked: list[dict[str, Any]]
) -> None:
    folder = by_hand(case, threshold_hu=321)
    for _ in range(2):
        with pytest.raises(ToolError, match="a kernel that died"):
            run.run_case(case.root, procedure("practice"), stages=[STAGE])
        assert (folder / "strokes.json").is_file()
    assert [told["threshold_hu"] for told in asked] == [321, 321]
    assert all("strokes.json" in told["run"] for told in asked)


def test_what_was_made_by_hand_outlives_a_run_that_was_killed(
    case: Case, asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = by_hand(case, threshold_hu=321)
    with monkeypatch.context() as killed:
        killed.setattr(run, "_put_back", lambda _: None)
        with pytest.raises(ToolError):
            run.run_case(case.root, procedure("practice"), stages=[STAGE])
    assert not folder.exists()
    with pytest.raises(ToolError):
        run.run_case(case.root, procedure("practice"), stages=[STAGE])
    assert asked[1]["threshold_hu"] == 321
    assert folder.is_dir()


def test_what_a_signed_stage_took_the_place_of_stays_aside(
    case: Case, asked: list[dict[str, Any]]
) -> None:
    aside = case.evidence / "unsigned" / f"{STAGE}-2026-01-01T000000+0000"
    aside.mkdir(parents=True)
    (case.evidence / f"{STAGE}.0123abcd.link").touch()
    with pytest.raises(ToolError):
        run.run_case(case.root, procedure("practice"), stages=[STAGE])
    assert aside.is_dir()


@pytest.mark.parametrize("content", ["{[", "- a\n", "wall_mm: 900\n"])
def test_a_damaged_record_of_another_stage_does_not_stop_a_run(
    case: Case, asked: list[dict[str, Any]], content: str
) -> None:
    (by_hand(case, "03_design") / "parameters.yaml").write_text(content)
    with pytest.raises(ToolError, match="a kernel that died"):
        run.run_case(case.root, procedure("practice"), stages=[STAGE])


@pytest.mark.parametrize("content", ["{[", "- a\n"])
def test_decisions_that_cannot_be_read_are_not_replaced_by_defaults(
    case: Case, asked: list[dict[str, Any]], content: str
) -> None:
    (by_hand(case) / "parameters.yaml").write_text(content)
    with pytest.raises(CaseError, match="decisions that cannot be read"):
        run.run_case(case.root, procedure("practice"), stages=[STAGE])
    assert not asked


def test_accepted_decisions_are_run_and_stay_until_a_run_has_signed_them(
    case: Case, asked: list[dict[str, Any]], tmp_path: Path
) -> None:
    strokes = tmp_path / "strokes.json"
    strokes.write_text("{}")
    by_anna = Acceptance(by="anna", at="2026-01-02T03:04:05+00:00", minutes=2.5)
    kept = accepted.keep(case, Segmentation(threshold_hu=250), by_anna, [strokes])
    assert {row["stage"]: row["state"] for row in status(case)}[STAGE] == (
        "decided by hand, not run yet"
    )
    for override, threshold_hu in ({}, 250), ({"threshold_hu": 260}, 260):
        with pytest.raises(ToolError, match="a kernel that died"):
            run.run_case(
                case.root, procedure("practice"), stages=[STAGE], overrides={STAGE: override}
            )
        told = json.loads(asked[-1]["run"])
        assert (asked[-1]["threshold_hu"], asked[-1]["operator"]) == (threshold_hu, "anna")
        assert told["accepted"] == by_anna.model_dump()
        assert told["paths"] == {"strokes": str(kept / "strokes.json")}
        assert accepted.kept(case, STAGE) == kept


def test_accepted_decisions_count_more_than_a_record_by_hand(
    case: Case, asked: list[dict[str, Any]]
) -> None:
    folder = by_hand(case, threshold_hu=321)
    by_anna = Acceptance(by="anna", at="2026-01-02T03:04:05+00:00", minutes=2.5)
    accepted.keep(case, Segmentation(threshold_hu=250), by_anna)
    with pytest.raises(ToolError):
        run.run_case(case.root, procedure("practice"), stages=[STAGE])
    assert asked[0]["threshold_hu"] == 250
    assert "strokes.json" not in asked[0]["run"]
    assert folder.is_dir()  # put back, as the run did not come to its end
