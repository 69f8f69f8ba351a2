"""labkit's own verification: what it says, before and after the release, and by whose key."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from in_toto.models.layout import Layout
from in_toto.models.link import Link
from in_toto.models.metadata import Envelope, Metadata

from labkit.case import STAGES, Case
from labkit.errors import EvidenceError
from labkit.files import hashes_below, sha256_of
from labkit.traceability.evidence import link_path, write_envelope, write_link
from labkit.traceability.keys import keys
from labkit.traceability.release import MANIFEST
from labkit.traceability.verification import Verification, verify

from .conftest import do_stage, run_stages


def faults(found: Verification) -> set[tuple[str, str, str]]:
    return {(finding.what, finding.path, finding.step) for finding in found.findings}


def test_what_is_said_of_an_honest_case(released: Case) -> None:
    before = hashes_below(released.root, relative_to=released.root)
    found = verify(released.root)
    assert found.intact
    assert found.released
    assert found.practice
    assert found.steps[0] == "order"
    assert found.steps[-1] == "07_traceability.r2"
    assert len(found.steps) == 1 + 2 + 5 * 2
    assert found.notes == ()
    found.require_intact()
    assert json.loads(json.dumps(found.as_dict()))["intact"] is True
    assert hashes_below(released.root, relative_to=released.root) == before


def test_all_faults_are_named_at_once(released: Case) -> None:
    root = released.root
    (root / "01_scan" / "volume.nrrd").write_text("flipped")
    (root / "02_segmentation" / "surface.stl").unlink()
    (root / "04_slicing.r2" / "other.gcode").write_text("G28")
    link = link_path(root, "06_inspection", keys().operator.public_key)
    link.unlink()
    found = verify(root)
    assert faults(found) == {
        ("altered", "01_scan/volume.nrrd", "01_scan"),
        ("missing", "02_segmentation/surface.stl", "02_segmentation"),
        ("added", "04_slicing.r2/other.gcode", "04_slicing.r2"),
        ("signature", f"evidence/{link.name}", "06_inspection"),
    }
    assert json.loads(json.dumps(found.as_dict()))["intact"] is False
    with pytest.raises(EvidenceError) as refused:
        found.require_intact()
    assert refused.value.exit_code == 4
    for name in ("01_scan/volume.nrrd", "02_segmentation/surface.stl", "06_inspection"):
        assert name in refused.value.found


def test_nothing_signed(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "no such folder"):
        with pytest.raises(EvidenceError, match="nothing here is signed"):
            verify(place)


def test_before_the_release_each_link_is_judged(case: Case) -> None:
    run_stages(case, STAGES[:3])
    run_stages(case, ("03_design",))
    (case.root / ".staging" / "04_slicing").mkdir(parents=True)
    (case.root / ".staging" / "04_slicing" / "part.gcode").write_text("at work")
    found = verify(case.root)
    assert found.intact
    assert not found.released
    assert found.steps == ("01_scan", "02_segmentation", "03_design", "03_design.r2", "order")

    do_stage(case, "04_slicing")
    shutil.rmtree(case.root / "02_segmentation")
    (case.root / "03_design" / "part.stl").write_text("flipped")
    (case.root / "notes.txt").write_text("x")
    missing = {
        ("missing", f"02_segmentation/{name}", "02_segmentation")
        for name in (
            "mask.seg.nrrd",
            "notebook.ipynb",
            "parameters.yaml",
            "result.json",
            "surface.stl",
        )
    }
    assert faults(verify(case.root)) == missing | {
        ("altered", "03_design/part.stl", "03_design"),
        ("added", "notes.txt", ""),
        ("unsigned", "04_slicing", "04_slicing"),
    }


def test_before_the_release_a_link_of_another_case_is_found(case: Case) -> None:
    run_stages(case, STAGES[:2])
    signer = keys().operator
    path = link_path(case.root, "01_scan", signer.public_key)
    link = Metadata.load(str(path)).get_payload()
    link.materials["order.yaml"] = {"sha256": "0" * 64}
    write_link(case.root, link, signer)
    assert faults(verify(case.root)) == {("materials", "order.yaml", "01_scan")}
    path.write_text("{}")
    assert faults(verify(case.root)) == {("signature", f"evidence/{path.name}", "01_scan")}


def test_an_altered_order_before_the_release(case: Case) -> None:
    run_stages(case, STAGES[:2])
    path = case.root / "order.yaml"
    path.write_text(path.read_text().replace("left", "right"))
    assert faults(verify(case.root)) == {("altered", "order.yaml", "order")}
    path.unlink()
    assert faults(verify(case.root)) == {("missing", "order.yaml", "order")}


def test_a_release_whose_layout_is_gone(released: Case) -> None:
    layout = released.evidence / "root.layout"
    layout.unlink()
    found = verify(released.root)
    assert not found.released
    assert faults(found) == {("missing", "evidence/root.layout", "")}
    layout.write_text("{")
    assert faults(verify(released.root)) == {("layout", "evidence/root.layout", "")}


def test_another_lab_needs_the_key_of_the_lab_that_signed(
    released: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "theirs.pub"
    shutil.copy(released.evidence / "qa.pub", key)
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "another lab"))
    found = verify(released.root)
    assert found.intact
    assert "came with the case" in found.notes[0]

    keys()
    found = verify(released.root)
    assert faults(found) == {("layout", "evidence/root.layout", "")}
    assert "give that lab's public key" in found.findings[0].message
    found = verify(released.root, qa_key=key)
    assert found.intact
    assert found.notes == ()
    with pytest.raises(EvidenceError, match=r"order\.yaml is not a readable public key"):
        verify(released.root, qa_key=released.root / "order.yaml")


def test_a_case_signed_anew_by_a_stranger_is_not_this_labs(
    released: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Altered, signed anew with other keys, and the public keys in the case replaced."""
    mine = tmp_path / "lab-that-signed"
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "stranger"))
    layout = Metadata.load(str(released.evidence / "root.layout"))
    layout.signatures.clear()
    layout.create_signature(keys().qa)
    write_envelope(released.evidence / "root.layout", layout)
    keys().write_public(released.evidence)
    monkeypatch.setenv("LABKIT_HOME", str(mine))
    assert faults(verify(released.root)) == {("layout", "evidence/root.layout", "")}


def _sign_layout(case: Case, layout: Layout) -> None:
    envelope = Envelope.from_signable(layout)
    envelope.create_signature(keys().qa)
    write_envelope(case.evidence / "root.layout", envelope)


def _layout_of(case: Case) -> Layout:
    return Metadata.load(str(case.evidence / "root.layout")).get_payload()


def test_an_expired_layout(released: Case) -> None:
    layout = _layout_of(released)
    layout.expires = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    _sign_layout(released, layout)
    [finding] = verify(released.root).findings
    assert "expired on" in finding.message


def test_the_judgement_is_in_totos(released: Case) -> None:
    """A rule of the layout that only in-toto knows decides."""
    layout = _layout_of(released)
    layout.steps[1].expected_products.insert(0, ["REQUIRE", "01_scan/second.nrrd"])
    _sign_layout(released, layout)
    [finding] = verify(released.root).findings
    assert finding.message.startswith(
        "in-toto refuses the case: 'REQUIRE 01_scan/second.nrrd' did not find"
    )


def test_the_layout_expires_when_the_procedure_says(released: Case) -> None:
    expires = datetime.fromisoformat(_layout_of(released).expires)
    years = (expires - datetime.now(UTC)) / timedelta(days=365.25)
    assert 19.9 < years < 20.1


def test_a_manifest_that_leaves_a_file_out(released: Case) -> None:
    """Signed by the operator's own key, so that only its content is wrong."""
    name = f"07_traceability.r2/{MANIFEST}"
    path = released.root / name
    kept = [line for line in path.read_text().splitlines(True) if "01_scan/volume" not in line]
    path.write_text("".join(kept))
    signer = keys().operator
    link: Link = Metadata.load(
        str(link_path(released.root, "07_traceability.r2", signer.public_key))
    ).get_payload()
    link.products[name] = {"sha256": sha256_of(path)}
    write_link(released.root, link, signer)
    [finding] = verify(released.root).findings
    assert (finding.what, finding.path) == ("layout", name)
    assert "on 01_scan/volume.nrrd" in finding.message
