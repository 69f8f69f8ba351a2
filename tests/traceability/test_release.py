"""A released case, judged by the stock in-toto-verify: accepted as it is, refused after attacks."""

import json
import logging
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from in_toto.in_toto_verify import main as in_toto_verify
from in_toto.models.metadata import Envelope, Metadata

from labkit.case import STAGES, Case
from labkit.errors import CaseError, EvidenceError
from labkit.files import hashes_below
from labkit.processes import run
from labkit.traceability.evidence import link_path, sign_order
from labkit.traceability.keys import keys
from labkit.traceability.release import MANIFEST
from labkit.traceability.verification import verify

from .conftest import (
    an_order,
    do_stage,
    release,
    released_case,
    run_stages,
    sign_current,
    stock_verify,
)


def first_line(text: str) -> str:
    """What in-toto says of the fault; below it come lists of all files."""
    return next(line for line in text.splitlines() if line.startswith("(in-toto-verify)"))


def test_an_honest_case_is_accepted(released: Case) -> None:
    judged = stock_verify(released.root)
    assert judged.exit_code == 0, judged.errors
    assert judged.errors == ""
    assert verify(released.root).intact
    assert stock_verify(released.root).exit_code == 0, "in-toto left a file behind itself"


def test_the_manifest_covers_all_files_but_itself(released: Case) -> None:
    current = released.current(STAGES[-1])
    assert current == released.root / "07_traceability.r2"
    listed = {
        line[66:]: line[:64]
        for line in (current / MANIFEST).read_text(encoding="utf-8").splitlines()
    }
    there = hashes_below(released.root, relative_to=released.root)
    signed = {path: digest for path, digest in there.items() if not path.startswith("evidence/")}
    del signed[f"07_traceability.r2/{MANIFEST}"]
    assert listed == signed
    checked = run(
        ["sha256sum", "--strict", "--check", current / MANIFEST],
        folder=released.root,
        timeout_s=30,
    )
    assert checked.exit_code == 0, checked.errors


def judged_here(caplog: pytest.LogCaptureFixture) -> tuple[object, str]:
    """Exit code and first line of the stock program, run within this process."""
    caplog.clear()
    with pytest.raises(SystemExit) as ended, caplog.at_level(logging.ERROR, logger="in_toto"):
        in_toto_verify()
    return ended.value.code, caplog.records[-1].getMessage() if caplog.records else ""


@pytest.fixture
def in_case(released: Case, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The released case, the stock program's arguments and working directory set for it."""
    words = ["--layout", "evidence/root.layout", "--verification-keys", "evidence/qa.pub"]
    monkeypatch.setattr(sys, "argv", ["in-toto-verify", *words, "--link-dir", "evidence"])
    monkeypatch.chdir(released.root)
    return released.root


@pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")  # in-toto's own
def test_every_file_flipped_or_deleted_is_named(
    in_case: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = [
        path
        for path in sorted(in_case.rglob("*"))
        if path.is_file() and path.relative_to(in_case).parts[0] != "evidence"
    ]
    assert len(files) > 50
    assert judged_here(caplog) == (0, "")
    for path in files:
        name = path.relative_to(in_case).as_posix()
        content = path.read_bytes()

        path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
        code, said = judged_here(caplog)
        assert code == 1
        assert said.splitlines()[0].endswith(
            f"'DISALLOW *' matched the following artifacts: ['{name}']"
        )
        assert [(f.what, f.path) for f in verify(in_case).findings] == [("altered", name)]

        path.unlink()
        code, said = judged_here(caplog)
        assert code == 1
        assert f"'REQUIRE {name}' did not find {name} in:" in said.splitlines()[0]
        assert [(f.what, f.path) for f in verify(in_case).findings] == [("missing", name)]

        path.write_bytes(content)
    assert judged_here(caplog) == (0, "")


def flip(root: Path) -> None:
    path = root / "03_design.r2" / "part.stl"
    path.write_bytes(path.read_bytes()[:-1] + b"?")


def delete(root: Path) -> None:
    (root / "07_traceability.r2" / "record.pdf").unlink()


def delete_with_its_line_of_the_manifest(root: Path) -> None:
    delete(root)
    path = root / "07_traceability.r2" / MANIFEST
    kept = [line for line in path.read_text().splitlines(True) if "r2/record.pdf" not in line]
    path.write_text("".join(kept))


def add(root: Path) -> None:
    (root / "03_design.r2" / "other.stl").write_text("solid other")


def add_beside_the_stages(root: Path) -> None:
    (root / "note.txt").write_text("trust me")


def alter_the_order(root: Path) -> None:
    path = root / "order.yaml"
    path.write_text(path.read_text().replace("left", "right"))


def sign_by_another_key(root: Path) -> None:
    """The link under its old name, signed anew by somebody else, who claims the old key id."""
    mine = keys()
    path = link_path(root, "03_design.r2", mine.operator.public_key)
    envelope = Metadata.load(str(path))
    envelope.signatures.clear()
    signature = envelope.create_signature(mine.qa)
    signature.keyid = mine.operator.public_key.keyid
    path.write_text(json.dumps(envelope.to_dict()))


def sign_by_another_key_under_its_own_name(root: Path) -> None:
    mine = keys()
    path = link_path(root, "03_design.r2", mine.operator.public_key)
    envelope = Metadata.load(str(path))
    envelope.signatures.clear()
    envelope.create_signature(mine.qa)
    link_path(root, "03_design.r2", mine.qa.public_key).write_text(json.dumps(envelope.to_dict()))
    path.unlink()


def remove_a_link(root: Path) -> None:
    link_path(root, "03_design.r2", keys().operator.public_key).unlink()


def replay_from_another_case(root: Path) -> None:
    """A link of the same lab, same stage, same content, but of another order."""
    other = released_case(root.parent / "other", an_order("T-2"))
    key = keys().operator.public_key
    shutil.copy(link_path(other.root, "01_scan", key), link_path(root, "01_scan", key))


def replay_all_evidence(root: Path) -> None:
    other = released_case(root.parent / "other", an_order("T-2"))
    shutil.rmtree(root / "evidence")
    shutil.copytree(other.evidence, root / "evidence")


def swap_two_links(root: Path) -> None:
    key = keys().operator.public_key
    shutil.copy(link_path(root, "03_design", key), link_path(root, "03_design.r2", key))


def sign_the_layout_by_another_key(root: Path) -> None:
    path = root / "evidence" / "root.layout"
    envelope = Metadata.load(str(path))
    envelope.signatures.clear()
    envelope.create_signature(keys().operator)
    path.write_text(json.dumps(envelope.to_dict()))


def put_a_symbolic_link(root: Path) -> None:
    path = root / "03_design.r2" / "part.stl"
    path.rename(root.parent / "outside.stl")
    path.symlink_to(root.parent / "outside.stl")


def add_a_name_that_in_toto_skips(root: Path) -> None:
    (root / "03_design.r2" / "part.stl~").write_text("unseen")


def use_another_input(root: Path) -> None:
    """The operator's own key vouches for slicing something that design never left."""
    signer = keys().operator
    path = link_path(root, "04_slicing.r2", signer.public_key)
    link = Metadata.load(str(path)).get_payload()
    link.materials["03_design.r2/part.stl"] = {"sha256": "0" * 64}
    envelope = Envelope.from_signable(link)
    envelope.create_signature(signer)
    path.write_text(json.dumps(envelope.to_dict()))


def use_nothing(root: Path) -> None:
    signer = keys().operator
    path = link_path(root, "04_slicing.r2", signer.public_key)
    link = Metadata.load(str(path)).get_payload()
    link.materials = {}
    envelope = Envelope.from_signable(link)
    envelope.create_signature(signer)
    path.write_text(json.dumps(envelope.to_dict()))


Attack = Callable[[Path], None]
ATTACKS: list[tuple[Attack, str, str]] = [
    (flip, "'DISALLOW *' matched the following artifacts: ['03_design.r2/part.stl']", "part.stl"),
    (delete, "'REQUIRE 07_traceability.r2/record.pdf' did not find", "07_traceability.r2/record"),
    (
        delete_with_its_line_of_the_manifest,
        "'REQUIRE 07_traceability.r2/record.pdf' did not find",
        "07_traceability.r2/record.pdf is missing",
    ),
    (add, "['03_design.r2/other.stl']", "03_design.r2/other.stl was added"),
    (add_beside_the_stages, "['note.txt']", "note.txt was added"),
    (alter_the_order, "['order.yaml']", "order.yaml was altered"),
    (sign_by_another_key, "Step '03_design.r2' requires at least '1' links", "03_design.r2"),
    (sign_by_another_key_under_its_own_name, "Step '03_design.r2' requires", "03_design.r2"),
    (remove_a_link, "Step '03_design.r2' requires '1' link", "step 03_design.r2 has no link"),
    (replay_from_another_case, "['order.yaml']", "01_scan was signed for another order.yaml"),
    (replay_all_evidence, "'order.yaml'", "order.yaml was altered"),
    (
        swap_two_links,
        "'REQUIRE 03_design.r2/result.json' did not find",
        "link of step 03_design.r2",
    ),
    (sign_the_layout_by_another_key, "SignatureVerificationError", "evidence/root.layout"),
    (use_another_input, "['03_design.r2/part.stl']", "04_slicing.r2 was signed for another 03_"),
    (
        use_nothing,
        "'REQUIRE order.yaml' did not find",
        "04_slicing.r2 was signed for another order",
    ),
]


@pytest.mark.parametrize(
    ("attack", "in_toto_says", "labkit_says"),
    ATTACKS,
    ids=[attack.__name__ for attack, _, _ in ATTACKS],
)
def test_attacks_are_refused_and_named(
    released: Case, attack: Attack, in_toto_says: str, labkit_says: str
) -> None:
    attack(released.root)
    judged = stock_verify(released.root)
    assert judged.exit_code != 0
    assert in_toto_says in first_line(judged.errors)
    found = verify(released.root)
    assert not found.intact
    assert any(labkit_says in finding.message for finding in found.findings)


def test_the_step_of_a_replayed_link_is_named_too(released: Case) -> None:
    replay_from_another_case(released.root)
    judged = stock_verify(released.root)
    assert "Full trace for 'expected_materials' of item '01_scan'" in judged.errors


@pytest.mark.parametrize(
    ("attack", "name"),
    [
        (put_a_symbolic_link, "03_design.r2/part.stl"),
        (add_a_name_that_in_toto_skips, "03_design.r2/part.stl~"),
    ],
)
def test_what_in_toto_cannot_see_is_found_by_the_command(
    released: Case, attack: Attack, name: str
) -> None:
    attack(released.root)
    judged = stock_verify(released.root)
    assert judged.exit_code == 1
    assert "BadReturnValueError" in first_line(judged.errors)
    if Path("/proc/self/fd/2").exists():
        assert f"added, not signed:\n./{name}\n" in judged.errors
    assert [finding.path for finding in verify(released.root).findings] == [name]


def test_the_verifiers_key_decides_not_the_one_in_the_case(
    released: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "another lab"))
    keys().write_public(tmp_path)
    assert stock_verify(released.root, key=str(tmp_path / "qa.pub")).exit_code == 1


def test_a_released_case_can_be_sealed_again(released: Case) -> None:
    before = hashes_below(released.root, relative_to=released.root)
    release(released)
    after = hashes_below(released.root, relative_to=released.root)
    changed = {path for path in before | after if before.get(path) != after.get(path)}
    assert changed <= {"evidence/root.layout"}
    assert stock_verify(released.root).exit_code == 0


def test_an_altered_case_cannot_be_sealed_again(released: Case) -> None:
    current = released.root / "07_traceability.r2"
    for path in ("03_design.r2/part.stl", "07_traceability.r2/record.pdf"):
        good = (released.root / path).read_bytes()
        (released.root / path).write_bytes(b"better")
        with pytest.raises(EvidenceError, match=f"{path} was altered"):
            release(released)
        (released.root / path).write_bytes(good)
    (current / MANIFEST).unlink()
    with pytest.raises(EvidenceError, match=r"manifest\.sha256 is missing"):
        release(released)


def test_a_stage_added_after_the_release_counts_as_altered(released: Case) -> None:
    run_stages(released, ("06_inspection",))
    judged = stock_verify(released.root)
    assert judged.exit_code == 1
    assert "06_inspection.r3/result.json" in first_line(judged.errors)
    assert {finding.what for finding in verify(released.root).findings} == {"added"}
    with pytest.raises(EvidenceError, match=r"added after step 07_traceability\.r2 was"):
        release(released)
    run_stages(released, ("07_traceability",))
    release(released)
    assert stock_verify(released.root).exit_code == 0
    assert verify(released.root).intact


def test_a_superseded_folder_that_no_longer_holds_is_set_aside(case: Case) -> None:
    run_stages(case, STAGES[:3])
    (case.root / "03_design" / "part.stl").write_text("flipped before the repetition")
    run_stages(case, STAGES[2:])
    made = release(case)
    assert made.set_aside == ("03_design",)
    assert stock_verify(case.root).exit_code == 0
    assert verify(case.root).intact
    readme = Metadata.load(str(made.layout)).get_payload().readme
    assert "03_design is kept as it is now, not as evidence" in readme
    assert "PRACTICE KEYS" in readme

    (case.root / "03_design" / "part.stl").write_text("flipped once more")
    judged = stock_verify(case.root)
    assert judged.exit_code == 1
    assert "['03_design/part.stl']" in first_line(judged.errors)
    assert [f.path for f in verify(case.root).findings] == ["03_design/part.stl"]


def test_all_that_stood_on_a_folder_set_aside_is_set_aside(case: Case) -> None:
    run_stages(case, STAGES[:5])
    (case.root / "03_design" / "result.json").write_text("{}")
    run_stages(case, STAGES[2:])
    assert release(case).set_aside == ("03_design", "04_slicing", "05_printing")
    assert stock_verify(case.root).exit_code == 0
    assert verify(case.root).intact


def test_stages_that_are_missing_or_unsigned(case: Case) -> None:
    run_stages(case, STAGES[:5])
    with pytest.raises(CaseError, match="stage 06_inspection was not done"):
        release(case)
    do_stage(case, "06_inspection")
    run_stages(case, STAGES[6:])
    with pytest.raises(EvidenceError, match="step 06_inspection has no link"):
        release(case)
    assert not (case.evidence / "root.layout").exists()
    assert not (case.root / "07_traceability" / MANIFEST).exists()


def test_a_stage_made_from_an_older_revision(case: Case) -> None:
    run_stages(case, (*STAGES[:4], "03_design", *STAGES[4:]))
    with pytest.raises(CaseError, match="04_slicing was made from 03_design, and a newer"):
        release(case)


@pytest.mark.parametrize("name", ["notes.txt", ".DS_Store", "08_more"])
def test_what_belongs_to_no_stage(case: Case, name: str) -> None:
    run_stages(case, STAGES)
    (case.root / name).write_text("x")
    with pytest.raises(CaseError, match="belongs to no stage"):
        release(case)


def test_an_order_changed_before_the_release(case: Case) -> None:
    run_stages(case, STAGES)
    alter_the_order(case.root)
    with pytest.raises(EvidenceError, match=r"order\.yaml was altered"):
        release(Case(case.root))


def test_a_seal_that_was_cut_short_is_finished_by_the_next(case: Case) -> None:
    run_stages(case, STAGES)
    left = case.root / "07_traceability" / MANIFEST
    left.parent.mkdir()
    left.write_text("half a mani")
    release(case)
    assert stock_verify(case.root).exit_code == 0


def test_files_kept_in_evidence_are_no_products(case: Case) -> None:
    failed = case.evidence / "failed" / "03_design.ipynb"
    failed.parent.mkdir(parents=True)
    failed.write_text("{}")
    (case.evidence / "last").symlink_to(failed)
    run_stages(case, STAGES)
    release(case)
    assert stock_verify(case.root).exit_code == 0
    assert verify(case.root).intact


def test_two_cases_of_one_lab_stand_side_by_side(tmp_path: Path) -> None:
    for code in ("A", "B"):
        case = Case.create(tmp_path / code, an_order(code))
        sign_order(case)
        run_stages(case, STAGES)
        release(case)
    assert stock_verify(tmp_path / "A").exit_code == 0
    assert stock_verify(tmp_path / "B").exit_code == 0


def test_the_last_stage_is_not_signed_without_a_manifest(case: Case) -> None:
    run_stages(case, STAGES)
    with pytest.raises(ValueError, match="not a stage folder of this case to be signed"):
        sign_current(case, STAGES[-1])
