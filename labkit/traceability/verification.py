"""Whether a case is as it was signed, and if not, what was altered.

in-toto judges by its own rules, step by step as ``in-toto-verify`` does; only
the inspection's look at the folder is done here, because in-toto's would start
a program and depend on the working directory.  in-toto stops at the first
fault; the findings name them all.
"""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from in_toto import verifylib
from in_toto.exceptions import LayoutExpiredError, SignatureVerificationError
from in_toto.models.layout import Layout
from in_toto.models.link import Link
from in_toto.models.metadata import Metadata
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]

from labkit.case import STAGES
from labkit.errors import EvidenceError
from labkit.files import sha256_of
from labkit.traceability.evidence import (
    ORDER,
    ORDER_STEP,
    RELEASE_STAGE,
    UNREADABLE,
    Difference,
    SignedStep,
    differences,
    folder_of,
    key_as_in_toto,
    link_path,
    sentence,
    signed_step,
)
from labkit.traceability.keys import OPERATOR, QA, own_public_key, public_key
from labkit.traceability.release import INSPECTION, LAYOUT, MANIFEST

SYMBOLIC_LINK = "symbolic link"
"""Stands for the hash of a link: it equals none, so a link always counts as altered."""

_LINK_NAME = re.compile(r"(.+)\.[0-9a-f]{8}\.link")
_STAGE_FOLDER = re.compile("(?:" + "|".join(STAGES) + r")(?:\.r\d+)?")


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it was signed.

    ``path`` is from the case folder; ``step`` is the signed step it belongs to,
    empty where there is none.
    """

    what: Difference | Literal["unsigned", "signature", "materials", "layout"]
    path: str
    step: str
    message: str


@dataclass(frozen=True)
class Verification:
    """What became of a case since it was signed."""

    case: str
    released: bool
    practice: bool
    steps: tuple[str, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def intact(self) -> bool:
        """Nothing was altered, removed or added, and every signature is good."""
        return not self.findings

    def require_intact(self) -> None:
        """Raise what was found.

        Raises
        ------
        EvidenceError
            The case is not as it was signed; every finding is named.
        """
        if self.findings:
            raise EvidenceError(
                "; ".join(finding.message for finding in self.findings),
                expected="every file as it was signed, and every signature good",
                where=self.case,
                fix="restore the files named from a copy, or run the stages named again",
            )

    def as_dict(self) -> dict[str, Any]:
        """The verification as plain JSON values."""
        return {"intact": self.intact, **asdict(self)}


def verify(case_root: str | Path, *, qa_key: Path | None = None) -> Verification:
    """What in a case folder is not as it was signed; needs no network and no program.

    A released case is judged by its layout, an unreleased one link by link.

    Parameters
    ----------
    case_root : the case folder.
    qa_key : public key (PEM) of the lab that released the case.  Without it this
        lab's own key; in a lab without keys the one that came with the case,
        which is then said in ``notes``.

    Raises
    ------
    EvidenceError
        Nothing in the folder is signed, or ``qa_key`` is not a key.
    """
    root = Path(case_root).expanduser().absolute()
    evidence = root / "evidence"
    linked = {match[1] for path in evidence.glob("*.link") if (match := _link_name(path))}
    if not linked:
        raise EvidenceError(
            "nothing here is signed",
            expected="a case with links in its folder evidence",
            where=str(root),
            fix="name a case folder, or run its first stage",
        )
    notes: list[str] = []
    found = dict(_on_disk(root))
    released = (evidence / LAYOUT).exists()
    if released:
        findings, steps = _judge_release(root, found, _trusted(root, QA, qa_key, notes))
    else:
        findings, steps = _judge_links(root, found, linked, _trusted(root, OPERATOR, None, notes))
    return Verification(
        case=root.name,
        released=released,
        practice=any(step.environment.get("keys") == "practice" for step in steps.values()),
        steps=tuple(steps),
        findings=tuple(findings),
        notes=tuple(notes),
    )


def _link_name(path: Path) -> re.Match[str] | None:
    return _LINK_NAME.fullmatch(path.name)


def _on_disk(root: Path) -> Iterator[tuple[str, str]]:
    """Path and hash of every file of the case outside ``evidence/``."""
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if folder_of(name) in ("evidence", f"{INSPECTION}.link"):
            continue
        if path.is_symlink():
            yield name, SYMBOLIC_LINK
        elif path.is_file():
            yield name, sha256_of(path)


def _trusted(root: Path, role: str, given: Path | None, notes: list[str]) -> SSlibKey:
    """The key to judge by: the one given, this lab's own, or the one that came with the case."""
    if given is not None:
        return public_key(given)
    own = own_public_key(role)
    if own is None:
        notes.append(
            f"judged by the {role} key that came with the case: this shows that the files fit "
            "together, not which lab signed them"
        )
        return public_key(root / "evidence" / f"{role}.pub")
    return own


def _judge_release(
    root: Path, found: Mapping[str, str], key: SSlibKey
) -> tuple[list[Finding], dict[str, SignedStep]]:
    path = f"evidence/{LAYOUT}"
    try:
        metadata = Metadata.load(str(root / path))
        metadata.verify_signature(key_as_in_toto(key))
        layout = metadata.get_payload()
        if not isinstance(layout, Layout):
            raise ValueError("not a layout")
    except SignatureVerificationError:
        message = (
            f"{path} is not signed by the key {key.keyid[:8]} of this lab's release; "
            "for a case of another lab give that lab's public key"
        )
        return [Finding("layout", path, "", message)], {}
    except UNREADABLE:
        return [Finding("layout", path, "", f"{path} is damaged")], {}

    names = [rules.name for rules in layout.steps]
    keys = {rules.name: _authorised(layout, rules.pubkeys[0]) for rules in layout.steps}
    findings, steps = _read_links(root, keys)
    signed = _signed_files(steps)
    unread = set(names) - steps.keys()
    if (release := steps.get(names[-1])) is not None:
        unread.clear()
        for name, digest in release.materials.items():
            signed.setdefault(name, (digest, release.name))
        findings += _manifest(root, release, signed)
    findings += _compare(signed, found, unread=unread)
    findings += _compare_materials(steps)
    if not findings:
        findings += _in_toto_says(root, layout, found)
    return findings, steps


def _judge_links(
    root: Path, found: Mapping[str, str], linked: set[str], key: SSlibKey
) -> tuple[list[Finding], dict[str, SignedStep]]:
    found = {path: digest for path, digest in found.items() if folder_of(path) != ".staging"}
    folders = {name for path in found if _STAGE_FOLDER.fullmatch(name := folder_of(path))}
    findings, steps = _read_links(root, dict.fromkeys(sorted(linked | {ORDER_STEP}), key))
    unsigned = sorted(folders - linked)
    findings += [
        Finding("unsigned", name, name, f"{name} was never signed, or its link is gone")
        for name in unsigned
    ]
    if any(name.partition(".r")[0] == RELEASE_STAGE for name in linked):
        path = f"evidence/{LAYOUT}"
        findings.append(
            Finding("missing", path, "", f"{path} is missing: the case was released once")
        )
    unread = (linked - steps.keys()) | set(unsigned)
    findings += _compare(_signed_files(steps), found, unread=unread)
    findings += _compare_materials(steps)
    return findings, steps


def _authorised(layout: Layout, key_id: str) -> SSlibKey:
    return SSlibKey.from_dict(key_id, deepcopy(layout.keys[key_id]))


def _read_links(
    root: Path, keys: Mapping[str, SSlibKey]
) -> tuple[list[Finding], dict[str, SignedStep]]:
    findings: list[Finding] = []
    steps: dict[str, SignedStep] = {}
    for name, key in keys.items():
        try:
            steps[name] = signed_step(root, name, key)
        except EvidenceError as error:
            path = link_path(root, name, key).relative_to(root).as_posix()
            findings.append(Finding("signature", path, name, error.found))
    return findings, steps


def _signed_files(steps: Mapping[str, SignedStep]) -> dict[str, tuple[str, str]]:
    """``{path: (sha256, step)}`` of every file that a step left."""
    return {
        path: (digest, step.name)
        for step in steps.values()
        for path, digest in step.products.items()
    }


def _compare(
    signed: Mapping[str, tuple[str, str]], found: Mapping[str, str], *, unread: set[str]
) -> list[Finding]:
    """What differs on disk; folders whose link cannot be read are left out."""
    unread = {ORDER if name == ORDER_STEP else name for name in unread}
    hashes = {path: digest for path, (digest, _) in signed.items()}
    findings: list[Finding] = []
    for what, path in differences(hashes, found):
        if folder_of(path) not in unread:
            known = {step for _, step in signed.values()}
            step = signed[path][1] if path in signed else folder_of(path)
            step = step if step in known else ""
            findings.append(Finding(what, path, step, sentence(what, path, step)))
    return findings


def _compare_materials(steps: Mapping[str, SignedStep]) -> list[Finding]:
    """Where a step used something else than the step it came from left."""
    findings: list[Finding] = []
    for step in steps.values():
        if step.name == ORDER_STEP:
            continue
        for path, digest in {ORDER: "", **step.materials}.items():
            source = steps.get(ORDER_STEP if path == ORDER else folder_of(path))
            if source is not None and source.products.get(path) != digest:
                message = f"step {step.name} was signed for another {path} than the case holds"
                findings.append(Finding("materials", path, step.name, message))
    return findings


def _manifest(
    root: Path, release: SignedStep, signed: Mapping[str, tuple[str, str]]
) -> list[Finding]:
    """Whether the manifest, if it is as signed, lists what the links list."""
    name = f"{release.name}/{MANIFEST}"
    path = root / name
    if not path.is_file() or sha256_of(path) != release.products.get(name):
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    listed = {line[66:]: line[:64] for line in lines}
    hashes = {file: digest for file, (digest, _) in signed.items() if file != name}
    return [
        Finding("layout", name, release.name, f"{name} does not agree with the links on {file}")
        for _, file in differences(hashes, listed)
    ]


def _in_toto_says(root: Path, layout: Layout, found: Mapping[str, str]) -> list[Finding]:
    """in-toto's own judgement, its inspection fed with the hashes found on disk."""
    path = f"evidence/{LAYOUT}"
    try:
        verifylib.verify_layout_expiration(layout)
        metadata = verifylib.load_links_for_layout(layout, str(root / "evidence"))
        metadata = verifylib.verify_link_signature_thresholds(layout, metadata)
        links = {
            step: {key_id: signed.get_payload() for key_id, signed in by_key.items()}
            for step, by_key in metadata.items()
        }
        verifylib.verify_threshold_constraints(layout, links)
        reduced = verifylib.reduce_chain_links(links)
        verifylib.verify_all_item_rules(layout.steps, reduced)
        seen = {name: {"sha256": digest} for name, digest in found.items()}
        looks = {look.name: Link(name=look.name, products=seen) for look in layout.inspect}
        verifylib.verify_all_item_rules(layout.inspect, {**reduced, **looks})
    except LayoutExpiredError:
        return [Finding("layout", path, "", f"{path} expired on {layout.expires}")]
    except UNREADABLE as error:
        said = str(error).partition("\n")[0]
        return [Finding("layout", path, "", f"in-toto refuses the case: {said}")]
    return []
