"""A case through its stages: each a notebook, run headless, published whole and signed."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import filelock
import nbformat

from labkit import accepted
from labkit.case import STAGES, Acceptance, Case, Result, Verdict, now, read_result
from labkit.errors import CaseError, InputError, LabkitError
from labkit.files import storage_errors, write_whole
from labkit.pacs.sources import fetched, is_pacs
from labkit.parameters import MODELS, Design, is_path, kept_as, model_of, validated
from labkit.procedures.durations import CellTimes, rest
from labkit.procedures.engine import run_notebook
from labkit.procedures.failures import place_of_failed
from labkit.procedures.holding import (
    is_signed,
    outdated,
    place_of,
    request_for,
    run_lock,
    split,
    state_of,
)
from labkit.procedures.notebooks import notebook_of, source_hash
from labkit.procedures.repeats import in_words, repeated
from labkit.stage import RUN_VARIABLE
from labkit.terminal import steps
from labkit.traceability.evidence import sign_order, sign_stage
from labkit.traceability.procedure import Procedure
from labkit.traceability.release import seal
from labkit.views.case_page import page_written

TIME_LIMIT_S = 7 * 24 * 3600.0
"""No notebook takes longer: watching a print is the longest, and has its own alarm."""

FOLLOW_S = 3.0
"""How often the progress of a long step is looked at."""

NOT_ACCEPTED: tuple[Verdict, ...] = ("fail", "not done")
"""The verdicts that nothing is built on; *action* is worth a look and goes on."""

_ACCEPTED = "accepted by hand: run with those decisions"
_BY_HAND = "made by hand or cut off before it was signed: run again from its decisions"

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

    Ends early at a stage whose verdict is *fail* or *not done*; only from inspection it
    goes on, since a part out of tolerance needs its record all the more.

    Raises
    ------
    CaseError
        Not a case, another run is at work on it, or a stage before those asked for does
        not hold.
    InputError
        The procedure is no longer valid.
    LabkitError
        Whatever a stage raised; the notebook that failed is kept below ``evidence``.
    """
    case = Case(root)
    overrides = dict(overrides or {})
    overrides[Design.stage] = {"device": case.order.device, **overrides.get(Design.stage, {})}
    _check_valid(procedure)
    for stage, values in overrides.items():
        validated(stage, values)
        _check_places(stage, values)
    outcomes: list[Outcome] = []
    with _alone(case):
        sign_order(case)
        for stage in STAGES:
            if stages is not None and stage not in stages:
                if any(STAGES.index(asked) > STAGES.index(stage) for asked in stages):
                    _require_good(case, stage)
                continue
            with _places_here(stage, overrides.get(stage, {}), say) as override:
                outcomes.append(_run_or_keep(case, stage, override, procedure, say))
            if outcomes[-1].verdict in NOT_ACCEPTED and stage != "06_inspection":
                break
            to_come = [name for name in stages or STAGES if name > stage]
            if outcomes[-1].ran and (left := rest(to_come)):
                say(left)
    return outcomes


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """0 when every verdict is *pass* or *action*, else 1."""
    return int(any(outcome.verdict in NOT_ACCEPTED for outcome in outcomes))


def _require_good(case: Case, stage: str) -> None:
    """See that a stage that is not to be run now is one to build on."""
    folder = case.current(stage)
    state = "to do" if folder is None else state_of(case, stage, folder)
    verdict = "" if folder is None or state != "holds" else read_result(folder).verdict
    if state != "holds" or (verdict in NOT_ACCEPTED and stage != "06_inspection"):
        raise CaseError(
            f"{stage}: {verdict or state}",
            expected="every stage before the one asked for to hold, with a good verdict",
            where=case.root.name,
            fix=f"run it first, or name no stage: labkit run {case.root.name}",
        )


@contextmanager
def _places_here(
    stage: str, override: Mapping[str, object], say: Say
) -> Iterator[Mapping[str, object]]:
    """The decisions with a study of a PACS fetched, for as long as the stage is at work."""
    source = str(override.get("source", ""))
    if not is_pacs(source):
        yield override
        return
    with fetched(source, steps(f"{stage}: fetched", say)) as folder:
        yield {**override, "source": str(folder)}


def _check_places(stage: str, values: Mapping[str, object]) -> None:
    fields = model_of(stage, values).model_fields
    for name, value in values.items():
        if name == "source" and is_pacs(str(value)):
            continue
        if is_path(fields[name]) and value and not place_of(value).exists():
            raise InputError(
                f"the {name} that is named does not exist",
                expected="an existing file or folder",
                where=f"{stage}, {name}",
                fix="check the path",
            )


def _run_or_keep(
    case: Case, stage: str, override: Mapping[str, object], procedure: Procedure, say: Say
) -> Outcome:
    began = time.monotonic()
    folder = case.current(stage)
    given = accepted.kept(case, stage)
    unsigned = folder is not None and not is_signed(case, folder)
    aside = _set_aside(case, folder) if folder is not None and unsigned else None
    why, request = "first run", dict(override)
    if by_hand := given or aside:
        why = _ACCEPTED if given else _BY_HAND
        request = request_for(stage, by_hand, override)
        request = _kept_places(stage, request, by_hand) | request
    acceptance = accepted.acceptance_in(given) if given else None
    if acceptance is not None:
        request.setdefault("operator", acceptance.by)
    if folder is not None and not unsigned:
        why = outdated(case, stage, folder, request)
        if not why:
            verdict = read_result(folder).verdict
            say(f"{stage}: holds ({verdict})")
            if given:
                accepted.forget(given)
            return Outcome(stage, folder.name, verdict, False, 0.0, "holds")
        request = request_for(stage, folder, request)
    say(f"{stage}: {why}")
    folder = _run(case, stage, request, say, acceptance)
    result = read_result(folder)
    command = ["labkit", "run", stage]
    environment = {**result.tools, "notebook": result.notebook["sha256"]}
    if stage == STAGES[-1]:
        seal(case, procedure, command=command, environment=environment)
        say(f"{stage}: {page_written(case)}")
    else:
        sign_stage(case, folder, inputs=result.inputs, command=command, environment=environment)
    if given:
        accepted.forget(given)
    seconds = time.monotonic() - began
    if aside is not None:
        say(f"{stage}: {in_words(repeated(aside, folder))}")
    _say_what_matters(result, say)
    say(f"{stage}: {result.verdict}, {seconds:.1f} s")
    return Outcome(stage, folder.name, result.verdict, True, seconds, why)


def _say_what_matters(result: Result, say: Say) -> None:
    for check in result.checks:
        if check.verdict != "pass":
            value = f"{check.value} {check.unit}".strip()
            say(f"  {check.verdict}: {check.name}: {value} (limit: {check.limit})")
    for text in result.warnings if result.stage != STAGES[-1] else []:
        say(f"  note: {text}")
    for caveat in result.caveats:
        if caveat.stage == result.stage:
            say(f"  caveat for all that follows: {caveat.text}")


def _run(
    case: Case,
    stage: str,
    request: Mapping[str, object],
    say: Say,
    acceptance: Acceptance | None,
) -> Path:
    """Run a stage's notebook in a folder of its own and publish that; the new folder."""
    parameters, places = split(stage, request)
    source = notebook_of(stage)
    in_work = case.stage_in_work(stage)
    progress = in_work.with_suffix(".progress")
    executed = in_work / "notebook.ipynb"
    told = {
        "case": str(case.root),
        "folder": str(in_work),
        "paths": places,
        "progress": str(progress),
        "notebook_sha256": source_hash(source),
        "accepted": acceptance and acceptance.model_dump(),
    }

    times = CellTimes(stage)

    def on_cell(number: int, total: int, title: str, cells: Sequence[str]) -> None:
        progress.write_text(f"{number}/{total} {title}", encoding="utf-8")
        say(f"{stage}: {number}/{total} {title}{times.begins(cells)}")

    try:
        with _followed(progress, lambda text: say(f"{stage}: {text}")):
            run_notebook(
                source,
                executed,
                parameters.decided(),
                folder=in_work,
                environment={RUN_VARIABLE: json.dumps(told)},
                timeout_s=TIME_LIMIT_S,
                family=type(parameters).model_fields.keys() - MODELS[stage].model_fields.keys(),
                on_cell=on_cell,
            )
        times.keep()
        read_result(in_work)
        _forget_paths(executed)
        return case.publish(in_work, stage)
    except LabkitError:
        _keep_failed(case, stage, executed)
        raise
    finally:
        progress.unlink(missing_ok=True)
        case.discard(in_work)


@contextmanager
def _followed(progress: Path, say: Say) -> Iterator[None]:
    """Say what a long step writes into ``progress``, every few seconds."""
    ended = threading.Event()

    def follow() -> None:
        said = ""
        while not ended.wait(FOLLOW_S):
            with contextlib.suppress(OSError):
                text = progress.read_text(encoding="utf-8")
                if text != said and not text[:1].isdigit():  # cells are said when they begin
                    say(text)
                said = text

    follower = threading.Thread(target=follow, daemon=True)
    follower.start()
    try:
        yield
    finally:
        ended.set()
        follower.join()


def _forget_paths(executed: Path) -> None:
    """Take this machine's paths out of an executed notebook in ``.staging``."""
    notebook = nbformat.read(executed, as_version=4)
    for name in ("input_path", "output_path"):
        notebook.metadata.get("papermill", {}).pop(name, None)
    root = str(executed.parents[2])
    write_whole(executed, nbformat.writes(notebook).replace(root, "<case>") + "\n")


def _keep_failed(case: Case, stage: str, executed: Path) -> None:
    if executed.is_file():
        kept = place_of_failed(case, stage)
        with contextlib.suppress(LabkitError, OSError):  # a full disk: the first error counts
            _forget_paths(executed)
            kept.parent.mkdir(parents=True, exist_ok=True)
            executed.replace(kept)


def _kept_places(stage: str, request: Mapping[str, object], aside: Path) -> dict[str, object]:
    """What a person made by hand in a stage, as the path parameters that name it."""
    names = {name: kept_as(field) for name, field in model_of(stage, request).model_fields.items()}
    return {
        name: str(aside / kept) for name, kept in names.items() if kept and (aside / kept).is_file()
    }


def _set_aside(case: Case, folder: Path) -> Path:
    """Move an unsigned revision out of the way of the signed ones; where it is now."""
    aside = case.evidence / "unsigned" / f"{folder.name}-{now().replace(':', '')}"
    with storage_errors(aside):
        aside.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(aside)
    return aside


def _put_back(case: Case) -> None:
    """Put back what was set aside for a run that did not come to its end.

    Otherwise the next run would know nothing of what a person decided and drew.
    """
    for aside in sorted((case.evidence / "unsigned").glob("*-*"), reverse=True):
        folder = case.root / aside.name.partition("-")[0]
        known = folder.name.partition(".")[0] in STAGES
        if known and not folder.exists() and not is_signed(case, folder):
            with storage_errors(folder):
                aside.rename(folder)


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
    lock = run_lock(case)
    try:
        with storage_errors(case.evidence):
            case.evidence.mkdir(exist_ok=True)
            lock.acquire()
    except filelock.Timeout as error:
        raise CaseError(
            "another run is at work on this case",
            expected="one run at a time",
            where=str(case.root),
            fix="wait for it to end; `labkit status` shows how far it is",
        ) from error
    try:
        case.discard(case.root / ".staging")  # what a dead run left
        _put_back(case)
        yield
    finally:
        with contextlib.suppress(LabkitError, OSError):  # the first error counts
            _put_back(case)
        lock.release()
