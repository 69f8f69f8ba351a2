"""Links: what they hold, and when a folder no longer holds."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from labkit.case import Case
from labkit.errors import CaseError, EvidenceError
from labkit.files import hashes_below, sha256_of
from labkit.traceability.evidence import (
    holds,
    sign_order,
    sign_stage,
    signed_step,
    why_not,
)
from labkit.traceability.keys import keys

from .conftest import do_stage, run_stages, sign_current, used_by


def envelope_of(case: Case, step: str) -> dict[str, Any]:
    [path] = case.evidence.glob(f"{step}.????????.link")
    envelope = json.loads(path.read_text())
    assert isinstance(envelope, dict)
    return envelope


def test_a_link_holds_order_inputs_and_all_products(case: Case) -> None:
    run_stages(case, ("01_scan", "02_segmentation"))
    envelope = envelope_of(case, "02_segmentation")
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    link = json.loads(base64.b64decode(envelope["payload"]))
    assert {path: digest["sha256"] for path, digest in link["materials"].items()} == {
        path: sha256_of(case.root / path)
        for path in ("order.yaml", "01_scan/result.json", "01_scan/volume.nrrd")
    }
    assert {path: digest["sha256"] for path, digest in link["products"].items()} == hashes_below(
        case.root / "02_segmentation", relative_to=case.root
    )
    assert link["environment"] == {"python": "3.11", "keys": "practice"}
    assert link["byproducts"]["verdict"] == "pass"
    assert str(case.root) not in json.dumps(link)


def test_the_stage_before_is_always_a_material(case: Case) -> None:
    run_stages(case, ("01_scan",))
    do_stage(case, "02_segmentation")
    sign_current(case, "02_segmentation", inputs={})
    step = signed_step(case.root, "02_segmentation", keys().operator.public_key)
    assert sorted(step.materials) == ["01_scan/result.json", "order.yaml"]


def test_a_revision_is_a_step_of_its_own(case: Case) -> None:
    run_stages(case, ("01_scan", "02_segmentation", "02_segmentation", "03_design"))
    step = signed_step(case.root, "03_design", keys().operator.public_key)
    assert step.folders_used == ["02_segmentation.r2"]
    assert holds(case, case.root / "02_segmentation")
    assert holds(case, case.root / "02_segmentation.r2")


def test_an_order_changed_after_signing_is_refused(case: Case) -> None:
    path = sign_order(case)
    assert sign_order(case) == path
    order = case.root / "order.yaml"
    order.write_text(order.read_text().replace("left", "right"))
    with pytest.raises(EvidenceError, match=r"order\.yaml was altered"):
        sign_order(Case(case.root))
    do_stage(case, "01_scan")
    with pytest.raises(EvidenceError, match=r"order\.yaml was altered"):
        sign_current(case, "01_scan")


def test_an_input_that_is_not_what_was_signed(case: Case) -> None:
    run_stages(case, ("01_scan",))
    (case.root / "01_scan" / "volume.nrrd").write_text("other grey values")
    inputs = used_by(case, "02_segmentation")
    do_stage(case, "02_segmentation")
    with pytest.raises(EvidenceError, match=r"01_scan/volume\.nrrd that is not what was signed"):
        sign_current(case, "02_segmentation", inputs)


def test_nothing_is_signed_on_top_of_an_unsigned_stage(case: Case) -> None:
    do_stage(case, "01_scan")
    do_stage(case, "02_segmentation")
    with pytest.raises(EvidenceError, match="step 01_scan has no link"):
        sign_current(case, "02_segmentation")


def test_a_stage_without_the_one_before_it(case: Case) -> None:
    run_stages(case, ("01_scan",))
    folder = case.root / "03_design"
    folder.mkdir()
    with pytest.raises(CaseError, match="02_segmentation was not done"):
        sign_stage(case, folder, inputs={}, command=[], environment={})


def test_what_is_signed_once_is_not_signed_anew(case: Case) -> None:
    run_stages(case, ("01_scan",))
    before = envelope_of(case, "01_scan")
    sign_current(case, "01_scan")
    assert envelope_of(case, "01_scan") == before
    (case.root / "01_scan" / "volume.nrrd").write_text("other grey values")
    with pytest.raises(EvidenceError, match=r"01_scan/volume\.nrrd was altered"):
        sign_current(case, "01_scan")
    assert envelope_of(case, "01_scan") == before


@pytest.mark.parametrize("folder", ["../case", "01_scan/sub", "99_other", "07_traceability"])
def test_a_folder_that_is_not_for_it_is_a_fault_of_the_code(case: Case, folder: str) -> None:
    with pytest.raises(ValueError, match="not a stage folder"):
        sign_stage(case, case.root / folder, inputs={}, command=[], environment={})


def test_an_input_from_a_later_stage_is_a_fault_of_the_code(case: Case) -> None:
    run_stages(case, ("01_scan",))
    do_stage(case, "02_segmentation")
    with pytest.raises(ValueError, match="03_design, not from an earlier stage"):
        sign_current(case, "02_segmentation", {"03_design/part.stl": "0" * 64})


@pytest.mark.parametrize("name", ["old.link", "part.stl~", "a.pyc", "a.link.txt", "b\\c", "b\nc"])
def test_names_that_verifiers_skip_are_refused(case: Case, name: str) -> None:
    do_stage(case, "01_scan")
    (case.root / "01_scan" / name).write_text("unseen")
    with pytest.raises(CaseError, match="which verifiers do not look at"):
        sign_current(case, "01_scan")
    assert not holds(case, case.root / "01_scan")


def test_a_symbolic_link_is_refused(case: Case, tmp_path: Path) -> None:
    do_stage(case, "01_scan")
    (tmp_path / "elsewhere").write_text("not in the case")
    (case.root / "01_scan" / "more.txt").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EvidenceError, match="symbolic link"):
        sign_current(case, "01_scan")


def test_why_a_folder_does_not_hold(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    run_stages(case, ("01_scan", "02_segmentation"))
    folder = case.root / "01_scan"
    assert holds(case, folder)
    assert why_not(case, folder) == ""

    (folder / "added.txt").write_text("x")
    (folder / "series.json").unlink()
    (folder / "volume.nrrd").write_text("y")
    why = why_not(case, folder)
    assert "01_scan/added.txt was added after step 01_scan was signed" in why
    assert "01_scan/series.json is missing: step 01_scan left it" in why
    assert "01_scan/volume.nrrd was altered after step 01_scan was signed" in why
    assert holds(case, case.root / "02_segmentation")

    [link] = case.evidence.glob("02_segmentation.*.link")
    good = link.read_bytes()
    [other] = case.evidence.glob("01_scan.*.link")
    for content, reason in [
        (other.read_bytes(), "damaged or of another step"),
        (b"{", "damaged or of another step"),
        (good.replace(b'"sig": "', b'"sig": "AAAA'), "not signed by the key"),
    ]:
        link.write_bytes(content)
        assert reason in why_not(case, case.root / "02_segmentation")
    link.write_bytes(good)

    order = case.root / "order.yaml"
    order.write_text(order.read_text() + "\n")
    assert "another order.yaml" in why_not(case, case.root / "02_segmentation")

    monkeypatch.setenv("LABKIT_HOME", str(case.root.parent / "another lab"))
    assert "no keys yet" in why_not(case, folder)
    keys()
    assert "no link signed by the key" in why_not(case, folder)
