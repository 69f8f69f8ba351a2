"""A case through its stages: each a notebook, run headless, published whole and signed.

A stage *holds* while its signature fits what is on disk and its notebook, decisions
and inputs are still those it was made with.  What holds is not run again.
"""

import contextlib
import difflib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import filelock
import nbformat
import yaml

from labkit.case import STAGES, Case, Result, Verdict, now, read_result
from labkit.errors import CaseError, EvidenceError, InputError, LabkitError
from labkit.files import content_digest, sha256_of, storage_errors, write_whole
from labkit.parameters import MODELS, StageParameters, is_path, validated
from labkit.procedures.engine import run_notebook
from labkit.procedures.notebooks import notebook_of, source_hash
from labkit.stage import RUN_VARIABLE
from labkit.traceability.evidence import sign_order, sign_stage, why_not
from labkit.traceability.procedure import Procedure
from labkit.traceability.release import seal

TIME_LIMIT_S = 7 * 24 * 3600.0
"""No notebook takes longer: watching a print is the longest, and has its own alarm."""

Overrides = Mapping[str, Mapping[str, object]]
"""``{stage: {parameter: value}}``."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """How one stage came out of a run."""

    stage: str
    folder: str
    verdict: Verdict
    ran: bool
    seconds: float
    why: str


def run_case(
    root: Path,
    procedure: Procedure,
    *,
    stages: Sequence[str] | None = None,
    overrides: Overrides | None = None,
    say: Say = lambda _: None,
) -> list[Outcome]:
    """Run what does not hold, in order; one outcome per stage that was looked at.

    Ends early at a stage whose verdict is *fail* or *not done*; only an inspection
    that failed goes on, since a part out of tolerance needs its record all the more.

    Raises
    ------
    CaseError
        Not a case, or another run is at work on it.
    InputError
        The procedure is no longer valid.
    LabkitError
        Whatever a stage raised; the notebook that failed is kept below ``evidence``.
    """
    case = Case(root)
    overrides = overrides or {}
    _check_valid(procedure)
    for stage in overrides:
        validated(stage, overrides[stage])
    outcomes: list[Outcome] = []
    with _alone(case):
        sign_order(case)
        for stage in STAGES:
            if stages is not None and stage not in stages:
                continue
            outcomes.append(_run_or_keep(case, stage, overrides.get(stage, {}), procedure, say))
            if outcomes[-1].verdict in ("fail", "not done") and stage != "06_inspection":
                break
    return outcomes


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """0 when every verdict is *pass* or *action*, else 1."""
    return int(any(outcome.verdict in ("fail", "not done") for outcome in outcomes))


def stage_named(words: str) -> str:
    """The stage that is meant by ``02_segmentation``, ``segmentation`` or ``02``.

    Raises
    ------
    InputError
        None is.
    """
    for stage in STAGES:
        number, _, name = stage.partition("_")
        if words in (stage, name, number):
            return stage
    nearest = difflib.get_close_matches(words, STAGES, n=1, cutoff=0.0)[0]
    raise InputError(
        f"no stage {words!r}",
        expected="one of " + ", ".join(STAGES),
        where="the command line",
        fix=f"the nearest name is {nearest}",
    )


def status(case: Case) -> list[dict[str, object]]:
    """One row per stage: folder, state, verdict, when, who, and what is next."""
    rows: list[dict[str, object]] = []
    for stage in STAGES:
        folder = case.current(stage)
        row: dict[str, object] = {"stage": stage, "state": "to do", "verdict": ""}
        if folder is not None:
            result = read_result(folder)
            row |= {
                "folder": folder.name,
                "state": _state(case, stage, folder, result),
                "verdict": result.verdict,
                "finished": result.finished,
                "operator": result.operator,
            }
        rows.append(row)
    return rows


def overview(cases: Path) -> list[dict[str, object]]:
    """One row per case folder below ``cases``: what it is, how far, and what is next."""
    rows: list[dict[str, object]] = []
    for order in sorted(cases.glob("*/order.yaml")):
        try:
            case = Case(order.parent)
            stages = status(case)
        except CaseError as error:
            rows.append({"case": order.parent.name, "next": error.found, "done": 0})
            continue
        held = [row for row in stages if row["state"] == "holds"]
        rows.append(
            {
                "case": case.order.case,
                "anatomy": case.order.anatomy,
                "side": case.order.laterality,
                "done": f"{len(held)} of {len(STAGES)}",
                "next": next((row["stage"] for row in stages if row["state"] != "holds"), ""),
                "verdict": ", ".join({str(row["verdict"]) for row in held} - {"pass"}) or "pass",
            }
        )
    return rows


def _state(case: Case, stage: str, folder: Path, result: Result) -> str:
    if not _signed(case, folder):
        return "not signed"
    try:
        return _outdated(case, stage, folder, result, _request(case, stage, {})) or "holds"
    except EvidenceError as error:
        return f"ALTERED: {error.found}"


def _run_or_keep(
    case: Case, stage: str, override: Mapping[str, object], procedure: Procedure, say: Say
) -> Outcome:
    began = time.monotonic()
    request = _request(case, stage, override)
    folder = case.current(stage)
    why = "not done yet"
    if folder is not None and not _signed(case, folder):
        _set_aside(case, folder)
        why = "made by hand or cut off before it was signed: run again from its decisions"
    elif folder is not None:
        result = read_result(folder)
        why = _outdated(case, stage, folder, result, request)
        if not why:
            say(f"{stage}: holds ({result.verdict})")
            return Outcome(stage, folder.name, result.verdict, False, 0.0, "holds")
    say(f"{stage}: {why}")
    folder = _run(case, stage, request, say)
    result = read_result(folder)
    command = ["labkit", "run", stage]
    environment = {**result.tools, "notebook": result.notebook["sha256"]}
    if stage == STAGES[-1]:
        seal(case, procedure, command=command, environment=environment)
    else:
        sign_stage(case, folder, inputs=result.inputs, command=command, environment=environment)
    seconds = time.monotonic() - began
    say(f"{stage}: {result.verdict}, {seconds:.1f} s")
    return Outcome(stage, folder.name, result.verdict, True, seconds, why)


def _request(case: Case, stage: str, override: Mapping[str, object]) -> dict[str, object]:
    """The decisions of the newest revision, with those named now put over them."""
    folder = case.current(stage)
    earlier: object = None
    if folder is not None and (folder / "parameters.yaml").is_file():
        earlier = yaml.safe_load((folder / "parameters.yaml").read_text(encoding="utf-8"))
    known = MODELS[stage].model_fields
    kept = (
        {name: value for name, value in earlier.items() if name in known}
        if isinstance(earlier, dict)
        else {}
    )
    return {**kept, **override}


def _split(stage: str, request: Mapping[str, object]) -> tuple[StageParameters, dict[str, str]]:
    """The decisions, validated, and the places named with them."""
    fields = MODELS[stage].model_fields
    places = {
        name: str(Path(str(value)).expanduser().absolute())
        for name, value in request.items()
        if is_path(fields[name]) and value
    }
    decided = {name: value for name, value in request.items() if not is_path(fields[name])}
    return validated(stage, decided), places


def _outdated(
    case: Case, stage: str, folder: Path, result: Result, request: Mapping[str, object]
) -> str:
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
    if result.notebook["sha256"] != source_hash(notebook_of(stage)):
        return "its notebook has changed"
    parameters, places = _split(stage, request)
    for name, value in parameters.decided().items():
        if result.parameters.get(name) != value:
            return f"{name} is now {value!r}, it was {result.parameters.get(name)!r}"
    for path, digest in result.inputs.items():
        used, _, product = path.rpartition("/")
        newest = case.current(used.partition(".r")[0]) if used else case.root
        if newest is None or newest.name != used != "":
            return f"{used} has a newer revision"
        if sha256_of(newest / product) != digest:
            return f"{path} has changed"
    sources = result.details.get("sources", {})
    for name, place in places.items():
        if Path(place).exists() and content_digest(Path(place)) != sources.get(name):
            return f"another {name} is given"
    return ""


def _run(case: Case, stage: str, request: Mapping[str, object], say: Say) -> Path:
    """Run a stage's notebook in a folder of its own and publish that; the new folder."""
    parameters, places = _split(stage, request)
    source = notebook_of(stage)
    in_work = case.stage_in_work(stage)
    executed = in_work / "notebook.ipynb"
    told = {
        "case": str(case.root),
        "folder": str(in_work),
        "paths": places,
        "notebook_sha256": source_hash(source),
    }
    try:
        run_notebook(
            source,
            executed,
            parameters.decided(),
            folder=in_work,
            environment={RUN_VARIABLE: json.dumps(told)},
            timeout_s=TIME_LIMIT_S,
            on_cell=lambda number, total, title: say(f"{stage}: {number}/{total} {title}"),
        )
        read_result(in_work)
        _forget_paths(executed)
        return case.publish(in_work, stage)
    except LabkitError:
        _keep_failed(case, stage, executed)
        raise
    finally:
        case.discard(in_work)


def _forget_paths(executed: Path) -> None:
    """Take this machine's paths out of the executed notebook."""
    notebook = nbformat.read(executed, as_version=4)
    for name in ("input_path", "output_path"):
        notebook.metadata.get("papermill", {}).pop(name, None)
    write_whole(executed, nbformat.writes(notebook) + "\n")


def _keep_failed(case: Case, stage: str, executed: Path) -> None:
    if executed.is_file():
        kept = case.evidence / "failed" / f"{stage}-{now().replace(':', '')}.ipynb"
        with contextlib.suppress(LabkitError, OSError):  # a full disk: the first error counts
            _forget_paths(executed)
            kept.parent.mkdir(parents=True, exist_ok=True)
            executed.replace(kept)


def _set_aside(case: Case, folder: Path) -> None:
    """Move an unsigned revision out of the way of the signed ones; nothing is lost."""
    aside = case.evidence / "unsigned" / f"{folder.name}-{now().replace(':', '')}"
    with storage_errors(aside):
        aside.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(aside)


def _signed(case: Case, folder: Path) -> bool:
    return any(case.evidence.glob(f"{folder.name}.????????.link"))


def _check_valid(procedure: Procedure) -> None:
    if procedure.valid_until < datetime.now(UTC).date():
        raise InputError(
            f"procedure {procedure.name} was valid until {procedure.valid_until}",
            expected="a procedure in force",
            where="procedure",
            fix="have it reviewed and extended before the next case",
        )


@contextmanager
def _alone(case: Case) -> Iterator[None]:
    lock = filelock.FileLock(case.evidence / "run.lock")
    with storage_errors(case.evidence):
        case.evidence.mkdir(exist_ok=True)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise CaseError(
            "another run is at work on this case",
            expected="one run at a time",
            where=str(case.root),
            fix="wait for it to end; `labkit status` shows how far it is",
        ) from error
    try:
        yield
    finally:
        lock.release()
