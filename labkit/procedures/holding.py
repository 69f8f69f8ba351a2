"""Whether a stage holds: signed, as it was signed, and made from what is there now.

A stage *holds* while its signature fits what is on disk and its notebook, decisions,
profiles and inputs are still those it was made with.  What holds is not run again.
"""

import contextlib
from collections.abc import Mapping
from pathlib import Path

import filelock

from labkit import accepted, equipment
from labkit.case import STAGES, Case, read_result
from labkit.errors import CaseError, EvidenceError, LabkitError
from labkit.files import content_digest, sha256_of
from labkit.parameters import StageParameters, is_path, model_of, validated
from labkit.procedures.failures import last_failure
from labkit.procedures.notebooks import notebook_of, source_hash
from labkit.protocols import protocol_named
from labkit.traceability.evidence import why_not
from labkit.traceability.release import LAYOUT


def status(case: Case) -> list[dict[str, object]]:
    """One row per stage: folder, state, verdict, when, who, and why it failed since."""
    rows: list[dict[str, object]] = []
    running = _is_running(case)
    for stage in STAGES:
        folder = case.current(stage)
        row: dict[str, object] = {"stage": stage, "state": "to do", "verdict": ""}
        if folder is not None:
            row |= {"folder": folder.name, "state": state_of(case, stage, folder)}
            with contextlib.suppress(CaseError):
                result = read_result(folder)
                row |= {"verdict": result.verdict, "finished": result.finished}
                row |= {"operator": result.operator}
        if failure := last_failure(case, stage):
            row["failure"] = failure
        if accepted.kept(case, stage):
            row["state"] = "decided by hand, not run yet"
        progress = _progress(case, stage) if running else ""
        if progress:
            row["state"] = f"running: {progress}"
        rows.append(row)
    return rows


def at_work(case: Case) -> str:
    """What a run does on a case at the moment: ``02_segmentation 3/12 The mask``; "" for none."""
    if not _is_running(case):
        return ""
    told = [f"{stage} {said}" for stage in STAGES if (said := _progress(case, stage))]
    return told[-1] if told else "it begins"


def _progress(case: Case, stage: str) -> str:
    try:
        path = case.root / ".staging" / f"{stage}.progress"
        return path.read_text(encoding="utf-8")
    except OSError:  # none, or it ended just now
        return ""


def state_of(case: Case, stage: str, folder: Path) -> str:
    """``holds``, or in words why a stage's folder does not."""
    if not is_signed(case, folder):
        return "not signed"
    try:
        return outdated(case, stage, folder, {}) or "holds"
    except EvidenceError as error:
        return f"NOT AS SIGNED HERE: {error.found}"


def is_signed(case: Case, folder: Path) -> bool:
    """Whether there is a link for a folder, whoever signed it."""
    return any(case.evidence.glob(f"{folder.name}.????????.link"))


def outdated(case: Case, stage: str, folder: Path, override: Mapping[str, object]) -> str:
    """Why a signed stage no longer holds; empty when it does.

    Raises
    ------
    EvidenceError
        What is on disk is not what was signed: that is for a person to look at.
    """
    if altered := why_not(case, folder):
        raise EvidenceError(
            altered,
            expected="the folder as it was signed",
            where=str(folder),
            fix="restore it from a copy; `labkit verify` shows all that was altered",
        )
    result = read_result(folder)
    if stage == STAGES[-1] and not (case.evidence / LAYOUT).is_file():
        return "the case was not sealed"
    if result.notebook["sha256"] != source_hash(notebook_of(stage)):
        return "its notebook has changed"
    parameters, places = split(stage, request_for(stage, folder, override))
    for name, value in parameters.decided().items():
        if name != "operator" and result.parameters.get(name) != value:
            return f"{name} is now {value!r}, it was {result.parameters.get(name)!r}"
    for path, digest in result.inputs.items():
        used, _, product = path.rpartition("/")
        newest = case.current(used.partition(".r")[0]) if used else case.root
        if newest is None or newest.name != used != "":
            return f"{used} has a newer revision"
        if not (newest / product).is_file() or sha256_of(newest / product) != digest:
            return f"{path} has changed"
    for profile, digest in result.details.get("profiles", {}).items():
        if digest not in _profile_hashes(profile):
            return f"the profile {profile} has changed"
    sources = result.details.get("sources", {})
    for name, place in places.items():
        if content_digest(Path(place)) != sources.get(name):
            return f"another {name} is given"
    return ""


def request_for(stage: str, folder: Path, override: Mapping[str, object]) -> dict[str, object]:
    """The decisions of a revision, with those named now put over them.

    The operator is not a decision: it is whoever runs the stage now.

    Raises
    ------
    CaseError
        Those of the revision cannot be read.
    """
    kept = accepted.decided_in(folder)
    known = set(model_of(stage, {**kept, **override}).model_fields) - {"operator"}
    return {**{name: value for name, value in kept.items() if name in known}, **override}


def split(stage: str, request: Mapping[str, object]) -> tuple[StageParameters, dict[str, str]]:
    """The decisions, validated, and the places named with them."""
    fields = model_of(stage, request).model_fields
    places = {
        name: str(place_of(value))
        for name, value in request.items()
        if is_path(fields[name]) and value
    }
    decided = {name: value for name, value in request.items() if not is_path(fields[name])}
    return validated(stage, decided), places


def place_of(value: object) -> Path:
    """The place that a path parameter names, in full."""
    return Path(str(value)).expanduser().absolute()


def _profile_hashes(name: str) -> set[str]:
    """The hashes of all profiles of that name, of whatever kind, as they are now."""
    found = set()
    for kind in (equipment.printer, equipment.material, equipment.quality, protocol_named):
        with contextlib.suppress(LabkitError):
            found.add(kind(name).sha256)
    return found


def run_lock(case: Case) -> filelock.BaseFileLock:
    """The lock that a run holds on a case; taking it never waits."""
    return filelock.FileLock(case.evidence / "run.lock", timeout=0)


def _is_running(case: Case) -> bool:
    try:
        with run_lock(case):
            return False
    except filelock.Timeout:
        return True
    except OSError:  # a case that this user may only read
        return False
